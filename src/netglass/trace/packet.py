"""One packet at one point of its way, as a frozen value.

Addresses and MACs are canonical lower-case text, as in ``model.resources``.  An ARP message keeps its sender's and
target's IPv4 addresses in `ip_src` and `ip_dst`, as Open vSwitch's own matches do (ovs-fields(7), ``nw_src``).
How the usual ones are made is said in ``trace.making``.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

import msgspec

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
REQUEST, REPLY = 1, 2  # ARP operations
SOLICITATION, ADVERTISEMENT = 135, 136  # ICMPv6 types, RFC 4861
BROADCAST = "ff:ff:ff:ff:ff:ff"
CLIENT_PORT = 49152
"""From which conversations begin: the first of the ephemeral ports, RFC 6335."""

ECHO = {ICMP: (8, 0), ICMP6: (128, 129)}
"""Types of echo request and reply; RFC 792, RFC 4443."""

# What ICMP says of a packet that came to nothing, as (type, code).
UNREACHABLE_NET, UNREACHABLE_HOST, UNREACHABLE_PORT = (3, 0), (3, 1), (3, 3)
TOO_BIG, EXPIRED, PROHIBITED = (3, 4), (11, 0), (3, 13)
ERRORS6 = {
    UNREACHABLE_NET: (1, 0),
    UNREACHABLE_HOST: (1, 3),
    UNREACHABLE_PORT: (1, 4),
    TOO_BIG: (2, 0),
    EXPIRED: (3, 0),
    PROHIBITED: (1, 1),
}
"""ICMPv6's words for the same; RFC 4443."""

_SAID = {
    UNREACHABLE_NET: "network unreachable",
    UNREACHABLE_HOST: "host unreachable",
    UNREACHABLE_PORT: "port unreachable",
    TOO_BIG: "fragmentation needed",
    EXPIRED: "time exceeded",
    PROHIBITED: "prohibited",
}
_SAID6 = {ERRORS6[kind]: "packet too big" if kind == TOO_BIG else text for kind, text in _SAID.items()}
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NAMES = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ICMP6: "ICMPv6"}


class Packet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One packet; None, or empty text, is a field that it does not have.

    vlan       802.1Q tag, 1..4095
    size       bytes, as an IP packet; 0: not looked at
    tcp_flags  ascending, as in ACK,SYN
    tun_id     tunnel id (GRE key, VNI) that it came with out of a tunnel, or is to leave with
    nd_target  address that a neighbour solicitation or advertisement is about
    cites      the packet that an ICMP error is about, as its sender last saw it
    mtu        bytes, that an ICMP error names; 0: none
    """

    eth_src: str
    eth_dst: str
    eth_type: int
    vlan: int | None = None
    ip_src: str = ""
    ip_dst: str = ""
    ip_proto: int | None = None
    ttl: int = 64
    size: int = 0
    port_src: int | None = None
    port_dst: int | None = None
    tcp_flags: str = ""
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None
    arp_op: int | None = None
    arp_sha: str = ""
    arp_tha: str = ""
    nd_target: str = ""
    tun_id: int | None = None
    cites: Packet | None = None
    mtu: int = 0

    @property
    def is_question(self) -> bool:
        """Says whether it asks who has an address: an ARP request or a neighbour solicitation."""
        return self.arp_op == REQUEST or self._is_icmp6(SOLICITATION)

    @property
    def is_answer(self) -> bool:
        """Says whether it says who has an address: an ARP reply or a neighbour advertisement."""
        return self.arp_op == REPLY or self._is_icmp6(ADVERTISEMENT)

    @property
    def target(self) -> str:
        """Gives the address that a question is about."""
        return self.nd_target or self.ip_dst

    @property
    def owner(self) -> str:
        """Gives the address that an answer is about."""
        return self.nd_target or self.ip_src

    @property
    def is_echo(self) -> bool:
        """Says whether it is an echo request or reply."""
        return self.icmp_type in ECHO.get(self.ip_proto or 0, ())

    @property
    def is_error(self) -> bool:
        """Says whether it is an ICMP error."""
        return self.cites is not None

    def _is_icmp6(self, kind: int) -> bool:
        return self.ip_proto == ICMP6 and self.icmp_type == kind


def is_flooded(mac: str) -> bool:
    """Says whether frames for a MAC are for more than one receiver (multicast and broadcast)."""
    return bits_of(mac) >> 40 & 1 == 1


def bits_of(mac: str) -> int:
    """Gives a MAC as a number; 0 for text that is none, which intent may hold and no frame can bear."""
    return int(mac.replace(":", ""), 16) if _MAC.fullmatch(mac) else 0


def eth_type_of(address: str) -> int:
    """Gives the EtherType of packets between addresses of this one's family."""
    return IPV4 if ip_address(address).version == 4 else IPV6


def what(packet: Packet) -> str:
    """Gives what a packet is, for people, without its addresses."""
    if packet.is_question:
        return f"the question who has {packet.target}"
    if packet.is_answer:
        return f"the answer that {packet.eth_src} has {packet.owner}"
    name = _NAMES.get(packet.ip_proto or 0, f"IP protocol {packet.ip_proto}")
    if packet.is_error:
        words = _SAID6 if packet.ip_proto == ICMP6 else _SAID
        said = words.get((packet.icmp_type or 0, packet.icmp_code or 0), "error")
        return f"{name} {said}" + (f", MTU {packet.mtu}" if packet.mtu else "")
    if packet.is_echo:
        word = ("request", "reply")[ECHO[packet.ip_proto or 0].index(packet.icmp_type or 0)]
        return f"{name} echo {word}" + _size(packet)
    if packet.ip_proto == UDP and packet.port_dst in (67, 68):
        return "DHCP discover" if packet.port_dst == 67 else "DHCP offer"
    name += {"ACK,SYN": " SYN-ACK", "ACK,RST": " reset"}.get(packet.tcp_flags, "")
    if packet.port_dst == CLIENT_PORT:
        return f"{name} from port {packet.port_src}" + _size(packet)
    return (f"{name} to port {packet.port_dst}" if packet.port_dst is not None else name) + _size(packet)


def _size(packet: Packet) -> str:
    return f" of {packet.size} bytes" if packet.size else ""
