"""Servers that are cut off from one another: agents and clients go on at the one that has the database."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from process import ServerProcess
from test_two_servers import HOST, Agent, until

from support.postgres import Cluster
from support.proxy import Proxy

pytestmark = pytest.mark.server


class CutOff:
    """Two servers over one PostgreSQL, each by a way of its own."""

    def __init__(self, cluster: Cluster, database: str, directory: Path) -> None:
        self.proxies: list[Proxy] = []
        self.servers: list[ServerProcess] = []
        for name in ("one", "other"):
            self.proxies.append(Proxy(cluster.short_directory(), cluster.directory))
            url = f"postgresql://netglass@/{database}?host={self.proxies[-1].directory}"
            self.servers.append(ServerProcess(directory / name, {}, url, directory / "secrets"))

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
