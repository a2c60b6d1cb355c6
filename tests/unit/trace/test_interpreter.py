"""Each thing that looks at a packet does with it what the real thing does; desired states by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from netglass.desired.state import (
    DEAD_VLAN,
    KINDS,
    Address,
    Bridge,
    Flow,
    HostState,
    Link,
    PortTag,
    Route,
    SwitchPort,
    Sysctl,
    Thing,
)
from netglass.trace.fabric import Fabric, Station, Wire
from netglass.trace.interpreter import Walk
from netglass.trace.making import probe, question
from netglass.trace.memory import Memory
from netglass.trace.packet import Packet
from netglass.trace.resolving import neighbour
from netglass.trace.result import Deliver, Drop, Encap, End, Hop, Output, Table, Warn, deliveries, hops_of, leaves_of

BASE: dict[str, Any] = {"owner": "switching", "intent": ("host:a",)}


def mac(number: int) -> str:
    return f"fa:16:3e:00:00:{number:02x}"


def flow(bridge: str, priority: int, match: str, actions: str, table: int = 0) -> Flow:
    return Flow(**BASE, bridge=bridge, table=table, priority=priority, match=match, actions=actions, cookie=0)


def bridge(name: str = "br-int") -> list[Thing]:
    return [Bridge(**BASE, name=name, datapath_type="netdev"), flow(name, 1, "", "NORMAL")]


def port(name: str, vlan: int | None, on: str = "br-int") -> list[Thing]:
    """Gives a guest's device on a switch; without a tag, one that nobody has wired."""
    tag = [PortTag(**BASE, port=name, vlan=vlan)] if vlan is not None else []
    return [SwitchPort(**BASE, bridge=on, name=name), Link(**BASE, name=name, form="tap"), *tag]


def state(host: str, *things: list[Thing]) -> HostState:
    every = [thing for group in things for thing in group]
    kinds = {k.kind: tuple(sorted((t for t in every if t.kind == k.kind), key=lambda t: t.key)) for k in KINDS}
    return HostState(host=host, **kinds)


def station(host: str, device: str, number: int) -> Station:
    end = End(host=host, device=device, mac=mac(number), ref=f"port:{device}", name=device, guest=True)
    return Station(end, (f"10.0.0.{number}",))


def sent(fabric: Fabric, number: int, to: int, host: str, device: str, **values: Any) -> Hop:
    packet = probe(f"10.0.0.{number}", f"10.0.0.{to}")
    packet = msgspec.structs.replace(packet, eth_src=mac(number), eth_dst=mac(to), **values)
    return Walk(fabric, Memory()).emit(End(host=host, device=device, guest=True), packet)


def takers(hop: Hop) -> list[str]:
    return [found.to.device for found in deliveries(hop)]


def reasons(hop: Hop) -> list[str]:
    return [leaf.code for _, leaf in leaves_of(hop) if isinstance(leaf, Drop)]


def seen(hop: Hop) -> list[str]:
    return [one.place for one in hops_of(hop) if one.kind == "guest"]


# --- switching


def one_switch(*devices: tuple[str, int, int | None]) -> Fabric:
    ports = [port(name, vlan) for name, _, vlan in devices]
    return Fabric.of([state("a", bridge(), *ports)], stations=[station("a", name, n) for name, n, _ in devices])


def test_a_receiver_that_was_not_heard_is_flooded_for_within_the_vlan() -> None:
    fabric = one_switch(("t1", 1, 5), ("t2", 2, 5), ("t3", 3, 5), ("t4", 4, 6))
    hop = sent(fabric, 1, 2, "a", "t1")
    assert takers(hop) == ["t2"]
    assert seen(hop) == ["t2", "t3"]
    assert reasons(hop) == ["not-for-mac"]


def test_a_receiver_that_was_heard_gets_the_only_copy() -> None:
    fabric, memory = one_switch(("t1", 1, 5), ("t2", 2, 5), ("t3", 3, 5)), Memory()
    sender = msgspec.structs.replace(fabric.stations["a", "t1"].end, address="10.0.0.1")
    assert neighbour(Walk(fabric, memory), sender, "10.0.0.2").mac == mac(2)
    packet = msgspec.structs.replace(probe("10.0.0.1", "10.0.0.2"), eth_src=mac(1), eth_dst=mac(2))
    assert seen(Walk(fabric, memory).emit(sender, packet)) == ["t2"]


