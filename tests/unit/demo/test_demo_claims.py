"""Plays the use cases on what a real lab printed, as it was and with one thing changed: each claim can fail."""

from __future__ import annotations

import io
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from netglass.demo.claims import GAP, Event, Shown, Took
from netglass.demo.printing import Printer, spell
from netglass.demo.run import Outcome, show
from netglass.demo.stage import Watch, spelled

RECORDED = Path(__file__).parent / "recorded"  # written by tools/record_demo.py


class RecordedStage:
    """Answers each command as it was answered when the run was recorded; what was asked again, in the order then."""

    fresh = True

    def __init__(self, answers: list[Shown]) -> None:
        self._answers: dict[tuple[str, str], deque[Shown]] = defaultdict(deque)
        for shown in answers:
            self._answers[shown.place, shown.command].append(shown)

    def client(self, user: str, *words: str) -> Shown:
        return self._answer(user, ("openstack", *words))

    def clients(self, *asked: Sequence[str]) -> list[Shown]:
        return [self.client(*words) for words in asked]

    def netglass(self, user: str, *words: str) -> Shown:
        return self._answer(user, ("netglass", *words))

    def on(self, host: str, *argv: str) -> Shown:
        return self._answer(host, argv)

    def inside(self, guest: str, *argv: str) -> Shown:
        return self._answer(f"guest {guest}", argv)

    def until(self, look: Callable[[], Shown], good: Callable[[Shown], bool]) -> Shown:
        return look()

    @contextmanager
    def watch(self, host: str, *argv: str, ready: str) -> Iterator[Watch]:
        yield RecordedWatch(self._answer(host, argv))

    def _answer(self, place: str, argv: Sequence[str]) -> Shown:
        answers = self._answers[place, spelled(argv)]
        if not answers:
            return Shown(place=place, command=spelled(argv), output="not recorded", status=1)
        return answers.popleft()


class RecordedWatch:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def result(self, enough: Callable[[str], bool] | None = None) -> Shown:
        return self._shown


def recorded(part: str) -> list[Shown]:
    return [Shown(**entry) for entry in json.loads((RECORDED / f"{part}.json").read_text())]


def play(part: str, answers: list[Shown]) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return show(part, RecordedStage(answers), events.append), events


def changed(part: str, place: str, words: str, old: str, new: str) -> list[Shown]:
    hits = [s for s in recorded(part) if s.place == place and words in s.command and old in s.output]
    assert hits, f"nothing recorded on {place} with {words!r} printed {old!r}"
    return [
        Shown(place=s.place, command=s.command, output=s.output.replace(old, new), status=s.status) if s in hits else s
        for s in recorded(part)
    ]


@pytest.mark.parametrize(("part", "least"), [("vlan", 50), ("gre", 80)])
def test_all_claims_hold_on_what_a_real_lab_printed(part: str, least: int) -> None:
    outcome, _ = play(part, recorded(part))
    assert [claim for claim in outcome.claims if not claim.held] == []
    assert outcome.good
    assert len(outcome.claims) >= least


