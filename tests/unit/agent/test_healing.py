"""Damage is told once it is healed; work on other intent is no damage."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from shelf import Shelf

from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.desired.state import (
    Daemon,
    File,
    Flow,
    HostState,
    Namespace,
    PortTag,
    RuleSet,
    SwitchPort,
    Sysctl,
    Thing,
)

PORT = SwitchPort(owner="plugging", intent=("port:p",), bridge="br-int", name="tap1")
TAG = PortTag(owner="plugging", intent=("port:p",), port="tap1", vlan=1)
SPACE = Namespace(owner="dhcp", intent=("network:n",), name="qdhcp-n")
STATE = HostState(host="h", namespaces=(SPACE,), switch_ports=(PORT,), port_tags=(TAG,))


class Machine:
    """A shelf that is in place, with a clock that each look sets on by a second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.tick = 1.0
        self.shelf = Shelf()
        self.retries = Retries()
        self.rounds = Rounds([self.shelf], self.retries, lambda: self.now)
        self.round()
        self.round()
        self.rounds.at_work = False

    def round(self, state: HostState = STATE) -> list[tuple[str, str, str, float]]:
        self.rounds.make(state, ALL_KINDS)
        self.rounds.remove(lambda: False)
        self.now += self.tick
        return [(one.kind, one.key, one.was, one.seconds) for one in self.rounds.healing.take()]

    def rounds_pause(self) -> float:
        """Gives for how long what fails is not tried."""
        due = self.retries.next_due()
        return 0.0 if due is None else max(0.0, due - self.now)

    def rounds_of_two(self) -> list[tuple[str, str, str, float]]:
        return [*self.round(), *self.round()]


def test_what_was_made_at_first_was_not_damaged() -> None:
    assert Machine().rounds.healing.take() == []


def test_what_is_lost_is_told_once_it_is_there_again() -> None:
    machine = Machine()
    del machine.shelf.things["namespaces", "qdhcp-n"]
    machine.shelf.broken = {"qdhcp-n"}
    assert machine.round() == []
    machine.shelf.broken = set()
    machine.now += 60
    assert machine.round() == []
    assert machine.round() == [("namespaces", "qdhcp-n", "missing", 62.0)]
    assert machine.round() == []


def test_what_was_changed_is_told_with_what_was_wrong() -> None:
    machine = Machine()
    machine.shelf.things["port_tags", "tap1"] = msgspec.structs.replace(TAG, vlan=777)
    assert machine.rounds_of_two() == [("port_tags", "tap1", "vlan was 777 instead of 1", 1.0)]


RULES = tuple(f"-A neutron-openvswi-FORWARD -o tap{number} -j neutron-openvswi-sg-chain" for number in range(9))
SET = RuleSet(owner="firewall", intent=("host:h",), netns="", ip_version=4, table="filter", chains=(), rules=RULES)
HOSTS = File(owner="dhcp", intent=("network:n",), path="/n/host", text="one\ntwo\nthree\n")
DNSMASQ = Daemon(owner="dhcp", intent=("network:n",), name="dnsmasq-n", netns="qdhcp-n", argv=("dnsmasq", "-x"))


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (SET, {"rules": RULES[:4] + RULES[5:]}, f"rules was without {RULES[4]}"),
        (SET, {"rules": RULES[3:]}, f"rules was without {RULES[0]} and 2 more"),
        (SET, {"rules": (*RULES, "-A x")}, "rules was with -A x"),
        (SET, {"rules": RULES[::-1]}, "rules was in another order"),
        (HOSTS, {"text": "one\nTWO\nthree\n"}, "text was without two and with TWO"),
        (HOSTS, {"text": ""}, "text was without one and 2 more"),
        (DNSMASQ, {"argv": ()}, "did not run, or not where it must"),
        (DNSMASQ, {"reload_files": ("/n/host",)}, "reload_files was with /n/host"),
    ],
)
def test_of_much_that_is_told_which_differed(wanted: Thing, found: dict[str, Any], told: str) -> None:
    machine = Machine()
    state = msgspec.structs.replace(STATE, **{wanted.kind: (wanted,)})
    machine.rounds.at_work = True
    machine.round(state)
    machine.round(state)
    machine.rounds.at_work = False
    machine.shelf.things[wanted.kind, wanted.key] = msgspec.structs.replace(wanted, **found)
    machine.round(state)
    [(_, _, was, _)] = machine.round(state)
    assert was == told


def test_what_nobody_wants_and_bears_our_mark_is_told() -> None:
    machine = Machine()
    machine.shelf.things["namespaces", "qdhcp-x"] = msgspec.structs.replace(SPACE, name="qdhcp-x")
    assert machine.rounds_of_two() == [("namespaces", "qdhcp-x", "not wanted", 1.0)]


@pytest.mark.parametrize(("match", "told"), [("in_port=4", False), ('in_port="p-4"', True), ("in_port=p4", True)])
def test_flows_of_a_port_that_went_are_no_damage_and_other_surplus_ones_are(match: str, told: bool) -> None:
    machine = Machine()
    left = Flow(
        owner="plugging",
        intent=("hash:0",),
        bridge="br-int",
        table=0,
        priority=2,
        match=match,
        actions="drop",
        cookie=1,
    )
    machine.shelf.things["flows", left.key] = left
    assert bool(machine.rounds_of_two()) is told
    assert ("flows", left.key) not in machine.shelf.things


def test_work_on_other_intent_is_no_damage() -> None:
    machine = Machine()
    machine.rounds.at_work = True
    other = msgspec.structs.replace(STATE, namespaces=(), port_tags=(msgspec.structs.replace(TAG, vlan=2),))
    assert [*machine.round(other), *machine.round(other)] == []


def test_what_was_wrong_is_told_in_short() -> None:
    machine = Machine()
    state = msgspec.structs.replace(
        STATE, sysctls=(Sysctl(owner="dhcp", intent=("x",), netns="", name="a/b", value="1"),)
    )
    machine.rounds.at_work = True
    machine.round(state)
    machine.round(state)
    machine.rounds.at_work = False
    [key] = [key for key in machine.shelf.things if key[0] == "sysctls"]
    machine.shelf.things[key] = msgspec.structs.replace(machine.shelf.things[key], value="9" * 5000)
    machine.round(state)
    [(_, _, was, _)] = machine.round(state)
    assert len(was) < 300


def test_what_fails_again_and_again_is_told_twice_and_no_more() -> None:
    """As a daemon that ends soon after each start: found in place by one look, and dead by the next."""
    machine = Machine()
    machine.tick = 0.1
    told = []
    for _ in range(12):
        del machine.shelf.things["namespaces", "qdhcp-n"]
        machine.shelf.broken = {"qdhcp-n"}
        told += machine.round()
        machine.shelf.broken = set()
        machine.now += machine.rounds_pause()
        told += machine.rounds_of_two()
    assert 1 <= len(told) <= 2


def test_a_port_that_somebody_plugs_in_is_no_damage() -> None:
    awaited = msgspec.structs.replace(PORT, awaited=True)
    state = msgspec.structs.replace(STATE, switch_ports=(awaited,))
    machine = Machine()
    for thing in (PORT, TAG):
        del machine.shelf.things[thing.kind, thing.key]
    machine.round(state)
    machine.round(state)
    machine.rounds.healing.take()
    machine.shelf.things["switch_ports", PORT.key] = awaited
    machine.shelf.things["port_tags", TAG.key] = msgspec.structs.replace(TAG, vlan=0)
    assert machine.round(state) + machine.round(state) == []
    assert machine.shelf.things["port_tags", TAG.key] == TAG