@pytest.mark.parametrize("vlan", [DEAD_VLAN, None])
def test_ports_that_are_not_wired_reach_nobody_not_even_one_another(vlan: int | None) -> None:
    hop = sent(one_switch(("t1", 1, vlan), ("t2", 2, vlan)), 1, 2, "a", "t1")
    assert reasons(hop) == ["dead-vlan"]
    assert seen(hop) == []


def test_a_guest_that_sends_tags_is_not_let_in() -> None:
    assert reasons(sent(one_switch(("t1", 1, 5), ("t2", 2, 5)), 1, 2, "a", "t1", vlan=5)) == ["tagged"]


def test_the_flow_of_the_highest_priority_that_matches_decides() -> None:
    flows: list[Thing] = [flow("br-int", 9, "in_port=t1", "drop"), flow("br-int", 10, "in_port=t2", "drop")]
    fabric = one_switch(("t1", 1, 5), ("t2", 2, 5))
    states = [state("a", bridge(), port("t1", 5), port("t2", 5), flows)]
    fabric = Fabric.of(states, stations=fabric.stations.values())
    hop = sent(fabric, 1, 2, "a", "t1")
    tables = [step for one in hops_of(hop) for step in one.steps if isinstance(step, Table)]
    assert [(step.number, step.priority) for step in tables] == [(0, 9)]
    assert reasons(hop) == ["flow-drops"]


def test_no_match_is_a_step_of_its_own() -> None:
    only: list[Thing] = [Bridge(**BASE, name="br-int", datapath_type="netdev"), flow("br-int", 1, "in_port=x", "drop")]
    hop = sent(Fabric.of([state("a", only, port("t1", 5))]), 1, 2, "a", "t1")
    assert [step.priority for step in hop.steps if isinstance(step, Table)] == [None]
    assert reasons(hop) == ["no-flow"]


def test_a_flow_that_is_not_understood_ends_in_a_warning() -> None:
    odd: list[Thing] = [flow("br-int", 9, "nsh_spi=7", "drop")]
    hop = sent(Fabric.of([state("a", bridge(), port("t1", 5), odd)]), 1, 2, "a", "t1")
    assert [type(leaf) for _, leaf in leaves_of(hop)] == [Warn]


def test_a_loop_ends_in_a_warning() -> None:
    def patched(name: str, on: str, peer: str) -> SwitchPort:
        return SwitchPort(**BASE, bridge=on, name=name, type="patch", options={"peer": peer}, trunk=True)

    pairs: list[Thing] = [
        patched("p1", "br-int", "q1"),
        patched("q1", "br-x", "p1"),
        patched("p2", "br-int", "q2"),
        patched("q2", "br-x", "p2"),
    ]
    fabric = Fabric.of([state("a", bridge(), bridge("br-x"), port("t1", 5), pairs)])
    hop = sent(fabric, 1, 2, "a", "t1")
    assert any(isinstance(leaf, Warn) for _, leaf in leaves_of(hop))
    again: list[Thing] = [flow("br-int", 9, "", "resubmit(,0)")]
    hop = sent(Fabric.of([state("a", bridge(), port("t1", 5), again)]), 1, 2, "a", "t1")
    assert [type(leaf) for _, leaf in leaves_of(hop)] == [Warn]


# --- Linux bridges, links, wires


def hybrid(name: str, vlan: int) -> list[Thing]:
    return [
        Link(**BASE, name=f"qbr{name}", form="bridge"),
        Link(**BASE, name=f"tap{name}", form="tap", master=f"qbr{name}"),
        Link(**BASE, name=f"qvb{name}", form="veth", peer=f"qvo{name}", master=f"qbr{name}"),
        Link(**BASE, name=f"qvo{name}", form="veth", peer=f"qvb{name}"),
        SwitchPort(**BASE, bridge="br-int", name=f"qvo{name}"),
        PortTag(**BASE, port=f"qvo{name}", vlan=vlan),
    ]


