"""Laws of what both drivers make of rules: whatever ranges of ports overlap, what passes is what one of them holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firewall.cases import guest
from firewall.expected import Group, Model, Rule
from firewall.rows import port_id, rows_of
from netglass.base.ids import part_name
from netglass.compile import place
from netglass.compile.compiler import compile_host
from netglass.compile.firewall.clauses import port_masks
from netglass.desired.state import HostState
from netglass.model.snapshot import Snapshot
from netglass.pipeline import tables

EDGES = st.sampled_from([1, 2, 21, 22, 23, 79, 80, 81, 255, 256, 1023, 1024, 32767, 32768, 65534, 65535])
PORT = st.one_of(EDGES, st.integers(1, 65535))
RANGE = st.tuples(PORT, PORT).map(lambda ends: (min(ends), max(ends)))
RANGES = st.lists(RANGE, min_size=1, max_size=8)
PROTOCOLS = (6, 17, 132)


def host_with(ranges: list[tuple[int, int]], protocol: int, version: int, driver: str) -> HostState:
    rules = tuple(Rule("ingress", version, protocol, *ends) for ends in dict.fromkeys(ranges))
    model = Model({"one": guest("one", 16, "one", "some")}, {"some": Group("some", rules)})
    before, place.ENFORCING = place.ENFORCING, True
    try:
        return compile_host(Snapshot.of(rows_of(model, driver)), "one")
    finally:
        place.ENFORCING = before


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
    state = host_with(ranges, protocol, version, "openvswitch")
    assert state.diagnostics == ()
    matches = [flow.match for flow in state.flows if flow.table == tables.RULES_INGRESS.number]
    kinds = [m for m in matches if f"ct_nw_proto={protocol}" in m]
    masks = [
        field.removeprefix("ct_tp_dst=") for m in kinds for field in m.split(",") if field.startswith("ct_tp_dst=")
    ]
    everything = any("ct_tp_dst=" not in m for m in kinds)
    assert kinds
    for port in [data.draw(PORT), *(end for ends in ranges for end in ends)]:
        passes = everything or any(held(mask, port) for mask in masks)
        assert passes == any(low <= port <= high for low, high in ranges), port


@given(RANGES, st.sampled_from(PROTOCOLS), st.sampled_from((4, 6)))
def test_chains_of_overlapping_ranges_hold_each_of_them_once(
    ranges: list[tuple[int, int]], protocol: int, version: int
) -> None:
    state = host_with(ranges, protocol, version, "iptables_hybrid")
    assert state.diagnostics == ()
    chain = f"neutron-openvswi-i{part_name(port_id('one'))}"
    rules = [rule for one in state.rule_sets if one.ip_version == version for rule in one.rules if chain in rule]
    found = [rule.split("--dport ")[1].split(" ")[0] for rule in rules if "--dport " in rule]
    said = {f"{low}" if low == high else f"{low}:{high}" for low, high in ranges if (low, high) != (0, 65535)}
    assert sorted(found) == sorted(said)
