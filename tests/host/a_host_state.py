"""Desired states by hand, small enough to read, with every kind that the switch, the kernel and netlink keep."""

from __future__ import annotations

from typing import Any

from netglass.desired.state import (
    KINDS,
    Address,
    Bridge,
    Flow,
    HostState,
    Link,
    Namespace,
    PortTag,
    Route,
    SwitchPort,
    Sysctl,
    Thing,
)
from netglass.pipeline.cookies import pack_cookie

BASE: dict[str, Any] = {"owner": "switching", "intent": ("host:a",)}
COOKIE = pack_cookie(0, "host:a")


def bridges() -> list[Thing]:
    """Gives br-int and br-eth2, joined by a veth pair."""
    things: list[Thing] = [Bridge(**BASE, name=name, datapath_type="netdev") for name in ("br-int", "br-eth2")]
    for name, peer, bridge in (("int-br-eth2", "phy-br-eth2", "br-int"), ("phy-br-eth2", "int-br-eth2", "br-eth2")):
        things.append(Link(**BASE, name=name, form="veth", peer=peer, mtu=1500))
        things.append(SwitchPort(**BASE, bridge=bridge, name=name, trunk=True))
    return [
        *things,
        flow("br-int", 65535, "dl_vlan=4095", "drop"),
        flow("br-int", 2, 'in_port="int-br-eth2"', "drop"),
        flow("br-int", 1, "", "NORMAL"),
        flow("br-eth2", 1, "", "NORMAL"),
    ]


def network(number: int) -> list[Thing]:
    """Gives a network's flows, and its qdhcp namespace with a device, an address and a route."""
    base: dict[str, Any] = {"owner": "dhcp", "intent": (f"network:n{number}", f"port:dhcp{number}")}
    netns, tap = f"qdhcp-n{number}", f"tapdhcp{number}"
    return [
        flow("br-int", 3, f'in_port="int-br-eth2",dl_vlan={1000 + number}', f"mod_vlan_vid:{number},NORMAL"),
        flow("br-eth2", 4, f'in_port="phy-br-eth2",dl_vlan={number}', f"mod_vlan_vid:{1000 + number},NORMAL"),
        Namespace(**base, name=netns),
        SwitchPort(**base, bridge="br-int", name=tap, type="internal", external_ids={"iface-id": f"dhcp{number}"}),
        Link(**base, netns=netns, name=tap, form="internal", mac=mac(0xD000 + number), mtu=1450),
        Address(**base, netns=netns, device=tap, cidr=f"10.0.{number}.2/24"),
        Address(**base, netns=netns, device=tap, cidr=f"fd00:{number}::2/64"),
        Route(**base, netns=netns, destination="0.0.0.0/0", via=f"10.0.{number}.1", device=tap),
        PortTag(**base, port=tap, vlan=number),
    ]


def guest_port(number: int, vlan: int = 1) -> list[Thing]:
    """Gives the hybrid attachment of a guest's port, without the tap."""
    base: dict[str, Any] = {"owner": "plugging", "intent": (f"port:p{number}",)}
    qbr, qvb, qvo = f"qbrp{number}", f"qvbp{number}", f"qvop{number}"
    ids = {"iface-id": f"p{number}", "attached-mac": mac(number), "iface-status": "active"}
    return [
        Link(**base, name=qbr, form="bridge", mtu=1450),
        Link(**base, name=qvb, form="veth", peer=qvo, mtu=1450, master=qbr, tx_checksum=False),
        Link(**base, name=qvo, form="veth", peer=qvb, mtu=1450, tx_checksum=False),
        *(
            Sysctl(**base, netns="", name=f"net/ipv6/conf/{device}/disable_ipv6", value="1")
            for device in (qbr, qvb, qvo)
        ),
        SwitchPort(**base, bridge="br-int", name=qvo, external_ids=ids),
        PortTag(**base, port=qvo, vlan=vlan),
    ]


def flow(bridge: str, priority: int, match: str, actions: str) -> Flow:
    """Gives a flow of table 0."""
    return Flow(**BASE, bridge=bridge, table=0, priority=priority, match=match, actions=actions, cookie=COOKIE)


def mac(number: int) -> str:
    """Gives a MAC address."""
    return f"fa:16:3e:00:{number >> 8:02x}:{number & 0xFF:02x}"


def state(*groups: list[Thing]) -> HostState:
    """Puts objects together as the compiler would: each kind ascending by key."""
    things = [thing for group in groups for thing in group]
    by_kind = {
        kind.kind: tuple(sorted((t for t in things if t.kind == kind.kind), key=lambda t: t.key)) for kind in KINDS
    }
    return HostState(host="a", **by_kind)
