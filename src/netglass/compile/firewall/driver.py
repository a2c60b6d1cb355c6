"""Chooses the driver that filters a host's ports.  Called by compile.compiler."""

from __future__ import annotations

from collections.abc import Iterator

from netglass.compile.firewall.clauses import unreadable_ports
from netglass.compile.firewall.guards import firewall_of
from netglass.compile.firewall.hybrid import render_hybrid
from netglass.compile.firewall.tables import render_tables
from netglass.compile.place import Place
from netglass.desired.state import Diagnostic, Thing


def compile_firewall(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives what filters the guests' ports that are bound to the host; nothing for a host that takes no guests."""
    if not place.filtering:
        return
    firewall = firewall_of(place)
    yield from firewall.diagnostics
    if place.native:
        yield from unreadable_ports(firewall)
        yield from render_tables(place, firewall)
    else:
        yield from render_hybrid(place, firewall)
