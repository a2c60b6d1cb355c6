"""Laws of what both drivers make of rules: whatever ranges of ports overlap, what passes is what one of them holds."""

from __future__ import annotations

import re
from ipaddress import collapse_addresses, ip_network
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from firewall.cases import guest
from firewall.expected import Group, Model, Rule
from firewall.rows import rows_of
from netglass.compile.firewall.clauses import port_masks
from netglass.compile.firewall.guards import firewall_of
from netglass.compile.firewall.hybrid import render_hybrid
from netglass.compile.firewall.joints import MANY, joints_of
from netglass.compile.firewall.prefixes import joined
from netglass.compile.firewall.tables import render_tables
from netglass.compile.place import place_of
from netglass.desired.permits import Permit, ascending
from netglass.desired.state import Flow, RuleSet, Thing
from netglass.model.snapshot import Snapshot
from netglass.pipeline import tables

EDGES = st.sampled_from([1, 2, 21, 22, 23, 79, 80, 81, 255, 256, 1023, 1024, 32767, 32768, 65534, 65535])
PORT = st.one_of(EDGES, st.integers(1, 65535))
RANGE = st.tuples(PORT, PORT).map(lambda ends: (min(ends), max(ends)))
RANGES = st.lists(RANGE, min_size=1, max_size=8)
PROTOCOLS = (6, 17, 132)


def rendered(ranges: list[tuple[int, int]], protocol: int, version: int, driver: str) -> list[Thing]:
    """Gives what a driver makes of ingress rules with these ranges."""
    rules = tuple(Rule("ingress", version, protocol, *ends) for ends in dict.fromkeys(ranges))
    model = Model({"one": guest("one", 16, "one", "some")}, {"some": Group("some", rules)})
    place = place_of(Snapshot.of(rows_of(model, driver)), "one")
    assert place is not None
    firewall = firewall_of(place)
    assert firewall.diagnostics == ()
    made = render_tables(place, firewall) if driver == "openvswitch" else render_hybrid(place, firewall)
    return [thing for thing in made if isinstance(thing, Thing)]


def held(mask: str, port: int) -> bool:
    value, _, bits = mask.partition("/")
    return port & int(bits or "0xffff", 0) == int(value, 0)


