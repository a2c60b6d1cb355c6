"""One packet at one point of its way, as a frozen value, and how the usual ones are made.

Addresses and MACs are canonical lower-case text, as in ``model.resources``.  An ARP message keeps its sender's and
target's IPv4 addresses in `ip_src` and `ip_dst`, as Open vSwitch's own matches do (ovs-fields(7), ``nw_src``).
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

import msgspec

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
REQUEST, REPLY = 1, 2  # ARP operations
SOLICITATION, ADVERTISEMENT = 135, 136  # ICMPv6 types, RFC 4861
BROADCAST = "ff:ff:ff:ff:ff:ff"

PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP}
"""What a person may ask for; ``icmp`` is ICMPv6 between IPv6 addresses."""

_ECHO = {ICMP: 8, ICMP6: 128}
_CLIENT_PORT = 49152  # first of the ephemeral ports, RFC 6335
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NAMES = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ICMP6: "ICMPv6"}


class Packet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One packet; None is a field that it does not have.

    vlan    802.1Q tag, 1..4095
    tun_id  tunnel id (GRE key, VNI) that it came with out of a tunnel, or is to leave with
    """

    eth_src: str
    eth_dst: str
    eth_type: int
    vlan: int | None = None
    ip_src: str = ""
    ip_dst: str = ""
    ip_proto: int | None = None
    ttl: int = 64
    port_src: int | None = None
    port_dst: int | None = None
    icmp_type: int | None = None
    arp_op: int | None = None
    arp_sha: str = ""
    arp_tha: str = ""
    tun_id: int | None = None

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
        return self.ip_dst

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


def probe(ip_src: str, ip_dst: str, protocol: str = "icmp", port: int | None = None) -> Packet:
    """Makes the first packet of a conversation: an echo request, or one from a client's port to `port`.

    The MACs are left empty: the sender finds them.
    """
    eth_type = eth_type_of(ip_dst)
    number = PROTOCOLS[protocol]
    if number == ICMP and eth_type == IPV6:
        number = ICMP6
    bare = Packet(eth_src="", eth_dst="", eth_type=eth_type, ip_src=ip_src, ip_dst=ip_dst, ip_proto=number)
    if number in _ECHO:
        return msgspec.structs.replace(bare, icmp_type=_ECHO[number])
    return msgspec.structs.replace(bare, port_src=_CLIENT_PORT, port_dst=port)


def question(mac: str, address: str, target: str) -> Packet:
    """Makes what asks who has `target`: ARP (RFC 826), or a neighbour solicitation (RFC 4861) for IPv6."""
    if eth_type_of(target) == IPV4:
        return Packet(
            eth_src=mac, eth_dst=BROADCAST, eth_type=ARP, ip_src=address, ip_dst=target, arp_op=REQUEST, arp_sha=mac
        )
    tail = IPv6Address(target).packed[-3:]
    group = "33:33:ff:" + tail.hex(":")  # RFC 2464, section 7, of the solicited-node address
    return _icmp6(mac, group, address, target, SOLICITATION)


def answer(asked: Packet, mac: str) -> Packet:
    """Makes the answer of `mac`, who has what was asked for."""
    if asked.eth_type == IPV6:
        return _icmp6(mac, asked.eth_src, asked.target, asked.ip_src, ADVERTISEMENT)
    return Packet(
        eth_src=mac,
        eth_dst=asked.eth_src,
        eth_type=ARP,
        ip_src=asked.target,
        ip_dst=asked.ip_src,
        arp_op=REPLY,
        arp_sha=mac,
        arp_tha=asked.arp_sha,
    )


def what(packet: Packet) -> str:
    """Gives what a packet is, for people, without its addresses."""
    if packet.is_question:
        return f"the question who has {packet.target}"
    if packet.is_answer:
        return f"the answer that {packet.eth_src} has {packet.ip_src}"
    name = _NAMES.get(packet.ip_proto or 0, f"IP protocol {packet.ip_proto}")
    if packet.icmp_type in _ECHO.values():
        return f"{name} echo request"
    return f"{name} to port {packet.port_dst}" if packet.port_dst is not None else name


def _icmp6(mac: str, eth_dst: str, ip_src: str, ip_dst: str, kind: int) -> Packet:
    return Packet(
        eth_src=mac,
        eth_dst=eth_dst,
        eth_type=IPV6,
        ip_src=ip_src,
        ip_dst=ip_dst,
        ip_proto=ICMP6,
        icmp_type=kind,
        ttl=255,
    )
