"""Creates what a user asks for, or finds it where the last run of the demo made it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from netglass.demo.claims import Shown
from netglass.demo.stage import Stage


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An object of the project user.

    kind     as the client calls it: network, subnet, router
    columns  of it that are printed
    asked    more words for the client to create it
    """

    kind: str
    name: str
    columns: tuple[str, ...]
    asked: tuple[str, ...] = ()


def made(stage: Stage, *wanted: Wanted, beside: Sequence[Sequence[str]] = ()) -> list[Shown]:
    """Gives what the client prints of each object, which is created unless the last run did so.

    beside  commands that are run at the same time, as `Stage.clients` has them; their output follows
    """
    there: list[Shown | None] = [None] * len(wanted)
    if not stage.fresh:  # a lab that just came up is not asked in vain
        # "No Network found for net1": all else is there, or a failure to show.
        looked = stage.clients(*(("demo", w.kind, "show", w.name, *chosen(*w.columns)) for w in wanted))
        there = [None if "found for" in shown.output else shown for shown in looked]
    creations = [
        ("demo", w.kind, "create", *w.asked, w.name, *chosen(*w.columns))
        for w, shown in zip(wanted, there, strict=True)
        if shown is None
    ]
    new = iter(stage.clients(*creations, *beside))
    return [*(shown or next(new) for shown in there), *new]


def chosen(*columns: str) -> tuple[str, ...]:
    """Gives the client's words to print these columns and no others."""
    return tuple(word for name in columns for word in ("-c", name))
