"""Ends tracked connections that rules do not permit any more, and no others.

A connection is marked by each side that accepted it, and only packets of marked ones pass without a look at the rules
(``compile.firewall.chains``).  Ending one is taking its mark away: its next packet meets the rules anew.  Deleting it
instead would not do: the kernel takes the next packet of a TCP conversation, whoever sends it, for the beginning of a
new one, and an answer that the guest may send of its own accord would bring the connection back.

What is tracked is compared with the rules each time, so that it does not matter who was running when a rule went.

Called for zones of the kernel only; the switch's own filter looks at the rules for every packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.permits import Judge, Opening
from netglass.desired.state import CONNECTION_ACCEPTED, CONNECTION_OPENED, Connections, HostState, Thing
from netglass.host import conntrack
from netglass.host.conntrack import Opened, Tracked

_SIDES = CONNECTION_ACCEPTED | CONNECTION_OPENED


class ConnectionMarks:
    """The applier of ``connections``."""

    kinds = ("connections",)

    def __init__(self) -> None:
        self._stray: dict[int, list[tuple[Tracked, int]]] = {}  # with the bits to clear, by zone, as last observed

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives the zones that `desired` names, each with what strays in it; raises OSError."""
        self._stray = {}
        if desired.connections:
            members = {one.name: one.members for one in desired.address_sets}
            self._look({one.zone: one for one in desired.connections}, members)
        found = [self._observed(one) for one in desired.connections]
        return {"connections": tuple(found)}

    def _look(self, zones: Mapping[int, Connections], members: Mapping[str, tuple[str, ...]]) -> None:
        judges: dict[int, Judge] = {}
        # Of many connections from one guest to one service, one is asked about.
        judged: dict[tuple[int, bytes], int] = {}
        for one in conntrack.tracked(_SIDES):
            if one.zone not in zones:
                continue
            kind = (one.zone, one.kind)
            if kind not in judged:
                if one.zone not in judges:
                    judges[one.zone] = Judge(zones[one.zone].ends, members)
                judged[kind] = _not_permitted(judges[one.zone], one.opened)
            if bits := one.mark & judged[kind]:
                self._stray.setdefault(one.zone, []).append((one, bits))

    def _observed(self, wanted: Connections) -> Connections:
        stray = self._stray.get(wanted.zone)
        if not stray:
            return wanted
        told = tuple(sorted(one.text for one, _ in stray))
        return Connections(owner="", intent=(), zone=wanted.zone, ends=wanted.ends, stray=told)

    def apply(self, work: Work) -> list[ApplyError]:
        """Takes away the marks of what strays."""
        errors = []
        for thing in work.wanted:
            assert isinstance(thing, Connections)
            for one, error in conntrack.clear_marks(self._stray.pop(thing.zone, [])):
                errors.append(ApplyError("connections", thing.key, f"{one.text} goes on: {error}"))
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Does nothing: what a zone tracks is not ours to end."""
        return []

    def watch(self) -> list[int]:
        """Gives nothing: connections come and go all the time; rules and sets say when to look."""
        return []


def _not_permitted(judge: Judge, opened: Opened) -> int:
    """Gives the bits of the sides that do not permit a connection which was opened so."""
    opening = Opening(**opened._asdict())
    bits = 0
    if not judge.opened(opening):
        bits |= CONNECTION_OPENED
    if not judge.accepted(opening):
        bits |= CONNECTION_ACCEPTED
    return bits
