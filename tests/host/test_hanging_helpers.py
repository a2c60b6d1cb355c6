"""A program that hangs for one router or network holds up none of the others (CVE-2014-8153)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosted import on_a_host, shell
from msgspec import structs

from netglass.agent.appliers.daemons import Daemons
from netglass.agent.appliers.filters import Filters
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.compile.router_rules import Translation, rule_sets
from netglass.desired.diff import plan
from netglass.desired.state import Daemon, HostState, Namespace, RuleSet
from netglass.host import children, namespaces

pytestmark = [pytest.mark.host, pytest.mark.timeout(600)]

NAMES = ("r1", "r2", "r3")
HANGS, OUTER = "qrouter-r2", "203.0.113.10"


def routers() -> tuple[NamespaceMarks, HostState]:
    """Makes the namespaces of three routers; gives the rules that they are to have."""
    marks = NamespaceMarks(Path("/run/netglass/namespaces"))
    for name in NAMES:
        namespaces.make(f"qrouter-{name}")
        marks.add(Namespace(owner="routing", intent=(f"router:{name}",), name=f"qrouter-{name}"))
    return marks, wanted_with()


def wanted_with(*floating: tuple[str, str]) -> HostState:
    sets: list[RuleSet] = []
    for name in NAMES:
        translation = Translation("qg-1", "203.0.113.2", floating=floating)
        sets += rule_sets("routing", (f"router:{name}",), f"qrouter-{name}", translation)
    return HostState(host="h", rule_sets=tuple(sorted(sets, key=lambda one: one.key)))


def let_hang(program: str, netns: str) -> None:
    """Puts a program before the host's own of that name that never ends in one namespace."""
    inode = Path(f"/run/netns/{netns}").stat().st_ino
    real = shell("which", program).strip()
    directory = Path("/run/in-front")
    directory.mkdir(exist_ok=True)
    wrapper = directory / program
    wrapper.write_text(
        f'#!/bin/sh\n[ "$(stat -Lc %i /proc/self/ns/net)" = {inode} ] && exec sleep 1000\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    if str(directory) not in os.environ["PATH"]:
        os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"


def one_round(filters: Filters, wanted: HostState) -> dict[str, str]:
    """Does what one round of the agent does; gives what failed, by namespace."""
    part = plan(wanted, HostState(host="h", **filters.observe(wanted))).of("rule_sets")
    failed = filters.apply(Work(kind="rule_sets", add=part.add, change=part.change))
    return {error.key.split(" ")[0].split("/")[0]: str(error) for error in failed}


def rules_in(netns: str) -> str:
    said = shell("ip", "netns", "exec", netns, "/usr/sbin/iptables-save", "-t", "nat")
    return "\n".join(line for line in said.splitlines() if not line.startswith("#"))  # those have the time


@pytest.mark.parametrize("program", ["iptables-save", "iptables-restore"])
def test_rules_that_hang_in_one_router_are_set_in_the_others(program: str) -> None:
    @on_a_host
    def on_it() -> None:
        marks, before = routers()
        assert one_round(Filters(marks), before) == {}
        let_hang(program, HANGS)
        wanted = wanted_with((OUTER, "10.0.0.10"))
        failed = one_round(Filters(marks), wanted)  # an agent that was started anew, and knows nothing
        assert set(failed) == {HANGS}, failed
        assert "still running" in failed[HANGS]
        for name in NAMES:
            assert (OUTER in rules_in(f"qrouter-{name}")) == (f"qrouter-{name}" != HANGS)

        Path("/run/in-front", program).unlink()
        assert one_round(Filters(marks), wanted) == {}
        assert OUTER in rules_in(HANGS)

    on_it()


@on_a_host
def test_a_namespace_that_cannot_be_read_is_taken_for_what_it_was_and_left_alone() -> None:
    marks, wanted = routers()
    now = [0.0]
    filters = Filters(marks, clock=lambda: now[0])
    assert one_round(filters, wanted) == {}
    assert one_round(filters, wanted) == {}
    before = rules_in(HANGS)
    let_hang("iptables-save", HANGS)
    now[0] += 10  # it is looked at again
    assert one_round(filters, wanted) == {}
    assert rules_in(HANGS) == before
    more = structs.replace(wanted, rule_sets=wanted.rule_sets[:-1])
    started = time.monotonic()
    filters.observe(more)
    assert time.monotonic() - started < 8  # it did not hang again
    Path("/run/in-front/iptables-save").unlink()
    now[0] += 60
    assert one_round(filters, wanted) == {}


@on_a_host
def test_a_daemon_that_hangs_and_obeys_no_signal_holds_up_no_other() -> None:
    deaf = ("python3", "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()")
    first = [Daemon(owner="routing", intent=(f"router:{name}",), name=name, netns="", argv=deaf) for name in NAMES]
    daemons = Daemons(Path("/run/netglass/daemons"))
    assert daemons.apply(Work(kind="daemons", add=tuple(first))) == []
    states = {name: children.recorded(Path("/run/netglass/daemons") / name) for name in NAMES}
    stopped = states["r2"]
    assert stopped is not None
    os.kill(stopped.pid, signal.SIGSTOP)

    second = [structs.replace(one, argv=("sleep", "1000")) for one in first]
    wanted = HostState(host="h", daemons=tuple(second))
    _until_settled(daemons, wanted)
    for name in NAMES:
        state = children.recorded(Path("/run/netglass/daemons") / name)
        assert state is not None
        assert Path(f"/proc/{state.pid}/comm").read_text().strip() == "sleep"


def _until_settled(daemons: Daemons, wanted: HostState, attempts: Callable[[], range] = lambda: range(10)) -> None:
    for _ in attempts():
        part = plan(wanted, HostState(host="h", **daemons.observe(wanted))).of("daemons")
        if not part:
            return
        daemons.apply(Work(kind="daemons", add=part.add, change=part.change))
    raise AssertionError("not reached")