@given(RANGE)
def test_a_range_is_said_in_masks_that_hold_it_and_nothing_else(ends: tuple[int, int]) -> None:
    low, high = ends
    masks = list(port_masks(low, high))
    for port in {low - 1, low, low + 1, (low + high) // 2, high - 1, high, high + 1, 0, 65535} & set(range(65536)):
        assert sum(held(mask, port) for mask in masks) == (low <= port <= high)
    assert len(masks) <= 30


@given(RANGES, st.sampled_from(PROTOCOLS), st.sampled_from((4, 6)), st.data())
def test_flows_of_overlapping_ranges_pass_just_what_a_range_holds(
    ranges: list[tuple[int, int]], protocol: int, version: int, data: st.DataObject
) -> None:
    """CVE-2019-10876: overlapping ranges must neither end the agent nor hide one another."""
    flows = [thing for thing in rendered(ranges, protocol, version, "openvswitch") if isinstance(thing, Flow)]
    matches = [flow.match for flow in flows if flow.table == tables.RULES_INGRESS.number]
    kinds = [m for m in matches if f"ct_nw_proto={protocol}" in m]
    masks = [
        field.removeprefix("ct_tp_dst=") for m in kinds for field in m.split(",") if field.startswith("ct_tp_dst=")
    ]
    everything = any("ct_tp_dst=" not in m for m in kinds)
    assert kinds
    for port in [data.draw(PORT), *(end for ends in ranges for end in ends)]:
        passes = everything or any(held(mask, port) for mask in masks)
        assert passes == any(low <= port <= high for low, high in ranges), port


@given(RANGES, st.sampled_from(PROTOCOLS), st.sampled_from((4, 6)), st.data())
def test_chains_of_overlapping_ranges_pass_just_what_a_range_holds(
    ranges: list[tuple[int, int]], protocol: int, version: int, data: st.DataObject
) -> None:
    sets = [thing for thing in rendered(ranges, protocol, version, "iptables_hybrid") if isinstance(thing, RuleSet)]
    rules = [rule for one in sets if one.ip_version == version for rule in one.rules if "neutron-openvswi-gi" in rule]
    permits = [rule for rule in rules if rule.endswith("-j RETURN")]
    said = [found[1].split(",") for rule in permits if (found := re.search(r"--dports? (\S+)", rule))]
    assert all(sum(1 + (":" in part) for part in parts) <= 15 for parts in said)
    assert permits
    for port in [data.draw(PORT), *(end for ends in ranges for end in ends)]:
        passes = len(said) < len(permits) or any(spans(part, port) for parts in said for part in parts)
        assert passes == any(low <= port <= high for low, high in ranges), port


def spans(part: str, port: int) -> bool:
    low, _, high = part.partition(":")
    return int(low) <= port <= int(high or low)


REMOTES = st.sampled_from(["", *(f"10.0.{number}.0/24" for number in range(12))])
PERMITS = st.builds(
    lambda protocol, ends, remote: Permit(ip_version=4, protocol=protocol, low=ends[0], high=ends[1], remote=remote),
    st.sampled_from((6, 17)),
    st.one_of(st.just((None, None)), st.sampled_from([(22, 22), (80, 80), (80, 90), (91, 95), (443, 443)])),
    REMOTES,
)


@given(st.sets(PERMITS, max_size=40))
def test_joint_permits_let_pass_what_each_alone_does(permits: set[Permit]) -> None:
    joints = list(joints_of(ascending(permits)))
    assert {permit for joint in joints for permit in joint.permits} == permits
    for protocol, port, remote in product((6, 17), (21, 22, 80, 85, 91, 95, 96, 443), ("", "10.0.0.0/24")):
        alone = any(
            (one.protocol, one.remote in ("", remote)) == (protocol, True)
            and (one.low is None or one.low <= port <= (one.high or 0))
            for one in permits
        )
        together = any(
            one.protocol == protocol
            and ("" in one.remotes or remote in one.remotes)
            and (not one.ranges or any((low or 0) <= port <= (high or 0) for low, high in one.ranges))
            for one in joints
        )
        assert together == alone, (protocol, port, remote)


def test_what_many_rules_say_costs_a_packet_few() -> None:
    ports = ascending(Permit(ip_version=4, protocol=6, low=n, high=n, remote="10.0.0.0/24") for n in range(1, 301, 3))
    assert len(list(joints_of(ports))) == 7
    prefixes = ascending(
        Permit(ip_version=4, protocol=6, low=443, high=443, remote=f"10.{n}.0.0/16") for n in range(99)
    )
    assert len(list(joints_of(prefixes))) == 1
    assert len(list(joints_of(prefixes[: MANY - 1]))) == MANY - 1


@given(st.sets(st.integers(0, 63), max_size=40), st.sampled_from([(4, "10.0.0.", 32), (6, "2001:db8::", 128)]))
def test_joined_prefixes_hold_the_same_addresses_and_no_two_of_them_are_one(
    numbers: set[int], family: tuple[int, str, int]
) -> None:
    version, start, length = family
    texts = [f"{start}{number:x}/{length}" if version == 6 else f"{start}{number}/{length}" for number in numbers]
    found = [ip_network(cidr) for cidr in joined(version, map(str, sorted(map(ip_network, texts))))]
    assert {str(one) for network in found for one in network} == {text.partition("/")[0] for text in texts}
    assert found == list(collapse_addresses(found))
    assert sum(network.num_addresses for network in found) == len(numbers)


def test_everybody_is_one_prefix_of_any_neighbours() -> None:
    assert joined(4, ("0.0.0.0/1", "128.0.0.0/1")) == ("0.0.0.0/0",)
    assert joined(4, ()) == ()
    assert joined(6, ("::/0",)) == ("::/0",)
