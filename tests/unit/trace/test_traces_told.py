"""Whole traces as people read them; ``pytest tests/golden tests/unit/trace --update-golden`` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from netglass.model.resources import HostSettings, Router, Subnet
from netglass.trace.model import Wish, trace_model
from netglass.trace.result import Trace
from netglass.trace.telling import sections
from unit.trace.trace_cloud import SETTINGS, TraceCloud, uuid

TOLD = Path(__file__).parent / "told"


def two_networks(cloud: TraceCloud) -> None:
    """Makes two networks with equal addresses, each with guests on both hypervisors."""
    for network, names in (("net1", ("vm1", "vm2", "vm3")), ("net2", ("uno", "due", "tre"))):
        made = cloud.network(network, dhcp_on="control" if network == "net1" else "")
        for number, (name, host) in enumerate(zip(names, ("compute1", "compute2", "compute1"), strict=True)):
            cloud.guest(name, made, host, f"10.0.0.{11 + number}")


def same_host() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "vm3")


def two_hosts_vlan() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "vm2", "tcp", 80)


def dhcp_server() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("dhcp", "vm2")


def flat() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud(
        msgspec.structs.replace(SETTINGS, provider_link="patch", firewall_driver="openvswitch"),
    )
    made = cloud.network("flat", "fd00::/64", network_type="flat", segmentation_id=None)
    cloud.guest("vm1", made, "compute1", "fd00::11")
    cloud.guest("vm2", made, "compute2", "fd00::12")
    return cloud, Wish("vm1", "vm2")


def isolation() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "due")


def port_down() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    cloud.change(cloud.port_of("vm2"), admin_state_up=False)
    return cloud, Wish("vm1", "vm2")


def sender_down() -> tuple[TraceCloud, Wish]:
    cloud, _ = port_down()
    return cloud, Wish("vm2", "vm1")


def unbound() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    cloud.port("lonely", cloud.network_of("vm1"), "", "10.0.0.99")
    return cloud, Wish("lonely", "vm1")


def stopped() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    cloud.change(cloud.server_of("vm3"), power="stopped", vm_state="stopped")
    return cloud, Wish("vm1", "vm3")


def no_route() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "203.0.113.7", "udp", 53)


def tunnelled(kind: str, populated: bool) -> TraceCloud:
    """Makes a network in tunnels with guests on both hypervisors."""
    settings = HostSettings(tunnel_types=("gre", "vxlan", "geneve"), l2_population=populated)
    cloud = TraceCloud(settings)
    made = cloud.network("net1", dhcp_on="control", network_type=kind, physical_network="", segmentation_id=1)
    for number, host in enumerate(("compute1", "compute2")):
        cloud.guest(f"vm{number + 1}", made, host, f"10.0.0.{11 + number}")
    return cloud


def two_hosts_gre() -> tuple[TraceCloud, Wish]:
    return tunnelled("gre", populated=False), Wish("vm1", "vm2")


def two_hosts_vxlan() -> tuple[TraceCloud, Wish]:
    return tunnelled("vxlan", populated=True), Wish("vm1", "vm2")


def unknown_in_tunnels() -> tuple[TraceCloud, Wish]:
    return tunnelled("geneve", populated=True), Wish("vm1", "10.0.0.99")


def routed() -> TraceCloud:
    """Makes two networks that a router on control joins with each other and with the outside."""
    cloud = TraceCloud(
        HostSettings(
            bridge_mappings={"default": "br-eth2", "external": "br-ex"},
            bridge_nics={"br-eth2": "eth2", "br-ex": "eth3"},
        )
    )
    made = {"net1": cloud.network("net1"), "net2": cloud.network("net2", "10.0.1.0/24")}
    public = cloud.network(
        "public",
        "203.0.113.0/24",
        network_type="flat",
        segmentation_id=None,
        physical_network="external",
        external=True,
        gateway_ip="203.0.113.1",
    )
    cloud.guest("vm1", made["net1"], "compute1", "10.0.0.11")
    cloud.guest("vm2", made["net2"], "compute2", "10.0.1.12")
    router = cloud.router(
        "r1", "control", {made["net1"]: "10.0.0.1", made["net2"]: "10.0.1.1"}, (public, "203.0.113.9")
    )
    cloud.floating("203.0.113.77", router, "vm2")
    return cloud


def by_router() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "vm2")


def to_the_internet() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "198.51.100.7", "tcp", 443)


def from_a_floating_address_to_the_internet() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm2", "198.51.100.7")


def to_a_floating_address() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "203.0.113.77")


def from_the_internet() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("outside", "203.0.113.77", "tcp", 22)


def routed_ipv6() -> TraceCloud:
    """Makes two IPv6 networks joined by a router that has a gateway of both families outside."""
    settings = msgspec.structs.replace(
        SETTINGS,
        bridge_mappings=SETTINGS.bridge_mappings | {"external": "br-ex"},
        bridge_nics=SETTINGS.bridge_nics | {"br-ex": "eth3"},
    )
    cloud = TraceCloud(settings)
    public = cloud.network(
        "public",
        "2001:db8:f::/64",
        network_type="flat",
        physical_network="external",
        segmentation_id=None,
        external=True,
        gateway_ip="2001:db8:f::1",
    )
    ipv4 = uuid(2, 900)
    cloud.put(Subnet(id=ipv4, network_id=public, cidr="203.0.113.0/24", gateway_ip="203.0.113.1"))
    red, blue = cloud.network("red", "2001:db8:1::/64"), cloud.network("blue", "2001:db8:2::/64")
    cloud.guest("vm1", red, "compute1", "2001:db8:1::11")
    cloud.guest("vm2", blue, "compute2", "2001:db8:2::12")
    cloud.router("router", "control", {red: "2001:db8:1::", blue: "2001:db8:2::"}, (public, "2001:db8:f::100"))
    return cloud


def by_router_ipv6() -> tuple[TraceCloud, Wish]:
    return routed_ipv6(), Wish("vm1", "vm2", "tcp", 80)


def to_the_internet_ipv6() -> tuple[TraceCloud, Wish]:
    return routed_ipv6(), Wish("vm1", "2001:db8:10::10")


def from_the_internet_ipv6() -> tuple[TraceCloud, Wish]:
    return routed_ipv6(), Wish("outside", "vm1")


def router_down() -> tuple[TraceCloud, Wish]:
    cloud = routed()
    router = next(row for row in cloud.rows.values() if isinstance(row, Router))
    cloud.change(router.id, admin_state_up=False)
    return cloud, Wish("vm1", "vm2")


def metadata_by_a_router() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "metadata")


def metadata_of_an_isolated_network() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "metadata")


def search_for_dhcp() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "dhcp", "dhcp")


def search_for_dhcp_in_tunnels() -> tuple[TraceCloud, Wish]:
    return tunnelled("vxlan", populated=True), Wish("vm1", "dhcp", "dhcp")


def question() -> tuple[TraceCloud, Wish]:
    cloud = TraceCloud()
    two_networks(cloud)
    return cloud, Wish("vm1", "vm2", "arp")


def question_that_a_switch_answers() -> tuple[TraceCloud, Wish]:
    return tunnelled("vxlan", populated=True), Wish("vm1", "vm2", "arp")


def too_big_for_a_router() -> tuple[TraceCloud, Wish]:
    cloud = routed()
    cloud.change(cloud.network_of("vm2"), mtu=1450)
    return cloud, Wish("vm1", "vm2", size=1451)


def too_big_from_outside() -> tuple[TraceCloud, Wish]:
    cloud = routed()
    cloud.change(cloud.network_of("vm2"), mtu=1450)
    return cloud, Wish("198.51.100.7@public", "203.0.113.77", "tcp", 22, size=1500)


def too_big_for_the_sender() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "vm2", size=1501)


def no_way_back() -> tuple[TraceCloud, Wish]:
    cloud = routed()
    subnet = next(r for r in cloud.rows.values() if isinstance(r, Subnet) and r.network_id == cloud.network_of("vm2"))
    cloud.change(subnet.id, gateway_ip=None)
    return cloud, Wish("vm1", "vm2")


def refused() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "r1", "tcp", 22)


def proxy_reached_directly() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "r1", "tcp", 9697)


def back_to_itself() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm2", "203.0.113.77", "tcp", 22)


def turned_back_without_snat() -> tuple[TraceCloud, Wish]:
    """To a neighbour's floating address, by a router that hides nobody."""
    cloud = routed()
    router = next(row for row in cloud.rows.values() if isinstance(row, Router))
    cloud.change(router.id, enable_snat=False)
    cloud.guest("vm3", cloud.network_of("vm2"), "compute1", "10.0.1.13")
    return cloud, Wish("vm3", "203.0.113.77", "tcp", 22)


