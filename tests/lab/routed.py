"""A guest that reaches the outside through a router on one of two hosts, which may go away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cloud import Cloud, Guest, until
from labs import TestLab, netglass
from scene import INTERNET
from story_fixtures import api_of


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

    def dhcp_hosts(self) -> set[str]:
        """Gives the hosts that have a DHCP server of the network."""
        found = self.admin.get(f"/v2.0/networks/{self.network}/dhcp-agents")["agents"]
        return {str(agent["host"]) for agent in found}

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


@contextmanager
def routed_on(lab: TestLab, host: str) -> Iterator[Routed]:
    """Gives one for as long as the block lasts; the host, which may be cut off by then, is back afterwards."""
    made = Routed(lab)
    try:
        yield made
    finally:
        for nic in ("eth1", "eth2", "eth3"):
            lab.on(host, "ip", "link", "set", nic, "up")
        until(lambda: all_well(lab), 30, "all hosts are back")
        made.cloud.clear()


def all_well(lab: TestLab) -> bool:
    """Says whether ``netglass lab status`` finds nothing wrong."""
    return netglass("lab", "status", "--lab", lab.name, check=False).returncode == 0


def last_noted(lab: TestLab, host: str) -> str:
    """Gives what the server noted last of a host: away, back, or nothing yet."""
    log = lab.on("control", "cat", "/var/log/netglass/server.log")
    return (["", *re.findall(rf"host {host} is (away|back)", log)])[-1]