def test_a_hybrid_guest_is_reached_by_its_linux_bridge() -> None:
    states = [state("a", bridge(), hybrid("1", 5), hybrid("2", 5))]
    fabric = Fabric.of(states, stations=[station("a", "tap1", 1), station("a", "tap2", 2)])
    hop = sent(fabric, 1, 2, "a", "tap1")
    assert [one.place for one in hops_of(hop)] == ["qbr1", "br-int", "qbr2", "tap2"]
    assert takers(hop) == ["tap2"]


def test_a_link_that_is_down_passes_nothing() -> None:
    things = [msgspec.structs.replace(t, up=False) if t.key == "/qvb2" else t for t in hybrid("2", 5)]
    hop = sent(Fabric.of([state("a", bridge(), hybrid("1", 5), things)]), 1, 2, "a", "tap1")
    assert reasons(hop) == ["link-down"]


def provider(local: int, segment: int | None) -> list[Thing]:
    outside = "vlan_tci=0x0000/0x1fff" if segment is None else f"dl_vlan={segment}"
    out = "strip_vlan" if segment is None else f"mod_vlan_vid:{segment}"
    return [
        *bridge("br-eth2"),
        SwitchPort(**BASE, bridge="br-eth2", name="eth2", trunk=True),
        Link(**BASE, name="eth2", form="nic"),
        SwitchPort(**BASE, bridge="br-eth2", name="phy", trunk=True),
        SwitchPort(**BASE, bridge="br-int", name="int", trunk=True),
        Link(**BASE, name="phy", form="veth", peer="int"),
        Link(**BASE, name="int", form="veth", peer="phy"),
        flow("br-eth2", 4, f"in_port=phy,dl_vlan={local}", f"{out},NORMAL"),
        flow("br-eth2", 2, "in_port=phy", "drop"),
        flow("br-int", 3, f"in_port=int,{outside}", f"mod_vlan_vid:{local},NORMAL"),
        flow("br-int", 2, "in_port=int", "drop"),
    ]


WIRE = Wire("default", (("a", "eth2"), ("b", "eth2")))


@pytest.mark.parametrize("segment", [1000, None])
def test_segments_tell_networks_apart_on_a_wire(segment: int | None) -> None:
    a = state("a", bridge(), port("t1", 1), provider(1, segment))
    b = state("b", bridge(), port("t2", 7), provider(7, segment))
    stations = [station("a", "t1", 1), station("b", "t2", 2)]
    hop = sent(Fabric.of([a, b], [WIRE], stations), 1, 2, "a", "t1")
    assert takers(hop) == ["t2"]
    assert [p.vlan for p in outputs(hop, "eth2")] == [segment] * 2

    other = state("b", bridge(), port("t2", 7), provider(7, 1001))
    hop = sent(Fabric.of([a, other], [WIRE], stations), 1, 2, "a", "t1")
    assert reasons(hop) == ["unknown-network"]


def outputs(hop: Hop, device: str) -> list[Packet]:
    steps = [step for one in hops_of(hop) for step in one.steps if isinstance(step, Output)]
    return [step.packet for step in steps if step.device == device]


def test_a_nic_that_leads_nowhere_known_ends_in_a_warning() -> None:
    a = state("a", bridge(), port("t1", 1), provider(1, 1000))
    hop = sent(Fabric.of([a]), 1, 2, "a", "t1")
    assert [type(leaf) for _, leaf in leaves_of(hop)] == [Warn]


# --- tunnels: flows as the agent's br-tun has them


