"""Plays the three use cases one after the other, and counts what held."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from netglass.demo import create_network, launch_guests, serve_dhcp
from netglass.demo.claims import Began, Broken, Claim, Event, Scene, Took
from netglass.demo.stage import Stage


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole run showed."""

    claims: tuple[Claim, ...]
    times: tuple[Took, ...]
    seconds: float  # wall clock of all use cases
    finished: bool  # False: something was missing that later steps stand on

    @property
    def good(self) -> bool:
        """Says whether all was shown and all of it held."""
        return self.finished and bool(self.claims) and all(claim.held for claim in self.claims)


def story(stage: Stage) -> Scene[None]:
    """Plays the use cases; each stands on the one before."""
    network = yield from create_network.play(stage)
    guests = yield from launch_guests.play(stage)
    yield from serve_dhcp.play(stage, network, guests)


def show(stage: Stage, tell: Callable[[Event], None]) -> Outcome:
    """Plays all on `stage`, hands each event to `tell` as it comes, and gives the outcome."""
    began = time.monotonic()
    seen: list[Event] = []
    use_cases: list[tuple[str, float]] = []
    finished = True
    try:
        for event in story(stage):
            if isinstance(event, Began):
                use_cases.append((event.title, time.monotonic()))
            seen.append(event)
            tell(event)
    except Broken:
        finished = False
    ended = time.monotonic()
    starts = [*(at for _, at in use_cases), ended]
    whole = [Took(what=title, seconds=starts[n + 1] - at) for n, (title, at) in enumerate(use_cases)]
    return Outcome(
        claims=tuple(event for event in seen if isinstance(event, Claim)),
        times=(*(event for event in seen if isinstance(event, Took)), *whole),
        seconds=ended - began,
        finished=finished,
    )
