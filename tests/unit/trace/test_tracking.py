"""Conversations are remembered as the kernel and the switch remember them, and translated back without another rule."""

from __future__ import annotations

from dataclasses import replace as with_values
from typing import Any

from msgspec.structs import replace

from netglass.desired.state import Address, HostState, Link, RuleSet, Sysctl
from netglass.trace.conversing import Tracking
from netglass.trace.crossing import Crossing, first_seen
from netglass.trace.fabric import Machine
from netglass.trace.fields import Frame
from netglass.trace.making import error, probe, reply_to
from netglass.trace.memory import Memory
from netglass.trace.packet import UNREACHABLE_PORT, Packet
from netglass.trace.tracking import ESTABLISHED, INVALID, NEW, RELATED, UNTRACKED, Tracker

BASE: dict[str, Any] = {"owner": "routing", "intent": ("router:r",)}
HERE = ("a", "ns", 0)
PING = probe("10.0.0.1", "10.0.0.2")
SYN = probe("10.0.0.1", "10.0.0.2", "tcp", 80)


def back(packet: Packet) -> Packet:
    found = reply_to(packet)
    assert found is not None
    return found


def test_a_conversation_is_new_until_it_is_answered_and_known_in_its_own_place_only() -> None:
    tracker = Tracker()
    for first in (PING, SYN):
        found = tracker.find(HERE, first)
        assert (found.state, found.backwards) == (NEW, False)
        tracker.keep(HERE, found)
        assert tracker.find(HERE, first).state == NEW
        answer = tracker.find(HERE, back(first))
        assert (answer.state, answer.backwards) == (ESTABLISHED, True)
        tracker.keep(HERE, answer)
        assert tracker.find(HERE, first).state == ESTABLISHED
        assert tracker.find(("a", "ns", 1), first).state == NEW


def test_an_echo_reply_that_nobody_asked_for_is_invalid_and_arp_is_not_tracked() -> None:
    assert Tracker().find(HERE, back(PING)).state == INVALID
    asking = Packet(eth_src="", eth_dst="", eth_type=0x0806, ip_src="10.0.0.1", ip_dst="10.0.0.2", arp_op=1)
    assert Tracker().find(HERE, asking).state == UNTRACKED


def test_an_error_about_a_known_conversation_is_related_and_about_another_invalid() -> None:
    tracker = Tracker()
    tracker.keep(HERE, tracker.find(HERE, SYN))
    told = error(SYN, "10.0.0.2", UNREACHABLE_PORT)
    assert told is not None
    found = tracker.find(HERE, told)
    assert (found.state, found.backwards) == (RELATED, True)
    other = error(probe("10.0.0.1", "10.0.0.9", "tcp", 80), "10.0.0.9", UNREACHABLE_PORT)
    assert other is not None
    assert tracker.find(HERE, other).state == INVALID


# --- a router's rules


def rules(table: str, *texts: str) -> RuleSet:
    return RuleSet(**BASE, netns="ns", ip_version=4, table=table, chains=(), rules=texts)


ROUTER = Machine(
    HostState(
        host="a",
        links=(
            Link(**BASE, netns="ns", name="qg", form="internal"),
            Link(**BASE, netns="ns", name="qr", form="internal"),
        ),
        addresses=(
            Address(**BASE, netns="ns", device="qg", cidr="203.0.113.9/24"),
            Address(**BASE, netns="ns", device="qr", cidr="10.0.0.254/24"),
        ),
        sysctls=(Sysctl(**BASE, netns="ns", name="net/ipv4/ip_forward", value="1"),),
        rule_sets=(
            rules("filter", "-A FORWARD -m conntrack --ctstate INVALID -j DROP"),
            rules(
                "nat",
                "-A PREROUTING -d 203.0.113.77/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80",
                "-A POSTROUTING -o qg -j SNAT --to-source 203.0.113.9",
            ),
        ),
    )
)


def forwarded(memory: Memory, packet: Packet, entered: str, leaving: str) -> Packet | None:
    """Lets a packet through the router; None when it does not get through."""
    crossing = Crossing(memory, ROUTER, "ns", first_seen(packet, entered))
    if not crossing.through("PREROUTING"):
        return None
    crossing.passing = with_values(crossing.passing, leaving=leaving)
    return crossing.packet if crossing.through("FORWARD") and crossing.through("POSTROUTING") else None