def unhidden_outside() -> tuple[TraceCloud, Wish]:
    cloud = routed()
    router = next(row for row in cloud.rows.values() if isinstance(row, Router))
    cloud.change(router.id, enable_snat=False)
    return cloud, Wish("vm1", "198.51.100.7")


def private_address_outside() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "10.9.9.9")


def nobody_next() -> tuple[TraceCloud, Wish]:
    return routed(), Wish("vm1", "10.0.1.99")


STORIES: tuple[tuple[Callable[[], tuple[TraceCloud, Wish]], bool], ...] = (
    (same_host, True),
    (two_hosts_vlan, True),
    (dhcp_server, True),
    (flat, True),
    (isolation, False),
    (port_down, False),
    (sender_down, False),
    (unbound, False),
    (stopped, False),
    (no_route, False),
    (two_hosts_gre, True),
    (two_hosts_vxlan, True),
    (unknown_in_tunnels, False),
    (by_router, True),
    (to_the_internet, True),
    (from_a_floating_address_to_the_internet, True),
    (to_a_floating_address, True),
    (from_the_internet, True),
    (by_router_ipv6, True),
    (to_the_internet_ipv6, True),
    (from_the_internet_ipv6, True),
    (router_down, False),
    (metadata_by_a_router, True),
    (metadata_of_an_isolated_network, True),
    (search_for_dhcp, True),
    (search_for_dhcp_in_tunnels, True),
    (question, True),
    (question_that_a_switch_answers, True),
    (too_big_for_a_router, False),
    (too_big_from_outside, False),
    (too_big_for_the_sender, False),
    (no_way_back, True),
    (refused, True),
    (proxy_reached_directly, False),
    (back_to_itself, True),
    (turned_back_without_snat, True),
    (unhidden_outside, True),
    (private_address_outside, False),
    (nobody_next, False),
)


