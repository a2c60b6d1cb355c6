"""Gratuitous ARP: telling a device's neighbours who has an address now (RFC 5227, section 3; RFC 826)."""

from __future__ import annotations

import socket
import struct
import threading
from ipaddress import IPv4Address

from netglass.host.namespaces import entered

_ETHERTYPE = 0x0806
_BROADCAST = b"\xff" * 6
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
        # Both forms: some neighbours heed the request only, others the reply.
        frames = [_frame(mac, IPv4Address(address), operation) for operation in (1, 2)]
        for frame in frames:
            sender.send(frame)
    except OSError:
        sender.close()
        raise
    _again(sender, frames, _AGAIN_S)


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


def _frame(mac: bytes, address: IPv4Address, operation: int) -> bytes:
    target = _BROADCAST if operation == 2 else bytes(6)
    ethernet = _BROADCAST + mac + struct.pack("!H", _ETHERTYPE)
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return ethernet + head + mac + address.packed + target + address.packed
