"""The applier of iptables chains, on the machine's own iptables in a namespace of the test's own."""

from __future__ import annotations

import random
import re
import select
import subprocess

import pytest
from hosted import on_a_host

from netglass.agent.appliers.filters import Filters
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.agent.appliers.translations import flows_of, flows_without
from netglass.compile.router_rules import Forwarded, Translation, rule_sets
from netglass.compile.router_scopes import scopes_of
from netglass.desired.diff import plan
from netglass.desired.state import HostState, Namespace, RuleSet
from netglass.host import namespaces
from netglass.host.iptables import Flows

pytestmark = pytest.mark.host

NETNS = "qrouter-r1"


def marks() -> NamespaceMarks:
    from pathlib import Path

    found = NamespaceMarks(Path("/run/netglass/namespaces"))
    found.add(Namespace(owner="routing", intent=("router:r1",), name=NETNS))
    return found


def a_router(*floating: tuple[str, str], forwarded: tuple[Forwarded, ...] = ()) -> HostState:
    translation = Translation("qg-12345678-9a", "203.0.113.2", floating=floating, forwarded=forwarded)
    sets = rule_sets("routing", ("router:r1",), NETNS, translation)
    return HostState(host="h", rule_sets=tuple(sorted(sets, key=lambda rule_set: rule_set.key)))


def converge(filters: Filters, wanted: HostState) -> None:
    """Applies the difference once, and demands that none is left."""
    for _ in range(2):
        part = plan(wanted, HostState(host="h", **filters.observe(wanted))).of("rule_sets")
        if not part:
            return
        assert filters.apply(Work(kind="rule_sets", add=part.add, change=part.change)) == []
        assert filters.remove("rule_sets", part.delete, lambda: False) == []
    left = plan(wanted, HostState(host="h", **filters.observe(wanted))).of("rule_sets")
    assert not left, left


