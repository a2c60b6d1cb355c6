"""Connection tracking: what the kernel, or the switch, remembers of conversations, and how it reads a packet by that.

    original  10.0.0.11:49152 -> 203.0.113.77:22     as the first packet came
    reply     10.0.1.12:22    -> 10.0.0.11:49152     as its replies come: the other way round, and translated

The difference between the two is what network address translation did; so a reply, and an ICMP error about a packet,
are translated back without another rule.
Source: Linux, nf_conntrack_core.c and nf_nat_core.c; ovs-fields(7), "Connection Tracking Fields".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from msgspec.structs import replace

from netglass.trace.packet import ECHO, ICMP, ICMP6, IPV4, IPV6, Packet

NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED = "NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"


class Flow(NamedTuple):
    """A conversation in one direction; for ICMP the ports are the echo's id on both sides."""

    protocol: int
    src: str
    src_port: int
    dst: str
    dst_port: int

    def back(self) -> Flow:
        """Gives the other direction."""
        return Flow(self.protocol, self.dst, self.dst_port, self.src, self.src_port)


@dataclass
class Connection:
    """One conversation; it is kept once its first packet got through.

    original  as its first packet came
    reply     as replies to it come
    answered  a reply was seen
    chosen    which of source and destination were decided on: ``src``, ``dst``
    mark      that rules or flows set on it
    """

    original: Flow
    reply: Flow
    answered: bool = False
    chosen: set[str] = field(default_factory=set)
    mark: int = 0

    @property
    def is_source_turned(self) -> bool:
        """Says whether its source is translated."""
        return (self.original.src, self.original.src_port) != (self.reply.dst, self.reply.dst_port)

    @property
    def is_destination_turned(self) -> bool:
        """Says whether its destination is translated."""
        return (self.original.dst, self.original.dst_port) != (self.reply.src, self.reply.src_port)


class Found(NamedTuple):
    """What tracking says of a packet.

    state       NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED
    backwards   it goes against the direction of the conversation's first packet
    connection  that it is of; None for what is not tracked
    """

    state: str
    backwards: bool = False
    connection: Connection | None = None


Place = tuple[str, str, int]
"""A host, the namespace there (or the switch's name for itself) and a zone."""


class Tracker:
    """All that is remembered anywhere."""

    def __init__(self) -> None:
        self._known: dict[tuple[Place, Flow], Connection] = {}

    def find(self, place: Place, packet: Packet) -> Found:
        """Gives what a place says of a packet that comes to it; remembers nothing yet."""
        flow = flow_of(packet)
        if packet.eth_type not in (IPV4, IPV6):
            return Found(UNTRACKED)
        if packet.cites is not None:
            return self._related(place, packet.cites)
        if flow is None:
            # Neighbour discovery and the like are not tracked; an echo reply that nobody asked for is invalid.
            return Found(INVALID if packet.is_echo else UNTRACKED)
        connection = self._known.get((place, flow))
        if connection is None:
            is_reply = packet.is_echo and packet.icmp_type == ECHO[packet.ip_proto or 0][1]
            return Found(INVALID) if is_reply else Found(NEW, connection=Connection(flow, flow.back()))
        backwards = flow != connection.original
        return Found(ESTABLISHED if backwards or connection.answered else NEW, backwards, connection)

    def keep(self, place: Place, found: Found) -> None:
        """Remembers the conversation of a packet that got through."""
        connection = found.connection
        if connection is None or found.state == RELATED:
            return
        connection.answered |= found.backwards
        for flow in (connection.original, connection.reply):
            self._known[place, flow] = connection

    def _related(self, place: Place, cited: Packet) -> Found:
        """Gives the conversation that a cited packet is of: the error goes against that packet's direction."""
        flow = flow_of(cited)
        connection = (
            self._known.get((place, flow)) or self._known.get((place, flow.back())) if flow is not None else None
        )
        if flow is None or connection is None:
            return Found(INVALID)
        forwards = flow in (connection.original, connection.reply.back())
        return Found(RELATED, forwards, connection)


def flow_of(packet: Packet) -> Flow | None:
    """Gives a packet's conversation; None for what has none."""
    number = packet.ip_proto
    if number is None or packet.cites is not None:
        return None
    if number in (ICMP, ICMP6):
        known = packet.icmp_id if packet.is_echo else None
        return Flow(number, packet.ip_src, known, packet.ip_dst, known) if known is not None else None
    return Flow(number, packet.ip_src, packet.port_src or 0, packet.ip_dst, packet.port_dst or 0)


def translated(packet: Packet, found: Found, side: str) -> Packet:
    """Gives a packet with its source (``src``) or destination (``dst``) as its conversation has been translated.

    An ICMP error has the packet that it cites translated back too, and then comes from or goes to the same address.
    """
    connection = found.connection
    if connection is None:
        return packet
    ahead, behind = connection.original, connection.reply
    if side == "dst":
        to = (ahead.src, ahead.src_port) if found.backwards else (behind.src, behind.src_port)
    else:
        to = (ahead.dst, ahead.dst_port) if found.backwards else (behind.dst, behind.dst_port)
    if packet.cites is None:
        return _with(packet, side, to)
    turned = connection.is_destination_turned if (side == "dst") is not found.backwards else connection.is_source_turned
    if not turned:
        return packet
    cited = _with(packet.cites, "src" if side == "dst" else "dst", to)
    return _with_address(replace(packet, cites=cited), side, to[0])


def _with(packet: Packet, side: str, to: tuple[str, int]) -> Packet:
    changed = _with_address(packet, side, to[0])
    if packet.ip_proto in (ICMP, ICMP6):
        return replace(changed, icmp_id=to[1])
    return replace(changed, **{f"port_{side}": to[1]})


def _with_address(packet: Packet, side: str, address: str) -> Packet:
    return replace(packet, **{f"ip_{side}": address})


def turn(connection: Connection, side: str, address: str, port: str) -> None:
    """Writes into a conversation how it is translated.

    port  as rules have it: empty (as it is), one, a range, or a range and after ``/`` what its first stands for
    """
    reply = connection.reply
    if side == "src":
        reply = reply._replace(dst=address, dst_port=_port_in(port, reply.dst_port))
    else:
        reply = reply._replace(src=address, src_port=_port_in(port, reply.src_port))
    connection.reply = reply


def _port_in(text: str, present: int) -> int:
    """Gives the port that a translation gives: the present one where it may stay, else a range's first, or that which
    is at the present one's place.
    """
    if not text:
        return present
    ports, _, base = text.partition("/")
    first, _, last = ports.partition("-")
    if base:
        return int(first) + present - int(base)
    return present if int(first) <= present <= int(last or first) else int(first)


def target(text: str) -> tuple[str, str]:
    """Reads ADDRESS[-ADDRESS][:PORT[-PORT]], an IPv6 address in brackets."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return str(ip_address(address)), port.removeprefix(":")
    address, _, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    return str(ip_address(address.partition("-")[0])), port
