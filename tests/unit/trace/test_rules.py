"""iptables rules do with a packet what their manual says; rules as iptables-save prints them."""

from __future__ import annotations

import pytest

from netglass.desired.state import RuleSet
from netglass.trace.packet import probe
from netglass.trace.result import Filter, Nat, Warn
from netglass.trace.rules import Outcome, Passing, consult

WEB = probe("10.0.0.11", "203.0.113.77", "tcp", 80)


def asked(*rules: str, chain: str = "PREROUTING", **passing: object) -> Outcome:
    made = RuleSet(
        owner="routing", intent=("router:r",), netns="ns", ip_version=4, table="nat", chains=(), rules=tuple(rules)
    )
    return consult(made, chain, Passing(WEB, **passing))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("-d 203.0.113.77/32", True),
        ("-d 203.0.113.78/32", False),
        ("! -d 203.0.113.78/32", True),
        ("-s 10.0.0.0/24", True),
        ("-i qr-+", True),
        ("-i qg-1", False),
        ("! -o qg-1", True),
        ("-p tcp -m tcp --dport 80", True),
        ("-p tcp -m tcp --dport 81:90", False),
        ("-p tcp -m tcp ! --dport 81:90", True),
        ("-p udp", False),
        ("-m conntrack --ctstate DNAT", False),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", False),
        ("-m conntrack ! --ctstate DNAT", True),
        ("-m mark --mark 0x2/0xffff", True),
        ("-m mark ! --mark 0x2/0xffff", False),
        ('-m comment --comment "a note, in words"', True),
    ],
)
def test_a_rule_is_for_the_packets_that_it_says(match: str, fits: bool) -> None:
    outcome = asked(f"-A PREROUTING {match} -j DROP", entered="qr-1", mark=2)
    assert outcome.passes is not fits


def test_chains_are_gone_through_and_come_back() -> None:
    rules = ("-A PREROUTING -j one", "-A PREROUTING -j DROP", "-A one -d 203.0.113.77/32 -j RETURN", "-A one -j ACCEPT")
    outcome = asked(*rules)
    assert outcome.passes is False
    assert [(step.passes, step.owner, step.intent) for step in outcome.steps if isinstance(step, Filter)] == [
        (False, "routing", ("router:r",))
    ]
    assert asked("-A PREROUTING -j one", "-A PREROUTING -j DROP", "-A one -j ACCEPT").passes


def test_translation_says_what_it_changed_and_is_remembered() -> None:
    outcome = asked("-A PREROUTING -d 203.0.113.77/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.1.12:8080")
    assert (outcome.passing.packet.ip_dst, outcome.passing.packet.port_dst) == ("10.0.1.12", 8080)
    assert outcome.passing.turned
    (step,) = outcome.steps
    assert isinstance(step, Nat)
    assert {change.field for change in step.changed} == {"ip_dst", "port_dst"}
    outcome = asked(
        "-A POSTROUTING -o qg-1 -j SNAT --to-source 203.0.113.9 --random-fully", chain="POSTROUTING", leaving="qg-1"
    )
    assert outcome.passing.packet.ip_src == "203.0.113.9"
    outcome = asked("-A PREROUTING -i qr-+ -j REDIRECT --to-ports 9697", entered="qr-1")
    assert (outcome.passing.packet.ip_dst, outcome.passing.packet.port_dst) == ("127.0.0.1", 9697)


def test_a_rule_without_a_target_only_counts() -> None:
    assert not asked("-A PREROUTING -d 203.0.113.77/32", "-A PREROUTING -j DROP").passes


def test_marks_are_set_within_their_mask() -> None:
    assert asked("-A PREROUTING -j MARK --set-xmark 0x2/0xffff", mark=0x10001).passing.mark == 0x10002


def test_without_rules_a_packet_passes_as_it_is() -> None:
    assert consult(None, "FORWARD", Passing(WEB)) == Outcome(Passing(WEB), True, [])


def test_what_is_not_understood_ends_in_a_warning_and_lets_nothing_through() -> None:
    for rule in ("-A PREROUTING -m set --match-set s src -j ACCEPT", "-A PREROUTING -j PREROUTING"):
        outcome = asked(rule)
        assert not outcome.passes
        assert isinstance(outcome.steps[-1], Warn)


def test_a_range_of_ports_is_turned_to_the_one_at_the_same_place() -> None:
    match = "-A PREROUTING -d 203.0.113.77/32 -p tcp -m tcp --dport 75:84"
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:8075-8084/75").passing.packet.port_dst == 8080
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:8075-8084").passing.packet.port_dst == 8075
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:81").passing.packet.port_dst == 81
