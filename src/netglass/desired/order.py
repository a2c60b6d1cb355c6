"""The one order in which kinds of objects are made, and the one in which they go.

Making: a thing comes after what it needs, and a port's VLAN tag, which lets packets through, after all that guards
and serves it; only what speaks unasked, and a guest's boot, come later.

Some kinds have two turns (`Thing.late`).  An internal port's device is made by the switch, so that such links are
moved and set after the switch ports, while all others must be there before them.  A namespace's own settings, which
devices take on as they arrive, come before these, and those of devices after them.  A daemon that speaks as soon as it
starts does so once it is heard.  A router forwards, and neighbours are told of it, as soon as it is guarded, before the
daemons beside it are started.

Removing comes after all making (the kernel takes 20-50 ms to delete a device), and begins with what lets packets
through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netglass.desired.diff import Plan
from netglass.desired.state import Thing


class Stage(NamedTuple):
    """A kind's turn; `late` says which of the two, and is None where a kind has one."""

    kind: str
    late: bool | None = None


MAKING = (
    Stage("namespaces"),
    Stage("sysctls", late=False),
    Stage("guests"),  # a hull brings its taps
    Stage("links", late=False),
    Stage("bridges"),
    Stage("switch_ports"),
    Stage("links", late=True),
    Stage("sysctls", late=True),
    Stage("addresses"),
    Stage("routes"),
    Stage("address_sets"),
    Stage("rule_sets"),
    Stage("flows"),
    Stage("connections"),  # after all that could accept new ones
    Stage("port_tags", late=False),
    Stage("announcements"),  # routers'; heard only once the port has its tag
    Stage("files"),
    Stage("daemons", late=False),
    Stage("port_tags", late=True),
    Stage("daemons", late=True),
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
    "address_sets",  # after the rules that refer to them
    "routes",
    "addresses",
    "switch_ports",
    "bridges",
    "links",  # after the bridges, whose own devices the switch takes away
    "namespaces",
    "announcements",
    "connections",  # nothing to take away: what a zone tracks ends by itself
    "sysctls",  # never in a plan's deletions: they go with their devices and namespaces
)


class Step(NamedTuple):
    """What is to be made and changed of one kind at one time."""

    kind: str
    add: tuple[Thing, ...]
    change: tuple[tuple[Thing, Thing], ...]  # (observed, wanted)


def making(plan: Plan) -> Iterator[Step]:
    """Gives the steps that make and change, in order; those with nothing to do are left out."""
    for kind, late in MAKING:
        part = plan.of(kind)
        add = tuple(thing for thing in part.add if late in (None, thing.late))
        change = tuple(pair for pair in part.change if late in (None, pair[1].late))
        if add or change:
            yield Step(kind, add, change)


def removing(plan: Plan) -> Iterator[tuple[str, tuple[Thing, ...]]]:
    """Gives what must go, kind by kind, in order."""
    for kind in REMOVING:
        doomed = plan.of(kind).delete
        if doomed:
            yield kind, doomed
