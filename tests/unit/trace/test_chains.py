"""iptables rules do with a packet what their manual says; rules as iptables-save prints them."""

from __future__ import annotations

import msgspec
import pytest

from netglass.desired.state import RuleSet
from netglass.trace.chains import Chains, Outcome, consult
from netglass.trace.fitting import Passing
from netglass.trace.making import probe
from netglass.trace.packet import PROHIBITED, UNREACHABLE_PORT, Packet
from netglass.trace.result import Filter, Nat, Warn
from netglass.trace.tracking import ESTABLISHED, NEW, Connection, Found, flow_of

WEB = msgspec.structs.replace(probe("10.0.0.11", "203.0.113.77", "tcp", 80), eth_src="fa:16:3e:00:00:01")


def new(packet: Packet = WEB) -> Found:
    """Says of a packet that it is the first of a conversation."""
    flow = flow_of(packet)
    assert flow is not None
    return Found(NEW, connection=Connection(flow, flow.back()))


def asked(*rules: str, chain: str = "PREROUTING", packet: Packet = WEB, **passing: object) -> Outcome:
    made = RuleSet(
        owner="routing", intent=("router:r",), netns="ns", ip_version=4, table="nat", chains=(), rules=tuple(rules)
    )
    given = {"found": new(packet)} | passing
    return consult(Chains.of([made]), chain, Passing(packet, **given), "10.0.0.1")  # type: ignore[arg-type]


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
        ("-p tcp -m tcp --dport 80:", True),
        ("-p tcp -m tcp ! --dport 81:90", True),
        ("-p tcp -m multiport --dports 22,79:81", True),
        ("-p tcp -m multiport --sports 22", False),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", True),
        ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW", False),
        ("-p udp", False),
        ("-m conntrack --ctstate NEW", True),
        ("-m conntrack --ctstate DNAT", False),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", False),
        ("-m state --state RELATED,ESTABLISHED", False),
        ("-m conntrack ! --ctstate DNAT", True),
        ("-m mark --mark 0x2/0xffff", True),
        ("-m mark ! --mark 0x2/0xffff", False),
        ("-m connmark --mark 0x2", False),
        ("-m mac --mac-source FA:16:3E:00:00:01", True),
        ("-m physdev --physdev-in tap1 --physdev-is-bridged", False),
        ("-m set --match-set members src", True),
        ("-m set ! --match-set members dst", True),
        ('-m comment --comment "a note, in words"', True),
    ],
)
def test_a_rule_is_for_the_packets_that_it_says(match: str, fits: bool) -> None:
    outcome = asked(f"-A PREROUTING {match} -j DROP", entered="qr-1", mark=2, sets={"members": ("10.0.0.0/25",)})
    assert outcome.passes is not fits


def test_a_bridged_packet_has_ports_of_the_bridge() -> None:
    rule = "-A PREROUTING -m physdev --physdev-out tap2 --physdev-is-bridged -j DROP"
    assert not asked(rule, bridged_in="qvb", bridged_out="tap2").passes
    assert asked(rule, bridged_in="qvb", bridged_out="tap3").passes


def test_a_packet_of_a_known_conversation_is_established() -> None:
    found = new()._replace(state=ESTABLISHED, backwards=True)
    assert not asked("-A PREROUTING -m state --state RELATED,ESTABLISHED -j DROP", found=found).passes
    assert not asked("-A PREROUTING -m conntrack --ctdir REPLY -j DROP", found=found).passes


def test_chains_are_gone_through_and_come_back() -> None:
    rules = ("-A PREROUTING -j one", "-A PREROUTING -j DROP", "-A one -d 203.0.113.77/32 -j RETURN", "-A one -j ACCEPT")
    outcome = asked(*rules)
    assert outcome.passes is False
    assert [(step.passes, step.owner, step.intent) for step in outcome.steps if isinstance(step, Filter)] == [
        (False, "routing", ("router:r",))
    ]
    assert asked("-A PREROUTING -j one", "-A PREROUTING -j DROP", "-A one -j ACCEPT").passes
    assert asked("-A PREROUTING -g one", "-A PREROUTING -j DROP", "-A one -d 203.0.113.77/32").passes


