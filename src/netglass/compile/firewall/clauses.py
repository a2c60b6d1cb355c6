"""Permits of groups as conjunctions: who is in a group, what kind of packet, and who is at the other end.

One conjunction for each direction, group, family and remote set.  Flows of equal match are one flow with all their
clauses; those of one priority may overlap as they like.  Numbers of conjunctions are made of what they are for, so
that flows of yesterday and of today never mean different things by one number while the switch has both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from netglass.base.memory import remembered
from netglass.compile.firewall.guards import GROUPS, Firewall, Group, Members, halved
from netglass.compile.firewall.numbers import numbers
from netglass.compile.firewall.prefixes import joined
from netglass.compile.firewall.sources import OWNER, address_text, table_flow
from netglass.compile.flow import flow_of_text
from netglass.compile.place import INTEGRATION
from netglass.desired.permits import Permit
from netglass.desired.state import Diagnostic, Flow
from netglass.model.resources import SecurityGroup, ref
from netglass.model.rules import EGRESS, ICMP, ICMPV6, INGRESS
from netglass.pipeline import tables
from netglass.pipeline.flows import Match, actions, conjunction, goto

_GUEST = "reg5"
_TABLES = {EGRESS: tables.RULES_EGRESS, INGRESS: tables.RULES_INGRESS}
_REMOTES = {EGRESS: "dst", INGRESS: "src"}
_TRACKED = ("ct_state", "-inv+trk")
_UNTRACKED = ("ct_state", "-trk")
_WORDS4 = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 132: "sctp"}
_WORDS6 = {6: "tcp6", 17: "udp6", 58: "icmp6", 132: "sctp6"}

PORTED = (6, 17, 132)
"""Protocols whose ports the switch can read."""


class _About(NamedTuple):
    """What a conjunction is about; without a remote set the last is empty, and there are two clauses."""

    direction: str
    group_id: str
    ip_version: int
    remote_set: str

    @property
    def clauses(self) -> int:
        return 3 if self.remote_set else 2


class _Clause(msgspec.Struct):
    """A flow in the making."""

    said: set[tuple[int, int, int]]  # number, clause, clauses
    intent: set[str]


class Clauses:
    """All conjunctions of a host; `keys` are the guests' numbers by reference."""

    def __init__(self, firewall: Firewall, keys: dict[str, int]) -> None:
        self._firewall = firewall
        self._keys = keys
        self._groups = {group.id: group for guard in firewall.guards for group in guard.groups}
        about = sorted({one for group in self._groups.values() for one in _abouts(group)})
        numbered = numbers(" ".join(map(str, one)) for one in about)
        self._numbers = {one: numbered[" ".join(map(str, one))] for one in about}
        self._clauses: dict[tuple[str, str], _Clause] = {}

    def flows(self) -> Iterator[Flow]:
        """Gives the flows of RULES_EGRESS and RULES_INGRESS that let through."""
        self._guests()
        for group in self._groups.values():
            for about, match, because in _kinds(group):
                self._say(about, 2, match, because)
        self._members()
        for (direction, match), clause in self._clauses.items():
            doing = actions(*(conjunction(*one) for one in sorted(clause.said)))
            yield _clause_flow(direction, match, doing, tuple(sorted(clause.intent)))
        for one, number in self._numbers.items():
            passes = Match(fields=(("conj_id", str(number)),))
            intent = (f"{SecurityGroup.kind}:{one.group_id}",)
            accepted = goto(tables.ACCEPTED.number)
            yield table_flow(intent, _TABLES[one.direction], tables.PERMITTED, passes, accepted)

    def kinds(self) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        """Gives each clause that says a kind of packet: its match, its conjunction, and whose rule it is."""
        for group in self._groups.values():
            for about, match, because in _kinds(group):
                yield match, self._numbers[about], because

    def _say(self, about: _About, clause: int, match: str, intent: Iterable[str]) -> None:
        flow = self._clauses.setdefault((about.direction, match), _Clause(set(), set()))
        flow.said.add((self._numbers[about], clause, about.clauses))
        flow.intent.update(intent)

    def _guests(self) -> None:
        for guard in self._firewall.guards:
            match = f"{_GUEST}={self._keys[ref(guard.port)]:#x}"
            for group in guard.groups:
                for about in _abouts(group):
                    self._say(about, 1, match, guard.intent)

    def _members(self) -> None:
        sets = {members.name: members for members in self._firewall.sets}
        for about in self._numbers:
            if not about.remote_set:
                continue
            members = sets[about.remote_set]
            for tracked in _ways(self._groups[about.group_id]):
                for match in _remote_matches(members, _REMOTES[about.direction], tracked):
                    self._say(about, 3, match, members.intent)


@lru_cache(maxsize=16384)
def _clause_flow(direction: str, match: str, doing: str, intent: tuple[str, ...]) -> Flow:
    return flow_of_text(OWNER, intent, (INTEGRATION, _TABLES[direction], tables.PERMITTED), match, doing)


