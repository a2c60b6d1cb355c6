"""What people may ask for, and what they are told when they ask wrongly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netglass.trace as trace_package
from netglass.base.errors import Invalid, NotFound
from netglass.model.resources import Network, Port, Row, Server
from netglass.trace.model import Wish, trace_model
from netglass.trace.result import CODES, hops_of
from unit.trace.test_traces_told import routed_ipv6, two_networks
from unit.trace.trace_cloud import TraceCloud


@pytest.fixture
def cloud() -> TraceCloud:
    made = TraceCloud()
    two_networks(made)
    return made


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("vm1", "vm2"),
        ("vm1", "10.0.0.12"),
        ("vm1", "10.0.0.12@net1"),
        ("10.0.0.11@net1", "vm2"),
        ("dhcp:net1", "vm2"),
        ("vm2", "dhcp"),
        ("dhcp of net1", "vm2"),
    ],
)
def test_ends_are_named_as_people_name_them(cloud: TraceCloud, source: str, destination: str) -> None:
    assert trace_model(cloud.snapshot, Wish(source, destination)).delivered


def test_whoever_is_outside_sends_from_the_router_of_their_own_family() -> None:
    cloud = routed_ipv6()
    for source, beyond in (("198.51.100.7", "203.0.113.1"), ("2001:db8:99::7", "2001:db8:f::1")):
        trace = trace_model(
            cloud.snapshot, Wish(f"{source}@public", "2001:db8:1::11" if ":" in source else "203.0.113.9")
        )
        assert trace.source.name == f"{beyond} outside"


def test_every_reason_to_drop_a_packet_is_written_down() -> None:
    texts = [path.read_text() for path in Path(trace_package.__path__[0]).glob("*.py")]
    used = {
        code for text in texts for code in re.findall(r'(?:code=|return |packet, )"([a-z]+(?:-[a-z]+)*)"[,)]', text)
    }
    assert used == set(CODES)


def test_where_there_is_ipv6_alone_nobody_hears_a_search_for_dhcp() -> None:
    cloud = TraceCloud()
    six = cloud.network("six", "2001:db8:1::/64")
    cloud.port("dhcp of six", six, "control", "2001:db8:1::2", device_owner="network:dhcp")
    cloud.guest("vm1", six, "compute1", "2001:db8:1::11")
    trace = trace_model(cloud.snapshot, Wish("vm1", "dhcp", "dhcp"))
    assert not trace.delivered
    assert "nobody there listens on UDP port 67" in trace.why


def test_ends_are_named_by_id(cloud: TraceCloud) -> None:
    trace = trace_model(cloud.snapshot, Wish(cloud.server_of("vm1"), cloud.port_of("vm2")))
    assert trace.delivered
    assert (trace.source.name, trace.destination.ref) == ("vm1", f"port:{cloud.port_of('vm2')}")


@pytest.mark.parametrize(
    ("wish", "fault", "says"),
    [
        (Wish("nobody", "vm1"), NotFound, "no server, no router and no port 'nobody'"),
        (Wish("vm1", "10.0.0.99@net1"), NotFound, "No port that you may trace has 10.0.0.99"),
        (Wish("vm1", "dhcp:net2"), NotFound, "No DHCP server"),
        (Wish("10.0.0.11", "vm1"), Invalid, "10.0.0.11@<network>"),
        (Wish("dhcp", "dhcp"), Invalid, "cannot both be"),
        (Wish("vm1", "fd00::1"), Invalid, "no addresses of the same family"),
        (Wish("vm1", "vm2", "sctp"), Invalid, "'protocol' is 'sctp'"),
        (Wish("vm1", "vm2", "tcp"), Invalid, "say which"),
        (Wish("vm1", "vm2", "icmp", 80), Invalid, "to no port"),
        (Wish("vm1", "vm2", "udp", 70000), Invalid, "'port' is 70000"),
    ],
)
def test_a_wish_that_means_nothing_is_refused_with_what_to_do(
    cloud: TraceCloud, wish: Wish, fault: type[Exception], says: str
) -> None:
    with pytest.raises(fault, match=says):
        trace_model(cloud.snapshot, wish)


def test_a_name_that_two_have_is_refused_with_their_ids(cloud: TraceCloud) -> None:
    cloud.change(cloud.server_of("vm2"), name="vm1")
    with pytest.raises(Invalid, match="name of several") as raised:
        trace_model(cloud.snapshot, Wish("vm1", "vm3"))
    assert cloud.server_of("vm1") in raised.value.message


def test_others_ports_can_neither_be_named_nor_seen(cloud: TraceCloud) -> None:
    """On a shared network, copies of a flooded question go to guests of others, which are not told of."""
    theirs = {cloud.server_of("vm3"), cloud.port_of("vm3")}
    cloud.change(cloud.port_of("vm2"), admin_state_up=False)  # so that the question is flooded

    def may(row: Row) -> bool:
        return isinstance(row, Network) or row.id not in theirs

    with pytest.raises(NotFound):
        trace_model(cloud.snapshot, Wish("vm1", "vm3"), may)
    whole, part = (trace_model(cloud.snapshot, Wish("vm1", "vm2"), *limit) for limit in ((), (may,)))
    assert any(hop.place == "vm3" for hop in hops_of(whole.hops[0]))
    assert "vm3" not in repr(part)
    assert cloud.port_of("vm3") not in repr(part)
    assert "not shown" in repr(part)


def test_the_verdict_says_what_intent_keeps_the_ends_apart(cloud: TraceCloud) -> None:
    network = cloud.rows[cloud.network_of("vm1")]
    assert isinstance(network, Network)
    cloud.change(network.id, admin_state_up=False)
    assert "network of the port of vm1" in trace_model(cloud.snapshot, Wish("vm1", "vm2")).why
    cloud.change(network.id, admin_state_up=True, physical_network="elsewhere")
    assert "not reached from here" in trace_model(cloud.snapshot, Wish("vm1", "vm2")).why
    assert "net1 (" in trace_model(cloud.snapshot, Wish("vm1", "due")).why


def test_a_port_on_a_host_that_is_not_of_the_cloud_is_nowhere(cloud: TraceCloud) -> None:
    cloud.change(cloud.port_of("vm2"), host_id="gone")
    trace = trace_model(cloud.snapshot, Wish("vm1", "vm2"))
    assert not trace.delivered
    assert "bound to gone, which is no host of this cloud" in trace.why


def test_a_port_that_somebody_else_plugs_is_reached_at_its_device(cloud: TraceCloud) -> None:
    port = cloud.rows[cloud.port_of("vm2")]
    server = cloud.rows[cloud.server_of("vm2")]
    assert isinstance(port, Port)
    assert isinstance(server, Server)
    cloud.change(port.id, device_id="an outside server")
    trace = trace_model(cloud.snapshot, Wish("vm1", port.id))
    assert trace.delivered
    assert trace.destination.device == f"qvo{port.id[:11]}"
