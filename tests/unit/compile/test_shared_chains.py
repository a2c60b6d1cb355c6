"""Ports of a host that have the same groups lead to the same chains (decision 0019)."""

from __future__ import annotations

from msgspec.structs import replace

from golden.stories import STORIES
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState
from netglass.model.changes import Change
from netglass.model.resources import Port
from netglass.model.snapshot import Snapshot


def _filters(state: HostState) -> dict[str, tuple[str, ...]]:
    return {rule_set.key: rule_set.rules for rule_set in state.rule_sets if rule_set.part}


def test_one_more_port_with_the_same_groups_leaves_the_rules_of_the_others_as_they_are() -> None:
    snapshot = Snapshot.of(STORIES["populated"])
    first = next(port for port in snapshot.rows("ports_by_host", "bob") if not port.device_owner.startswith("network:"))
    states = [compile_host(snapshot, "bob")]
    for number in range(1, 5):
        more = replace(first, id=f"{number:08x}-0000-4000-8000-000000000000", mac_address=f"fa:16:3e:0a:0a:0{number}")
        snapshot = snapshot.apply([Change(Port.kind, more.id, None, more)], snapshot.revision + 1)
        states.append(compile_host(snapshot, "bob"))
    for before, after in zip(map(_filters, states), map(_filters, states[1:]), strict=False):
        assert before.items() - after.items() == set()
        assert len(after) > len(before) > 0
