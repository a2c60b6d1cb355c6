"""Plays the parts of the demo, each a document, and counts what held."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from netglass.demo.basic_use_cases import story as basic_use_cases
from netglass.demo.claims import Began, Broken, Claim, Event, Scene, Took
from netglass.demo.packet_flows import story as packet_flows
from netglass.demo.stage import Stage

PARTS: dict[str, Callable[[Stage], Scene[None]]] = {"vlan": basic_use_cases.play, "gre": packet_flows.play}
"""By the lab that each plays on, in the order in which they are played."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one part showed.

    part      its key in `PARTS`
    seconds   wall clock of all its sections
    finished  False: something was missing that later steps stand on
    """

    part: str
    claims: tuple[Claim, ...]
    times: tuple[Took, ...]
    seconds: float
    finished: bool

    @property
    def good(self) -> bool:
        """Says whether all was shown and all of it held."""
        return self.finished and bool(self.claims) and all(claim.held for claim in self.claims)


def show(part: str, stage: Stage, tell: Callable[[Event], None]) -> Outcome:
    """Plays one part on `stage`, hands each event to `tell` as it comes, and gives the outcome."""
    began = time.monotonic()
    seen: list[Event] = []
    sections: list[tuple[str, float]] = []
    finished = True
    try:
        for event in PARTS[part](stage):
            if isinstance(event, Began):
                sections.append((event.title, time.monotonic()))
            seen.append(event)
            tell(event)
    except Broken:
        finished = False
    ended = time.monotonic()
    starts = [*(at for _, at in sections), ended]
    whole = [Took(what=title, seconds=starts[n + 1] - at) for n, (title, at) in enumerate(sections)]
    return Outcome(
        part=part,
        claims=tuple(event for event in seen if isinstance(event, Claim)),
        times=(*(event for event in seen if isinstance(event, Took)), *whole),
        seconds=ended - began,
        finished=finished,
    )
