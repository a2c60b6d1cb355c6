"""The ``ct`` action of a switch: what it asks connection tracking, and what it has it remember.

Source: ovs-actions(7), "The ct action"; ovs-fields(7), "Connection Tracking Fields".
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from netglass.trace.acting import applied, parse_actions, split
from netglass.trace.fields import Frame, NotUnderstoodError, field_of, number_of, read
from netglass.trace.packet import ECHO, Packet
from netglass.trace.tracking import (
    ESTABLISHED,
    INVALID,
    NEW,
    RELATED,
    UNTRACKED,
    Connection,
    Found,
    Tracker,
    target,
    translated,
    turn,
)

_FLAGS = {NEW: {"new"}, ESTABLISHED: {"est"}, RELATED: {"rel"}, INVALID: {"inv"}, UNTRACKED: {"inv"}}
_SWITCH = "the switch"  # in place of a namespace
_OWN = ("ct_mark", "ct_label")  # fields that belong to a conversation


class Asked(NamedTuple):
    """What came of a ``ct`` action.

    frame  with what was found; as it was, but for translation, when nothing goes on with it
    table  where a copy goes on; None: nowhere
    told   the state, for people; empty when the action only had it remembered
    """

    frame: Frame
    zone: int
    table: int | None
    told: str


class Tracking:
    """Connection tracking of one host's switch."""

    def __init__(self, tracker: Tracker, host: str) -> None:
        self._tracker = tracker
        self._host = host

    def ask(self, text: str, frame: Frame) -> Asked:
        """Does what the action says, given without ``ct()``; raises NotUnderstoodError."""
        wanted = _Wanted.read(text, frame)
        place = (self._host, _SWITCH, wanted.zone)
        found = self._tracker.find(place, frame.packet)
        connection = found.connection
        if connection is not None and wanted.translates:
            frame = frame._replace(packet=_translate(frame.packet, found, wanted))
        if wanted.commits and connection is not None:
            connection.mark = _marked(wanted.executes, frame, connection.mark)
            self._tracker.keep(place, found)
        notes = {**frame.notes, "ct_zone": wanted.zone, "ct_mark": connection.mark if connection is not None else 0}
        notes |= _opening(connection) if connection is not None else {}
        tracked = frame._replace(tracked=frozenset(_flags(found, connection)), notes=notes)
        told = found.state if wanted.table is not None else ""
        return Asked(tracked if wanted.table is not None else frame, wanted.zone, wanted.table, told)


class _Wanted(NamedTuple):
    commits: bool = False
    zone: int = 0
    table: int | None = None
    translates: bool = False
    translation: str = ""  # empty: as was decided before
    executes: str = ""

    @staticmethod
    def read(text: str, frame: Frame) -> _Wanted:
        wanted = _Wanted()
        for part in split(text):
            name, _, value = part.partition("=")
            if part == "commit":
                wanted = wanted._replace(commits=True)
            elif name == "zone":
                zone = read(field_of(value), frame) if "[" in value or value[:1].isalpha() else number_of(value)
                wanted = wanted._replace(zone=zone)
            elif name == "table":
                wanted = wanted._replace(table=int(value))
            elif part == "nat" or part.startswith("nat("):
                wanted = wanted._replace(translates=True, translation=part[4:-1])
            elif part.startswith("exec("):
                wanted = wanted._replace(executes=part[5:-1])
            elif part != "force":
                raise NotUnderstoodError(f"the action ct({text})")
        return wanted


def _opening(connection: Connection) -> dict[str, int]:
    """Gives the fields that hold the packet which opened a connection; of ICMP, its type and code for ports."""
    flow = connection.original
    first, second = (ECHO[flow.protocol][0], 0) if flow.protocol in ECHO else (flow.src_port, flow.dst_port)
    name = "nw" if ip_address(flow.src).version == 4 else "ipv6"
    return {
        f"ct_{name}_src": int(ip_address(flow.src)),
        f"ct_{name}_dst": int(ip_address(flow.dst)),
        "ct_nw_proto": flow.protocol,
        "ct_tp_src": first,
        "ct_tp_dst": second,
    }


def _flags(found: Found, connection: Connection | None) -> set[str]:
    flags = {"trk", *_FLAGS[found.state]}
    if found.backwards:
        flags.add("rpl")
    if connection is not None and found.state != NEW:
        flags |= {"snat"} if connection.is_source_turned else set()
        flags |= {"dnat"} if connection.is_destination_turned else set()
    return flags


def _translate(packet: Packet, found: Found, wanted: _Wanted) -> Packet:
    """Gives a packet with source and destination as its conversation has them; a first one as is wanted now."""
    assert found.connection is not None
    if wanted.translation and found.state == NEW:
        side, _, to = wanted.translation.partition("=")
        if side not in ("src", "dst"):
            raise NotUnderstoodError(f"the translation {wanted.translation}")
        turn(found.connection, side, *target(to))
    return translated(translated(packet, found, "dst"), found, "src")


def _marked(executes: str, frame: Frame, held: int) -> int:
    """Gives a conversation's mark after the actions that are done on it."""
    on = frame._replace(notes={**frame.notes, "ct_mark": held})
    for action in parse_actions(executes):
        if action.verb not in ("set", "move") or action.field is None or action.field.name not in _OWN:
            raise NotUnderstoodError(f"the action ct(exec({executes}))")
        on = applied(action, on)
    return on.notes["ct_mark"]