@pytest.mark.parametrize(
    ("place", "words", "old", "new", "claim"),
    [
        ("demo", "network create", "ACTIVE", "DOWN", "the network is ACTIVE"),
        ("demo", "network create", "network_type     | None", "network_type | vlan", "is not shown where it runs"),
        ("admin", "network show", "1000", "1001", "first free segment"),
        ("demo", "subnet create", "True", "False", "by DHCP"),
        ("control", "ip netns list", "qdhcp-", "qrouter-", "a namespace of the network's name"),
        ("control", "ip addr", "inet 10.0.0.2/24", "inet 10.0.1.2/24", "an address of the subnet"),
        ("control", "ovs-vsctl show", "type: internal", "type: patch", "an internal port of br-int"),
        ("control", "ovs-vsctl show", "tag: 1", "tag: 4095", "local VLAN tag of the network"),
        ("control", "ovs-vsctl show", "Port eth2", "Port eth3", "br-eth2 holds phy-br-eth2 and the NIC"),
        ("control", "ethtool", "peer_ifindex: ", "peer_ifindex: 9", "one veth pair"),
        ("control", "dump-flows br-eth2", "mod_vlan_vid:1000", "mod_vlan_vid:1001", "br-eth2 rewrites VLAN 1"),
        ("control", "dump-flows br-int", "dl_vlan=1000", "dl_vlan=1001", "br-int rewrites VLAN 1000"),
        ("compute1", "dump-flows br-eth2", "actions=drop", "actions=NORMAL", "drops every other frame"),
        ("guest vm1", "ip addr", "inet 10.0.0.", "peer 10.0.0.", "vm1 got an address by DHCP"),
        ("demo", "server list", "ACTIVE", "ERROR ", "vm2 is ACTIVE"),
        ("demo", "server list", "net1=10.0.0.", "net1=10.0.9.", "the API gives the address that vm1 has"),
        ("demo", "port list", "fa:16:3e:", "fa:16:3f:", "MAC address of one of the network's ports"),
        ("demo", "port list", "ACTIVE", "DOWN", "ports are all ACTIVE"),
        ("demo", "security group", "icmp", "tcp", "the group says so"),
        ("compute1", "brctl", "tap", "tup", "holds the guest's tap and one veth end"),
        ("compute2", "ovs-vsctl show", "tag: 1", "tag: 4095", "the other end is on br-int"),
        ("guest vm2", "ping", "3 received", "2 received", "vm2 reaches vm1"),
        ("control", "ps", "--interface=tap", "--interface=tup", "a dnsmasq serves the tap"),
        ("control", "cat", "10.0.0.3", "10.0.0.9", "MAC address is given 10.0.0.3"),
        ("control", "tcpdump", "Request", "Reply", "discover, offer, request, acknowledgement"),
        ("control", "tcpdump", "IP 10.0.0.2.67", "IP 10.0.0.66.67", "answers came from dnsmasq's address"),
        ("control", "tcpdump", "fa:16:3e:", "fa:16:3f:", "requests came from vm1's MAC address"),
        ("control", "ping", "3 received", "0 received", "the DHCP namespace reaches vm1"),
    ],
)
def test_a_claim_of_the_use_cases_fails_when_what_it_speaks_of_is_not_so(
    place: str, words: str, old: str, new: str, claim: str
) -> None:
    assert claim in failing("vlan", place, words, old, new)


