"""A frame within a switch: the packet, its port, and what the switch notes beside it; and its fields by name.

Open vSwitch has several names for a field (``reg6``, ``NXM_NX_REG6[]``, ``NXM_NX_REG6[0..15]``); `field_of` reads them
all.  One that is not known raises, and the trace says so.
Source: ovs-fields(7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec.structs import replace

from netglass.trace.packet import IPV6, Packet, bits_of

_VLAN_PRESENT = 0x1000  # OFPVID_PRESENT


class NotUnderstoodError(Exception):
    """A match or an action that the tracer does not know; the message is its text."""


class Frame(NamedTuple):
    """A frame within a switch.

    notes    registers, metadata and marks that are not 0, by name
    tracked  what connection tracking said of it: ``trk`` and more; empty when it was not asked
    """

    packet: Packet
    in_port: str
    notes: Mapping[str, int] = {}
    tracked: frozenset[str] = frozenset()


class Field(NamedTuple):
    """A field, or some of its bits.

    name   of `Packet`'s, or a note's
    kind   ``mac``, ``address``, ``number``, ``vlan``, ``tci`` (with the bit that says that there is a tag) or ``note``
    shift  its lowest bit
    width  in bits; 0: to its end
    """

    name: str
    kind: str
    shift: int = 0
    width: int = 0


_PACKET_FIELDS: dict[str, tuple[str, str]] = {
    "eth_src": ("eth_src", "mac"),
    "eth_dst": ("eth_dst", "mac"),
    "eth_type": ("eth_type", "number"),
    "vlan_tci": ("vlan", "tci"),
    "vlan_vid": ("vlan", "vlan"),
    "ip_src": ("ip_src", "address"),
    "ip_dst": ("ip_dst", "address"),
    "ipv6_src": ("ip_src", "address"),
    "ipv6_dst": ("ip_dst", "address"),
    "ip_proto": ("ip_proto", "number"),
    "ip_ttl": ("ttl", "number"),
    "tcp_src": ("port_src", "number"),
    "tcp_dst": ("port_dst", "number"),
    "udp_src": ("port_src", "number"),
    "udp_dst": ("port_dst", "number"),
    "icmp_type": ("icmp_type", "number"),
    "icmp_code": ("icmp_code", "number"),
    "icmpv6_type": ("icmp_type", "number"),
    "icmpv6_code": ("icmp_code", "number"),
    "nd_target": ("nd_target", "address"),
    "arp_op": ("arp_op", "number"),
    "arp_sha": ("arp_sha", "mac"),
    "arp_tha": ("arp_tha", "mac"),
    "arp_spa": ("ip_src", "address"),
    "arp_tpa": ("ip_dst", "address"),
    "tun_id": ("tun_id", "number"),
}
_OTHER_NAMES = {
    "dl_dst": "eth_dst",
    "dl_src": "eth_src",
    "dl_type": "eth_type",
    "icmp6_code": "icmpv6_code",
    "icmp6_type": "icmpv6_type",
    "nw_dst": "ip_dst",
    "nw_proto": "ip_proto",
    "nw_src": "ip_src",
    "nw_ttl": "ip_ttl",
    "tp_dst": "tcp_dst",
    "tp_src": "tcp_src",
    "ttl": "ip_ttl",
    "tunnel_id": "tun_id",
}
_NOTE = re.compile(r"x?x?reg\d+|metadata|pkt_mark|ct_mark|ct_label|ct_zone|ct_nw_proto|ct_tp_src|ct_tp_dst")
_BITS = re.compile(r"(\w+?)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?")


@lru_cache(maxsize=4096)
def field_of(text: str) -> Field:
    """Reads a field's name, with or without bits; raises NotUnderstoodError."""
    found = _BITS.fullmatch(text)
    if found is None:
        raise NotUnderstoodError(f"the field {text}")
    name = re.sub(r"^(nxm_nx|nxm_of|oxm_of)_", "", found[1].lower())
    name = _OTHER_NAMES.get(name, name)
    first = int(found[2] or 0)
    width = 0 if found[2] is None else int(found[3] or first) - first + 1
    if _NOTE.fullmatch(name):
        return Field(name, "note", first, width)
    if name not in _PACKET_FIELDS or (width and (name, first, width) != ("vlan_tci", 0, 12)):
        raise NotUnderstoodError(f"the field {text}")
    name, kind = _PACKET_FIELDS[name]
    return Field(name, "vlan" if width else kind)


def read(field: Field, frame: Frame) -> int:
    """Gives a field's bits as a number; 0 for a field that the packet does not have."""
    if field.kind == "note":
        found = frame.notes.get(field.name, 0) >> field.shift
        return found & ((1 << field.width) - 1) if field.width else found
    value = getattr(frame.packet, field.name)
    if value in (None, ""):
        return 0
    if field.kind == "mac":
        return bits_of(value)
    if field.kind == "address":
        return int(IPv6Address(value) if ":" in value else IPv4Address(value))
    return int(value)


def written(field: Field, number: int, frame: Frame) -> Frame:
    """Gives a frame with other bits in a field."""
    if field.kind == "note":
        mask = ((1 << field.width) - 1 if field.width else (1 << 128) - 1) << field.shift
        value = frame.notes.get(field.name, 0) & ~mask | number << field.shift & mask
        return frame._replace(notes={**frame.notes, field.name: value})
    return frame._replace(packet=replace(frame.packet, **{field.name: _as_value(field, number, frame.packet)}))


def _as_value(field: Field, number: int, packet: Packet) -> str | int | None:
    if field.kind == "mac":
        return number.to_bytes(6, "big").hex(":")
    if field.kind == "address":
        return str(IPv6Address(number) if packet.eth_type == IPV6 else IPv4Address(number))
    if field.kind == "tci":
        return number & ~_VLAN_PRESENT if number & _VLAN_PRESENT else None
    return number & ~_VLAN_PRESENT if field.kind == "vlan" else number


def number_of(text: str) -> int:
    """Reads a value as flows have it: a number, a MAC or an address; raises NotUnderstoodError."""
    try:
        if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", text):
            return bits_of(text)
        if ":" in text:
            return int(IPv6Address(text))
        return int(IPv4Address(text)) if "." in text else int(text, 0)
    except ValueError:
        raise NotUnderstoodError(f"the value {text}") from None


def unquoted(name: str) -> str:
    """Gives a port's name out of the canonical text of a flow."""
    return name.strip('"')
