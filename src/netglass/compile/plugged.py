"""Calls ports that somebody else plugs by the names that they were given on the switch.

Compute services name devices after ports, and intent knows no other name.  Whoever plugs in by hand names them at
will; the ``iface-id`` says whose they are, as it does to Neutron's agent.
Pure; the agent calls it between compiling and comparing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from netglass.desired.state import Flow, HostState
from netglass.pipeline.flows import port_text

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,14}")
_RESERVED = {"all", "any", "controller", "drop", "flood", "in_port", "local", "none", "normal", "table", "unset"}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An interface on a bridge that says whose it is.

    works   the switch has a device for it
    tagged  its port was given its tag by us
    """

    name: str
    bridge: str
    iface_id: str
    works: bool
    tagged: bool


def names_of(desired: HostState, found: Iterable[Found]) -> dict[str, str]:
    """Gives the names of awaited ports that are plugged under others than they are wanted by: wanted name to found.

    Of several interfaces with one iface-id a single one is the port's: one that works before one that does not, then
    the one of the wanted name, then the one that has our tag, then the first by name.  One whose name a flow could not
    tell from a word of its own, or that is the name of another port that is wanted, is nobody's.
    """
    wanted = {port.external_ids["iface-id"]: port for port in desired.switch_ports if port.any_name}
    taken = {port.name for port in desired.switch_ports}
    best: dict[str, tuple[bool, bool, bool, str]] = {}
    for one in found:
        port = wanted.get(one.iface_id)
        if port is None or one.bridge != port.bridge or (one.name in taken and one.name != port.name):
            continue
        if _NAME.fullmatch(one.name) and one.name.lower() not in _RESERVED:
            rank = (not one.works, one.name != port.name, not one.tagged, one.name)
            best[port.name] = min(rank, best.get(port.name, rank))
    return {name: rank[-1] for name, rank in sorted(best.items()) if rank[-1] != name}


def as_plugged(desired: HostState, names: Mapping[str, str]) -> HostState:
    """Gives a desired state in which ports, their tags and the flows about them have the names that `names` gives.

    Cost: O(flows) when there are names, else nothing.
    """
    if not names:
        return desired
    return msgspec.structs.replace(
        desired,
        switch_ports=_renamed(desired.switch_ports, "name", names),
        port_tags=_renamed(desired.port_tags, "port", names),
        flows=tuple(sorted((_flow(flow, names) for flow in desired.flows), key=lambda flow: flow.key)),
    )


def _renamed(things: Iterable[Any], field: str, names: Mapping[str, str]) -> tuple[Any, ...]:
    """Gives objects whose key is the name in `field`, under their other names."""
    other = (
        msgspec.structs.replace(thing, **{field: names[thing.key]}) if thing.key in names else thing for thing in things
    )
    return tuple(sorted(other, key=lambda thing: thing.key))


def _flow(flow: Flow, names: Mapping[str, str]) -> Flow:
    if flow.port not in names:
        return flow
    device = names[flow.port]
    word = re.compile(rf"(?<=[=:]){re.escape(port_text(flow.port))}(?=[,)\s]|$)")
    match, actions = (word.sub(lambda _: port_text(device), text) for text in (flow.match, flow.actions))
    return msgspec.structs.replace(flow, match=match, actions=actions, port=device)