def test_what_goes_out_bears_the_routers_address_and_its_answer_finds_back() -> None:
    memory, first = Memory(), probe("10.0.0.1", "198.51.100.7", "udp", 53)
    out = forwarded(memory, first, "qr", "qg")
    assert out is not None
    assert (out.ip_src, out.ip_dst) == ("203.0.113.9", "198.51.100.7")
    home = forwarded(memory, back(out), "qg", "qr")
    assert home is not None
    assert (home.ip_src, home.ip_dst, home.port_dst) == ("198.51.100.7", "10.0.0.1", first.port_src)


def test_what_was_turned_to_a_guest_is_answered_from_where_it_was_sent() -> None:
    memory, first = Memory(), probe("198.51.100.7", "203.0.113.77", "tcp", 8080)
    inward = forwarded(memory, first, "qg", "qr")
    assert inward is not None
    assert (inward.ip_dst, inward.port_dst) == ("10.0.0.1", 80)
    out = forwarded(memory, back(inward), "qr", "qg")
    assert out is not None
    assert (out.ip_src, out.port_src, out.ip_dst) == ("203.0.113.77", 8080, "198.51.100.7")


def test_an_error_is_translated_with_the_packet_that_it_cites() -> None:
    memory = Memory()
    out = forwarded(memory, probe("10.0.0.1", "198.51.100.7", "udp", 53), "qr", "qg")
    assert out is not None
    told = error(out, "198.51.100.1", UNREACHABLE_PORT)  # by a router on the way
    assert told is not None
    home = forwarded(memory, told, "qg", "qr")
    assert home is not None
    assert home.cites is not None
    assert (home.ip_src, home.ip_dst, home.cites.ip_src) == ("198.51.100.1", "10.0.0.1", "10.0.0.1")

    inward = forwarded(memory, probe("198.51.100.7", "203.0.113.77", "tcp", 8080), "qg", "qr")
    assert inward is not None
    told = error(inward, "10.0.0.1", UNREACHABLE_PORT)  # by the guest
    assert told is not None
    outward = forwarded(memory, told, "qr", "qg")
    assert outward is not None
    assert outward.cites is not None
    assert (outward.ip_src, outward.cites.ip_dst, outward.cites.port_dst) == ("203.0.113.77", "203.0.113.77", 8080)


def test_an_answer_that_nothing_asked_for_is_filtered_as_invalid() -> None:
    assert forwarded(Memory(), back(PING), "qg", "qr") is None


# --- a switch's ct action


def asked(memory: Memory, text: str, packet: Packet, **notes: int) -> Any:
    return Tracking(memory.tracker, "a").ask(text, Frame(packet, "p", notes))


def test_a_switch_knows_a_conversation_once_it_was_committed_in_the_zone() -> None:
    memory = Memory()
    look = "table=72,zone=NXM_NX_REG6[0..15]"
    found = asked(memory, look, SYN, reg6=5)
    assert (found.table, found.zone, found.frame.tracked) == (72, 5, {"trk", "new"})
    asked(memory, "commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark)", SYN, reg6=5)
    answer = asked(memory, look, back(SYN), reg6=5)
    assert answer.frame.tracked == {"trk", "est", "rpl"}
    assert answer.frame.notes["ct_mark"] == 1
    assert "new" in asked(memory, look, back(SYN), reg6=6).frame.tracked


def test_a_switch_translates_as_it_is_told_and_back() -> None:
    memory = Memory()
    out = asked(memory, "commit,table=1,zone=1,nat(src=203.0.113.9:5000)", SYN).frame.packet
    assert (out.ip_src, out.port_src) == ("203.0.113.9", 5000)
    home = asked(memory, "table=1,zone=1,nat", back(out)).frame.packet
    assert (home.ip_dst, home.port_dst) == ("10.0.0.1", SYN.port_src)


def test_replies_and_errors_are_made_as_hosts_make_them() -> None:
    assert back(SYN).tcp_flags == "ACK,SYN"
    assert reply_to(back(PING)) is None
    assert error(replace(PING, ip_src="0.0.0.0"), "10.0.0.2", UNREACHABLE_PORT) is None
    six = error(probe("fd00::1", "fd00::2", "udp", 9), "fd00::2", UNREACHABLE_PORT)
    assert six is not None
    assert (six.icmp_type, six.icmp_code) == (1, 4)
    assert error(six, "fd00::2", UNREACHABLE_PORT) is None
