"""``netglass plan`` and ``netglass diff`` against a server that answers as the real one does."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from golden.stories import BASIC_USE_CASES, NET1, VM_PORT
from netglass.cli import cloud, show
from netglass.cli.diff import diff
from netglass.cli.plan import plan
from netglass.compile.compiler import compile_host
from netglass.model.snapshot import Snapshot

URL = "http://198.51.100.1:9696"
ENVIRONMENT = {
    "OS_AUTH_URL": f"{URL}/identity",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "secret",
    "OS_PROJECT_NAME": "admin",
}
TAG = {"key": "qvo1", "title": "qvo1", "owner": "plugging", "intent": [f"port:{VM_PORT}"], "facts": {"vlan": 3}}
CHANGED = TAG | {"changes": {"vlan": {"found": 9, "wanted": 3}}}


class Server:
    """Answers as the server of the lab did (recorded by hand), with one host's difference as the test wants it."""

    def __init__(self) -> None:
        self.kinds: list[dict[str, Any]] = []
        self.failing: list[dict[str, Any]] = []
        self.password = "secret"
        self.name = "net1"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/identity/v3/auth/tokens":
            return self._token(json.loads(request.content))
        assert request.headers["X-Auth-Token"] == "a token"
        if path.startswith("/netglass/v1/hosts/compute1/"):
            return httpx.Response(200, json=self._host(path))
        if path.startswith("/netglass/"):
            fault = {
                "error": {"type": "HostNotFound", "message": "There is no host 'nosuch'; registered are: compute1."}
            }
            return httpx.Response(404, json=fault)
        if path == "/v2.0/networks":
            return httpx.Response(200, json={"networks": [{"id": NET1, "name": self.name}]})
        if path == "/v2.0/ports":
            row = {"id": VM_PORT, "name": "", "fixed_ips": [{"ip_address": "10.0.0.3"}]}
            return httpx.Response(200, json={"ports": [row]})
        return httpx.Response(503, json={})

    def _token(self, body: dict[str, Any]) -> httpx.Response:
        assert body["auth"]["scope"]["project"]["name"] == "admin"
        if body["auth"]["identity"]["password"]["user"]["password"] != self.password:
            return httpx.Response(401, json={"error": {"code": 401, "message": "Wrong password."}})
        services = [("network", URL), ("compute", f"{URL}/compute/v2.1")]
        catalog = [{"type": kind, "endpoints": [{"interface": "public", "url": url}]} for kind, url in services]
        return httpx.Response(201, json={"token": {"catalog": catalog}}, headers={"X-Subject-Token": "a token"})

    def _host(self, path: str) -> dict[str, Any]:
        if path.endswith("/diff"):
            return {"host": "compute1", "diff": {"host": "compute1", "kinds": self.kinds, "failing": self.failing}}
        state = compile_host(Snapshot.of(BASIC_USE_CASES), "compute1")
        return {"revision": 7, "plan": msgspec.to_builtins(state)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    answers = Server()
    opened = cloud.Cloud.open
    monkeypatch.setattr(cloud.Cloud, "open", lambda: opened(ENVIRONMENT, httpx.MockTransport(answers)))
    return answers


def run(*words: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command("plan")(plan)
    app.command("diff")(diff)
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_plan_prints_each_object_with_owner_and_intent_by_name(server: Server) -> None:
    status, out, _ = run("plan", "compute1", "--kind", "port_tags")
    assert status == 0
    assert out == (
        "host compute1\n\nport_tags\n"
        "  qvo53903a95-82 vlan=3  # plugging tag(net1(5f833617) on compute1) network:net1(5f833617) "
        "port:10.0.0.3(53903a95)\n"
    )


def test_plan_as_json_is_what_the_server_said(server: Server) -> None:
    status, out, _ = run("plan", "compute1", "--json")
    assert status == 0
    assert json.loads(out)["revision"] == 7
    assert json.loads(out)["plan"]["host"] == "compute1"


def test_no_difference_is_status_0(server: Server) -> None:
    assert run("diff", "compute1") == (0, "compute1 is as it must be\n", "")


def test_what_is_only_awaited_is_shown_and_no_difference(server: Server) -> None:
    server.kinds = [{"kind": "port_tags", "awaiting": [TAG]}]
    status, out, _ = run("diff", "compute1")
    assert status == 0
    assert out.startswith("? port_tags qvo1  not there yet; somebody else makes it  # plugging port:10.0.0.3(53903a95)")


def test_a_difference_is_status_1_and_a_line(server: Server) -> None:
    server.kinds = [{"kind": "port_tags", "change": [CHANGED]}, {"kind": "flows", "delete": [TAG]}]
    status, out, _ = run("diff", "compute1")
    assert status == 1
    assert out == (
        "~ port_tags qvo1  vlan: 9 -> 3  # plugging port:10.0.0.3(53903a95)\n"
        "- flows qvo1  # plugging port:10.0.0.3(53903a95)\n"
    )
    assert run("diff", "compute1", "--kind", "links")[0] == 0
    assert run("diff", "compute1", "--json")[0] == 1


def test_what_cannot_be_put_right_is_status_1_and_says_why(server: Server) -> None:
    server.failing = [{"kind": "links", "key": "/qvo1", "evidence": "no such device", "intent": []}]
    status, out, _ = run("diff", "compute1")
    assert (status, out) == (1, "! links /qvo1: no such device  # \n")


_HOSTILE = "\x1b[31mRED\x1b[2J\nhost evil [red]\u202e\x9b"
_SHOWN = "\\x1b[31mRED\\x1b[2J\\nhost evil [red]\\u202e\\x9b"


def _says_nothing_to_a_terminal(out: str) -> bool:
    return all(line.isprintable() for line in out.split("\n"))


def test_names_cannot_break_a_line_or_speak_to_the_terminal(server: Server) -> None:
    server.name = _HOSTILE
    usual = len(run("plan", "compute1")[1].split("\n"))
    server.kinds = [{"kind": "port_tags", "delete": [TAG | {"title": _HOSTILE, "intent": [f"network:{NET1}"]}]}]
    server.failing = [{"kind": "links", "key": "/qvo1", "evidence": _HOSTILE, "intent": [f"network:{NET1}"]}]
    for verb, lines in (("plan", usual), ("diff", 3)):
        out = run(verb, "compute1")[1]
        assert _says_nothing_to_a_terminal(out)
        assert len(out.split("\n")) == lines
        assert _SHOWN in out


@pytest.mark.parametrize("width", [119, 250], ids=["paragraphs", "tables"])
def test_terminals_are_shown_escaped_names_too_and_brackets_as_they_are(
    width: int, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "Console", partial(Console, force_terminal=True, no_color=True, width=width))
    server.name = _HOSTILE
    server.kinds = [{"kind": "port_tags", "delete": [TAG | {"title": _HOSTILE, "intent": [f"network:{NET1}"]}]}]
    server.failing = [{"kind": "links", "key": "/qvo1", "evidence": _HOSTILE, "intent": []}]
    for verb in ("plan", "diff"):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", run(verb, "compute1")[1])  # rich's own bold and dim
        assert _says_nothing_to_a_terminal(plain)
        assert _SHOWN in plain


def test_a_daemon_that_died_is_said_to_be_not_running(server: Server) -> None:
    thing = TAG | {"title": "dhcp-1", "changes": {"argv": {"found": [], "wanted": ["dnsmasq", *["--long"] * 99]}}}
    server.kinds = [{"kind": "daemons", "change": [thing]}]
    out = run("diff", "compute1")[1]
    assert out.startswith("~ daemons dhcp-1  does not run, or not where it must; to be started anew  # plugging")


@pytest.mark.parametrize("verb", ["plan", "diff"])
def test_wrong_usage_is_status_2_with_what_to_do(server: Server, verb: str) -> None:
    status, _, said = run(verb, "nosuch")
    assert (status, said) == (2, f"netglass {verb}: There is no host 'nosuch'; registered are: compute1.\n")
    assert run(verb, "compute1", "--kind", "nosuch")[0] == 2
    server.password = "other"
    assert run(verb, "compute1")[2] == f"netglass {verb}: the credentials are not accepted: Wrong password.\n"


def test_without_credentials_it_says_which_are_missing() -> None:
    with pytest.raises(cloud.CloudError, match="OS_USERNAME, OS_PASSWORD not set") as caught:
        cloud.Cloud.open({"OS_AUTH_URL": URL})
    assert caught.value.usage


def test_a_server_that_does_not_answer_is_no_wrong_usage() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with pytest.raises(cloud.CloudError, match="does not answer: connection refused") as caught:
        cloud.Cloud.open(ENVIRONMENT, httpx.MockTransport(refuse))
    assert not caught.value.usage
