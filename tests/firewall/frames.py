"""Ethernet frames as bytes, with right checksums, for guests to send; and the token by which each is known again."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SYN, ANSWER, ACK = 2, 18, 16  # flags of TCP
_NUMBERS = {SYN: (1000, 0), ANSWER: (5000, 1001), ACK: (1001, 5001)}  # sequence, acknowledged


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def ethernet(source: str, destination: str, ethertype: int, payload: bytes, tags: tuple[int, ...] = ()) -> bytes:
    """Gives a frame, with 802.1Q tags of these VLANs, padded to Ethernet's least size."""
    marks = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return (mac_bytes(destination) + mac_bytes(source) + marks + struct.pack(">H", ethertype) + payload).ljust(
        60, b"\0"
    )


def checksum(text: bytes) -> int:
    total = sum(struct.unpack(f">{(len(text) + 1) // 2}H", text + bytes(len(text) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(address: str) -> bytes:
    return IPv6Address(address).packed if ":" in address else IPv4Address(address).packed


def transport(protocol: int, source: str, destination: str, ports: tuple[int, int], body: bytes, flags: int) -> bytes:
    """Gives a TCP, UDP or ICMP message (ports are type and code then), or `body` alone for another protocol."""
    first, second = ports
    if protocol == TCP:
        head, at = struct.pack(">HHIIBBHHH", first, second, *_NUMBERS[flags], 5 << 4, flags, 8192, 0, 0), 16
    elif protocol == UDP:
        head, at = struct.pack(">HHHH", first, second, 8 + len(body), 0), 6
    elif protocol in (ICMP, ICMP6):
        head, at = struct.pack(">BBH", first, second, 0), 2
    else:
        return body
    pseudo = b""
    if protocol != ICMP:
        size = len(head) + len(body)
        pseudo = _packed(source) + _packed(destination) + struct.pack(">IHBB", size, 0, 0, protocol)
    total = checksum(pseudo + head + body) or 0xFFFF
    return head[:at] + struct.pack(">H", total) + head[at + 2 :] + body


def ip_packet(source: str, destination: str, protocol: int, payload: bytes, hops: int = 64) -> bytes:
    """Gives an IPv4 or IPv6 packet."""
    if ":" in source:
        return (
            struct.pack(">IHBB", 6 << 28, len(payload), protocol, hops)
            + _packed(source)
            + _packed(destination)
            + payload
        )
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, hops, protocol, 0)
    head += _packed(source) + _packed(destination)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def fragments(packet: bytes, first: int = 24, number: int = 77) -> list[bytes]:
    """Gives an IP packet in two fragments, the first with `first` bytes of its payload (a multiple of 8)."""
    if packet[0] >> 4 == 6:
        head, protocol, payload = packet[:40], packet[6], packet[40:]
        parts = []
        for offset, more, part in ((0, 1, payload[:first]), (first, 0, payload[first:])):
            extra = struct.pack(">BBHI", protocol, 0, offset | more, number)
            size = struct.pack(">H", len(extra) + len(part))
            parts.append(head[:4] + size + bytes([44]) + head[7:] + extra + part)
        return parts
    head, payload = packet[:20], packet[20:]
    parts = []
    for offset, more, part in ((0, 0x2000, payload[:first]), (first, 0, payload[first:])):
        made = (
            head[:2]
            + struct.pack(">HHH", 20 + len(part), number, offset >> 3 | more)
            + head[8:10]
            + b"\0\0"
            + head[12:]
        )
        parts.append(made[:10] + struct.pack(">H", checksum(made)) + made[12:] + part)
    return parts


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """Gives an ARP message; sender and target are (MAC, address)."""
    fields = (mac_bytes(sender[0]), _packed(sender[1]), mac_bytes(target[0]), _packed(target[1]))
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + b"".join(fields)


def neighbour(kind: int, target: str, mac: str) -> bytes:
    """Gives the body of a neighbour solicitation or advertisement, behind type, code and checksum."""
    option = bytes([1 if kind == 135 else 2, 1]) + mac_bytes(mac)
    return (b"\x60\0\0\0" if kind == 136 else bytes(4)) + _packed(target) + option


def advertisement() -> bytes:
    """Gives the body of a router advertisement, behind type, code and checksum."""
    return struct.pack(">BBHII", 64, 0, 1800, 0, 0)


def multicast_mac(address: str) -> str:
    """Gives the MAC that a multicast or broadcast address is sent to."""
    packed = _packed(address)
    if len(packed) == 16:
        return "33:33:" + ":".join(f"{octet:02x}" for octet in packed[-4:])
    if address == "255.255.255.255":
        return "ff:ff:ff:ff:ff:ff"
    return "01:00:5e:" + ":".join(f"{octet:02x}" for octet in (packed[1] & 0x7F, *packed[2:]))
