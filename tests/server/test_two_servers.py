"""Stories of two servers over one PostgreSQL: clients, agents and operators may each speak to another one."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import msgspec
import pytest
from process import ServerProcess, StartServers

from netglass.model.protocol import Listed, Registration, Report
from netglass.model.resources import HostSettings
from support.history import ROOM, History
from support.pace import until
from support.postgres import Cluster

pytestmark = pytest.mark.server

HOST = "compute1"
SETTINGS = HostSettings(bridge_mappings={"default": "br-eth2"}, datapath_type="netdev")
REGISTRATION = Registration(roles=("hypervisor", "network"), settings=SETTINGS, vcpus=2, memory_mb=2048, disk_gb=9)
SOON_S = 15.0


class Agent:
    """A host's agent as far as servers see one: its feed at one of them, its reports and answers at another."""

    def __init__(self, watched: ServerProcess, told: ServerProcess) -> None:
        self.watched = watched
        self.told = told
        self.lines: Queue[dict[str, Any] | None] = Queue()
        self.call("PUT", "", REGISTRATION, to=watched)
        threading.Thread(target=self._follow, daemon=True).start()

    def call(self, method: str, path: str, value: Any, to: ServerProcess | None = None) -> int:
        server = to or self.told
        url = f"{server.url}/netglass/v1/hosts/{HOST}{path}"
        body = msgspec.json.encode(value)
        return httpx.request(method, url, content=body, headers=server.agent(HOST), timeout=20).status_code

    def report(self, revision: int, **values: Any) -> None:
        report = Report(version="1", started_at="2026-11-21T12:00:00Z", realised_revision=revision, **values)
        assert self.call("POST", "/report", report) == 204

    def until(self, kind: str) -> dict[str, Any]:
        """Gives the next line of a kind."""
        while (line := self.lines.get(timeout=SOON_S)) is not None:
            if line["type"] == kind:
                return line
        raise AssertionError(f"the stream ended before any {kind}")

    def ended(self) -> None:
        """Waits for the end of the stream."""
        while self.lines.get(timeout=SOON_S) is not None:
            pass

    def _follow(self) -> None:
        url = f"{self.watched.url}/netglass/v1/hosts/{HOST}/feed"
        try:
            with httpx.stream("GET", url, headers=self.watched.agent(HOST), timeout=SOON_S) as stream:
                for line in stream.iter_lines():
                    self.lines.put(json.loads(line))
        except httpx.TransportError:
            pass
        self.lines.put(None)


@pytest.fixture
def two(start_two: StartServers) -> list[ServerProcess]:
    return start_two(default_quotas={"network": -1, "subnet": -1, "port": -1})


def test_what_is_written_through_one_is_read_through_the_other_at_once(two: list[ServerProcess]) -> None:
    one, other = two[0].admin(), two[1].admin()
    for number in range(30):
        writer, reader = (one, other) if number % 2 else (other, one)
        made = writer.post("/v2.0/networks", {"network": {"name": f"n{number}"}})["network"]
        assert reader.get(f"/v2.0/networks/{made['id']}")["network"]["name"] == f"n{number}"
        reader.delete(f"/v2.0/networks/{made['id']}")
        assert writer.call("GET", f"/v2.0/networks/{made['id']}")[0] == 404


def test_a_token_of_one_is_good_at_the_other_and_revoked_at_both(two: list[ServerProcess]) -> None:
    api = two[0].admin()

    def status(server: ServerProcess) -> int:
        return httpx.get(f"{server.url}/v2.0/networks", headers={"X-Auth-Token": api.token}).status_code

    assert [status(server) for server in two] == [200, 200]
    subject = {"X-Auth-Token": api.token, "X-Subject-Token": api.token}
    assert httpx.delete(f"{two[1].url}/identity/v3/auth/tokens", headers=subject).status_code == 204
    assert [status(server) for server in two] == [401, 401]


def test_status_is_right_and_questions_are_answered_whichever_server_the_agent_has(two: list[ServerProcess]) -> None:
    one, other = two
    agent = Agent(watched=one, told=other)
    agent.until("listed")
    api = one.admin()
    network = api.post("/v2.0/networks", {"network": {}})["network"]["id"]
    port = api.post("/v2.0/ports", {"port": {"network_id": network, "binding:host_id": HOST}})["port"]
    bookmark = agent.until("bookmark")
    agent.report(bookmark["revision"], ports_realised=(port["id"],))

    for server in two:
        api = server.admin()
        assert api.get(f"/v2.0/ports/{port['id']}")["port"]["status"] == "ACTIVE"
        assert api.get(f"/netglass/v1/wait?revision={bookmark['revision']}&timeout=10")["hosts"] == [HOST]
        (seen,) = api.get("/netglass/v1/hosts")["hosts"]
        assert (seen["alive"], seen["connected"], seen["realised_revision"]) == (True, True, bookmark["revision"])
        assert {a["alive"] for a in api.get(f"/v2.0/agents?host={HOST}")["agents"]} == {True}

    with ThreadPoolExecutor(1) as pool:
        for number, server in enumerate([one, other, one]):
            asked = pool.submit(server.admin().get, f"/netglass/v1/hosts/{HOST}/diff")
            question = agent.until("question")
            answer = {"ok": True, "value": {"kinds": [], "answer": number}}
            assert agent.call("POST", f"/answers/{question['id']}", answer, to=two[number % 2]) == 204
            assert asked.result()["diff"]["answer"] == number
    assert agent.call("POST", "/answers/nobody-asked", {"ok": True}) == 404