def tunnelled(local: int, key: int, here: str, there: str, peer: str) -> list[Thing]:
    learn = (
        "learn(table=20,hard_timeout=300,priority=1,cookie=0x1,delete_learned,NXM_OF_VLAN_TCI[0..11],"
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],"
        "output:NXM_OF_IN_PORT[])"
    )
    options = {"in_key": "flow", "out_key": "flow", "local_ip": here, "remote_ip": there}
    return [
        Bridge(**BASE, name="br-tun", datapath_type="netdev"),
        SwitchPort(**BASE, bridge="br-int", name="pt", type="patch", options={"peer": "pi"}, trunk=True),
        SwitchPort(**BASE, bridge="br-tun", name="pi", type="patch", options={"peer": "pt"}, trunk=True),
        SwitchPort(**BASE, bridge="br-tun", name=peer, type="gre", options=options, trunk=True),
        flow("br-tun", 1, "in_port=pi", "resubmit(,1)"),
        flow("br-tun", 1, f'in_port="{peer}"', "resubmit(,2)"),
        flow("br-tun", 0, "", "drop"),
        flow("br-tun", 0, "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,20)", table=1),
        flow("br-tun", 0, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,22)", table=1),
        flow("br-tun", 1, f"tun_id={key:#x}", f"mod_vlan_vid:{local},resubmit(,10)", table=2),
        flow("br-tun", 0, "", "drop", table=2),
        flow("br-tun", 1, f"dl_vlan={local}", f"{learn},output:pi", table=10),
        flow("br-tun", 0, "", "resubmit(,22)", table=20),
        flow("br-tun", 1, f"dl_vlan={local}", f'strip_vlan,set_field:{key:#x}->tun_id,output:"{peer}"', table=22),
        flow("br-tun", 0, "", "drop", table=22),
    ]


def two_over_gre(key_there: int = 9) -> Fabric:
    a = state("a", bridge(), port("t1", 1), tunnelled(1, 9, "192.0.2.1", "192.0.2.2", "gre-2"))
    b = state("b", bridge(), port("t2", 4), tunnelled(4, key_there, "192.0.2.2", "192.0.2.1", "gre-1"))
    return Fabric.of([a, b], stations=[station("a", "t1", 1), station("b", "t2", 2)])


def test_a_tunnel_carries_the_key_and_what_was_learnt_sends_the_next_packet_straight() -> None:
    fabric, memory = two_over_gre(), Memory()
    sender = msgspec.structs.replace(fabric.stations["a", "t1"].end, address="10.0.0.1")
    found = neighbour(Walk(fabric, memory), sender, "10.0.0.2")
    assert found.mac == mac(2)
    packet = msgspec.structs.replace(probe("10.0.0.1", "10.0.0.2"), eth_src=mac(1), eth_dst=mac(2))
    hop = Walk(fabric, memory).emit(sender, packet)
    assert takers(hop) == ["t2"]
    (encap,) = [step for one in hops_of(hop) for step in one.steps if isinstance(step, Encap)]
    assert (encap.type, encap.key, encap.local, encap.remote) == ("gre", 9, "192.0.2.1", "192.0.2.2")
    visited = [(step.number, step.priority) for step in tables_of(hop, "a", "br-tun")]
    assert visited == [(0, 1), (1, 0), (20, 1)]
    assert [(step.number, step.priority) for step in tables_of(hop, "b", "br-tun")] == [(0, 1), (2, 1), (10, 1)]


def test_another_networks_key_is_dropped() -> None:
    hop = sent(two_over_gre(key_there=8), 1, 2, "a", "t1")
    assert takers(hop) == []
    assert reasons(hop) == ["flow-drops"]


def tables_of(hop: Hop, host: str, bridge_name: str) -> list[Table]:
    at = [one for one in hops_of(hop) if (one.host, one.place) == (host, bridge_name)]
    return [step for one in at for step in one.steps if isinstance(step, Table)]


def test_an_arp_responder_answers_in_the_owners_place() -> None:
    things = tunnelled(1, 9, "192.0.2.1", "192.0.2.2", "gre-2")
    responder = (
        f"move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:{mac(2)}->eth_src,set_field:2->arp_op,"
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
        f"set_field:{mac(2)}->arp_sha,set_field:10.0.0.2->arp_spa,IN_PORT"
    )
    extra: list[Thing] = [
        flow("br-tun", 1, "arp,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1", "resubmit(,21)", table=1),
        flow("br-tun", 1, "arp,dl_vlan=1,arp_tpa=10.0.0.2,arp_op=1", responder, table=21),
    ]
    fabric = Fabric.of([state("a", bridge(), port("t1", 1), things, extra)], stations=[station("a", "t1", 1)])
    sender = msgspec.structs.replace(fabric.stations["a", "t1"].end, address="10.0.0.1")
    assert neighbour(Walk(fabric, Memory()), sender, "10.0.0.2").mac == mac(2)
    assert neighbour(Walk(fabric, Memory()), sender, "10.0.0.3").mac == ""