@pytest.mark.parametrize(("story", "delivered"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_a_trace_tells_what_is_written_down(
    story: Callable[[], tuple[TraceCloud, Wish]], delivered: bool, request: pytest.FixtureRequest
) -> None:
    cloud, wish = story()
    trace = trace_model(cloud.snapshot, wish)
    text = told(trace, cloud)
    path = TOLD / f"{story.__name__}.txt"
    if request.config.getoption("--update-golden", default=False):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert trace.delivered is delivered
    assert text == path.read_text()


@pytest.mark.parametrize("story", [story for story, _ in STORIES], ids=[story.__name__ for story, _ in STORIES])
def test_a_trace_comes_whole_through_json(story: Callable[[], tuple[TraceCloud, Wish]]) -> None:
    cloud, wish = story()
    trace = trace_model(cloud.snapshot, wish)
    assert msgspec.json.decode(msgspec.json.encode(trace), type=Trace) == trace


def test_no_written_trace_is_left_over() -> None:
    assert {path.stem for path in TOLD.glob("*")} == {story.__name__ for story, _ in STORIES}


def told(trace: Trace, cloud: TraceCloud) -> str:
    lines = []
    for section in sections(trace, cloud.name_of):
        lines.append(section.heading)
        for line in section.lines:
            indent = "  " * line.depth
            lines.append(f"{indent}{line.number:3}. {line.text}{f'  [{line.ends}]' if line.ends else ''}")
            lines += [f"{indent}       {reason}" for reason in line.why]
        lines.append(section.verdict)
    lines += [f"assumed: {text}" for text in trace.assumptions]
    lines += [f"caveat: {text}" for text in trace.caveats]
    return "".join(f"{line}\n" for line in lines)
