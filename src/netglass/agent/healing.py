"""Knows damage from change: an object that was in place, is wanted as it was, and is found otherwise, was damaged.

What differs while the agent is at work on other intent, or on what its own work disturbed, is no damage; neither is
what differs at the first look at a machine, as nobody knows since when, and what fails again and again.  What is left
of a port that went, the flows that a switch can call by its number only, is none either: the port itself is, if it was
not somebody else's to unplug.
Damage is told once it is healed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from netglass.desired.diff import KindPlan
from netglass.desired.state import Daemon, Flow, Thing
from netglass.desired.text import changed_facts, printable, title
from netglass.model.protocol import Healed

_MOST_TOLD = 200
"""Characters of what was wrong: a file's whole text is not told."""

_BY_NUMBER = re.compile(r"\b(?:in_port=|output:)\d+\b")  # names are in quotes; ovs-ofctl(8), --names

Place = tuple[str, str]  # kind, key


class _Damage(msgspec.Struct, frozen=True):
    at: str
    since: float
    thing: Thing
    was: str


class Healing:
    """What was found damaged, and what became of it.

    clock  monotonic, in seconds
    wall   RFC 3339 in UTC with microseconds
    """

    def __init__(self, clock: Callable[[], float], wall: Callable[[], str]) -> None:
        self._clock = clock
        self._wall = wall
        self._off: dict[str, set[str]] = {}  # by kind: what differed when it was last looked at
        self._damaged: dict[Place, _Damage] = {}
        self._healed: list[Healed] = []

    def looked(
        self,
        kinds: Iterable[str],
        found: Callable[[str], KindPlan],
        relapsing: Callable[[str, str], bool],
        *,
        at_work: bool,
    ) -> None:
        """Takes over what differs in `kinds`.

        found      gives the difference of a kind
        relapsing  says of a kind and key whether it fails again and again, though it is in place between
        at_work    intent has changed, and the machine has not been all in place since
        """
        for kind in kinds:
            part = found(kind)
            off = {thing.key: (thing, was) for thing, was in _differing(part)}
            known = self._off.get(kind)
            if known is not None and not at_work:
                for key in (key for key in off.keys() - known if not relapsing(kind, key)):
                    thing, was = off[key]
                    self._damaged.setdefault((kind, key), _Damage(self._wall(), self._clock(), thing, was))
            self._off[kind] = set(off) | {thing.key for thing in part.awaiting}
            for place in [place for place in self._damaged if place[0] == kind and place[1] not in off]:
                self._healed.append(self._told(self._damaged.pop(place)))

    def take(self) -> list[Healed]:
        """Gives what was healed since the last call, in the order in which it was found in place."""
        healed, self._healed = self._healed, []
        return healed

    def _told(self, damage: _Damage) -> Healed:
        thing = damage.thing
        return Healed(
            at=damage.at,
            kind=thing.kind,
            key=thing.key,
            title=printable(title(thing)),
            owner=thing.owner,
            intent=thing.intent,
            was=damage.was,
            seconds=round(self._clock() - damage.since, 3),
        )


def _differing(part: KindPlan) -> Iterable[tuple[Thing, str]]:
    yield from ((thing, "missing") for thing in part.add)
    yield from ((thing, "not wanted") for thing in part.delete if not _is_left_behind(thing))
    for found, wanted in part.change:
        yield wanted, _what_was_wrong(found, wanted)


def _is_left_behind(thing: Thing) -> bool:
    return isinstance(thing, Flow) and _BY_NUMBER.search(f"{thing.match} {thing.actions}") is not None


def _what_was_wrong(found: Thing, wanted: Thing) -> str:
    if isinstance(found, Daemon) and not found.argv:
        return "did not run, or not where it must"
    facts = changed_facts(found, wanted)
    return "; ".join(_fact(name, was, right) for name, (was, right) in facts.items())


def _fact(name: str, was: object, right: object) -> str:
    """Tells how a fact differed; of many lines, rules or members those that did."""
    if isinstance(was, tuple) and isinstance(right, tuple):
        there, due = list(was), list(right)
    elif isinstance(was, str) and isinstance(right, str) and "\n" in was + right:
        there, due = was.splitlines(), right.splitlines()
    else:
        return f"{name} was {_short(was)} instead of {_short(right)}"
    some, all_due = set(there), set(due)
    lacking, foreign = [one for one in due if one not in some], [one for one in there if one not in all_due]
    told = [f"without {_several(lacking)}"] if lacking else []
    told += [f"with {_several(foreign)}"] if foreign else []
    return f"{name} was {' and '.join(told) or 'in another order'}"


def _several(parts: Sequence[object]) -> str:
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return f"{_short(parts[0])}{more}"


def _short(value: object) -> str:
    text = printable(str(value))
    return text if len(text) <= _MOST_TOLD else text[:_MOST_TOLD] + "…"
