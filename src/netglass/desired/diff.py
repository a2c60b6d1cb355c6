"""What differs between what a host must look like and what it looks like.

Pure and without any knowledge of a kind but two: what somebody else makes (awaited links and switch ports, with the
tags of such ports and the flows about them) is waited for and never deleted, and sysctls are never deleted, as they
go with their devices.
Called by the agent before it applies, and by whoever only wants to know (``netglass diff``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec

from netglass.desired.state import KINDS, Flow, Guest, HostState, Link, PortTag, SwitchPort, Thing


class KindPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The difference in one kind; each tuple ascending by key.

    add       wanted, and not there
    change    (observed, wanted) of equal key and different facts
    delete    there, and not wanted; as observed
    awaiting  wanted, not there, and to be made by somebody else
    """

    kind: str
    add: tuple[Thing, ...] = ()
    change: tuple[tuple[Thing, Thing], ...] = ()
    delete: tuple[Thing, ...] = ()
    awaiting: tuple[Thing, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.change or self.delete or self.awaiting)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that differs on one host; kinds without a difference are left out.

    Order of application is ``desired.order``'s business.
    """

    host: str
    kinds: tuple[KindPlan, ...] = ()

    @property
    def empty(self) -> bool:
        """Says that there is nothing to do; what is only awaited does not count."""
        return not any(part.add or part.change or part.delete for part in self.kinds)

    def of(self, kind: str) -> KindPlan:
        """Gives the difference in one kind, empty when there is none."""
        return next((part for part in self.kinds if part.kind == kind), KindPlan(kind=kind))

    @property
    def pending(self) -> frozenset[str]:
        """Gives the intent references of all that is wanted and not in place; deletions hold nobody up."""
        return frozenset(ref for part in self.kinds for thing in _missing(part) for ref in thing.intent)

    def counts(self) -> dict[str, int]:
        """Gives how many objects there are to add, change, delete and await, over all kinds."""
        return {
            name: sum(len(getattr(part, name)) for part in self.kinds)
            for name in ("add", "change", "delete", "awaiting")
        }


def plan(desired: HostState, observed: HostState) -> Plan:
    """Compares two states of a host; owner and intent are no difference.

    Cost: O(objects); a pair of equal objects costs one comparison of their facts.
    """
    absent = {p.name for p in desired.switch_ports if p.awaited} - {p.name for p in observed.switch_ports}
    parts = (
        _plan_kind(kind, desired.things(kind.kind), observed.things(kind.kind), _awaited_in(kind, absent))
        for kind in KINDS
    )
    return Plan(host=desired.host, kinds=tuple(part for part in parts if part))


def settled(desired: HostState, difference: Plan, prefix: str = "port:") -> frozenset[str]:
    """Gives the references (those with `prefix`) that objects are wanted for, all of which are in place.

    What no object is wanted for is never among them: a port that the compiler refused to wire is not realised.
    """
    wanted: set[str] = set()
    for kind in KINDS:
        for thing in desired.things(kind.kind):
            wanted.update(thing.intent)
    return frozenset(ref for ref in wanted if ref.startswith(prefix)) - difference.pending


def _missing(part: KindPlan) -> Iterable[Thing]:
    yield from part.add
    yield from part.awaiting
    yield from (wanted for _, wanted in part.change)


_NO_FACTS = {"owner", "intent"}
_NO_FACTS_OF: dict[type[Thing], set[str]] = {
    Guest: {"name", "nics"},
    Flow: {"port"},  # it is in the flow's text
}


def _facts_of(kind: type[Thing]) -> Callable[[Any], Any]:
    without = _NO_FACTS | _NO_FACTS_OF.get(kind, set())
    facts = attrgetter(*(name for name in kind.__struct_fields__ if name not in without))
    if kind is not Guest:
        return facts
    # A guest runs on when its server is renamed, or its network's MTU changes: it learns of that as any machine does,
    # by DHCP and from routers, and its taps are links, which are set anew.
    return lambda guest: (facts(guest), [(nic.tap, nic.mac) for nic in guest.nics])


_FACTS = {kind.kind: _facts_of(kind) for kind in KINDS}


def _awaited_in(kind: type[Thing], absent_ports: set[str]) -> Callable[[Any], bool]:
    if kind in (Link, SwitchPort):
        return lambda thing: bool(thing.awaited)
    if kind in (PortTag, Flow):
        return lambda thing: thing.port in absent_ports
    return lambda thing: False


def _plan_kind(
    kind: type[Thing], desired: tuple[Thing, ...], observed: tuple[Thing, ...], awaited: Callable[[Any], bool]
) -> KindPlan | None:
    facts = _FACTS[kind.kind]
    left = {thing.key: thing for thing in observed}
    add: list[Thing] = []
    change: list[tuple[Thing, Thing]] = []
    awaiting: list[Thing] = []
    for thing in desired:
        found = left.pop(thing.key, None)
        if found is None:
            (awaiting if awaited(thing) else add).append(thing)
        elif found is not thing and facts(found) != facts(thing):
            if kind in (PortTag, Flow) and awaited(thing):
                awaiting.append(thing)  # it is about another device, which has that name and is not the one
            else:
                change.append((found, thing))
    delete = () if kind.kind == "sysctls" else tuple(left[key] for key in sorted(left) if not awaited(left[key]))
    if not (add or change or delete or awaiting):
        return None
    return KindPlan(kind=kind.kind, add=tuple(add), change=tuple(change), delete=delete, awaiting=tuple(awaiting))
