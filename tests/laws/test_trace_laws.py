"""Laws of the model's traces, over small clouds with and without contradictions."""

from __future__ import annotations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from laws.strategies import any_clouds, snapshot_of
from netglass.base.errors import UserError
from netglass.base.ids import qvo_name, tap_name
from netglass.compile.compiler import compile_host
from netglass.desired.state import DEAD_VLAN
from netglass.model.resources import Host, Network, Port, Row
from netglass.model.snapshot import Snapshot
from netglass.trace.interpreter import Walk
from netglass.trace.making import probe
from netglass.trace.memory import Memory
from netglass.trace.model import Wish, trace_model
from netglass.trace.placing import Around, fabric_around
from netglass.trace.result import Hop, Trace, hops_of, leaves_of
from unit.trace.trace_cloud import HOSTS, SETTINGS, TraceCloud


@st.composite
def busy_clouds(draw: st.DrawFn) -> TraceCloud:
    """Draws a cloud in which most ports can talk: three hosts set up in their own ways, networks with equal addresses,
    guests on them, and here and there something that keeps one apart.
    """
    cloud = TraceCloud()
    for host in HOSTS:
        settings = msgspec.structs.replace(
            SETTINGS,
            provider_link=draw(st.sampled_from(["veth", "patch"])),
            firewall_driver=draw(st.sampled_from(["iptables_hybrid", "openvswitch"])),
            bridge_nics=draw(st.sampled_from([SETTINGS.bridge_nics] * 5 + [{}])),
        )
        cloud.change(host, settings=settings)
    flat = draw(st.integers(0, 3))
    for number in range(draw(st.integers(1, 3))):
        values = {"network_type": "flat", "segmentation_id": None} if flat == number else {}
        up = draw(st.sampled_from([True] * 7 + [False]))
        network_id = cloud.network(f"net{number}", dhcp_on=draw(st.sampled_from(["", "control"])), **values)
        cloud.change(network_id, admin_state_up=up)
        for guest in range(draw(st.integers(1, 3))):
            _guest(draw, cloud, network_id, f"vm{number}-{guest}", f"10.0.0.{11 + guest}")
    return cloud


def _guest(draw: st.DrawFn, cloud: TraceCloud, network_id: str, name: str, address: str) -> None:
    host = draw(st.sampled_from([*HOSTS * 3, ""]))
    port_id = cloud.guest(name, network_id, host, address)
    trouble = draw(st.sampled_from(["", "", "", "", "down", "stopped", "outside"]))
    if trouble == "down":
        cloud.change(port_id, admin_state_up=False)
    elif trouble == "stopped":
        cloud.change(cloud.server_of(name), power="stopped")
    elif trouble == "outside":
        cloud.change(port_id, device_id="somebody else's")


@given(busy_clouds(), st.data())
def test_a_packet_arrives_just_when_both_ends_are_plugged_and_wired_and_share_a_network_that_joins_them(
    cloud: TraceCloud, data: st.DataObject
) -> None:
    one, other, trace = _traced(cloud.snapshot, list(cloud.rows.values()), data)
    plugged = _is_wired(cloud.snapshot, one) and _is_wired(cloud.snapshot, other)
    joined = one.network_id == other.network_id and _are_joined(cloud.snapshot, one, other)
    assert trace.delivered is (plugged and joined)


@given(busy_clouds(), st.data())
def test_whoever_knows_a_mac_of_another_network_reaches_it_no_more_for_that(
    cloud: TraceCloud, data: st.DataObject
) -> None:
    """A guest that puts another network's MAC on its frames by hand gets no copy of them there."""
    one, other, trace = _traced(cloud.snapshot, list(cloud.rows.values()), data)
    assume(trace.source.host and one.network_id != other.network_id)
    fabric = fabric_around(cloud.snapshot, Around((one, other)))
    packet = probe(one.fixed_ips[0].ip_address, other.fixed_ips[0].ip_address)
    packet = msgspec.structs.replace(packet, eth_src=one.mac_address, eth_dst=other.mac_address)
    assert _reached(Walk(fabric, Memory()).emit(trace.source, packet), cloud.snapshot) <= {one.network_id}


@given(any_clouds(), st.data())
def test_no_copy_of_a_packet_ever_reaches_a_port_of_another_network(rows: list[Row], data: st.DataObject) -> None:
    snapshot = snapshot_of(rows)
    one, _, trace = _traced(snapshot, rows, data)
    assert {network for start in trace.hops for network in _reached(start, snapshot)} <= {one.network_id}


@given(any_clouds(), st.data())
def test_every_path_ends_in_a_leaf_and_every_object_says_whose_it_is(rows: list[Row], data: st.DataObject) -> None:
    _, _, trace = _traced(snapshot_of(rows), rows, data)
    for start in trace.hops:
        assert list(leaves_of(start))
        for hop in hops_of(start):
            for step in hop.steps:
                assert not step.matched or step.matched.startswith("learnt ") or (step.owner and step.intent)


@given(any_clouds(), st.data())
def test_equal_intent_gives_equal_traces(rows: list[Row], data: st.DataObject) -> None:
    one, other, trace = _traced(snapshot_of(rows), rows, data)
    assert trace_model(snapshot_of(reversed(rows)), Wish(one.id, other.id)) == trace


def _reached(start: Hop, snapshot: Snapshot) -> set[str]:
    """Gives the networks of all ports behind which somebody gets a copy."""
    found = set()
    for hop in hops_of(start):
        for step in hop.steps if hop.kind in ("guest", "namespace") else ():
            ids = [ref.partition(":")[2] for ref in step.intent if ref.startswith("port:")]
            found |= {port.network_id for port_id in ids if (port := snapshot.get(Port, port_id)) is not None}
    return found


def _traced(snapshot: Snapshot, rows: list[Row], data: st.DataObject) -> tuple[Port, Port, Trace]:
    ports = [row for row in rows if isinstance(row, Port) and row.fixed_ips]
    assume(len(ports) > 1)
    one = data.draw(st.sampled_from(ports))
    other = data.draw(st.sampled_from([port for port in ports if port.id != one.id]))
    try:
        return one, other, trace_model(snapshot, Wish(one.id, other.id))
    except UserError:
        assume(False)
        raise


def _is_wired(snapshot: Snapshot, port: Port) -> bool:
    """Says whether something is plugged in there, with a live tag, by what its host must look like."""
    state = compile_host(snapshot, port.host_id)
    live = {tag.port for tag in state.port_tags if tag.vlan != DEAD_VLAN}
    taps = {nic.tap for guest in state.guests for nic in guest.nics}
    theirs = {one.name for one in state.switch_ports if one.awaited or one.type == "internal"}
    qvo, tap = qvo_name(port.id), tap_name(port.id)
    return (tap in taps and bool(live & {qvo, tap})) or bool(theirs & live & {qvo, tap})


def _are_joined(snapshot: Snapshot, one: Port, other: Port) -> bool:
    """Says whether a wire leads from one's host to the other's, where it is not the same."""
    if one.host_id == other.host_id:
        return True
    network = snapshot.get(Network, one.network_id)
    assert network is not None
    nics = []
    for host in (one.host_id, other.host_id):
        row = snapshot.get(Host, host)
        if row is None:
            return False
        settings = row.settings
        nics.append(settings.bridge_nics.get(settings.bridge_mappings.get(network.physical_network, "")))
    return all(nics)