def test_translation_says_what_it_changed_and_is_remembered() -> None:
    outcome = asked("-A PREROUTING -d 203.0.113.77/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.1.12:8080")
    assert (outcome.passing.packet.ip_dst, outcome.passing.packet.port_dst) == ("10.0.1.12", 8080)
    connection = outcome.passing.found.connection
    assert connection is not None
    assert connection.is_destination_turned
    (step,) = outcome.steps
    assert isinstance(step, Nat)
    assert {change.field for change in step.changed} == {"ip_dst", "port_dst"}
    outcome = asked(
        "-A POSTROUTING -o qg-1 -j SNAT --to-source 203.0.113.9 --random-fully", chain="POSTROUTING", leaving="qg-1"
    )
    assert outcome.passing.packet.ip_src == "203.0.113.9"
    outcome = asked("-A PREROUTING -i qr-+ -j REDIRECT --to-ports 9697", entered="qr-1")
    assert (outcome.passing.packet.ip_dst, outcome.passing.packet.port_dst) == ("10.0.0.1", 9697)


@pytest.mark.parametrize(
    ("to", "address", "port"),
    [
        ("10.0.1.12", "10.0.1.12", 80),
        ("10.0.1.12:8080", "10.0.1.12", 8080),
        ("10.0.1.12:8080-8089", "10.0.1.12", 8080),
        ("10.0.1.12-10.0.1.19", "10.0.1.12", 80),
        ("fd00::12", "fd00::12", 80),
        ("[fd00::12]:8080", "fd00::12", 8080),
    ],
)
def test_a_translations_target_may_be_an_address_with_a_port_or_a_range(to: str, address: str, port: int) -> None:
    packet = asked(f"-A PREROUTING -j DNAT --to-destination {to}").passing.packet
    assert (packet.ip_dst, packet.port_dst) == (address, port)


def test_a_range_of_ports_is_turned_to_the_one_at_the_same_place() -> None:
    match = "-A PREROUTING -d 203.0.113.77/32 -p tcp -m tcp --dport 75:84"
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:8075-8084/75").passing.packet.port_dst == 8080
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:8075-8084").passing.packet.port_dst == 8075
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:79-84").passing.packet.port_dst == 80
    assert asked(f"{match} -j DNAT --to-destination 10.0.1.12:81").passing.packet.port_dst == 81


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("DROP", None),
        ("REJECT --reject-with icmp-port-unreachable", UNREACHABLE_PORT),
        ("REJECT --reject-with icmp-admin-prohibited", PROHIBITED),
    ],
)
def test_who_is_refused_is_told_just_where_the_rule_says_so(target: str, refusal: tuple[int, int] | None) -> None:
    outcome = asked(f"-A PREROUTING -j {target}")
    assert (outcome.passes, outcome.refusal) == (False, refusal)


def test_a_rule_without_a_target_only_counts() -> None:
    assert not asked("-A PREROUTING -d 203.0.113.77/32", "-A PREROUTING -j DROP").passes


def test_marks_are_set_within_their_mask_and_kept_with_the_conversation() -> None:
    assert asked("-A PREROUTING -j MARK --set-xmark 0x2/0xffff", mark=0x10001).passing.mark == 0x10002
    outcome = asked("-A PREROUTING -j CONNMARK --save-mark", mark=0x7)
    assert outcome.passing.found.connection is not None
    assert outcome.passing.found.connection.mark == 7
    restored = asked("-A PREROUTING -j CONNMARK --restore-mark", found=outcome.passing.found)
    assert restored.passing.mark == 7
    assert asked("-A PREROUTING -j CT --zone 4097").passing.zone == 4097


def test_without_rules_a_packet_passes_as_it_is() -> None:
    assert consult(None, "FORWARD", Passing(WEB)) == Outcome(Passing(WEB), True, [])


@pytest.mark.parametrize(
    "rule",
    [
        "-A PREROUTING -m set --match-set unknown src -j ACCEPT",
        "-A PREROUTING -m bpf --bytecode x -j ACCEPT",
        "-A PREROUTING -p odd -j ACCEPT",
        "-A PREROUTING -j PREROUTING",
        "-A PREROUTING -j NOWHERE",
        '-A PREROUTING -m comment --comment "open',
    ],
)
def test_what_is_not_understood_ends_in_a_warning_and_lets_nothing_through(rule: str) -> None:
    outcome = asked(rule)
    assert not outcome.passes
    assert isinstance(outcome.steps[-1], Warn)