@pytest.mark.parametrize(
    ("place", "words", "old", "new", "claim"),
    [
        ("demo", "network create", "1458", "1500", "its packets leave 42 bytes of 1500 to GRE"),
        ("demo", "router create", "ACTIVE", "DOWN", "the router is ACTIVE"),
        ("admin", "network show", "gre", "vxlan", "the project's is made of GRE tunnels"),
        ("admin", "network show public", "External", "Internal", "the external one is a wire without tags"),
        ("demo", "subnet create", "10.0.0.1 ", "10.0.0.9 ", "its gateway is its first address"),
        ("network", "ip netns list", "qrouter-", "qdhcp-", "a namespace of the router's name"),
        ("network", "ip -4 addr", "inet 10.0.0.1/24", "inet 10.0.0.9/24", "qr-… has the guests' gateway"),
        ("network", "ip -4 addr", "inet 203.0.113.", "inet 192.0.2.", "qg-… has an address on the external network"),
        ("network", "ip route", "via 203.0.113.1 ", "via 203.0.113.2 ", "all else goes to the provider's router"),
        ("network", "ovs-vsctl show", "Port eth3", "Port eth4", "br-ex holds eth3 and the router's outer device"),
        ("network", "ovs-vsctl show", "Port qr-", "Port qx-", "br-int holds its inner device and the DHCP server's"),
        ("daisy", "ovs-vsctl list-br", "br-tun", "br-tuna", "daisy has the same two"),
        ("guest vm1", "ping -c 3 -i 0.2 -W 1 10.0.0.", "3 received", "2 received", "vm1 reaches vm2"),
        ("bob", "tcpdump", "key=0x1,", "key=0x2,", "on bob's eth2 it is in GRE, key 0x1"),
        ("bob", "tcpdump", "echo reply", "echo nothing", "and so is the answer, vice versa"),
        ("bob", "ovs-vsctl show", "remote_ip", "remote", "is a GRE tunnel from bob to daisy"),
        ("bob", "ovs-vsctl show", "in_key=flow, ", "", "is a GRE tunnel from bob to daisy"),
        ("bob", "ovs-vsctl show", "peer=patch-int", "peer=patch-tun", "patch-tun and patch-int join them"),
        ("bob", "ovs-vsctl show", "tag: ", "tag: 999", "vm1's port is on br-int, with a tag"),
        ("daisy", "dump-flows", "tun_id=0x1 ", "tun_id=0x2 ", "table 2 gives what comes with key 0x1 the tag"),
        ("daisy", "dump-flows", ",resubmit(,10)", ",resubmit(,20)", "goes on to table 10"),
        ("daisy", "dump-flows", "),output:1", "),output:2", "ends in output to port 1"),
        ("daisy", "dump-flows", "n_packets=", "packets=", "and packets took that way"),
        ("daisy", "dump-flows", "dl_dst=fa:16:3e", "dl_dst=fa:16:3f", "the way back is learnt"),
        ("daisy", "ovs-ofctl show", " 1(patch-int)", " 4(patch-int)", "port 1 is patch-int"),
        ("daisy", "ovs-vsctl show", "tag: 1", "tag: 2", "so what table 2 tags ends at vm2's port"),
        ("guest vm1", "ip route", "via 10.0.0.1", "via 10.0.0.9", "default route is an address of qrouter"),
        ("network", "iptables -t nat -S", "-o qg-", "-o qx-", "gets the router's own address"),
        ("guest vm1", "internet.example", "3 received", "0 received", "vm1 reaches internet.example"),
        ("network", "tcpdump -n -l -i eth2", "key=0x1,", "key=0x2,", "1 to 4: br-int and br-tun on bob"),
        ("network", "tcpdump -n -l -i any", "qr-", "qx-", "5, 6: out of GRE and by br-int into qrouter"),
        ("network", "tcpdump -n -l -i any", "IP 203.0.113.100 >", "IP 10.0.0.4 >", "7: on towards br-ex, translated"),
        ("network", "tcpdump -n -l -i any", "> 10.0.0.", "> 10.0.9.", "and the answer, translated back"),
        ("internet", "tcpdump", "IP 203.0.113.100 >", "IP 10.0.0.4 >", "the other end sees the router's address"),
        ("guest vm1", "curl", "This is the internet", "Not Found", "web pages come back too"),
        ("demo", "floating ip create", "10.0.0.", "10.0.9.", "it leads to vm2"),
        ("network", "iptables -t nat -S", "--to-destination", "--to", "what comes for it goes to vm2"),
        ("network", "iptables -t nat -S", "-s 10.0.0.", "-s 10.0.9.", "what vm2 sends out bears it"),
        ("client", "ping", "3 received", "1 received", "the client reaches vm2 by it"),
        ("network", "tcpdump -n -l -i any", "> 203.0.113.101", "> 203.0.113.9", "by qg-… for the floating IP"),
        ("network", "tcpdump -n -l -i any", "IP 198.51.100.20 >", "IP 203.0.113.100 >", "which sees who calls"),
        ("network", "tcpdump -n -l -i eth2", "Request from", "Request by", "the requests come in GRE from bob"),
        ("network", "tcpdump -n -l -i eth2", "BOOTP/DHCP, Reply", "BOOTP, Reply", "5 to 7: the answers go back so"),
        ("network", "ps", "--interface=tap", "--interface=tup", "a dnsmasq serves the tap"),
        ("guest vm1", "ip route get", "via 10.0.0.1", "via 10.0.0.2", "the request leaves by the default route"),
        ("network", "ss -ltnp", "pid=", "pid=9", "is the router's own haproxy"),
        ("network", "cat", "X-Neutron-Router-ID", "X-Router", "it says which guest asked, and by which router"),
        ("network", "cat", "unix@", "", "and hands on to a UNIX socket"),
        ("network", "ls", "srw", "-rw", "which is there"),
        ("controller", "tcpdump", "GET /metadata", "GET /", "the controller is asked for what the guest asked for"),
        ("controller", "tcpdump", "X-Forwarded-For: 10", "X-Forwarded-For: 11", "on behalf of the guest"),
        ("controller", "tcpdump", "X-Instance-ID-Signature", "X-Signature", "and the agent signs for it"),
        ("guest vm1", "meta_data.json", '"name":"vm1"', '"name":"vm2"', "the answer is about this guest"),
        ("guest vm1", "instance-id", "i-", "e-", "as the other path says too"),
        ("network", "-v -S", "REDIRECT", "DNAT", "in qrouter, port 80 became 9697 on the way"),
        ("network", "-v -S", " -c ", " -x ", "in qrouter, port 80 became 9697 on the way"),
        ("demo", "trace", "br-tun on network", "br-tun on bob", "it goes the way of the course"),
        ("demo", "trace", "GRE, key 1", "GRE, key 2", "in a tunnel with the key seen on eth2"),
        ("demo", "trace", "rewrites the source", "sees the source", "translated by the router as was seen there"),
    ],
)
def test_a_claim_of_the_packet_flows_fails_when_what_it_speaks_of_is_not_so(
    place: str, words: str, old: str, new: str, claim: str
) -> None:
    assert claim in failing("gre", place, words, old, new)


