"""Telling a device's neighbours who has an address now: gratuitous ARP, or an unsolicited neighbour advertisement.

Source: RFC 5227, section 3, and RFC 826; RFC 4861, section 7.2.6.
"""

from __future__ import annotations

import socket
import struct
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address

from netglass.host import sysctl
from netglass.host.namespaces import entered

_ARP, _IPV6 = 0x0806, 0x86DD
_BROADCAST = b"\xff" * 6
_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")  # RFC 2464, section 7
_ICMPV6, _ADVERTISEMENT, _TARGET_LINK_LAYER = 58, 136, 2
_OVERRIDE, _ROUTER = 1 << 29, 1 << 31
_AGAIN_S = (1.1, 2.4)  # Linux keeps an entry that it learnt within the last second (neigh/*/locktime)


def announce(netns: str, device: str, address: str) -> None:
    """Sends the announcement now, and again after what neighbours may have ignored it for; raises OSError.

    The later ones are lost when the process ends before; whoever did not hear asks by itself in time.
    """
    with entered(netns):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
    try:
        sender.bind((device, 0))
        mac: bytes = sender.getsockname()[4]
        frames = _frames(netns, device, mac, ip_address(address))
        for frame in frames:
            sender.send(frame)
    except OSError:
        sender.close()
        raise
    _again(sender, frames, _AGAIN_S)


def _frames(netns: str, device: str, mac: bytes, address: IPv4Address | IPv6Address) -> list[bytes]:
    if isinstance(address, IPv4Address):
        # Both forms: some neighbours heed the request only, others the reply.
        return [_arp(mac, address, operation) for operation in (1, 2)]
    forwarding = f"net/ipv6/conf/{device}/forwarding"
    return [_advertisement(mac, address, is_router=sysctl.read(netns, [forwarding]).get(forwarding) == "1")]


def _again(sender: socket.socket, frames: list[bytes], pauses_s: tuple[float, ...]) -> None:
    if not pauses_s:
        sender.close()
        return

    def send() -> None:
        try:
            for frame in frames:
                sender.send(frame)
        except OSError:  # the device has gone meanwhile
            sender.close()
            return
        _again(sender, frames, pauses_s[1:])

    timer = threading.Timer(pauses_s[0], send)
    timer.daemon = True
    timer.start()


def _arp(mac: bytes, address: IPv4Address, operation: int) -> bytes:
    target = _BROADCAST if operation == 2 else bytes(6)
    ethernet = _BROADCAST + mac + struct.pack("!H", _ARP)
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return ethernet + head + mac + address.packed + target + address.packed


def _advertisement(mac: bytes, address: IPv6Address, *, is_router: bool) -> bytes:
    """Gives the frame; one that denied that a router is one would take it off its neighbours' lists of routers."""
    flags = _OVERRIDE | (_ROUTER if is_router else 0)
    option = struct.pack("!BB", _TARGET_LINK_LAYER, 1) + mac
    body = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, flags) + address.packed + option
    ends = address.packed + _ALL_NODES.packed
    checksum = _checksum(ends + struct.pack("!IxxxB", len(body), _ICMPV6) + body)
    header = struct.pack("!IHBB", 6 << 28, len(body), _ICMPV6, 255)
    message = body[:2] + struct.pack("!H", checksum) + body[4:]
    return _ALL_NODES_MAC + mac + struct.pack("!H", _IPV6) + header + ends + message


def _checksum(content: bytes) -> int:
    """Gives the Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
