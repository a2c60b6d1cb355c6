"""What the model says of a packet is what a lab's switches do, with all that they have learnt; and how people read it.

Random packets in random clouds are in test_packet_agreement.py.
"""

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

from agreement.reading import as_flow, outputs, visits
from netglass.trace.result import Enter, Output, Table, Trace, deliveries, hops_of

pytestmark = pytest.mark.lab


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
            assert isinstance(entered, Enter)
            flow = as_flow(entered.device, entered.packet)
            said = lab.on(hop.host, "ovs-appctl", "ofproto/trace", "--names", hop.place, flow)
            tables = tuple((step.number, step.priority) for step in hop.steps if isinstance(step, Table))
            assert dict(visits(said))[hop.place] == tables, f"{hop.host} {hop.place} {flow}\n{said}"
            if len(visits(said)) == 1:  # else the switch goes on into others by itself and tells only their outputs
                left = {one.device for one in outputs(said, entered.packet)}
                real = {device for device in left if not device.startswith("br-")}
                model = {step.device for step in hop.steps if isinstance(step, Output)}
                assert real == model, f"{hop.host} {hop.place} {flow}\n{said}"
            compared += 1
    return compared


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