def test_an_agent_goes_on_at_the_other_server_where_it_was(two: list[ServerProcess]) -> None:
    one, other = two
    agent = Agent(watched=one, told=one)
    listed = agent.until("listed")
    one.stop(signal.SIGKILL)
    agent.ended()
    network = other.admin().post("/v2.0/networks", {"network": {}})["network"]["id"]
    other.admin().post("/v2.0/ports", {"port": {"network_id": network, "binding:host_id": HOST}})

    query = f"since={listed['revision']}&store={listed['store']}"
    url = f"{other.url}/netglass/v1/hosts/{HOST}/feed?{query}"
    with httpx.stream("GET", url, headers=other.agent(HOST), timeout=SOON_S) as stream:
        told = []
        for line in stream.iter_lines():
            told.append(msgspec.json.decode(line))
            if told[-1]["type"] == "listed":
                break
    assert {"network", "port", "local_vlan"} <= {line["kind"] for line in told[:-1]}
    assert all(line["row"] is not None for line in told[:-1])
    assert told[-1] == {"type": "listed", "revision": told[-1]["revision"], "store": listed["store"]}
    assert msgspec.convert({k: v for k, v in told[-1].items() if k != "type"}, Listed).revision > listed["revision"]


def test_servers_without_their_database_say_so_end_streams_and_go_on_by_themselves(
    cluster: Cluster, two: list[ServerProcess]
) -> None:
    agent = Agent(watched=two[0], told=two[1])
    agent.until("listed")
    apis = [server.admin() for server in two]
    cluster.stop()
    try:
        for api in apis:
            status, body = api.call("POST", "/v2.0/networks", {"network": {"name": "lost"}})
            assert (status, body["NeutronError"]["type"]) == (503, "DBConnectionError")
            assert "The PostgreSQL database test" in body["NeutronError"]["message"]
            assert "cannot be reached" in body["NeutronError"]["message"]
            assert api.call("GET", "/v2.0/networks")[0] == 503
            assert api.call("GET", "/compute/v2.1/servers")[0] == 503
            assert api.call("GET", "/identity/v3/users")[0] == 503
        agent.ended()
        assert agent.call("POST", "/report", Report(version="1", started_at="", realised_revision=1)) == 503
    finally:
        cluster.start()

    for api in apis:
        until(lambda api=api: api.call("GET", "/v2.0/networks")[0] == 200, SOON_S, "it answers again")
    apis[0].post("/v2.0/networks", {"network": {"name": "after"}})
    assert [n["name"] for n in apis[1].get("/v2.0/networks")["networks"]] == ["after"]


def test_history_is_true_after_kills_of_servers_and_of_the_database(cluster: Cluster, start_two: StartServers) -> None:
    two = start_two(**ROOM)
    history = History()
    with history.written_by([two[number % 2].admin() for number in range(6)]):
        for round_ in range(4):
            history.wait_for_answers(30)
            if round_ % 2:
                cluster.stop()
                cluster.start()
            else:
                two[round_ // 2].stop(signal.SIGKILL)
                two[round_ // 2].start()
        history.wait_for_answers(30)

    for server in two:
        history.check(server.admin())


def test_a_server_waits_for_its_database_when_it_starts(cluster: Cluster, database: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "one", {}, cluster.url(database))
    cluster.stop()
    try:
        server.begin()
        until(lambda: "Trying again" in server.log(), SOON_S, "it says that it waits")
        assert server.is_running
    finally:
        cluster.start()
    until(server.answers, SOON_S, "it serves")
    server.stop()


@pytest.fixture
def cloud_of_one(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "one", {}, cluster.url(database))
    server.start()
    yield server
    if server.is_running:
        server.stop(signal.SIGKILL)


def test_a_server_with_other_secrets_does_not_start_until_they_are_said_to_be_replaced(
    cluster: Cluster, database: str, tmp_path: Path, cloud_of_one: ServerProcess
) -> None:
    second = ServerProcess(tmp_path / "other", {}, cluster.url(database))

    second.begin()
    assert second.end() == 2
    assert f"{second.secrets}/fernet.key is missing, and the cloud's other servers have it: copy it" in second.log()
    assert not (second.secrets / "fernet.key").exists()

    for name in ("fernet.key", "agent.secret", "metadata.secret"):
        (second.secrets / name).write_text((cloud_of_one.secrets / name).read_text())
        (second.secrets / name).chmod(0o600)
    (second.secrets / "agent.secret").write_text("another\n")
    second.begin()
    assert second.end() == 2
    assert "agent.secret is not what the cloud's other servers have" in second.log()

    second.begin("--replaced-secrets")
    until(second.answers, SOON_S, "it serves")
    second.stop()
    cloud_of_one.stop()
    cloud_of_one.begin()
    assert cloud_of_one.end() == 2


def test_a_key_that_is_added_on_one_server_after_the_other_is_taken(
    cluster: Cluster, database: str, tmp_path: Path, cloud_of_one: ServerProcess
) -> None:
    key = cloud_of_one.secrets / "fernet.key"
    token = cloud_of_one.admin().token
    second = ServerProcess(tmp_path / "other", {}, cluster.url(database))
    second.secrets.mkdir(mode=0o700)
    for name in ("fernet.key", "agent.secret", "metadata.secret", "admin.password"):
        (second.secrets / name).write_text((cloud_of_one.secrets / name).read_text())
        (second.secrets / name).chmod(0o600)
    new = "a" * 43 + "=\n"
    (second.secrets / "fernet.key").write_text(new + key.read_text())

    second.start()

    assert httpx.get(f"{second.url}/v2.0/networks", headers={"X-Auth-Token": token}).status_code == 200
    second.stop()
