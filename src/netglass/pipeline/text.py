"""Flows as lines for ``ovs-ofctl``, and back.

Written with ``ovs-ofctl -O OpenFlow15 --bundle --no-names add-flows`` and read back with ``-O OpenFlow15 --no-names
--no-stats dump-flows``: OpenFlow 1.0 would hide meters and more (FACTS.md).  ``pipeline.ports`` puts names in place of
ports' numbers.  OpenFlow 1.5 words VLAN actions otherwise, and only where it means just the same are they brought back
to the canonical words:

    set_field:<4096 + vlan>->vlan_vid                    where the match has dl_vlan      -> mod_vlan_vid:<vlan>
    push_vlan:0x8100,set_field:<4096 + vlan>->vlan_vid   where it has none, or tun_id     -> mod_vlan_vid:<vlan>
    pop_vlan                                                                              -> strip_vlan

Everything else stays as it is printed, so that a flow that is not as we would write it never looks as if it were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from netglass.pipeline.flows import knows_untagged, knows_vlan

DEFAULT_PRIORITY = 32768  # OFP_DEFAULT_PRIORITY: the one that is not printed

_SET_VLAN = re.compile(r"(push_vlan:0x8100,)?set_field:(\d+)->vlan_vid")
_FLAGS = {"send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts"}  # ovs-ofctl(8)
_VLAN_PRESENT = 0x1000  # OFPVID_PRESENT


class FlowText(Protocol):
    """What of a flow can be written down; ``desired.state.Flow`` is one."""

    @property
    def table(self) -> int:
        """0..254."""

    @property
    def priority(self) -> int:
        """0..65535."""

    @property
    def match(self) -> str:
        """Canonical text without table and priority; empty matches all."""

    @property
    def actions(self) -> str:
        """Canonical text."""

    @property
    def cookie(self) -> int:
        """64 bits."""


class Entry(NamedTuple):
    """One line of a dump, in canonical words.

    A flow that times out or has flags, as ours never do, has them behind its actions, so that it differs from ours
    and can still be deleted by its key.
    """

    table: int
    priority: int
    match: str
    actions: str
    cookie: int


def parse_dump(lines: Iterable[str]) -> list[Entry]:
    """Reads the lines of a dump in their order; lines that are no flow (a reply's heading) are passed over."""
    return [parse_flow(line) for line in lines if " actions=" in line]


def parse_flow(line: str) -> Entry:
    """Reads one line of a dump, such as ``cookie=0x4e47000000000001, table=3, priority=1,in_port=eth2 actions=drop``.

    Raises ValueError for a line that is no flow.
    """
    front, found, actions = line.partition(" actions=")
    if not found:
        raise ValueError(f"no flow in {line!r}")
    # With nothing to match and the default priority, the last field ends in a comma.
    *fields, last = [*front[:-1].split(", "), ""] if front.endswith(",") else front.split(", ")
    table, priority, cookie = 0, DEFAULT_PRIORITY, 0
    extra = []
    for field in fields:
        name, _, value = field.strip().partition("=")
        if name == "cookie":
            cookie = int(value, 16)
        elif name == "table":
            table = int(value)
        else:
            extra.append(field)
    # Flags stand before the match with blanks between, and a match has none.
    words = last.split()
    extra += [word for word in words if word in _FLAGS]
    match = "".join(word for word in words if word not in _FLAGS)
    if match.startswith("priority="):
        number, _, match = match[9:].partition(",")
        priority = int(number)
    return Entry(table, priority, match, " ".join([canonical_actions(match, actions), *extra]), cookie)


def canonical_actions(match: str, printed: str) -> str:
    """Brings actions as OpenFlow 1.5 prints them into canonical words; `match` decides whether they mean the same."""
    if "vlan" not in printed:
        return printed

    def words(found: re.Match[str]) -> str:
        pushed, number = found[1], int(found[2])
        same = knows_untagged(match) if pushed else knows_vlan(match)
        return f"mod_vlan_vid:{number - _VLAN_PRESENT}" if same and number >= _VLAN_PRESENT else found[0]

    return re.sub(r"\bpop_vlan\b", "strip_vlan", _SET_VLAN.sub(words, printed))


def render_add(flow: FlowText) -> str:
    """Writes the line of a bundle that makes a flow, in place of the one of equal table, priority and match."""
    return f"add cookie={flow.cookie:#x},{_key(flow)} actions={flow.actions}"


def render_delete(flow: FlowText) -> str:
    """Writes the line of a bundle that deletes just this flow, and none of equal key with somebody else's cookie."""
    return f"delete_strict cookie={flow.cookie:#x}/-1,{_key(flow)}"


def _key(flow: FlowText) -> str:
    return ",".join([f"table={flow.table}", f"priority={flow.priority}", *([flow.match] if flow.match else [])])