# --- namespaces


def namespace(device: str, number: int, cidr: str, vlan: int = 5) -> list[Thing]:
    return [
        SwitchPort(**BASE, bridge="br-int", name=device, type="internal", external_ids={"iface-id": device}),
        Link(**BASE, netns="ns", name=device, form="internal", mac=mac(number)),
        Address(**BASE, netns="ns", device=device, cidr=cidr),
        PortTag(**BASE, port=device, vlan=vlan),
    ]


def test_a_namespace_takes_what_is_for_its_addresses_and_forwards_nothing_by_itself() -> None:
    things = namespace("d1", 9, "10.0.0.9/24")
    fabric = Fabric.of([state("a", bridge(), port("t1", 5), things)], stations=[station("a", "t1", 1)])
    assert [d.to.ref for d in deliveries(sent(fabric, 1, 9, "a", "t1"))] == ["port:d1"]
    other = msgspec.structs.replace(probe("10.0.0.1", "10.9.9.9"), eth_src=mac(1), eth_dst=mac(9))
    hop = Walk(fabric, Memory()).emit(End(host="a", device="t1", guest=True), other)
    assert reasons(hop) == ["not-for-address"]


def test_a_namespace_that_forwards_sends_on_by_its_routes_with_a_shorter_life() -> None:
    things = [
        *namespace("d1", 9, "10.0.0.9/24"),
        *namespace("d2", 8, "10.0.1.9/24", vlan=6),
        Sysctl(**BASE, netns="ns", name="net/ipv4/ip_forward", value="1"),
        Route(**BASE, netns="ns", destination="203.0.113.0/24", via="10.0.1.7", device="d2"),
    ]
    there = Station(End(host="a", device="t2", mac=mac(7), name="t2", guest=True), ("10.0.1.7", "203.0.113.5"))
    states = [state("a", bridge(), port("t1", 5), port("t2", 6), things)]
    fabric = Fabric.of(states, stations=[station("a", "t1", 1), there])
    for address in ("10.0.1.7", "203.0.113.5"):
        packet = msgspec.structs.replace(probe("10.0.0.1", address), eth_src=mac(1), eth_dst=mac(9))
        (taken,) = deliveries(Walk(fabric, Memory()).emit(End(host="a", device="t1", guest=True), packet))
        assert isinstance(taken, Deliver)
        assert (taken.to.device, taken.packet.ttl, taken.packet.eth_src) == ("t2", 63, mac(8))
    packet = msgspec.structs.replace(probe("10.0.0.1", "198.51.100.1"), eth_src=mac(1), eth_dst=mac(9))
    assert reasons(Walk(fabric, Memory()).emit(End(host="a", device="t1", guest=True), packet)) == ["no-route"]
    packet = msgspec.structs.replace(packet, ip_dst="10.0.1.7", ttl=1)
    assert reasons(Walk(fabric, Memory()).emit(End(host="a", device="t1", guest=True), packet)) == ["ttl"]


def test_ipv6_neighbours_are_asked_for_by_multicast() -> None:
    things = namespace("d1", 9, "fd00::9/64")
    end = End(host="a", device="t1", mac=mac(1), name="t1", address="fd00::1", guest=True)
    states = [state("a", bridge(), port("t1", 5), things)]
    fabric = Fabric.of(states, stations=[Station(end, ("fd00::1",))])
    assert neighbour(Walk(fabric, Memory()), end, "fd00::9").mac == mac(9)
    assert question(mac(1), "fd00::1", "fd00::9").eth_dst == "33:33:ff:00:00:09"