def iptables(*words: str) -> str:
    argv = ["ip", "netns", "exec", NETNS, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@on_a_host
def test_a_routers_rules_are_set_changed_and_taken_away_and_others_rules_stay() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    iptables("iptables", "-t", "nat", "-N", "somebodys")
    iptables("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "192.0.2.9", "-j", "somebodys")
    pairs = [(f"203.0.113.{n}", f"10.0.0.{n}") for n in range(10, 40)]
    dice = random.Random(7)
    for _ in range(12):
        converge(filters, a_router(*sorted(dice.sample(pairs, dice.randint(0, 30)))))
    converge(filters, HostState(host="h"))
    rest = [line for line in iptables("iptables-save").splitlines() if "neutron" in line or "somebodys" in line]
    assert rest == [":somebodys - [0:0]", "-A POSTROUTING -s 192.0.2.9/32 -j somebodys"]


@on_a_host
def test_rules_that_stay_go_on_counting() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    converge(filters, a_router(("203.0.113.10", "10.0.0.10")))
    iptables("ip", "addr", "add", "203.0.113.10/32", "dev", "lo")
    iptables("ping", "-c", "1", "-W", "1", "127.0.0.1")
    before = iptables("iptables", "-t", "nat", "-vnxL", "OUTPUT").split()
    assert before[before.index("neutron-l3-agent-OUTPUT") - 2] == "1"
    converge(filters, a_router(("203.0.113.10", "10.0.0.10"), ("203.0.113.11", "10.0.0.11")))
    after = iptables("iptables", "-t", "nat", "-vnxL", "OUTPUT").split()
    assert after[after.index("neutron-l3-agent-OUTPUT") - 2] == "1"


@on_a_host
def test_damage_is_heard_of_at_once_and_mended() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    wanted = a_router(("203.0.113.10", "10.0.0.10"))
    converge(filters, wanted)
    filters.observe(wanted)
    for damage in (
        ("-F", "neutron-l3-agent-PREROUTING"),
        ("-I", "neutron-l3-agent-snat", "-j", "ACCEPT"),
        ("-D", "POSTROUTING", "-j", "neutron-postrouting-bottom"),
        ("-A", "neutron-l3-agent-float-snat", "-j", "RETURN"),
    ):
        iptables("iptables", "-t", "nat", *damage)
        assert select.select(filters.watch(), [], [], 1.0)[0], f"nothing was heard of {damage}"
        assert plan(wanted, HostState(host="h", **filters.observe(wanted))).of("rule_sets")
        converge(filters, wanted)


@on_a_host
def test_a_namespace_made_anew_gets_its_rules_and_the_old_one_is_not_held() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    wanted = a_router()
    converge(filters, wanted)
    old = namespaces.path(NETNS).stat().st_ino
    namespaces.drop(NETNS)
    assert filters.observe(wanted) == {"rule_sets": ()}
    assert filters.watch() == []
    namespaces.make(NETNS)
    converge(filters, wanted)
    assert namespaces.path(NETNS).stat().st_ino != old or iptables("iptables-save")


@on_a_host
def test_a_rule_that_iptables_refuses_is_reported_and_the_other_tables_are_set() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    good = a_router().rule_sets
    bad = RuleSet(
        owner="routing",
        intent=("router:r1",),
        netns=NETNS,
        ip_version=4,
        table="raw",
        chains=("neutron-l3-agent-x",),
        rules=("-A neutron-l3-agent-x -p nonsense -j ACCEPT",),
    )
    errors = filters.apply(Work(kind="rule_sets", add=(*good, bad)))
    assert [error.key for error in errors] == [bad.key]
    found = filters.observe(HostState(host="h", rule_sets=(*good, bad)))["rule_sets"]
    assert {rule_set.key for rule_set in found} == {rule_set.key for rule_set in good}


@on_a_host
def test_the_rules_of_address_scopes_are_read_back_as_they_were_set() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    scopes = scopes_of({"qr-a": "one", "qr-b": "", "qg-c": "one"}, "qg-c")
    assert scopes is not None
    kept = "-A neutron-l3-agent-scope -o qg-c -m mark ! --mark 0x4010000/0xffff0000 -j DROP"
    for hides in (True, False):
        pairs = (("203.0.113.5", "10.0.0.5"),)
        translation = Translation("qg-c", "203.0.113.2", hides, floating=pairs, scopes={4: scopes, 6: scopes})
        sets = rule_sets("routing", ("router:r1",), NETNS, translation)
        converge(filters, HostState(host="h", rule_sets=tuple(sorted(sets, key=lambda one: one.key))))
        # What is not translated on its way out may not leave its scope.
        assert (kept in iptables("iptables-save")) is not hides
        assert kept in iptables("ip6tables-save")
    assert "neutron-l3-agent-scope" in iptables("ip6tables-save", "-t", "mangle")
    converge(filters, a_router())
    assert "scope" not in iptables("iptables-save") + iptables("ip6tables-save")


def track(*words: str) -> None:
    iptables("conntrack", "-I", "-t", "60", "-u", "SEEN_REPLY", "-s", "198.51.100.1", "-d", "203.0.113.9", *words)


def told() -> list[str]:
    """Gives the tracked connections: protocol, the port that was asked for, and the one that answered."""
    lines = iptables("conntrack", "-L").splitlines()
    ports = [(re.findall(r"dport=(\d+)", line)[0], re.findall(r"sport=(\d+)", line)[1]) for line in lines]
    return sorted(f"{line.split()[0]} {asked} {answered}" for line, (asked, answered) in zip(lines, ports, strict=True))


@on_a_host
def test_connections_are_forgotten_of_forwardings_that_go_and_those_that_went_without_one_that_comes() -> None:
    namespaces.make(NETNS)
    filters = Filters(marks())
    web = Forwarded("aaaa", "203.0.113.9", "tcp", (80, 80), "10.0.0.3", (8080, 8080))
    several = Forwarded("bbbb", "203.0.113.9", "udp", (5000, 5009), "10.0.0.3", (6000, 6009))
    converge(filters, a_router(forwarded=(web,)))
    for port in (5000, 5009, 5010):  # in vain
        track("-p", "udp", "--sport", "9", "--dport", str(port))
    track("-p", "tcp", "--state", "ESTABLISHED", "--sport", "9", "--dport", "80", "--dst-nat", "10.0.0.3:8080")

    converge(filters, a_router(forwarded=(web, several)))
    assert told() == ["tcp 80 8080", "udp 5010 5010"]
    for port in (5000, 5003):
        track("-p", "udp", "--sport", "9", "--dport", str(port), "--dst-nat", f"10.0.0.3:{port + 1000}")
    track("-p", "udp", "--sport", "9", "--dport", "70", "--dst-nat", "10.0.0.3:7000")
    converge(filters, a_router(forwarded=(web,)))
    assert told() == ["tcp 80 8080", "udp 5010 5010", "udp 70 7000"]
    converge(filters, a_router())
    assert told() == ["udp 5010 5010", "udp 70 7000"]


def test_the_connections_of_a_translation_are_told_by_its_rule() -> None:
    rule = "-A neutron-l3-agent-PREROUTING -d 203.0.113.5/32 -j DNAT --to-destination 10.0.0.5"
    assert flows_of(rule) == Flows(("--orig-dst", "203.0.113.5", "--reply-src", "10.0.0.5"))
    assert flows_without(rule) == Flows(("--orig-dst", "203.0.113.5", "--reply-src", "203.0.113.5"))
    rule = "-A neutron-l3-agent-float-snat -s 10.0.0.5/32 -j SNAT --to-source 203.0.113.5 --random-fully"
    assert flows_of(rule) == Flows(("--orig-src", "10.0.0.5", "--reply-dst", "203.0.113.5"))
    assert flows_without(rule) is None
    assert flows_of("-A INPUT -j neutron-l3-agent-INPUT") is None