def failing(part: str, place: str, words: str, old: str, new: str) -> str:
    """Gives the claims that fail once something else was printed, a line each."""
    outcome, _ = play(part, changed(part, place, words, old, new))
    assert not outcome.good
    return "\n".join(found.text for found in outcome.claims if not found.held)


def test_what_stands_on_something_missing_is_not_played() -> None:
    outcome, events = play("vlan", [shown for shown in recorded("vlan") if "network create" not in shown.command])
    assert not outcome.finished
    assert len([event for event in events if isinstance(event, Shown)]) == 1


def test_no_claims_are_no_success() -> None:
    assert not Outcome(part="vlan", claims=(), times=(), seconds=0.0, finished=True).good


def printed(events: list[Event], outcome: Outcome) -> str:
    page = io.StringIO()
    printer = Printer(Console(file=page, width=100, highlight=False, markup=False, emoji=False))
    for event in events:
        printer.event(event)
    printer.summary([outcome], Took(what="lab up", seconds=2.0), outcome.seconds)
    return page.getvalue()


@pytest.mark.parametrize("part", ["vlan", "gre"])
def test_the_page_is_100_columns_wide_without_a_terminal(part: str) -> None:
    outcome, events = play(part, recorded(part))
    page = printed(events, outcome)
    assert max(len(line) for line in page.splitlines()) <= 100
    assert "\x1b" not in page
    assert f"{len(outcome.claims)} of {len(outcome.claims)} claims hold." in page


def test_a_cross_says_what_was_wanted_and_found() -> None:
    outcome, events = play("vlan", changed("vlan", "demo", "network create", "ACTIVE", "DOWN"))
    page = printed(events, outcome)
    assert "✗ the network is ACTIVE\n      wanted ACTIVE\n      found  DOWN\n" in page


def test_what_is_cut_out_leaves_a_mark_unless_it_is_short() -> None:
    text = "\n".join(("head", "a", "1", "2", "b", "3", "4", "5", "c", "6"))
    assert Shown(place="", command="", output=text).cut("a", "b", "c").lines() == [
        *("head", "a", "1", "2", "b"),
        *(GAP, "c", GAP),
    ]
    assert Shown(place="", command="", output=text).lines() == text.splitlines()


@pytest.mark.parametrize(("seconds", "words"), [(0.0123, "12 ms"), (0.9994, "999 ms"), (1.26, "1.3 s")])
def test_times_are_spelled_as_people_say_them(seconds: float, words: str) -> None:
    assert spell(seconds) == words
