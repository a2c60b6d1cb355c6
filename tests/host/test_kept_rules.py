"""What was read of namespaces' rules counts for the next agent as long as the rules are the same, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hosted import on_a_host, shell

from netglass.agent.appliers.filters import Filters
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.compile.router_rules import Translation, rule_sets
from netglass.desired.diff import plan
from netglass.desired.state import HostState, Namespace
from netglass.host import iptables, namespaces

pytestmark = pytest.mark.host

NAMES = ("qrouter-r1", "qrouter-r2")
ASKED = Path("/run/asked")
KEPT = Path("/run/netglass/rules")


def in_front(program: str, script: str) -> None:
    """Puts a script in front of one of the machine's programs, in which `$real` is that."""
    directory = Path("/run/in-front")
    directory.mkdir(exist_ok=True)
    wrapper = directory / program
    wrapper.write_text(f"#!/bin/sh\nreal={shell('which', program).strip()}\n{script}\n")
    wrapper.chmod(0o755)
    os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"


def two_routers() -> tuple[NamespaceMarks, HostState]:
    """Gives namespaces that have the rules that are wanted, read once since; from then on reading is noted."""
    marks = NamespaceMarks(Path("/run/netglass/namespaces"))
    sets = []
    for name in NAMES:
        namespaces.make(name)
        marks.add(Namespace(owner="routing", intent=("router:r",), name=name))
        sets += rule_sets("routing", ("router:r",), name, Translation("qg-c", "203.0.113.2"))
    wanted = HostState(host="h", rule_sets=tuple(sorted(sets, key=lambda rule_set: rule_set.key)))
    filters = Filters(marks)
    assert filters.apply(Work(kind="rule_sets", add=wanted.rule_sets)) == []
    assert differing(filters, wanted) == set()
    in_front("iptables-save", f'ip netns identify $$ >> {ASKED}\nexec $real "$@"')
    return marks, wanted


def differing(filters: Filters, wanted: HostState) -> set[str]:
    """Gives the namespaces whose rules an agent finds to be other ones than are wanted."""
    part = plan(wanted, HostState(host="h", **filters.observe(wanted))).of("rule_sets")
    return {thing.key.split()[0] for thing in (*part.add, *part.delete, *(new for _, new in part.change))}


def asked() -> list[str]:
    """Gives the namespaces that were read since the last call."""
    found = sorted(ASKED.read_text().split()) if ASKED.exists() else []
    ASKED.unlink(missing_ok=True)
    return found


@on_a_host
def test_an_agent_that_is_started_anew_reads_only_rules_that_were_changed_meanwhile() -> None:
    marks, wanted = two_routers()
    assert differing(Filters(marks), wanted) == set()
    assert asked() == []
    shell("ip", "netns", "exec", NAMES[1], "iptables", "-t", "nat", "-F", "neutron-l3-agent-snat")
    filters = Filters(marks)
    assert differing(filters, wanted) == {NAMES[1]}
    assert asked() == [NAMES[1]]
    # Doubt is about what was kept, too.
    filters.doubt()
    assert differing(filters, wanted) == {NAMES[1]}
    assert asked() == list(NAMES)


@on_a_host
def test_of_rules_that_an_agent_changed_and_did_not_read_again_nothing_is_kept() -> None:
    marks, wanted = two_routers()
    filters = Filters(marks)
    assert differing(filters, wanted) == set()
    assert filters.remove("rule_sets", wanted.rule_sets, lambda: False) == []
    assert differing(Filters(marks), wanted) == set(NAMES)


@on_a_host
def test_a_namespace_made_anew_under_its_name_has_not_the_rules_of_the_old_one() -> None:
    marks, wanted = two_routers()
    namespaces.drop(NAMES[0])
    namespaces.make(NAMES[0])
    for _ in range(20):  # as many changes as the old one had, and more
        shell("ip", "netns", "exec", NAMES[0], "iptables", "-t", "nat", "-F")
        assert differing(Filters(marks), wanted) == {NAMES[0]}


@on_a_host
def test_where_iptables_is_of_the_older_kind_rules_are_read_at_each_start() -> None:
    marks, wanted = two_routers()
    in_front("iptables", "echo 'iptables v1.8.9 (legacy)'")
    iptables.built_on_nf_tables.cache_clear()
    for _ in range(2):
        assert differing(Filters(marks), wanted) == set()
        assert set(asked()) == set(NAMES)


@on_a_host
def test_what_is_kept_goes_with_its_namespace_and_what_is_damaged_is_not_heeded() -> None:
    marks, wanted = two_routers()
    (KEPT / NAMES[0]).write_text('{"stamp":')
    (KEPT / "qrouter-gone").write_text("{}")
    assert differing(Filters(marks), wanted) == set()
    assert set(asked()) == {NAMES[0]}
    assert sorted(path.name for path in KEPT.iterdir()) == list(NAMES)