@remembered(GROUPS)
def _kinds(group: Group) -> tuple[tuple[_About, str, tuple[str, ...]], ...]:
    """Gives what a group's permits say of kinds of packets: the conjunction, the match, and whose rule it is."""
    return tuple(
        (
            _About(direction, group.id, permit.ip_version, permit.remote_set),
            match.text(),
            group.because[direction, permit],
        )
        for direction in (EGRESS, INGRESS)
        for permit in _permits(group, direction)
        for tracked in _ways(group)
        for match in _kind_matches(permit, _REMOTES[direction], tracked)
    )


@remembered(GROUPS)
def _remote_matches(members: Members, side: str, tracked: bool) -> tuple[str, ...]:
    """Gives the matches that together are the members of a set on one side of a packet."""
    # A flow can stand for one clause of a conjunction only: "everybody" must not look like a kind of packet.
    return tuple(
        _remote_match(members.ip_version, cidr, side, tracked)
        for cidr in halved(joined(members.ip_version, members.cidrs))
    )


@lru_cache(maxsize=65536)
def _remote_match(ip_version: int, cidr: str, side: str, tracked: bool) -> str:
    return Match(kind=_word(ip_version), fields=(_state(tracked), *_remote(cidr, side, tracked))).text()


def unreadable_ports(firewall: Firewall) -> Iterator[Diagnostic]:
    """Tells of permits that name ports of a protocol whose ports the switch cannot read; they let nothing through."""
    for group in {group.id: group for guard in firewall.guards for group in guard.groups}.values():
        for direction in (EGRESS, INGRESS):
            for permit in _permits(group, direction):
                if permit.low is not None and permit.protocol not in (*PORTED, ICMP, ICMPV6):
                    text = (
                        f"Security group {group.id} permits {permit.text()} ({direction}), and Open vSwitch cannot read"
                        " ports of that protocol; it permits nothing."
                    )
                    yield Diagnostic(code="unreadable-ports", intent=group.because[direction, permit], text=text)


@remembered(GROUPS)
def _abouts(group: Group) -> tuple[_About, ...]:
    """Gives what a group's conjunctions are about, ascending."""
    found = {
        _About(direction, group.id, permit.ip_version, permit.remote_set)
        for direction in (EGRESS, INGRESS)
        for permit in _permits(group, direction)
    }
    return tuple(sorted(found))


def _permits(group: Group, direction: str) -> tuple[Permit, ...]:
    return group.egress if direction == EGRESS else group.ingress


def _ways(group: Group) -> tuple[bool, ...]:
    """Gives whether packets are judged by what tracking says of them, or by themselves.

    Fragments are put together by tracking, so that it says what they are part of without a connection too.
    """
    return (True,) if group.stateful else (False, True)


def _state(tracked: bool) -> tuple[str, str]:
    return _TRACKED if tracked else _UNTRACKED


def _word(ip_version: int) -> str:
    return "ip" if ip_version == 4 else "ipv6"


def _remote(cidr: str, side: str, tracked: bool) -> tuple[tuple[str, str], ...]:
    """Gives the match on the remote side, `src` or `dst` of the packet that opened the connection; empty: anybody."""
    text = address_text(cidr) if cidr else ""
    if not text:
        return ()
    name = f"ipv6_{side}" if ":" in cidr else f"nw_{side}"  # with ct_ before it: what tracking says
    return ((f"ct_{name}" if tracked else name, text),)


def _kind_matches(permit: Permit, side: str, tracked: bool) -> Iterator[Match]:
    """Gives the matches that together are a permit's kind of packet and its remote prefix.

    None at all for ports of a protocol that the switch cannot read ports of: it lets nothing through.
    """
    version, protocol = permit.ip_version, permit.protocol
    base = (_state(tracked), *_remote(permit.remote, side, tracked))
    if protocol is None:
        yield Match(kind=_word(version), fields=base)
        return
    word, own = (_word(version), ("ct_nw_proto", str(protocol))) if tracked else _protocol_word(version, protocol)
    kind = (*base, own) if own else base
    if permit.low is None:
        yield Match(kind=word, fields=kind)
    elif protocol in (ICMP, ICMPV6):
        names = ("ct_tp_src", "ct_tp_dst") if tracked else ("icmp_type", "icmp_code")
        values = ((name, str(n)) for name, n in zip(names, (permit.low, permit.high), strict=True) if n is not None)
        yield Match(kind=word, fields=(*kind, *values))
    elif protocol in PORTED and permit.high is not None:
        name = "ct_tp_dst" if tracked else "tp_dst"
        for ports in port_masks(permit.low, permit.high):
            yield Match(kind=word, fields=(*kind, (name, ports)))


def _protocol_word(ip_version: int, protocol: int) -> tuple[str, tuple[str, str] | None]:
    """Gives the word for packets of a protocol, and the field beside it where the word does not say it all."""
    word = (_WORDS4 if ip_version == 4 else _WORDS6).get(protocol)
    return (word, None) if word else (_word(ip_version), ("nw_proto", str(protocol)))


def port_masks(low: int, high: int) -> Iterator[str]:
    """Gives the fewest matches that together are a range of ports, as the switch prints them."""
    while low <= high:
        size = low & -low or 1 << 16
        while low + size - 1 > high:
            size >>= 1
        yield str(low) if size == 1 else f"{low:#x}/{0x10000 - size:#x}"
        low += size
