"""Lowers intent to what one host must look like: the one pure function that everything else reads.

    place     the host's part of intent, looked up and checked
    switching bridges, the links between them, flows
    tunnels   br-tun, and what leads to other hosts
    plugging  guests' ports
    dhcp      DHCP servers, and the metadata proxies beside them
    routing   routers, the same, and what advertises them
    guests    light guests
    firewall  what guests' ports may send and receive

Called by the agent, by ``netglass plan``, and by whatever wants to know why a host is as it is.
Never: raises on bad intent (it gives a fail-closed state and a Diagnostic), chooses anything, knows the time.
Law: what it reads of the whole snapshot is what ``compile.relevant`` sends to the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netglass.compile.dhcp import compile_dhcp
from netglass.compile.firewall.driver import compile_firewall
from netglass.compile.guests import compile_guests
from netglass.compile.place import place_of
from netglass.compile.plugging import compile_plugging
from netglass.compile.routing import compile_routing
from netglass.compile.switching import compile_switching
from netglass.compile.tunnels import compile_tunnels
from netglass.desired.state import KINDS, Diagnostic, HostState, Thing
from netglass.model.snapshot import Snapshot

_PARTS = (
    compile_switching,
    compile_tunnels,
    compile_plugging,
    compile_dhcp,
    compile_routing,
    compile_guests,
    compile_firewall,
)


def compile_host(snapshot: Snapshot, host: str) -> HostState:
    """Gives what a host must look like by all intent in `snapshot`; empty for a host without a row.

    Cost: O(what is on the host, the ports of the networks that it serves DHCP for, and, with l2_population, of those
    that it has tunnels for).
    """
    place = place_of(snapshot, host)
    if place is None:
        return HostState(host=host)
    things: dict[str, list[Thing]] = {kind.kind: [] for kind in KINDS}
    diagnostics = list(place.diagnostics)
    for part in _PARTS:
        for made in part(place):
            if isinstance(made, Diagnostic):
                diagnostics.append(made)
            else:
                things[made.kind].append(made)
    found: dict[str, Any] = {kind: _unique(made, diagnostics) for kind, made in things.items()}
    return HostState(host=host, diagnostics=_sorted(diagnostics), **found)


def _unique(things: list[Thing], diagnostics: list[Diagnostic]) -> tuple[Thing, ...]:
    """Gives objects ascending by key, each key once.

    Two rows can want the same name only when their ids begin with the same eleven characters, or two bridges' names
    with the same: the one that comes first by intent is kept, everywhere.
    """
    by_key: dict[str, Thing] = {}
    for thing in things:
        key = thing.key
        other = by_key.get(key)
        if other is None:
            by_key[key] = thing
            continue
        kept, lost = (other, thing) if other.intent <= thing.intent else (thing, other)
        by_key[key] = kept
        text = f"Two objects want to be {thing.kind} {key}; the one for {' '.join(kept.intent)} is there."
        diagnostics.append(Diagnostic(code="name-collision", intent=lost.intent, text=text))
    return tuple(by_key[key] for key in sorted(by_key))


def _sorted(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(set(diagnostics), key=lambda one: (one.code, one.intent, one.text)))
