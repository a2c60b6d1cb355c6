"""Servers that are cut off from one another: agents and clients go on at the one that has the database."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from process import ServerProcess
from test_two_servers import HOST, Agent, until

from netglass.model.protocol import Report
from support.postgres import Cluster
from support.proxy import Proxy

pytestmark = pytest.mark.server

DOWN_S = 6  # that a host may be silent


class CutOff:
    """Two servers over one PostgreSQL, each by a way of its own."""

    def __init__(self, cluster: Cluster, database: str, directory: Path) -> None:
        cloud = {"agent_down_s": DOWN_S}
        self.proxies: list[Proxy] = []
        self.servers: list[ServerProcess] = []
        for name in ("one", "other"):
            self.proxies.append(Proxy(cluster.short_directory(), cluster.directory))
            url = f"postgresql://netglass@/{database}?host={self.proxies[-1].directory}"
            self.servers.append(ServerProcess(directory / name, cloud, url, directory / "secrets"))

    def start(self) -> None:
        for server in self.servers:
            server.begin()
        for server in self.servers:
            server.await_answers()

    def end(self) -> None:
        for server in self.servers:
            if server.is_running:
                server.stop(signal.SIGKILL)
        for proxy in self.proxies:
            proxy.close()


@pytest.fixture
def cut_off(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[CutOff]:
    made = CutOff(cluster, database, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def says(server: ServerProcess, token: str, status: int) -> bool:
    try:
        found = httpx.get(f"{server.url}/v2.0/networks", headers={"X-Auth-Token": token}, timeout=5)
    except httpx.TimeoutException:
        return False
    return found.status_code == status


def test_of_servers_that_know_nothing_of_each_other_the_one_with_the_database_goes_on(cut_off: CutOff) -> None:
    one, other = cut_off.servers
    token = one.admin().token
    there = Agent(watched=other, told=other)
    there.until("listed")

    cut_off.proxies[0].silence()
    until(lambda: says(one, token, 503), what="it says that it has no database")
    api = other.admin()
    network = api.post("/v2.0/networks", {"network": {"name": "meanwhile"}})["network"]["id"]
    port = api.post("/v2.0/ports", {"port": {"network_id": network, "binding:host_id": HOST}})["port"]["id"]
    assert there.until("bookmark")
    cut_off.proxies[0].heal()

    until(lambda: says(one, token, 200), what="it answers again")
    assert one.admin().get(f"/v2.0/ports/{port}")["port"]["network_id"] == network
    _both_write_and_tell(cut_off)


def test_a_server_that_finds_its_database_again_takes_nobody_for_away_who_reports_to_another(cut_off: CutOff) -> None:
    one, other = cut_off.servers
    token = one.admin().token
    there = Agent(watched=other, told=other)
    there.until("listed")
    with reporting(there):
        for proxy in cut_off.proxies:
            proxy.silence()
        for server in cut_off.servers:
            until(lambda server=server: says(server, token, 503), what="it says that it has no database")  # type: ignore[misc]
        pass_s(DOWN_S + 1)
        cut_off.proxies[0].heal()
        until(lambda: says(one, token, 200), what="it answers again")
        pass_s(1.5)  # in which it looks at who is there
        cut_off.proxies[1].heal()
        pass_s(DOWN_S + 1)
        assert says(other, token, 200)
    assert [server.log().count(f"host {HOST} is away") for server in cut_off.servers] == [0, 0]


@contextmanager
def reporting(agent: Agent) -> Iterator[None]:
    """Has a host say every half second that it is there, whether a server takes it or not."""
    ended = threading.Event()
    here = Report(version="1", started_at="2026-11-21T12:00:00Z", realised_revision=0)

    def report() -> None:
        while not ended.wait(0.5):
            agent.call("POST", "/report", here)

    with ThreadPoolExecutor(1) as pool:
        reports = pool.submit(report)
        yield
        ended.set()
        reports.result()


def pass_s(seconds: float) -> None:
    """Lets time pass that is meant itself, in place of anything that could be waited for."""
    threading.Event().wait(seconds)


def _both_write_and_tell(cut_off: CutOff) -> None:
    """Has an agent of each server hear what is written through the other, and what was written is there once."""
    one, other = cut_off.servers
    for watched, written in ((one, other), (other, one)):
        agent = Agent(watched=watched, told=watched)
        agent.until("listed")
        api = written.admin()
        network = api.post("/v2.0/networks", {"network": {"name": "after"}})["network"]["id"]
        port = api.post("/v2.0/ports", {"port": {"network_id": network, "binding:host_id": HOST}})["port"]["id"]
        while (line := agent.until("row"))["id"] != port:
            pass
        assert line["kind"] == "port"
        assert [p["id"] for p in watched.admin().get(f"/v2.0/ports?network_id={network}")["ports"]].count(port) == 1
