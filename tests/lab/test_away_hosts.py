"""A network host that is away, from the servers only or from everybody, and what becomes of its routers and DHCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud import Cloud, Guest, until
from labs import TestLab, netglass
from story_fixtures import api_of
from test_convergence import agent_pid
from test_router_stories import INTERNET

pytestmark = pytest.mark.lab

HOST = "compute2"
_BOOTED = (
    # What a boot leaves nothing of: the agent's marks, and what the switch was told.
    ("rm", "-rf", "/run/netglass/namespaces", "/run/netglass/daemons"),
    ("ovs-vsctl", "del-br", "br-int"),
    ("ovs-vsctl", "del-br", "br-ex"),
)


class Routed:
    """A guest on compute1 that reaches the outside through a router on one of the two hosts."""

    def __init__(self, lab: TestLab) -> None:
        self.lab = lab
        self.admin = api_of(lab, "admin")
        self.cloud = Cloud(lab, api_of(lab, "demo"))
        self.network = self.cloud.network("10.0.1.0/24")
        self.guest: Guest = self.cloud.guest("vm", self.network, "compute1")
        self.router = self.cloud.router(self.network)
        self._agents = {a["host"]: a["id"] for a in self.admin.get("/v2.0/agents?agent_type=L3 agent")["agents"]}

    def held_by(self) -> str:
        """Gives the host that has the router."""
        return str(self.admin.get(f"/v2.0/routers/{self.router}/l3-agents")["agents"][0]["host"])

    def move(self, host: str) -> None:
        """Has a host carry the router, and waits until the other has let it go; nothing when it does."""
        held = self.held_by()
        if held == host:
            return
        assert self.admin.call("DELETE", f"/v2.0/agents/{self._agents[held]}/l3-routers/{self.router}")[0] == 204
        wanted = {"router_id": self.router}
        assert self.admin.call("POST", f"/v2.0/agents/{self._agents[host]}/l3-routers", wanted)[0] == 201
        until(lambda: f"qrouter-{self.router}" not in self.spaces(held), 5, "it has left its old host")

    def reaches_internet(self) -> bool:
        """Says whether the guest gets all its answers."""
        return self.cloud.ping(self.guest, INTERNET).lost == 0

    def spaces(self, host: str) -> set[str]:
        """Gives those of the network's and the router's namespaces that a host has."""
        found = set(self.lab.on(host, "ip", "netns", "list").split())
        return found & {f"qrouter-{self.router}", f"qdhcp-{self.network}"}


def all_well(lab: TestLab) -> bool:
    """Says whether ``netglass lab status`` finds nothing wrong."""
    return netglass("lab", "status", "--lab", lab.name, check=False).returncode == 0


@pytest.fixture
def routed(two_gateways: TestLab) -> Iterator[Routed]:
    made = Routed(two_gateways)
    yield made
    for nic in ("eth1", "eth2", "eth3"):
        two_gateways.on(HOST, "ip", "link", "set", nic, "up")
    until(lambda: all_well(two_gateways), 30, "all hosts are back")
    made.cloud.clear()


def test_a_network_host_that_boots_with_no_server_routes_again(routed: Routed) -> None:
    lab = routed.lab
    routed.move(HOST)
    until(routed.reaches_internet, 20, "the guest reaches the internet")
    spaces = routed.spaces(HOST)

    lab.on(HOST, "ip", "link", "set", "eth1", "down")
    lab.on(HOST, "kill", "-STOP", str(agent_pid(lab, HOST)))
    for words in (*_BOOTED, *(("ip", "netns", "del", name) for name in spaces)):
        lab.on(HOST, *words)
    assert routed.cloud.ping(routed.guest, INTERNET).received == 0
    lab.on(HOST, "kill", "-9", str(agent_pid(lab, HOST)))

    until(routed.reaches_internet, 30, "the guest reaches the internet again")
    assert "going by what was kept" in lab.on(HOST, "cat", "/var/log/netglass/agent.log")


def test_what_a_dead_network_host_did_another_does_and_nothing_runs_twice(routed: Routed) -> None:
    lab = routed.lab
    routed.move(HOST)
    until(routed.reaches_internet, 20, "the guest reaches the internet")

    pid = str(agent_pid(lab, HOST))
    lab.on(HOST, "kill", "-STOP", pid)  # it would put the NICs up again, as they belong to bridges
    for nic in ("eth1", "eth2", "eth3"):
        lab.on(HOST, "ip", "link", "set", nic, "down")
    assert not routed.reaches_internet()
    until(lambda: routed.held_by() == "control", 25, "another host carries the router")
    until(routed.reaches_internet, 10, "the guest reaches the internet again")
    assert "away" in lab.operator("host", "list").stdout
    assert routed.spaces("control") == {f"qrouter-{routed.router}", f"qdhcp-{routed.network}"}

    for nic in ("eth1", "eth2", "eth3"):
        lab.on(HOST, "ip", "link", "set", nic, "up")
    lab.on(HOST, "kill", "-CONT", pid)
    until(lambda: routed.spaces(HOST) == set(), 20, "the host that is back does nothing of it")
    assert routed.held_by() == "control"
    until(routed.reaches_internet, 5, "the world knows again where the router is")
