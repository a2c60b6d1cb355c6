"""The kernel's connection tracking of our own network namespace: read, and connections' marks changed.

By netlink, since there may be tens of thousands of connections, and conntrack(8) would take a process for each one that
is to be changed.  Source: linux/netfilter/nfnetlink_conntrack.h; nf_conntrack_netlink.c.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

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
_ICMP_TYPE, _ICMP_CODE, _ICMPV6_TYPE, _ICMPV6_CODE = 5, 6, 8, 9


class Tracked(msgspec.Struct, frozen=True):
    """One tracked connection: the packet that opened it, and its mark.

    source, destination  addresses as numbers
    first, second        source and destination port, ICMP type and code, or 0 and 0
    opening              the bytes by which the kernel knows it
    """

    ip_version: int
    zone: int
    mark: int
    source: int
    destination: int
    protocol: int
    first: int
    second: int
    opening: bytes

    @property
    def text(self) -> str:
        """Gives it as people read it, such as ``6 10.0.0.3 4000 -> 10.0.0.9 22``."""
        size = 4 if self.ip_version == 4 else 16
        source, destination = (ip_address(n.to_bytes(size, "big")) for n in (self.source, self.destination))
        return f"{self.protocol} {source} {self.first} -> {destination} {self.second}"


def tracked(marked: int) -> list[Tracked]:
    """Gives the connections whose mark has one of the bits `marked`; raises OSError."""
    with _conversation() as channel:
        channel.send(rt.message(_GET, rt.REQUEST | rt.DUMP, 1, _HEADER.pack(socket.AF_UNSPEC, 0, 0)))
        return [found for body in _replies(channel) if (found := _connection(body, marked)) is not None]


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
    family = socket.AF_INET if one.ip_version == 4 else socket.AF_INET6
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


def _connection(body: bytes, marked: int) -> Tracked | None:
    top = rt.attributes(body, _HEADER.size)
    mark = _number(top.get(_MARK))
    if not mark & marked or _TUPLE_ORIG not in top:
        return None
    parts = rt.attributes(top[_TUPLE_ORIG], 0)
    addresses, protocol = rt.attributes(parts.get(_TUPLE_IP, b""), 0), rt.attributes(parts.get(_TUPLE_PROTO, b""), 0)
    version = 4 if _V4_SRC in addresses else 6
    first = protocol.get(_SRC_PORT) or protocol.get(_ICMP_TYPE) or protocol.get(_ICMPV6_TYPE)
    second = protocol.get(_DST_PORT) or protocol.get(_ICMP_CODE) or protocol.get(_ICMPV6_CODE)
    return Tracked(
        ip_version=version,
        zone=_number(top.get(_ZONE)),
        mark=mark,
        source=_number(addresses.get(_V4_SRC) or addresses.get(_V6_SRC)),
        destination=_number(addresses.get(_V4_DST) or addresses.get(_V6_DST)),
        protocol=_number(protocol.get(_NUMBER)),
        first=_number(first),
        second=_number(second),
        opening=top[_TUPLE_ORIG],
    )


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")
