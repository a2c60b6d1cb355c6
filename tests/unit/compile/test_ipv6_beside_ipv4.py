"""Whatever IPv6 subnet a router joins, its IPv4 goes on as it was (CVE-2014-4167)."""

from __future__ import annotations

import pytest

from golden.stories import NET1, ROUTED, ROUTER
from netglass.base.ids import qrouter_name
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState, Thing
from netglass.model.resources import FixedIp, Port, Row, Subnet
from netglass.model.snapshot import Snapshot

SIX = "c0ffee06-0009-4a4f-8a6b-000000000009"
NETNS = qrouter_name(ROUTER)

SUBNETS = {
    "global": ("2001:db8:1::/64", "2001:db8:1::1"),
    "ULA": ("fd00:1::/64", "fd00:1::1"),
    "a link-local gateway": ("2001:db8:1::/64", "fe80::1"),
    "no gateway": ("2001:db8:1::/64", None),
    "a gateway that is none": ("2001:db8:1::/64", "x"),
    "a prefix that is none": ("2001:db8:1::/640", "2001:db8:1::1"),
    "a prefix longer than its addresses": ("2001:db8:1::/128", "2001:db8:1::"),
}
OF_THE_SUBNET = ("2001:db8:1::1", "fd00:1::1", "2001:db8:1::")


def joined(cidr: str, gateway: str | None) -> list[Row]:
    subnet = Subnet(
        id=SIX,
        network_id=NET1,
        ip_version=6,
        cidr=cidr,
        gateway_ip=gateway,
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
        created_at="2026-11-21T00:00:02Z",
    )
    port = Port(
        id="27d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c99",
        network_id=NET1,
        mac_address="fa:16:3e:00:00:06",
        device_owner="network:router_interface",
        device_id=ROUTER,
        fixed_ips=(FixedIp(SIX, gateway if gateway in OF_THE_SUBNET else "2001:db8:1::5"),),
        host_id="control",
    )
    return [subnet, port]


def of_ipv4(state: HostState) -> list[Thing]:
    """Gives the router's part of IPv4: its rules, addresses and routes."""
    things: list[Thing] = [one for one in state.rule_sets if one.netns == NETNS and one.ip_version == 4]
    things += [one for one in state.addresses if one.netns == NETNS and ":" not in one.cidr]
    return things + [one for one in state.routes if one.netns == NETNS and ":" not in f"{one.key}{one}".split("via")[0]]


@pytest.mark.parametrize("name", SUBNETS)
def test_an_ipv6_subnet_on_a_router_leaves_its_ipv4_alone(name: str) -> None:
    before = compile_host(Snapshot.of(ROUTED), "control")
    after = compile_host(Snapshot.of([*ROUTED, *joined(*SUBNETS[name])]), "control")
    kept = {(one.kind, one.key): one for one in of_ipv4(after)}
    assert len(of_ipv4(before)) > 5
    for one in of_ipv4(before):
        now = kept[one.kind, one.key]
        told = getattr(now, "rules", now), getattr(one, "rules", one)
        assert told[0] == told[1]


@pytest.mark.parametrize("name", ["global", "ULA", "a link-local gateway"])
def test_a_router_of_ipv6_alone_is_a_router(name: str) -> None:
    rows = [row for row in [*ROUTED, *joined(*SUBNETS[name])] if not (isinstance(row, Subnet) and row.ip_version == 4)]
    state = compile_host(Snapshot.of(rows), "control")
    assert any(one.name == NETNS for one in state.namespaces)
    cidr, gateway = SUBNETS[name]
    found = {one.cidr.split("/")[0] for one in state.addresses if one.netns == NETNS and ":" in one.cidr}
    assert gateway in found, (cidr, found)
