"""Whether a frame matches a flow: the matches that ``pipeline.flows`` writes, and their relatives.

A match that is not understood never counts as one that does not match: it raises, and the trace says so.
Source: ovs-fields(7).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_network

from netglass.trace.fields import Field, Frame, NotUnderstoodError, field_of, number_of, read, unquoted
from netglass.trace.packet import ARP, ICMP, ICMP6, IPV4, IPV6, TCP, UDP

_NO_TAG = 0xFFFF  # dl_vlan's word for frames without a tag
_PRESENT = 0x1000  # the bit of vlan_tci that says that there is a tag
_STATES = ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat")

Test = Callable[[Frame], bool]


def matches(match: str, frame: Frame) -> bool:
    """Says whether a frame is one for a flow's match, in canonical text.

    Raises NotUnderstoodError.
    """
    return all(test(frame) for test in _tests(match))


@lru_cache(maxsize=65536)
def _tests(match: str) -> tuple[Test, ...]:
    return tuple(_test(part) for part in match.split(",") if part)


def _test(part: str) -> Test:
    name, given, value = part.partition("=")
    if not given and part in _PROTOCOLS:
        eth_type, number = _PROTOCOLS[part]
        return lambda f: f.packet.eth_type == eth_type and (number is None or f.packet.ip_proto == number)
    if not given:
        raise NotUnderstoodError(f"the match {part}")
    if name in _SPECIAL:
        return _SPECIAL[name](value)
    return _field(name, value)


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
    "igmp": (IPV4, 2),
    "sctp": (IPV4, 132),
    "sctp6": (IPV6, 132),
}


def _field(name: str, value: str) -> Test:
    """Gives the test of a field's value, with or without a mask."""
    try:
        field = field_of(name)
    except NotUnderstoodError:
        raise NotUnderstoodError(f"the match {name}={value}") from None
    if field.kind == "address":
        return _address(field, value)
    number, _, mask = value.partition("/")
    bits = number_of(mask) if mask else -1
    wanted = number_of(number) & bits
    if field.kind == "note" or field.name == "tun_id":  # has always a value
        return lambda f: read(field, f) & bits == wanted
    return lambda f: getattr(f.packet, field.name) not in (None, "") and read(field, f) & bits == wanted


def _address(field: Field, value: str) -> Test:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise NotUnderstoodError(f"the address {value}") from None
    low, high = int(network.network_address), int(network.broadcast_address)
    six = network.version == 6

    def test(frame: Frame) -> bool:
        held = getattr(frame.packet, field.name)
        return bool(held) and (":" in held) is six and low <= read(field, frame) <= high

    return test


def _in_port(value: str) -> Test:
    name = unquoted(value)
    return lambda f: f.in_port == name


def _vlan(value: str) -> Test:
    number = int(value, 0)
    return lambda f: f.packet.vlan == (None if number == _NO_TAG else number)


def _vlan_tci(value: str) -> Test:
    number, _, mask = value.partition("/")
    wanted, bits = int(number, 0), int(mask or "0xffff", 0)
    return lambda f: ((0 if f.packet.vlan is None else f.packet.vlan | _PRESENT) & bits) == wanted & bits


def _tracked(value: str) -> Test:
    """Gives the test of ``+trk-new`` and its like."""
    wanted, unwanted = set[str](), set[str]()
    for part in value.replace("-", " -").replace("+", " +").split():
        if part[0] not in "+-" or part[1:] not in _STATES:
            raise NotUnderstoodError(f"the match ct_state={value}")
        (wanted if part[0] == "+" else unwanted).add(part[1:])
    return lambda f: wanted <= f.tracked and not unwanted & f.tracked


def _original(name: str) -> Callable[[str], Test]:
    """Gives the reader of an address of the packet that opened the connection."""

    def of(value: str) -> Test:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            raise NotUnderstoodError(f"the address {value}") from None
        low, high = int(network.network_address), int(network.broadcast_address)
        return lambda f: name in f.notes and low <= f.notes[name] <= high

    return of


def _fragment(value: str) -> Test:
    if value not in _FRAGMENTS:
        raise NotUnderstoodError(f"the match nw_frag={value}")
    return lambda _: _FRAGMENTS[value]


_FRAGMENTS = {"no": True, "not_later": True, "yes": False, "first": False, "later": False}  # packets here are whole

_SPECIAL: dict[str, Callable[[str], Test]] = {
    "in_port": _in_port,
    "dl_vlan": _vlan,
    "vlan_tci": _vlan_tci,
    "vlan_vid": _vlan_tci,
    "ct_state": _tracked,
    "conj_id": lambda value: _conjunction(int(value, 0)),
    **{name: _original(name) for name in ("ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst")},
    "nw_frag": _fragment,
}


def _conjunction(number: int) -> Test:
    return lambda f: f.notes.get("conj_id", 0) == number
