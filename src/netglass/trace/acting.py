"""Actions of flows as values: the ones that ``pipeline.flows`` writes, and their nearest relatives.

Source: ovs-actions(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from netglass.trace.matching import NotUnderstoodError, unquoted
from netglass.trace.packet import Packet

LOCAL_FIELDS = {
    "eth_src": "eth_src",
    "eth_dst": "eth_dst",
    "arp_op": "arp_op",
    "arp_sha": "arp_sha",
    "arp_tha": "arp_tha",
    "arp_spa": "ip_src",
    "arp_tpa": "ip_dst",
    "tun_id": "tun_id",
    "ip_src": "ip_src",
    "ip_dst": "ip_dst",
    "NXM_OF_ETH_SRC[]": "eth_src",
    "NXM_OF_ETH_DST[]": "eth_dst",
    "NXM_OF_ARP_OP[]": "arp_op",
    "NXM_NX_ARP_SHA[]": "arp_sha",
    "NXM_NX_ARP_THA[]": "arp_tha",
    "NXM_OF_ARP_SPA[]": "ip_src",
    "NXM_OF_ARP_TPA[]": "ip_dst",
    "NXM_NX_TUN_ID[]": "tun_id",
    "NXM_OF_VLAN_TCI[]": "vlan",
    "NXM_OF_VLAN_TCI[0..11]": "vlan",
}
"""Open vSwitch's names of fields, and `Packet`'s."""

_NUMBERS = ("arp_op", "tun_id", "vlan")


class Action(NamedTuple):
    """One action.

    verb   ``normal``, ``drop``, ``set`` (field, value), ``move`` (field, from field), ``goto`` (table),
           ``output`` (port), ``back``, ``learn`` (its whole text)
    field  of `Packet`, for ``set`` and ``move``
    value  as the verb says; None takes a field away
    """

    verb: str
    field: str = ""
    value: str | int | None = None


@lru_cache(maxsize=65536)
def parse_actions(text: str) -> tuple[Action, ...]:
    """Reads actions in canonical text, in their order; raises NotUnderstoodError."""
    return tuple(_action(part) for part in split(text))


def split(text: str) -> list[str]:
    """Splits at the commas that are in no parentheses."""
    return re.findall(r"(?:[^,()]|\([^()]*\))+", text)


_PLAIN = {
    "NORMAL": Action("normal"),
    "drop": Action("drop"),
    "IN_PORT": Action("back"),
    "strip_vlan": Action("set", "vlan", None),
    "pop_vlan": Action("set", "vlan", None),
}


def _action(text: str) -> Action:
    if text in _PLAIN:
        return _PLAIN[text]
    if found := re.fullmatch(r"mod_vlan_vid:(\d+)", text):
        return Action("set", "vlan", int(found[1]))
    if found := re.fullmatch(r"output:(.+)", text):
        return Action("output", value=unquoted(found[1]))
    if found := re.fullmatch(r"(?:resubmit\(,|goto_table:)(\d+)\)?", text):
        return Action("goto", value=int(found[1]))
    if found := re.fullmatch(r"(?:set_field|load):(.+)->(.+)", text):
        field = field_of(found[2])
        value: str | int = int(found[1], 0) if field in _NUMBERS else found[1]
        return Action("set", field, value)
    if found := re.fullmatch(r"move:(.+)->(.+)", text):
        return Action("move", field_of(found[2]), field_of(found[1]))
    if found := re.fullmatch(r"learn\((.*)\)", text):
        return Action("learn", value=found[1])
    raise NotUnderstoodError(f"the action {text}")


def field_of(name: str) -> str:
    """Gives `Packet`'s name of a field; raises NotUnderstoodError."""
    if name not in LOCAL_FIELDS:
        raise NotUnderstoodError(f"the field {name}")
    return LOCAL_FIELDS[name]


class Learnt(NamedTuple):
    """A flow that the switch made itself."""

    table: int
    priority: int
    match: str
    actions: str


def learn(text: str, packet: Packet, in_port: str) -> Learnt:
    """Gives the flow that a ``learn`` action makes out of a packet; raises NotUnderstoodError."""
    where = {"table": "1", "priority": "32768"}
    tests, acts = [], []
    for part in text.split(","):
        name, given, value = part.partition("=")
        if given and name in _BOOKKEEPING:
            where[name] = value
        elif part != "delete_learned":
            test, act = _learnt_part(part, packet, in_port)
            tests += test
            acts += act
    return Learnt(int(where["table"]), int(where["priority"]), ",".join(tests), ",".join(acts) or "drop")


_BOOKKEEPING = ("table", "priority", "hard_timeout", "idle_timeout", "cookie")
_MATCH_WORDS = {"eth_dst": "dl_dst", "eth_src": "dl_src", "tun_id": "tun_id"}


def _learnt_part(part: str, packet: Packet, in_port: str) -> tuple[list[str], list[str]]:
    if part == "output:NXM_OF_IN_PORT[]":
        return [], [f'output:"{in_port}"']
    if found := re.fullmatch(r"load:(.+)->(.+)", part):
        field = field_of(found[2])
        value = getattr(packet, field_of(found[1])) if "[" in found[1] else int(found[1], 0)
        if field == "vlan" and value == 0:
            return [], ["strip_vlan"]
        return [], [f"set_field:{value or 0}->{field}"]
    left, _, right = part.partition("=")
    value = getattr(packet, field_of(right or left))
    field = field_of(left)
    if field == "vlan":
        return [f"dl_vlan={value}" if value is not None else "dl_vlan=0xffff"], []
    if field not in _MATCH_WORDS:
        raise NotUnderstoodError(f"the part {part} of a learn action")
    return [f"{_MATCH_WORDS[field]}={value}"], []


def applied(action: Action, packet: Packet) -> Packet:
    """Gives the packet after a ``set`` or a ``move``."""
    value = getattr(packet, str(action.value)) if action.verb == "move" else action.value
    return msgspec.structs.replace(packet, **{action.field: value})


def differences(before: Packet, after: Packet) -> Iterator[tuple[str, str | int | None, str | int | None]]:
    """Gives the fields in which two packets differ, with their values."""
    for field in Packet.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield field, old, new
