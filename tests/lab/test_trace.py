"""What the model says of a packet is what real switches and real packets do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import permutations
from typing import Any

import msgspec
import pytest
from cloud import Cloud, Guest, until
from labs import NETGLASS, TestLab
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_isolation import neighbour  # noqa: F401 - fixture

from netglass.trace.packet import ARP, ICMP, IPV6, TCP, UDP, Packet
from netglass.trace.result import Hop, Output, Table, Trace, deliveries, hops_of

pytestmark = pytest.mark.lab

_OUTSIDE = "00:00:5e:00:53"

Visit = tuple[int, int | None]
"""A table's number and the priority of the flow that matched there; None: none did."""


def netglass_trace(lab: TestLab, *words: str, user: str = "admin") -> tuple[int, str]:
    """Runs ``netglass trace``; gives its status and what it printed."""
    argv = [NETGLASS, "trace", *words]
    environment = os.environ | lab.environment(user) | {"COLUMNS": "200"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def traced(lab: TestLab, *words: str) -> Trace:
    status, said = netglass_trace(lab, *words, "--json")
    assert status in (0, 1), said
    trace = msgspec.convert(json.loads(said)["trace"], Trace)
    assert trace.delivered is (status == 0)
    return trace


def compare_with_switches(lab: TestLab, trace: Trace) -> int:
    """Asks the real switch at every hop through one what it would do; gives how many hops were compared."""
    compared = 0
    for start in trace.hops:
        for hop in hops_of(start):
            if hop.kind != "switch":
                continue
            entered = hop.steps[0]
            flow = as_flow(entered.device, entered.packet)  # type: ignore[union-attr]
            said = lab.on(hop.host, "ovs-appctl", "ofproto/trace", "--names", hop.place, flow)
            assert real_visits(said) == model_visits(hop), f"{hop.host} {hop.place} {flow}\n{said}"
            # Else the switch goes on into others by itself and tells only their outputs, or does not know the MAC
            # that stands for somebody outside.
            known = _OUTSIDE not in entered.packet.eth_src + entered.packet.eth_dst  # type: ignore[union-attr]
            if said.count("bridge(") == 1 and known:
                assert real_outputs(said) == model_outputs(hop), f"{hop.host} {hop.place} {flow}\n{said}"
            compared += 1
    return compared


def as_flow(in_port: str, packet: Packet) -> str:
    """Writes a packet as ovs-appctl reads it (ovs-fields(7))."""
    parts = [f'in_port="{in_port}"', f"dl_src={packet.eth_src}", f"dl_dst={packet.eth_dst}"]
    if packet.vlan is not None:
        parts.append(f"dl_vlan={packet.vlan}")
    if packet.tun_id:
        parts.append(f"tun_id={packet.tun_id}")
    if packet.eth_type == ARP:
        shas = [f"arp_sha={packet.arp_sha}", *([f"arp_tha={packet.arp_tha}"] if packet.arp_tha else [])]
        addresses = [f"arp_spa={packet.ip_src}", f"arp_tpa={packet.ip_dst}", f"arp_op={packet.arp_op}"]
        return ",".join(["arp", *parts, *addresses, *shas])
    six = "6" if packet.eth_type == IPV6 else ""
    kind = {ICMP: "icmp", TCP: f"tcp{six}", UDP: f"udp{six}"}.get(packet.ip_proto or 0, "icmp6")
    ports = [] if packet.port_dst is None else [f"tp_src={packet.port_src}", f"tp_dst={packet.port_dst}"]
    icmp = [] if packet.icmp_type is None else [f"icmp{'v6' if six else ''}_type={packet.icmp_type}"]
    prefix = "ipv6" if six else "nw"
    addresses = [f"{prefix}_src={packet.ip_src}", f"{prefix}_dst={packet.ip_dst}", f"nw_ttl={packet.ttl}"]
    return ",".join([kind, *parts, *addresses, *ports, *icmp])


def real_visits(said: str) -> list[Visit]:
    first = said.split("bridge(")[1]
    found = re.findall(r"^ *(\d+)\. (?:(No match)|(?:.*, )?priority (\d+))", first, re.MULTILINE)
    return [(int(number), None if missed else int(priority)) for number, missed, priority in found]


def model_visits(hop: Hop) -> list[Visit]:
    return [(step.number, step.priority) for step in hop.steps if isinstance(step, Table)]


def real_outputs(said: str) -> set[str]:
    """Gives the devices that the packet leaves by, without those that belong to a bridge itself."""
    (actions,) = re.findall(r"^Datapath actions: (.*)$", said, re.MULTILINE)
    words = re.sub(r"\w+\([^()]*\)|pop_vlan|drop", "", actions).split(",")
    return {word.strip() for word in words if word.strip() and not word.strip().startswith("br-")}


def model_outputs(hop: Hop) -> set[str]:
    return {step.device for step in hop.steps if isinstance(step, Output)}


def test_the_models_verdict_is_the_packets_and_its_hops_are_the_switches(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,  # noqa: F811
) -> None:
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    guests = [
        cloud.guest("one", ours, "compute1", "10.0.0.11"),
        cloud.guest("two", ours, "compute2", "10.0.0.12"),
        cloud.guest("near", ours, "compute1", "10.0.0.13"),
        neighbour.guest("uno", theirs, "compute1", "10.0.0.11"),
        neighbour.guest("due", theirs, "compute2", "10.0.0.14"),
    ]
    compared = 0
    for sender, receiver in permutations(guests, 2):
        if sender.address != receiver.address:
            compared += _agree(lab, cloud, sender, receiver)
    dhcp = cloud.api.get(f"/v2.0/ports?network_id={ours}&device_owner=network:dhcp")["ports"][0]
    assert traced(lab, dhcp["id"], guests[1].port_id).delivered
    compared += compare_with_switches(lab, traced(lab, guests[1].port_id, "dhcp"))
    tcp = traced(lab, guests[0].port_id, guests[1].port_id, "--protocol", "tcp", "--port", "80")
    compared += compare_with_switches(lab, tcp)

    cloud.api.call("PUT", f"/v2.0/ports/{guests[1].port_id}", {"port": {"admin_state_up": False}})
    dead = ("ovs-vsctl", "get", "Port", f"qvo{guests[1].port_id[:11]}", "tag")
    until(lambda: lab.on("compute2", *dead).strip() == "4095", 10, "the port is unplugged")
    for sender, receiver in ((guests[0], guests[1]), (guests[1], guests[0])):
        assert not traced(lab, sender.port_id, receiver.port_id).delivered
        compared += _agree(lab, cloud, sender, receiver)
    assert compared > 60


def _agree(lab: TestLab, cloud: Cloud, sender: Guest, receiver: Guest) -> int:  # noqa: F811
    """Sends real packets, so that switches and neighbours know each other; then holds the model to them."""
    lab.inside(sender.id, "ip", "neigh", "flush", "all", check=False)
    real = cloud.ping(sender, receiver.address, count=2, each_s=0.05).lost == 0
    trace = traced(lab, sender.port_id, receiver.port_id)
    # An echo comes from whoever has the address on the sender's own network, meant or not.
    taken = [found.to for start in trace.hops for found in deliveries(start) if not found.packet.is_question]
    assert bool(taken) is real, f"{sender.name} to {receiver.name}: {trace.why}"
    assert trace.delivered is (f"port:{receiver.port_id}" in {end.ref for end in taken})
    return compare_with_switches(lab, trace)


def test_people_read_what_happens_to_a_packet(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,  # noqa: F811
) -> None:
    network = cloud.network("10.0.3.0/24", "net3")
    cloud.guest("alpha", network, "compute1")
    cloud.guest("beta", network, "compute2")
    stranger = neighbour.guest("stranger", neighbour.network("10.0.3.0/24", "theirs"), "compute2")

    status, said = netglass_trace(lab, "alpha", "beta", "--objects", user="demo")
    assert status == 0, said
    segment = cloud_segment(lab, network)
    assert re.search(rf"br-eth2 on compute1 .* rewrites VLAN \d+ to {segment} and sends it out of eth2", said), said
    assert "Guest beta on compute2" in said
    assert "network:net3(" in said
    assert said.count("Delivered.") == 1

    status, said = netglass_trace(lab, "alpha", stranger.port_id, user="demo")
    assert (status, "There is no server, no router and no port" in said) == (2, True), said
    assert netglass_trace(lab, "alpha", "10.0.3.250", user="demo")[0] == 1
    assert netglass_trace(lab, "alpha", "beta", "--protocol", "tcp")[0] == 2
    assert netglass_trace(lab, "alpha", "beta", "--evidence", "hearsay")[0] == 2


def cloud_segment(lab: TestLab, network_id: str) -> Any:
    return lab.openstack("network", "show", network_id, user="admin")["provider:segmentation_id"]
