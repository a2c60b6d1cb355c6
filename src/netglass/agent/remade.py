"""What sits on devices that a round makes anew: it was there when the machine was read, and goes with the old ones.

Without this it would be missed one round later: a guest would boot before its tap is wired, and a router whose switch
died would wait for its addresses until everything was read once more.  Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from netglass.desired.diff import Plan
from netglass.desired.state import Address, Guest, HostState, Link, PortTag, Route, SwitchPort, Sysctl, Thing


def with_what_sits(difference: Plan, desired: HostState) -> Plan:
    """Adds what sits on the taps of guests, and on other devices, that the plan makes."""
    return _on_devices(_on_taps(difference, desired), desired)


def sits_on(thing: Thing, devices: Collection[tuple[str, str]]) -> bool:
    """Says whether a thing is, or is set on, one of some devices, each a namespace and a name."""
    match thing:
        case Sysctl():
            return any((thing.netns, part) in devices for part in thing.name.split("/"))
        case Address() | Route():
            return (thing.netns, thing.device) in devices
        case Link():
            return (thing.netns, thing.name) in devices
        case SwitchPort():
            return ("", thing.name) in devices
        case PortTag():
            return ("", thing.port) in devices
    return False


def _on_taps(difference: Plan, desired: HostState) -> Plan:
    guests = difference.of("guests")
    made = (*guests.add, *(new for _, new in guests.change))
    taps = {nic.tap for guest in made if isinstance(guest, Guest) for nic in guest.nics}
    if not taps:
        return difference
    sitting: tuple[tuple[str, Sequence[Thing]], ...] = (
        ("links", [link for link in desired.links if link.name in taps and not link.netns]),
        ("sysctls", [sysctl for sysctl in desired.sysctls if not taps.isdisjoint(sysctl.name.split("/"))]),
        ("switch_ports", [port for port in desired.switch_ports if port.name in taps]),
        ("port_tags", [tag for tag in desired.port_tags if tag.port in taps]),
    )
    return _adding(difference, sitting, awaiting=False)


def _on_devices(difference: Plan, desired: HostState) -> Plan:
    made = {(link.netns, link.name) for link in difference.of("links").add if isinstance(link, Link)}
    if not made:
        return difference
    sitting: tuple[tuple[str, Sequence[Thing]], ...] = (
        ("sysctls", [s for s in desired.sysctls if any((s.netns, part) in made for part in s.name.split("/"))]),
        ("addresses", [address for address in desired.addresses if (address.netns, address.device) in made]),
        ("routes", [route for route in desired.routes if (route.netns, route.device) in made]),
    )
    return _adding(difference, sitting, awaiting=True)


def _adding(difference: Plan, sitting: Iterable[tuple[str, Sequence[Thing]]], *, awaiting: bool) -> Plan:
    """Adds objects that the plan does not make or change already; `awaiting` says whether what it awaits stays so."""
    parts = {part.kind: part for part in difference.kinds}
    for kind, things in sitting:
        part = difference.of(kind)
        there = {thing.key for thing in (*part.add, *(new for _, new in part.change))}
        added = part.add + tuple(thing for thing in things if thing.key not in there)
        parts[kind] = msgspec.structs.replace(part, add=added, awaiting=part.awaiting if awaiting else ())
    return Plan(host=difference.host, kinds=tuple(parts.values()))
