"""How the usual packets are made: a conversation's first, its reply, who-has questions and answers, ICMP's errors."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from msgspec.structs import replace

from netglass.trace.packet import (
    ADVERTISEMENT,
    ARP,
    BROADCAST,
    CLIENT_PORT,
    ECHO,
    ERRORS6,
    ICMP,
    ICMP6,
    IPV4,
    IPV6,
    REPLY,
    REQUEST,
    SOLICITATION,
    TCP,
    UDP,
    UNREACHABLE_PORT,
    Packet,
    eth_type_of,
)

PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP}
"""What a person may ask for; ``icmp`` is ICMPv6 between IPv6 addresses."""

DHCP_SERVER, DHCP_CLIENT = 67, 68  # UDP ports, RFC 2131
ANYBODY, NOBODY = "255.255.255.255", "0.0.0.0"


def probe(ip_src: str, ip_dst: str, protocol: str = "icmp", port: int | None = None, size: int = 0) -> Packet:
    """Makes the first packet of a conversation: an echo request, or one from a client's port to `port`.

    The MACs are left empty: the sender finds them.
    """
    eth_type = eth_type_of(ip_dst)
    number = PROTOCOLS[protocol]
    if number == ICMP and eth_type == IPV6:
        number = ICMP6
    bare = Packet(eth_src="", eth_dst="", eth_type=eth_type, ip_src=ip_src, ip_dst=ip_dst, ip_proto=number, size=size)
    if number in ECHO:
        return replace(bare, icmp_type=ECHO[number][0], icmp_code=0, icmp_id=1)
    return replace(bare, port_src=CLIENT_PORT, port_dst=port, tcp_flags="SYN" if number == TCP else "")


def reply_to(packet: Packet) -> Packet | None:
    """Makes what is sent back to a packet as it came: an echo reply, or from the port that it was for.

    None for what nobody answers, such as an echo reply or an ICMP error.
    """
    back = replace(
        packet, eth_src="", eth_dst="", vlan=None, tun_id=None, ip_src=packet.ip_dst, ip_dst=packet.ip_src, ttl=64
    )
    if packet.ip_proto in ECHO:
        request, reply = ECHO[packet.ip_proto]
        return replace(back, icmp_type=reply) if packet.icmp_type == request else None
    if packet.port_dst is None:
        return None
    flags = "ACK,SYN" if packet.tcp_flags == "SYN" else ""
    return replace(back, port_src=packet.port_dst, port_dst=packet.port_src, tcp_flags=flags)


def refusal(packet: Packet, source: str) -> Packet | None:
    """Makes what says that nobody listens on the port that a packet is for; RFC 9293, 3.5.2, and RFC 1122, 4.1.3.1."""
    if packet.ip_proto == UDP:
        return error(packet, source, UNREACHABLE_PORT)
    back = reply_to(packet)
    return replace(back, tcp_flags="ACK,RST", size=0) if back is not None else None


def discover(mac: str) -> Packet:
    """Makes what a guest without an address sends to find a DHCP server (RFC 2131)."""
    return Packet(
        eth_src=mac,
        eth_dst=BROADCAST,
        eth_type=IPV4,
        ip_src=NOBODY,
        ip_dst=ANYBODY,
        ip_proto=UDP,
        port_src=DHCP_CLIENT,
        port_dst=DHCP_SERVER,
    )


def offer(asked: Packet, server_mac: str, server: str, address: str) -> Packet:
    """Makes a DHCP server's answer, which goes to the MAC that asked and the address that it may have."""
    return Packet(
        eth_src=server_mac,
        eth_dst=asked.eth_src,
        eth_type=IPV4,
        ip_src=server,
        ip_dst=address,
        ip_proto=UDP,
        port_src=DHCP_SERVER,
        port_dst=DHCP_CLIENT,
    )


def error(about: Packet, source: str, kind: tuple[int, int], mtu: int = 0) -> Packet | None:
    """Makes what tells a packet's sender that it came to nothing; None for what is not told of (RFC 1122, 3.2.2).

    kind  IPv4's type and code; a packet of IPv6 gets ICMPv6's
    """
    if about.is_error or not source or about.ip_src in ("", NOBODY):
        return None
    six = ip_address(about.ip_dst).version == 6
    number, code = ERRORS6[kind] if six else kind
    return Packet(
        eth_src="",
        eth_dst="",
        eth_type=about.eth_type,
        ip_src=source,
        ip_dst=about.ip_src,
        ip_proto=ICMP6 if six else ICMP,
        icmp_type=number,
        icmp_code=code,
        cites=replace(about, vlan=None, tun_id=None),
        mtu=mtu,
    )


def question(mac: str, address: str, target: str) -> Packet:
    """Makes what asks who has `target`: ARP (RFC 826), or a neighbour solicitation (RFC 4861) for IPv6."""
    if eth_type_of(target) == IPV4:
        return Packet(
            eth_src=mac, eth_dst=BROADCAST, eth_type=ARP, ip_src=address, ip_dst=target, arp_op=REQUEST, arp_sha=mac
        )
    tail = IPv6Address(target).packed[-3:]
    group = str(IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int.from_bytes(tail, "big")))  # RFC 4291, 2.7.1
    return _neighbour((mac, multicast_mac(group)), (address, group), SOLICITATION, target)


def answer(asked: Packet, mac: str) -> Packet:
    """Makes the answer of `mac`, who has what was asked for."""
    if asked.eth_type == IPV6:
        return _neighbour((mac, asked.eth_src), (asked.target, asked.ip_src), ADVERTISEMENT, asked.target)
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


def multicast_mac(group: str) -> str:
    """Gives the MAC that frames for a multicast address go to; RFC 1112, 6.4, and RFC 2464, 7."""
    address = ip_address(group)
    if address.version == 6:
        return "33:33:" + address.packed[-4:].hex(":")
    return "01:00:5e:" + (int(address) & 0x7FFFFF).to_bytes(3, "big").hex(":")


def _neighbour(macs: tuple[str, str], addresses: tuple[str, str], kind: int, target: str) -> Packet:
    return Packet(
        eth_src=macs[0],
        eth_dst=macs[1],
        eth_type=IPV6,
        ip_src=addresses[0],
        ip_dst=addresses[1],
        ip_proto=ICMP6,
        icmp_type=kind,
        icmp_code=0,
        nd_target=target,
        ttl=255,
    )
