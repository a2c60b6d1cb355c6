"""A real server process: starts on an empty directory, serves every service, and survives what may befall it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from netglass.model.protocol import FeedLine, Listed, Registration, host_credential

pytestmark = pytest.mark.server

REGISTRATION = Registration(roles=("hypervisor", "network"))


class ServerProcess:
    """`netglass server` in a directory of its own; started again, it finds what it had."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._secrets = directory / "secrets"
        self._config = directory / "netglass.toml"
        self._config.write_text(
            f'port = {self.port}\ndatabase = "sqlite:///{directory}/netglass.db"\nsecrets = "{self._secrets}"\n'
        )
        self.log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", "from netglass.cli.main import main; main()", "server"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--config", str(self._config)], stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the server does not listen after 30 s")

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def secret(self, name: str) -> str:
        return (self._secrets / name).read_text().strip()

    def log_in(self, user: str = "admin") -> str:
        domain = {"id": "default"}
        who = {"name": user, "domain": domain, "password": self.secret(f"{user}.password")}
        scope = {"project": {"name": user, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}}
        answer = httpx.post(f"{self.url}/identity/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])

    def get(self, path: str, token: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"X-Auth-Token": token}, timeout=30)

    def post(self, path: str, value: Any, token: str) -> httpx.Response:
        return httpx.post(self.url + path, json=value, headers={"X-Auth-Token": token}, timeout=30)

    def agent(self, host: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {host_credential(self.secret('agent.secret'), host)}"}

    def register(self, host: str) -> None:
        url = f"{self.url}/netglass/v1/hosts/{host}"
        answer = httpx.put(url, content=msgspec.json.encode(REGISTRATION), headers=self.agent(host))
        assert answer.status_code == 200, answer.text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    process.start()
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop(signal.SIGKILL)


def test_empty_directory_becomes_a_cloud_with_an_admin_and_a_user(server: ServerProcess) -> None:
    admin, demo = server.log_in("admin"), server.log_in("demo")

    for path in ("/", "/v2.0/networks", "/identity/v3", "/compute/v2.1/flavors", "/image/v2/images"):
        assert server.get(path, demo).status_code == 200, path
    assert server.get("/netglass/v1/revision", admin).json()["revision"] > 0
    assert server.get("/netglass/v1/revision", demo).status_code == 403


def test_what_was_answered_survives_kill_9_and_so_do_tokens(server: ServerProcess) -> None:
    token = server.log_in()
    made = [server.post("/v2.0/networks", {"network": {"name": f"n{n}"}}, token).json()["network"] for n in range(5)]

    server.stop(signal.SIGKILL)
    server.start()

    listed = server.get("/v2.0/networks?sort_key=name", token).json()["networks"]
    assert listed == made


def test_stop_ends_feeds_and_leaves_with_status_0(server: ServerProcess) -> None:
    server.register("compute1")
    url = f"{server.url}/netglass/v1/hosts/compute1/feed"
    with httpx.stream("GET", url, headers=server.agent("compute1"), timeout=30) as stream:
        lines = stream.iter_lines()
        while not isinstance(msgspec.json.decode(next(lines), type=FeedLine), Listed):
            pass
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()

        for _ in lines:  # to its proper end: a cut connection would raise
            pass

    assert server.process.wait(30) == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in server.log.read_text()


def test_wait_returns_when_the_host_reports_what_it_realised(server: ServerProcess) -> None:
    token = server.log_in()
    server.register("compute1")
    revision = server.get("/netglass/v1/revision", token).json()["revision"]
    report = {"version": "0", "started_at": "2026-11-21T12:00:00Z", "realised_revision": revision}
    url = f"{server.url}/netglass/v1/hosts/compute1/report"
    assert httpx.post(url, json={**report, "realised_revision": 0}, headers=server.agent("compute1")).status_code == 204
    assert server.get("/netglass/v1/wait?host=compute1&timeout=0.05", token).status_code == 503

    assert httpx.post(url, json=report, headers=server.agent("compute1")).status_code == 204

    answer = server.get("/netglass/v1/wait?host=compute1&timeout=5", token)
    assert (answer.status_code, answer.json()) == (200, {"revision": revision, "hosts": ["compute1"]})


def test_wait_asks_nothing_of_a_host_that_a_commit_does_not_concern(server: ServerProcess) -> None:
    token = server.log_in()
    server.register("compute1")
    at = server.get("/netglass/v1/revision", token).json()["revision"]
    report = {"version": "0", "started_at": "2026-11-21T12:00:00Z", "realised_revision": at}
    url = f"{server.url}/netglass/v1/hosts/compute1/report"
    httpx.post(url, json=report, headers=server.agent("compute1"))
    server.post("/v2.0/networks", {"network": {"name": "elsewhere"}}, token)

    answer = server.get("/netglass/v1/wait?timeout=5", token)

    assert answer.status_code == 200
    assert answer.json()["revision"] > at


def test_path_and_method_that_there_are_not_get_a_fault_in_json(server: ServerProcess) -> None:
    missing = httpx.get(server.url + "/nothing/here")
    wrong = httpx.request("DELETE", server.url + "/netglass/v1/revision")

    assert (missing.status_code, missing.json()["NeutronError"]["type"]) == (404, "HTTPNotFound")
    assert (wrong.status_code, wrong.json()["NeutronError"]["type"]) == (405, "HTTPMethodNotAllowed")


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX-Long: ", b"GET /"])
def test_head_without_end_is_refused_before_it_fills_the_memory(server: ServerProcess, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(start)
        with pytest.raises(ConnectionError):  # closed on us while we are still sending
            connection.sendall(b"x" * 64 * 1024 * 1024)


@pytest.mark.parametrize(("size", "status"), [(100_000, 201), (1_048_575, 201), (1_048_576, 413), (4_000_000, 413)])
def test_a_long_body_is_taken_whole_or_refused_whole(server: ServerProcess, size: int, status: int) -> None:
    body = b'{"network": {"name": "n"}}'
    headers = {"X-Auth-Token": server.log_in(), "Content-Type": "application/json"}
    with httpx.Client(base_url=server.url, headers=headers) as client:  # one connection, as clients keep it
        answers = [client.post("/v2.0/networks", content=body.ljust(size)) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [status] * 3
        assert len(client.get("/v2.0/networks").json()["networks"]) == (3 if status == 201 else 0)


def test_nobody_but_the_servers_user_reads_its_database(server: ServerProcess, tmp_path: Path) -> None:
    server.post("/v2.0/networks", {"network": {}}, server.log_in())

    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("netglass.db*")} == {0}


def test_passwords_and_keys_are_in_no_argument_log_or_environment(server: ServerProcess) -> None:
    server.log_in()
    assert server.process is not None
    proc = Path(f"/proc/{server.process.pid}")
    shown = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes() + server.log.read_bytes()

    for name in ("fernet.key", "agent.secret", "admin.password", "demo.password"):
        assert server.secret(name).encode() not in shown


def test_port_in_use_is_said_and_not_waited_for(server: ServerProcess, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    config = second / "netglass.toml"
    config.write_text(f'port = {server.port}\ndatabase = "sqlite:///{second}/x.db"\nsecrets = "{second}/secrets"\n')
    command = [sys.executable, "-c", "from netglass.cli.main import main; main()", "server", "--config", str(config)]

    found = subprocess.run(command, capture_output=True, text=True, timeout=30, env=dict(os.environ), check=False)

    assert found.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {server.port}: Address already in use" in found.stderr
    assert not (second / "x.db").exists()


def test_mistake_in_the_configuration_is_one_line_and_status_2(tmp_path: Path) -> None:
    config = tmp_path / "netglass.toml"
    config.write_text("prot = 1\n")
    command = [sys.executable, "-c", "from netglass.cli.main import main; main()", "server", "--config", str(config)]

    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "netglass.toml" in found.stderr


def test_server_needs_no_more_than_120_mb_after_a_thousand_ports(server: ServerProcess) -> None:
    token = server.log_in()
    network = server.post("/v2.0/networks", {"network": {"name": "n"}}, token).json()["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
    assert server.post("/v2.0/subnets", {"subnet": subnet}, token).status_code == 201
    quota = f"{server.url}/v2.0/quotas/{network['project_id']}"
    assert httpx.put(quota, json={"quota": {"port": -1}}, headers={"X-Auth-Token": token}).status_code == 200
    for _ in range(10):
        made = server.post("/v2.0/ports", {"ports": [{"network_id": network["id"]}] * 100}, token)
        assert made.status_code == 201, made.text
    assert len(server.get("/v2.0/ports", token).json()["ports"]) == 1000

    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    resident_kb = int(status.partition("VmRSS:")[2].split()[0])

    assert resident_kb < 120 * 1024
