"""Reads ``ovs-vsctl show``, ``ovs-ofctl show`` and ``ovs-ofctl dump-flows``."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec


class SwitchPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a switch with its one interface."""

    tag: int | None = None  # local VLAN; None carries all
    type: str = ""  # internal, patch, …; empty is a device of the machine
    options: dict[str, str] = {}  # such as a patch port's ``peer``


class FlowLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a dump: what a reader compares."""

    table: int
    priority: int
    match: dict[str, str]
    actions: str
    packets: int


def bridges(text: str) -> dict[str, dict[str, SwitchPort]]:
    """Gives bridge -> port -> what ``ovs-vsctl show`` says of it."""
    found: dict[str, dict[str, SwitchPort]] = {}
    bridge = port = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        value = value.strip('"')
        if key == "Bridge":
            bridge, found[value] = value, {}
        elif key == "Port":
            port, found[bridge][value] = value, SwitchPort()
        elif key in _CHANGES:
            found[bridge][port] = msgspec.structs.replace(found[bridge][port], **_CHANGES[key](value))
    return found


_CHANGES: dict[str, Callable[[str], dict[str, object]]] = {
    "tag:": lambda value: {"tag": int(value)},
    "type:": lambda value: {"type": value},
    "options:": lambda value: {"options": dict(re.findall(r'(\w+)="?([^",}]*)', value))},
}


def numbers(text: str) -> dict[str, int]:
    """Gives each port's OpenFlow number by its name, out of ``ovs-ofctl show``; LOCAL is none."""
    return {name: int(number) for number, name in re.findall(r"^ +(\d+)\(([^)]+)\): addr:", text, re.MULTILINE)}


def flows(text: str) -> tuple[FlowLine, ...]:
    """Gives the flows of ``ovs-ofctl dump-flows`` in the order printed.

    A field without a value, such as ``arp``, stands in `match` with an empty one.
    """
    return tuple(_flow(line.strip()) for line in text.splitlines() if " actions=" in line)


def _flow(line: str) -> FlowLine:
    head, actions = line.split(" actions=", 1)
    counters, _, match = head.rpartition(" ")
    said = dict(re.findall(r"(\w+)=([^,\s]+)", counters))
    fields = dict(_pair(field) for field in match.split(","))
    priority = int(fields.pop("priority", "32768"))
    fields.pop("", None)
    return FlowLine(
        table=int(said.get("table", "0")),
        priority=priority,
        match=fields,
        actions=actions,
        packets=int(said.get("n_packets", "0")),
    )


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.strip().partition("=")
    return name, value.strip('"')


def rewrites(dumped: tuple[FlowLine, ...], in_port: tuple[str, ...]) -> dict[int, int]:
    """Gives VLAN in -> VLAN out of the flows that take frames from a port and write another VLAN on them.

    in_port  the names a dump may use for the port: its number, and its name on a terminal
    """
    found: dict[int, int] = {}
    for flow in dumped:
        vlan = flow.match.get("dl_vlan", "")
        to = re.search(r"mod_vlan_vid:(\d+)", flow.actions)
        if flow.match.get("in_port") in in_port and vlan.isdigit() and to:
            found[int(vlan)] = int(to[1])
    return found


def drops_the_rest(dumped: tuple[FlowLine, ...], in_port: tuple[str, ...]) -> bool:
    """Says whether frames from a port that no better flow takes are dropped."""
    only_port = [f for f in dumped if f.match.get("in_port") in in_port and set(f.match) == {"in_port"}]
    return any(flow.actions == "drop" for flow in only_port)
