"""Actions of flows as values: the ones that ``pipeline.flows`` writes, and their relatives.

Source: ovs-actions(7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from netglass.trace.fields import Field, Frame, NotUnderstoodError, field_of, number_of, read, unquoted, written
from netglass.trace.packet import Packet


class Action(NamedTuple):
    """One action.

    verb   ``normal``, ``drop``, ``set`` (field, number), ``move`` (field, from field), ``untag``, ``goto`` (table),
           ``output`` (port), ``noport`` (from here on it came in by none), ``clone`` (others, with a copy),
           ``put`` (out of the port that a field numbers), ``back``, ``track``, ``learn``,
           ``conjunction`` (these with their whole text), ``untrack``, ``older`` (the time to live), ``nothing``
    field  that is set, or numbers a port
    value  as the verb says
    """

    verb: str
    field: Field | None = None
    value: int | str | Field = ""


@lru_cache(maxsize=65536)
def parse_actions(text: str) -> tuple[Action, ...]:
    """Reads actions in canonical text, in their order; raises NotUnderstoodError."""
    return tuple(_action(part) for part in split(text))


def split(text: str) -> list[str]:
    """Splits at the commas that are in no parentheses."""
    found, depth, word = list[str](), 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(word)
            word = ""
        else:
            word += letter
    return [*found, word] if word else found


_PLAIN = {
    "NORMAL": Action("normal"),
    "drop": Action("drop"),
    "IN_PORT": Action("back"),
    "strip_vlan": Action("untag"),
    "pop_vlan": Action("untag"),
    "ct_clear": Action("untrack"),
    "dec_ttl": Action("older"),
    "set_field:ANY->in_port": Action("noport"),
}
_VLAN = Field("vlan", "vlan")
_MOD = re.compile(r"mod_(dl_src|dl_dst|nw_src|nw_dst|tp_src|tp_dst):(.+)")


def _set(found: re.Match[str]) -> Action:
    field, (value, _, mask) = field_of(found[2]), found[1].partition("/")
    if mask:
        raise NotUnderstoodError(f"the action {found[0]}")
    return Action("set", field, number_of(value))


_SHAPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Action]], ...] = (
    (re.compile(r"mod_vlan_vid:(\d+)"), lambda m: Action("set", _VLAN, int(m[1]))),
    (re.compile(r"push_vlan:0x8100"), lambda m: Action("set", _VLAN, 0)),
    (re.compile(r"output:((?:NXM|OXM)_.+)"), lambda m: Action("put", field_of(m[1]))),
    (re.compile(r"output:(.+)"), lambda m: Action("output", value=unquoted(m[1]))),
    (re.compile(r"(?:resubmit\(,|goto_table:)(\d+)\)?"), lambda m: Action("goto", value=int(m[1]))),
    (re.compile(r"(?:set_field|load):(.+)->(.+)"), _set),
    (re.compile(r"move:(.+)->(.+)"), lambda m: Action("move", field_of(m[2]), field_of(m[1]))),
    (_MOD, lambda m: Action("set", field_of(m[1]), number_of(m[2]))),
    (re.compile(r"learn\((.*)\)"), lambda m: Action("learn", value=m[1])),
    (re.compile(r"ct(?:\((.*)\))?"), lambda m: Action("track", value=m[1] or "")),
    (re.compile(r"clone\((.*)\)"), lambda m: Action("clone", value=m[1])),
    (re.compile(r"conjunction\((.*)\)"), lambda m: Action("conjunction", value=m[1])),
    (re.compile(r"note:.*"), lambda m: Action("nothing")),
)


def _action(text: str) -> Action:
    if text in _PLAIN:
        return _PLAIN[text]
    for shape, made in _SHAPES:
        if found := shape.fullmatch(text):
            return made(found)
    raise NotUnderstoodError(f"the action {text}")


def applied(action: Action, frame: Frame) -> Frame:
    """Gives the frame after a ``set``, ``move``, ``untag``, ``untrack`` or ``older``."""
    if action.verb == "untag":
        return frame._replace(packet=replace(frame.packet, vlan=None))
    if action.verb == "untrack":
        return frame._replace(tracked=frozenset())
    if action.verb == "older":
        return frame._replace(packet=replace(frame.packet, ttl=frame.packet.ttl - 1))
    assert action.field is not None
    number = read(action.value, frame) if isinstance(action.value, Field) else int(action.value)
    return written(action.field, number, frame)


class Learnt(NamedTuple):
    """A flow that the switch made itself."""

    table: int
    priority: int
    match: str
    actions: str


def learn(text: str, frame: Frame) -> Learnt:
    """Gives the flow that a ``learn`` action makes out of a frame; raises NotUnderstoodError."""
    where = {"table": "1", "priority": "32768"}
    tests, acts = list[str](), list[str]()
    for part in text.split(","):
        name, given, value = part.partition("=")
        if given and name in _BOOKKEEPING:
            where[name] = value
        elif part != "delete_learned":
            test, act = _learnt_part(part, frame)
            tests += test
            acts += act
    return Learnt(int(where["table"]), int(where["priority"]), ",".join(tests), ",".join(acts) or "drop")


_BOOKKEEPING = ("table", "priority", "hard_timeout", "idle_timeout", "cookie")
_MATCH_WORDS = {"eth_dst": "dl_dst", "eth_src": "dl_src", "tun_id": "tun_id"}


def _learnt_part(part: str, frame: Frame) -> tuple[list[str], list[str]]:
    if part == "output:NXM_OF_IN_PORT[]":
        return [], [f'output:"{frame.in_port}"']
    if found := re.fullmatch(r"load:(.+)->(.+)", part):
        field = field_of(found[2])
        number = read(field_of(found[1]), frame) if "[" in found[1] else number_of(found[1])
        if field.name == "vlan" and number == 0:
            return [], ["strip_vlan"]
        return [], [f"set_field:{number:#x}->{field.name}"]
    left, _, right = part.partition("=")
    field, value = field_of(left), getattr(frame.packet, field_of(right or left).name, None)
    if field.name == "vlan":
        return [f"dl_vlan={value}" if value is not None else "dl_vlan=0xffff"], []
    if field.name not in _MATCH_WORDS:
        raise NotUnderstoodError(f"the part {part} of a learn action")
    return [f"{_MATCH_WORDS[field.name]}={value}"], []


def differences(before: Packet, after: Packet) -> Iterator[tuple[str, str | int | None, str | int | None]]:
    """Gives the fields in which two packets differ, with their values; what an ICMP error cites left out."""
    for field in Packet.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old != new and field != "cites":
            yield field, old, new
