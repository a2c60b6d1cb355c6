"""Whether a packet matches a flow: the matches that ``pipeline.flows`` writes, and their nearest relatives.

A match that is not understood never counts as one that does not match: it raises, and the trace says so.
Source: ovs-fields(7).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from netglass.trace.packet import ARP, ICMP, ICMP6, IPV4, IPV6, TCP, UDP, Packet, bits_of

_NO_TAG = 0xFFFF  # dl_vlan's word for frames without a tag

Test = Callable[[Packet, str], bool]
"""Says whether a packet that came in by a port matches."""


class NotUnderstoodError(Exception):
    """A match or an action that the tracer does not know; the message is its text."""


def matches(match: str, packet: Packet, in_port: str) -> bool:
    """Says whether a packet that came in by `in_port` is one for a flow's match, in canonical text.

    Raises NotUnderstoodError.
    """
    return all(test(packet, in_port) for test in _tests(match))


@lru_cache(maxsize=65536)
def _tests(match: str) -> tuple[Test, ...]:
    return tuple(_test(part) for part in match.split(",") if part)


def _test(part: str) -> Test:
    name, given, value = part.partition("=")
    if not given and part in _PROTOCOLS:
        eth_type, number = _PROTOCOLS[part]
        return lambda p, _: p.eth_type == eth_type and (number is None or p.ip_proto == number)
    if name in _FIELDS:
        return _FIELDS[name](value)
    raise NotUnderstoodError(f"the match {part}")


_PROTOCOLS: dict[str, tuple[int, int | None]] = {
    "arp": (ARP, None),
    "ip": (IPV4, None),
    "ipv6": (IPV6, None),
    "icmp": (IPV4, ICMP),
    "tcp": (IPV4, TCP),
    "udp": (IPV4, UDP),
    "icmp6": (IPV6, ICMP6),
    "tcp6": (IPV6, TCP),
    "udp6": (IPV6, UDP),
}


def _in_port(value: str) -> Test:
    name = unquoted(value)
    return lambda _, in_port: in_port == name


def _vlan(value: str) -> Test:
    number = int(value, 0)
    return lambda p, _: p.vlan == (None if number == _NO_TAG else number)


def _vlan_tci(value: str) -> Test:
    number, _, mask = value.partition("/")
    wanted, bits = int(number, 0), int(mask or "0xffff", 0)
    return lambda p, _: ((0 if p.vlan is None else p.vlan | 0x1000) & bits) == wanted & bits


def _mac(field: str) -> Callable[[str], Test]:
    def test(value: str) -> Test:
        address, _, mask = value.partition("/")
        bits = bits_of(mask) if mask else (1 << 48) - 1
        wanted = bits_of(address) & bits
        return lambda p, _: bits_of(getattr(p, field)) & bits == wanted

    return test


def _address(field: str) -> Callable[[str], Test]:
    def test(value: str) -> Test:
        wanted = ip_network(value, strict=False)
        return lambda p, _: bool(getattr(p, field)) and ip_address(getattr(p, field)) in wanted

    return test


def _number(field: str) -> Callable[[str], Test]:
    def test(value: str) -> Test:
        number, _, mask = value.partition("/")
        bits = int(mask, 0) if mask else -1
        wanted = int(number, 0) & bits
        return lambda p, _: getattr(p, field) is not None and getattr(p, field) & bits == wanted

    return test


def _tunnel(value: str) -> Test:
    wanted = int(value, 0)
    return lambda p, _: (p.tun_id or 0) == wanted


_FIELDS: dict[str, Callable[[str], Test]] = {
    "in_port": _in_port,
    "dl_vlan": _vlan,
    "vlan_tci": _vlan_tci,
    "dl_src": _mac("eth_src"),
    "dl_dst": _mac("eth_dst"),
    "dl_type": _number("eth_type"),
    "tun_id": _tunnel,
    "arp_op": _number("arp_op"),
    "arp_spa": _address("ip_src"),
    "arp_tpa": _address("ip_dst"),
    "arp_sha": _mac("arp_sha"),
    "nw_src": _address("ip_src"),
    "nw_dst": _address("ip_dst"),
    "ipv6_src": _address("ip_src"),
    "ipv6_dst": _address("ip_dst"),
    "nw_proto": _number("ip_proto"),
    "tp_src": _number("port_src"),
    "tp_dst": _number("port_dst"),
    "icmp_type": _number("icmp_type"),
    "icmpv6_type": _number("icmp_type"),
}


def unquoted(name: str) -> str:
    """Gives a port's name out of the canonical text of a flow."""
    return name.strip('"')
