"""Plays the use cases on what a real lab printed, as it was and with one thing changed: each claim can fail."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from netglass.demo.claims import Event, Shown
from netglass.demo.printing import Printer, spell
from netglass.demo.run import Outcome, show
from netglass.demo.stage import Watch

RECORDED = Path(__file__).parent / "recorded" / "run.json"


class RecordedStage:
    """Answers each command as it was answered when the run was recorded."""

    fresh = True

    def __init__(self, answers: list[Shown]) -> None:
        self._answers = {(shown.place, shown.command): shown for shown in answers}

    def client(self, user: str, *words: str) -> Shown:
        return self._answer(user, ("openstack", *words))

    def clients(self, user: str, *commands: Sequence[str]) -> list[Shown]:
        return [self.client(user, *words) for words in commands]

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
        absent = Shown(place=place, command=shlex.join(argv), output="not recorded", status=1)
        return self._answers.get((place, shlex.join(argv)), absent)


class RecordedWatch:
    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def result(self) -> Shown:
        return self._shown


def recorded() -> list[Shown]:
    return [Shown(**entry) for entry in json.loads(RECORDED.read_text())]


def play(answers: list[Shown]) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return show(RecordedStage(answers), events.append), events


def changed(place: str, words: str, old: str, new: str) -> list[Shown]:
    hits = [s for s in recorded() if s.place == place and words in s.command and old in s.output]
    assert hits, f"nothing recorded on {place} with {words!r} printed {old!r}"
    return [
        Shown(place=s.place, command=s.command, output=s.output.replace(old, new), status=s.status) if s in hits else s
        for s in recorded()
    ]


def test_all_claims_hold_on_what_a_real_lab_printed() -> None:
    outcome, _ = play(recorded())
    assert [claim for claim in outcome.claims if not claim.held] == []
    assert outcome.good
    assert len(outcome.claims) >= 50


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
def test_a_claim_fails_when_what_it_speaks_of_is_not_so(place: str, words: str, old: str, new: str, claim: str) -> None:
    outcome, _ = play(changed(place, words, old, new))
    assert not outcome.good
    assert any(claim in found.text for found in outcome.claims if not found.held)


def test_what_stands_on_something_missing_is_not_played() -> None:
    outcome, events = play([shown for shown in recorded() if "network create" not in shown.command])
    assert not outcome.finished
    assert len([event for event in events if isinstance(event, Shown)]) == 1


def test_no_claims_are_no_success() -> None:
    assert not Outcome(claims=(), times=(), seconds=0.0, finished=True).good


def printed(events: list[Event], outcome: Outcome) -> str:
    page = io.StringIO()
    printer = Printer(Console(file=page, width=100, highlight=False, markup=False, emoji=False))
    for event in events:
        printer.event(event)
    printer.summary([*outcome.claims], [*outcome.times], outcome.seconds)
    return page.getvalue()


def test_the_page_is_100_columns_wide_without_a_terminal() -> None:
    outcome, events = play(recorded())
    page = printed(events, outcome)
    assert max(len(line) for line in page.splitlines()) <= 100
    assert "\x1b" not in page
    assert f"{len(outcome.claims)} of {len(outcome.claims)} claims hold." in page


def test_a_cross_says_what_was_wanted_and_found() -> None:
    outcome, events = play(changed("demo", "network create", "ACTIVE", "DOWN"))
    page = printed(events, outcome)
    assert "✗ the network is ACTIVE\n      wanted ACTIVE\n      found  DOWN\n" in page


@pytest.mark.parametrize(("seconds", "words"), [(0.0123, "12 ms"), (0.9994, "999 ms"), (1.26, "1.3 s")])
def test_times_are_spelled_as_people_say_them(seconds: float, words: str) -> None:
    assert spell(seconds) == words
