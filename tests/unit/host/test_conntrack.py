"""What tells the kernel's connections apart, in the kernel's own bytes."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from netglass.host import rtnetlink as rt
from netglass.host.conntrack import Opened, Tracked

NESTED = 0x8000
UDP, ICMP, ICMPV6, OSPF = 17, 1, 58, 89
PORTS, ECHO, ECHO6 = (2, 3), (4, 5, 6), (7, 8, 9)  # CTA_PROTO_*: source and destination port; identifier, type, code


def tracked(source: str, destination: str, protocol: int, *fields: tuple[int, bytes]) -> Tracked:
    """Gives a connection as the kernel tells it (nf_conntrack_netlink.c, ctnetlink_dump_tuples)."""
    sides = (ip_address(source).packed, ip_address(destination).packed)
    numbers = (1, 2) if len(sides[0]) == 4 else (3, 4)
    addresses = b"".join(rt.attribute(number, side) for number, side in zip(numbers, sides, strict=True))
    told = rt.attribute(1, bytes([protocol])) + b"".join(rt.attribute(number, value) for number, value in fields)
    return Tracked(1, 6, rt.attribute(1 | NESTED, addresses) + rt.attribute(2 | NESTED, told))


def udp(source: str, source_port: int, destination: str, port: int) -> Tracked:
    numbers = (source_port, port)
    fields = [(field, struct.pack(">H", number)) for field, number in zip(PORTS, numbers, strict=True)]
    return tracked(source, destination, UDP, *fields)


def echo(source: str, destination: str, identifier: int, kind: int) -> Tracked:
    protocol, fields = (ICMPV6, ECHO6) if ":" in source else (ICMP, ECHO)
    values = (struct.pack(">H", identifier), bytes([kind]), b"\0")
    return tracked(source, destination, protocol, *zip(fields, values, strict=True))


def test_what_opened_a_connection_is_read_out_of_the_bytes_that_tell_it() -> None:
    source, destination = int(ip_address("10.0.0.3")), int(ip_address("10.0.0.9"))
    assert udp("10.0.0.3", 4000, "10.0.0.9", 53).opened == Opened(4, source, destination, UDP, 4000, 53)
    assert udp("10.0.0.3", 4000, "10.0.0.9", 53).text == "17 10.0.0.3 4000 -> 10.0.0.9 53"
    assert echo("fe80::1", "fe80::2", 7, 128).opened[3:] == (ICMPV6, 128, 0)
    assert tracked("10.0.0.3", "10.0.0.9", OSPF).opened == Opened(4, source, destination, OSPF, 0, 0)


def test_connections_that_differ_in_what_no_rule_speaks_of_are_of_one_kind() -> None:
    for near, far in (("10.0.0.3", "10.0.0.9"), ("fd00::3", "fd00::9")):
        assert udp(near, 4000, far, 53).kind == udp(near, 4001, far, 53).kind
        assert echo(near, far, 1, 8).kind == echo(near, far, 2, 8).kind


def test_connections_that_a_rule_may_tell_apart_are_of_different_kinds() -> None:
    for near, far, other in (("10.0.0.3", "10.0.0.9", "10.0.0.8"), ("fd00::3", "fd00::9", "fd00::8")):
        different = [
            udp(near, 4000, far, 53),
            udp(near, 4000, far, 54),
            udp(near, 4000, other, 53),
            udp(other, 4000, far, 53),
            echo(near, far, 1, 8),
            echo(near, far, 1, 13),
            tracked(near, far, OSPF),
            tracked(near, other, OSPF),
            tracked(near, far, 50),
        ]
        assert len({one.kind for one in different}) == len(different)
