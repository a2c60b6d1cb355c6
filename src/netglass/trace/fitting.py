"""Whether a packet fits the matches of an iptables rule.

A match that is not understood never counts as one that does not fit: it raises, and the trace says so.
Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from netglass.desired.permits import Permit
from netglass.trace.fields import NotUnderstoodError
from netglass.trace.packet import ARP, ICMP, ICMP6, IPV4, IPV6, TCP, UDP, Packet
from netglass.trace.ruling import Test
from netglass.trace.tracking import NEW, UNTRACKED, Found

_PROTOCOLS = {"icmp": ICMP, "ipv6-icmp": ICMP6, "icmpv6": ICMP6, "icmp6": ICMP6, "tcp": TCP, "udp": UDP, "all": None}
_PROTOCOLS |= {"sctp": 132, "esp": 50, "ah": 51, "gre": 47, "igmp": 2, "vrrp": 112, "udplite": 136, "dccp": 33}
_ICMP_TYPES = {"echo-request": 8, "echo-reply": 0, "destination-unreachable": 3, "time-exceeded": 11, "any": None}
_ICMP6_TYPES = {"echo-request": 128, "echo-reply": 129, "router-solicitation": 133, "router-advertisement": 134}
_ICMP6_TYPES |= {"neighbour-solicitation": 135, "neighbour-advertisement": 136, "packet-too-big": 2}
_KINDS = {"IPv4": IPV4, "IPv6": IPV6, "ARP": ARP}  # of frames, as ebtables names them
_MASK = "0xffffffff"

FRESH = Found(NEW)
"""What is said of a packet that was not tracked yet."""


@dataclass(frozen=True)
class Passing:
    """A packet on its way through the chains.

    entered, leaving  devices; empty where it has none
    bridged_in, bridged_out  ports of a Linux bridge that it comes in and goes out by; empty: it is not bridged
    found             what connection tracking says of it
    zone              in which that is remembered
    sets              members of the sets (ipset(8)) that rules may name
    """

    packet: Packet
    entered: str = ""
    leaving: str = ""
    bridged_in: str = ""
    bridged_out: str = ""
    mark: int = 0
    found: Found = FRESH
    zone: int = 0
    local: bool = False
    sets: Mapping[str, tuple[str, ...]] | None = None


def fits(test: Test, passing: Passing) -> bool:
    """Says whether a packet fits; raises NotUnderstoodError."""
    held = _TESTS.get(test.option)
    if held is None:
        raise NotUnderstoodError(str(test))
    try:
        return held(test, passing) is not test.negated
    except ValueError:
        raise NotUnderstoodError(str(test)) from None


def says(permit: Permit, packet: Packet, *, to_guest: bool) -> bool:
    """Says whether it is this of several permits, said by one rule that a packet fits, that lets the packet pass."""
    held = packet.ip_src if to_guest else packet.ip_dst
    if permit.remote and ip_address(held) not in ip_network(permit.remote):
        return False
    if permit.low is None or permit.high is None or packet.port_dst is None:
        return True
    return permit.low <= packet.port_dst <= permit.high


def _address(test: Test, passing: Passing) -> bool:
    held = passing.packet.ip_src if test.option == "-s" else passing.packet.ip_dst
    return any(ip_address(held) in ip_network(one, strict=False) for one in test.values[0].split(","))


def _device(test: Test, passing: Passing) -> bool:
    held = {
        "-i": passing.entered,
        "-o": passing.leaving,
        "--physdev-in": passing.bridged_in,
        "--physdev-out": passing.bridged_out,
    }[test.option]
    pattern = test.values[0]
    return held.startswith(pattern[:-1]) if pattern.endswith("+") else held == pattern


def _bridged(test: Test, passing: Passing) -> bool:
    wanted = {"--physdev-is-in": passing.bridged_in, "--physdev-is-out": passing.bridged_out}
    return bool(wanted.get(test.option, passing.bridged_in and passing.bridged_out))


def _protocol(test: Test, passing: Passing) -> bool:
    name = test.values[0]
    if name in _KINDS:
        return passing.packet.vlan is None and passing.packet.eth_type == _KINDS[name]
    if name not in _PROTOCOLS and not name.isdigit():
        raise NotUnderstoodError(str(test))
    number = _PROTOCOLS[name] if name in _PROTOCOLS else int(name)
    return number in (None, 0) or passing.packet.ip_proto == number


def _port(test: Test, passing: Passing) -> bool:
    packet = passing.packet
    numbers = [packet.port_dst] if "--d" in test.option else [packet.port_src]
    if test.option == "--ports":
        numbers = [packet.port_src, packet.port_dst]
    return any(_in_range(part, number) for part in test.values[0].split(",") for number in numbers)


def _in_range(text: str, number: int | None) -> bool:
    first, ranged, last = text.partition(":")
    return number is not None and int(first or 0) <= number <= int(last or (65535 if ranged else first))


def _state(test: Test, passing: Passing) -> bool:
    found, connection = passing.found, passing.found.connection
    held = {found.state}
    if connection is not None:
        held |= {"DNAT"} if connection.is_destination_turned else set()
        held |= {"SNAT"} if connection.is_source_turned else set()
    return bool(held & set(test.values[0].split(",")))


def _direction(test: Test, passing: Passing) -> bool:
    return passing.found.state != UNTRACKED and passing.found.backwards is (test.values[0] == "REPLY")


def _original(test: Test, passing: Passing) -> bool:
    connection = passing.found.connection
    if connection is None:
        return False
    held = connection.original.src if test.option == "--ctorigsrc" else connection.original.dst
    return ip_address(held) in ip_network(test.values[0], strict=False)


def _mark(test: Test, passing: Passing) -> bool:
    connection = passing.found.connection
    held = passing.mark if test.module == "mark" else connection.mark if connection is not None else 0
    wanted, _, mask = test.values[0].partition("/")
    return held & int(mask or _MASK, 0) == int(wanted, 0)


def _icmp(test: Test, passing: Passing) -> bool:
    number, _, code = test.values[0].partition("/")
    names = _ICMP_TYPES if test.option == "--icmp-type" else _ICMP6_TYPES
    kind = names[number] if number in names else int(number)
    if kind is None or kind == 255:
        return True
    return passing.packet.icmp_type == kind and (not code or passing.packet.icmp_code == int(code))


def _mac(test: Test, passing: Passing) -> bool:
    return passing.packet.eth_src == test.values[0].lower()


def _flags(test: Test, passing: Passing) -> bool:
    held = set(passing.packet.tcp_flags.split(","))
    mask, wanted = (set(text.split(",")) - {"NONE"} for text in test.values)
    return held & mask == wanted


def _kind(test: Test, passing: Passing) -> bool:
    wanted = test.values[0]
    if wanted not in ("LOCAL", "UNICAST") or test.option != "--dst-type":
        raise NotUnderstoodError(str(test))
    return passing.local is (wanted == "LOCAL")


def _member(test: Test, passing: Passing) -> bool:
    name, sides = test.values
    if passing.sets is None or name not in passing.sets or "," in sides:
        raise NotUnderstoodError(str(test))
    held = ip_address(passing.packet.ip_src if sides == "src" else passing.packet.ip_dst)
    return any(held in ip_network(member, strict=False) for member in passing.sets[name])


_TESTS: Mapping[str, Callable[[Test, Passing], bool]] = {
    **dict.fromkeys(("-s", "-d"), _address),
    **dict.fromkeys(("-i", "-o", "--physdev-in", "--physdev-out"), _device),
    **dict.fromkeys(("--physdev-is-bridged", "--physdev-is-in", "--physdev-is-out"), _bridged),
    "-p": _protocol,
    **dict.fromkeys(("--dport", "--sport", "--dports", "--sports", "--ports"), _port),
    **dict.fromkeys(("--ctstate", "--state"), _state),
    "--ctdir": _direction,
    **dict.fromkeys(("--ctorigsrc", "--ctorigdst"), _original),
    "--mark": _mark,
    **dict.fromkeys(("--icmp-type", "--icmpv6-type"), _icmp),
    "--mac-source": _mac,
    "--tcp-flags": _flags,
    **dict.fromkeys(("--dst-type", "--src-type"), _kind),
    "--match-set": _member,
}
