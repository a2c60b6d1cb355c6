"""The kernel's connection tracking of our own network namespace: read, and connections' marks changed.

By netlink, since there may be tens of thousands of connections, and conntrack(8) would take a process for each one that
is to be changed.  For the same reason a connection is read no further than to its mark, its zone and the bytes by which
the kernel knows it, until somebody asks for more.
Source: linux/netfilter/nfnetlink_conntrack.h; nf_conntrack_netlink.c (ctnetlink_dump_tuples: addresses, protocol, and
first of all that a protocol adds, the source port or the identifier of an echo).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from netglass.host import rtnetlink as rt

_NETLINK_NETFILTER = 12
_NEW, _GET = 0x100, 0x101  # NFNL_SUBSYS_CTNETLINK << 8 and IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_RECEIVE = 1 << 18
_BATCH = 128  # changes in one send; their acknowledgements must fit the receive buffer

_TUPLE_ORIG, _MARK, _ZONE, _MARK_MASK = 1, 8, 18, 21  # CTA_*
_TUPLE_IP, _TUPLE_PROTO = 1, 2  # CTA_TUPLE_*
_V4_SRC, _V4_DST, _V6_SRC, _V6_DST = 1, 2, 3, 4  # CTA_IP_*
_NUMBER, _SRC_PORT, _DST_PORT = 1, 2, 3  # CTA_PROTO_*
_ICMP_ID, _ICMP_TYPE, _ICMP_CODE, _ICMPV6_ID, _ICMPV6_TYPE, _ICMPV6_CODE = 4, 5, 6, 7, 8, 9

_ATTRIBUTE = struct.Struct("=HH")  # length, type
_TYPE = 0x3FFF
_IPV4 = _ATTRIBUTE.pack(20, _TUPLE_IP | 0x8000)  # how an opening begins that is of IPv4
_VARYING_4, _VARYING_6 = 20 + 4 + 8, 44 + 4 + 8  # where in an opening a protocol's own attributes begin
_VARYING = frozenset(_ATTRIBUTE.pack(6, number) for number in (_SRC_PORT, _ICMP_ID, _ICMPV6_ID))


class Opened(NamedTuple):
    """The packet that opened a connection.

    source, destination  addresses as numbers
    first, second        source and destination port, ICMP type and code, or 0 and 0
    """

    ip_version: int
    source: int
    destination: int
    protocol: int
    first: int
    second: int


class Tracked(msgspec.Struct, frozen=True, gc=False):
    """One tracked connection.

    opening  the bytes by which the kernel knows it: of the packet that opened it
    """

    zone: int
    mark: int
    opening: bytes

    @property
    def kind(self) -> bytes:
        """Gives what tells it from connections that differ in more than a source port, or an echo's identifier."""
        at = _VARYING_4 if self.opening.startswith(_IPV4) else _VARYING_6
        return self.opening[:at] + self.opening[at + 8 :] if self.opening[at : at + 4] in _VARYING else self.opening

    @property
    def opened(self) -> Opened:
        """Gives what packet opened it."""
        parts = rt.attributes(self.opening, 0)
        addresses = rt.attributes(parts.get(_TUPLE_IP, b""), 0)
        protocol = rt.attributes(parts.get(_TUPLE_PROTO, b""), 0)
        first = protocol.get(_SRC_PORT) or protocol.get(_ICMP_TYPE) or protocol.get(_ICMPV6_TYPE)
        second = protocol.get(_DST_PORT) or protocol.get(_ICMP_CODE) or protocol.get(_ICMPV6_CODE)
        return Opened(
            ip_version=4 if _V4_SRC in addresses else 6,
            source=_number(addresses.get(_V4_SRC) or addresses.get(_V6_SRC)),
            destination=_number(addresses.get(_V4_DST) or addresses.get(_V6_DST)),
            protocol=_number(protocol.get(_NUMBER)),
            first=_number(first),
            second=_number(second),
        )

    @property
    def text(self) -> str:
        """Gives it as people read it, such as ``6 10.0.0.3 4000 -> 10.0.0.9 22``."""
        it = self.opened
        size = 4 if it.ip_version == 4 else 16
        source, destination = (ip_address(n.to_bytes(size, "big")) for n in (it.source, it.destination))
        return f"{it.protocol} {source} {it.first} -> {destination} {it.second}"


def tracked(marked: int) -> Iterator[Tracked]:
    """Gives the connections whose mark has one of the bits `marked`; raises OSError."""
    with _conversation() as channel:
        channel.send(rt.message(_GET, rt.REQUEST | rt.DUMP, 1, _HEADER.pack(socket.AF_UNSPEC, 0, 0)))
        for body in _replies(channel):
            found = _connection(body)
            if found.mark & marked:
                yield found


def clear_marks(changes: Iterable[tuple[Tracked, int]]) -> list[tuple[Tracked, OSError]]:
    """Clears bits of connections' marks; gives those that failed.  A connection that has ended is none of them."""
    pending = list(changes)
    failed: list[tuple[Tracked, OSError]] = []
    with _conversation() as channel:
        for start in range(0, len(pending), _BATCH):
            batch = pending[start : start + _BATCH]
            messages = (_clearing(number, one, bits) for number, (one, bits) in enumerate(batch))
            channel.send(b"".join(messages))
            for number, error in _acknowledgements(channel, len(batch)):
                if error not in (0, 2):  # ENOENT
                    failed.append((batch[number][0], OSError(error, os.strerror(error))))
    return failed


def _conversation() -> socket.socket:
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    channel.settimeout(10)
    channel.bind((0, 0))
    return channel


def _replies(channel: socket.socket) -> Iterator[bytes]:
    while True:
        for kind, _, body in rt.messages(channel.recv(_RECEIVE)):
            if kind == rt.NLMSG_DONE:
                return
            if kind == rt.NLMSG_ERROR:
                number = rt.parse_error(body)
                raise OSError(number, f"connection tracking cannot be read: {os.strerror(number)}")
            yield body


def _acknowledgements(channel: socket.socket, count: int) -> Iterator[tuple[int, int]]:
    while count:
        for kind, sequence, body in rt.messages(channel.recv(_RECEIVE)):
            if kind == rt.NLMSG_ERROR:
                count -= 1
                yield sequence, rt.parse_error(body)


def _clearing(sequence: int, one: Tracked, bits: int) -> bytes:
    family = socket.AF_INET if one.opened.ip_version == 4 else socket.AF_INET6
    body = b"".join(
        (
            _HEADER.pack(family, 0, 0),
            rt.attribute(_TUPLE_ORIG | 0x8000, one.opening),  # NLA_F_NESTED
            rt.attribute(_ZONE, struct.pack(">H", one.zone)),
            rt.attribute(_MARK, struct.pack(">I", 0)),
            rt.attribute(_MARK_MASK, struct.pack(">I", bits)),
        )
    )
    return rt.message(_NEW, rt.REQUEST | rt.ACK, sequence, body)


def _connection(body: bytes) -> Tracked:
    """Reads what the kernel says of one connection."""
    opening, zone, mark = b"", 0, 0
    at, end = _HEADER.size, len(body)
    while at + 4 <= end:
        size, number = _ATTRIBUTE.unpack_from(body, at)
        if size < 4:
            break
        number &= _TYPE
        if number == _TUPLE_ORIG:
            opening = body[at + 4 : at + size]
        elif number == _ZONE:
            zone = int.from_bytes(body[at + 4 : at + size], "big")
        elif number == _MARK:
            mark = int.from_bytes(body[at + 4 : at + size], "big")
        at += (size + 3) & ~3
    return Tracked(zone, mark, opening)


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")
