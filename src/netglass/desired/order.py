"""The one order in which kinds of objects are made, and the one in which they go.

Making: a thing comes after what it needs, and a port's VLAN tag, which lets packets through, after all that guards
and serves it; only a guest's boot comes later.  An internal port's device is made by the switch, so that such links
are moved and set after the switch ports, while all others must be there before them.

Removing comes after all making (the kernel takes 20-50 ms to delete a device), and begins with what lets packets
through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netglass.desired.diff import Plan
from netglass.desired.state import Link, Thing


class Stage(NamedTuple):
    """A kind's turn; `internal` divides the links, and is None for every other kind."""

    kind: str
    internal: bool | None = None


MAKING = (
    Stage("namespaces"),
    Stage("guests"),  # a hull brings its taps
    Stage("links", internal=False),
    Stage("bridges"),
    Stage("switch_ports"),
    Stage("links", internal=True),
    Stage("sysctls"),
    Stage("addresses"),
    Stage("routes"),
    Stage("rule_sets"),
    Stage("flows"),
    Stage("files"),
    Stage("daemons"),
    Stage("port_tags"),
    Stage("announcements"),  # heard only once the port has its tag
    Stage("guest_boots"),
)

REMOVING = (
    "guest_boots",
    "port_tags",
    "guests",
    "daemons",
    "files",
    "flows",
    "rule_sets",
    "routes",
    "addresses",
    "switch_ports",
    "bridges",
    "links",  # after the bridges, whose own devices the switch takes away
    "namespaces",
    "announcements",
    "sysctls",  # never in a plan's deletions: they go with their devices and namespaces
)


class Step(NamedTuple):
    """What is to be made and changed of one kind at one time."""

    kind: str
    add: tuple[Thing, ...]
    change: tuple[tuple[Thing, Thing], ...]  # (observed, wanted)


def making(plan: Plan) -> Iterator[Step]:
    """Gives the steps that make and change, in order; those with nothing to do are left out."""
    for kind, internal in MAKING:
        part = plan.of(kind)
        add = tuple(thing for thing in part.add if _in_stage(thing, internal))
        change = tuple(pair for pair in part.change if _in_stage(pair[1], internal))
        if add or change:
            yield Step(kind, add, change)


def removing(plan: Plan) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """Gives what must go, kind by kind, in order."""
    for kind in REMOVING:
        doomed = plan.of(kind).delete
        if doomed:
            yield kind, doomed


def _in_stage(thing: Thing, internal: bool | None) -> bool:
    return internal is None or (isinstance(thing, Link) and (thing.form == "internal") == internal)
