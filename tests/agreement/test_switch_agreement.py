"""What the model says of frames is what real switches do with them: a sample; ``make trace-check`` has the whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agreement.checking import Tally, check_switches
from agreement.comparing import compare
from agreement.switches import Switches, switches
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState
from netglass.pipeline.tables import SEGMENT_TO_LOCAL
from netglass.trace.fabric import Fabric
from netglass.trace.memory import Memory
from netglass.trace.model import follow
from unit.trace.test_traces_told import two_hosts_vlan
from unit.trace.trace_cloud import HOSTS

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[Switches, Path]]:
    # In a short place: sockets are there.
    with tempfile.TemporaryDirectory(prefix="ngt") as name, switches(Path(name)) as made:
        yield made, Path(name)


def test_the_model_switches_random_packets_in_random_clouds_as_real_switches_do(real: tuple[Switches, Path]) -> None:
    made, directory = real
    total = Tally()
    for seed in range(100, 112):
        total.add(check_switches(seed, 12, directory, made))
    assert total.mismatches == [], "\n".join(total.mismatches)
    assert total.flows > 80, total
    assert total.delivered > 20, total
    assert total.frames > 500, total


def test_a_model_that_is_wrong_is_found_out(real: tuple[Switches, Path]) -> None:
    made, _ = real
    cloud, wish = two_hosts_vlan()
    memory = Memory()
    assert follow(cloud.snapshot, wish, memory).delivered
    states = [compile_host(cloud.snapshot, host) for host in HOSTS]
    for wrong in (False, True):
        made.hold([_without_segments(state) if wrong else state for state in states])
        found = [one for one in compare(made, Fabric.of(states), memory.hops) if one is not None]
        assert bool(found) is wrong, found


def _without_segments(state: HostState) -> HostState:
    kept = tuple(flow for flow in state.flows if flow.priority != SEGMENT_TO_LOCAL)
    return msgspec.structs.replace(state, flows=kept)
