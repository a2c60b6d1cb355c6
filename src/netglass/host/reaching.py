"""Asking other machines whether they are there, without their agents' help and without this host's switch.

What answers cannot be a guest elsewhere that only guesses: an echo bears a number that was never used before, and ARP
goes to one MAC alone, which must answer itself.
Source: RFC 792 and RFC 4443, echo; RFC 5227, section 2.1, ARP without an address of one's own; packet(7).
"""

from __future__ import annotations

import ctypes
import secrets
import socket
import struct
import time
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

_TRIES = 4
_ARP, _VLAN = 0x0806, 0x8100
_REQUEST, _REPLY = 1, 2
_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_SOL_PACKET, _PACKET_AUXDATA, _TAGGED = 263, 8, 1 << 4
_AUXDATA = struct.Struct("=IIIHHHH")
_ARP_BODY = struct.Struct("!HHBBH6s4s6s4s")
_ARP_HEAD = (1, 0x0800, 6, 4)
# Of all that passes a NIC, ARP replies alone; in classic BPF, as (code, jump if true, jump if false, operand).
_REPLIES_ONLY = (
    (0x28, 0, 0, 12),  # the type; the kernel has taken a VLAN tag off by then
    (0x15, 0, 3, _ARP),
    (0x28, 0, 0, 20),  # ARP's operation
    (0x15, 0, 1, _REPLY),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


class Neighbour(NamedTuple):
    """Whom to ask on a NIC's segment.

    vlan  0: untagged
    mac   six bytes
    """

    vlan: int
    address: IPv4Address
    mac: bytes


def answers_echo(address: str, source: str, within_s: float) -> bool:
    """Says whether an address answers ICMP echo requests from one of ours.  Raises OSError when none can be sent."""
    six = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, reply = (128, 129) if six else (8, 0)
    proof = secrets.token_bytes(20)  # identifier, number and content
    with socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as asking:
        asking.bind((source, 0))
        asking.connect((address, 0))
        for end in _tries(within_s):
            asking.send(_echo(request, proof, checksummed=not six))
            while (left := end - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    packet = asking.recv(2048)
                except TimeoutError:
                    break
                message = packet if six else packet[(packet[0] & 0xF) * 4 :]
                if message[:1] == bytes([reply]) and message[4:] == proof:
                    return True
    return False


def answers_of(nic: str, asked: Collection[Neighbour], within_s: float) -> set[Neighbour]:
    """Gives those who answer ARP requests that this host sends by a NIC.  Raises OSError when none can be sent."""
    found: set[Neighbour] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asking:
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _REPLIES_ONLY))
        attached = struct.pack("@HP", len(_REPLIES_ONLY), ctypes.addressof(program))
        asking.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
        asking.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        # Of every protocol: what a bridge takes from its NIC does not reach those who wait for one alone.
        asking.bind((nic, _ETH_P_ALL))
        ours: bytes = asking.getsockname()[4]
        for end in _tries(within_s):
            for neighbour in asked:
                if neighbour not in found:
                    asking.send(_arp_request(ours, neighbour))
            while len(found) < len(asked) and (left := end - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    received = asking.recvmsg(64, socket.CMSG_SPACE(_AUXDATA.size))
                except TimeoutError:
                    break
                who = _who(ours, received[0], received[1], received[3])
                if who is not None and who in asked:
                    found.add(who)
            if len(found) == len(asked):
                break
    return found


def _tries(within_s: float) -> Iterator[float]:
    """Gives until when to wait for an answer, as ``time.monotonic`` has it, for each time that is asked."""
    started = time.monotonic()
    for number in range(1, _TRIES + 1):
        yield started + within_s * number / _TRIES


def _echo(kind: int, proof: bytes, *, checksummed: bool) -> bytes:
    checksum = _checksum(struct.pack("!BBH", kind, 0, 0) + proof) if checksummed else 0  # the kernel's for ICMPv6
    return struct.pack("!BBH", kind, 0, checksum) + proof


def _checksum(content: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _arp_request(ours: bytes, neighbour: Neighbour) -> bytes:
    tag = struct.pack("!HH", _VLAN, neighbour.vlan) if neighbour.vlan else b""
    nobody = bytes(4)
    body = _ARP_BODY.pack(*_ARP_HEAD, _REQUEST, ours, nobody, bytes(6), neighbour.address.packed)
    return neighbour.mac + ours + tag + struct.pack("!H", _ARP) + body


def _who(
    ours: bytes, frame: bytes, beside: list[tuple[int, int, bytes]], sender: tuple[object, ...]
) -> Neighbour | None:
    """Gives who answers us in a frame; None for other frames."""
    if sender[2] == socket.PACKET_OUTGOING or frame[:6] != ours or len(frame) < 14 + _ARP_BODY.size:
        return None
    *head, operation, mac, address, _, _ = _ARP_BODY.unpack_from(frame, 14)
    if tuple(head) != _ARP_HEAD or operation != _REPLY or frame[6:12] != mac:
        return None
    vlan = 0
    for level, kind, content in beside:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, *_, tag, _ = _AUXDATA.unpack(content[: _AUXDATA.size])
            vlan = tag & 0xFFF if status & _TAGGED else 0
    return Neighbour(vlan, IPv4Address(address), mac)
