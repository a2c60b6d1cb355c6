"""An applier whose machine is a shelf: objects stand on it until they are taken away."""

from __future__ import annotations

from collections.abc import Callable

from netglass.agent.appliers.protocol import NotThere, Work
from netglass.agent.rounds import ALL_KINDS
from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, Thing


class Shelf:
    """Keeps all kinds, and does what it is told to get wrong.

    broken   keys that cannot be applied
    absent   keys of which somebody else's part is not there
    deaf     keys that are applied without an error and without an effect
    dead     nothing can be read
    """

    def __init__(self) -> None:
        self.kinds = tuple(sorted(ALL_KINDS))
        self.things: dict[tuple[str, str], Thing] = {}
        self.steps: list[tuple[str, str, tuple[str, ...]]] = []
        self.broken: set[str] = set()
        self.absent: set[str] = set()
        self.deaf: set[str] = set()
        self.dead = False

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        if self.dead:
            raise ApplyError("links", "all", "nobody answers")
        return {
            kind: tuple(thing for (its, _), thing in sorted(self.things.items()) if its == kind) for kind in self.kinds
        }

    def apply(self, work: Work) -> list[ApplyError]:
        self.steps.append(("apply", work.kind, tuple(thing.key for thing in work.wanted)))
        errors: list[ApplyError] = []
        for thing in work.wanted:
            if thing.key in self.broken:
                errors.append(ApplyError(thing.kind, thing.key, "broken"))
            elif thing.key in self.absent:
                errors.append(NotThere(thing.kind, thing.key, "absent"))
            elif thing.key not in self.deaf:
                self.things[thing.kind, thing.key] = thing
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        errors: list[ApplyError] = []
        for thing in things:
            self.steps.append(("remove", kind, (thing.key,)))
            if thing.key in self.broken:
                errors.append(ApplyError(kind, thing.key, "broken"))
            else:
                del self.things[kind, thing.key]
            if hurry():
                break
        return errors

    def watch(self) -> list[int]:
        return []
