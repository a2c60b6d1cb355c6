"""Stories of networks in tunnels: the course's walks 1 to 4, 10, 13 and 14, on each type and both ways to know peers."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cloud import Cloud, Guest, Pings, until
from conftest import TestLab, netglass
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_first_guest import netglass_diff
from test_isolation import Capture, neighbour  # noqa: F401 - neighbour is a fixture

from netglass.lab.topology import BUILTIN
from support.api import Api

pytestmark = pytest.mark.lab

HOSTS = ("network", "bob", "daisy")
ADDRESS = {"bob": "192.168.133.112", "network": "192.168.133.113", "daisy": "192.168.133.114"}
OVERHEAD = {"gre": 42, "vxlan": 50, "geneve": 58}

# type, l2_population, IP version of the tunnel network
LABS = [
    ("gre", False, 4),
    ("vxlan", True, 4),
    ("geneve", True, 4),
    ("gre", True, 6),
    ("vxlan", False, 6),
]


class TunnelLab(TestLab):
    """A lab with hosts that have tunnels."""

    kind: str
    populated: bool
    version: int

    __test__ = False

    def port(self, host: str) -> str:
        """Gives the port of br-tun on other hosts that leads to this one."""
        listed = [p for p in self.tunnels("bob" if host != "bob" else "daisy") if p[1] == self.address(host)]
        return listed[0][0]

    def address(self, host: str) -> str:
        return ADDRESS[host] if self.version == 4 else f"fd00:133::{ADDRESS[host].rpartition('.')[2]}"

    def tunnels(self, host: str) -> list[tuple[str, str]]:
        """Gives the tunnels that begin on a host: the port and the peer's address."""
        said = self.on(host, "ovs-vsctl", "--format=csv", "--no-headings", "--columns=name,type,options", "list", "int")
        found = []
        for line in said.splitlines():
            name, kind, options = line.split(",", 2)
            if kind == self.kind:
                remote = re.search(r'remote_ip=""?([0-9a-f.:]+)', options)
                assert remote, options
                found.append((name, remote[1]))
        return sorted(found)

    def flows(self, host: str, bridge: str = "br-tun", *, table: int | None = None) -> list[str]:
        where = [] if table is None else [f"table={table}"]
        said = self.on(host, "ovs-ofctl", "--no-stats", "dump-flows", bridge, *where)
        return [line.strip() for line in said.splitlines() if "actions=" in line]


@pytest.fixture(scope="module", params=LABS, ids=lambda p: f"{p[0]}-{'populated' if p[1] else 'learning'}-ipv{p[2]}")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TunnelLab]:
    """One of the labs that come with Netglass, or the same with the other setting."""
    kind, populated, version = request.param
    text = yaml.safe_load((BUILTIN / f"{kind}.yaml").read_text())
    if version == 6:
        text["cloud"]["overlay_ip_version"] = 6
    for name in HOSTS:
        text["hosts"][name]["l2_population"] = populated
        if version == 6:
            text["hosts"][name]["tunnel_address"] = f"fd00:133::{ADDRESS[name].rpartition('.')[2]}/64"
    path: Path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(yaml.safe_dump(text))
    made = TunnelLab(f"u{os.getpid()}")
    for field, value in (("kind", kind), ("populated", populated), ("version", version)):
        object.__setattr__(made, field, value)
    netglass("lab", "up", str(path), "--lab", made.name)
    try:
        yield made
    finally:
        netglass("lab", "down", "--lab", made.name)


def test_guests_reach_each_other_and_their_dhcp_server_on_one_host_and_over_the_tunnel(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
    admin: Api,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24", "net1")
    one = cloud.guest("one", network_id, "bob")
    two = cloud.guest("two", network_id, "daisy")
    near = cloud.guest("near", network_id, "bob")

    assert cloud.ping(one, two.address).lost == 0
    assert cloud.ping(two, one.address).lost == 0
    assert cloud.ping(one, near.address).lost == 0
    dhcp = admin.get(f"/v2.0/ports?network_id={network_id}&device_owner=network:dhcp")["ports"][0]
    assert dhcp["binding:host_id"] == "network"
    assert cloud.ping(two, dhcp["fixed_ips"][0]["ip_address"]).lost == 0
    assert lab.on("network", "ip", "netns", "exec", f"qdhcp-{network_id}", "ping", "-c1", "-W1", two.address)

    shown = admin.get(f"/v2.0/networks/{network_id}")["network"]
    assert (shown["provider:network_type"], shown["provider:segmentation_id"]) == (lab.kind, 1)
    assert shown["provider:physical_network"] is None
    for host in HOSTS:
        assert netglass_diff(lab, host) == ""
