"""Sends numbered packets at a steady pace, and says which were never answered.

Run inside a guest, a host or a namespace by its text (``python3 -c``): standard library only, root.

    walk_probe.py '{"kind": "icmp", "to": "10.0.0.12", "each_s": 0.01, "seconds": 5, "wait_s": 1}'

    icmp   echo requests, each with its number in sequence and payload; ICMPv6 to an IPv6 address
    dhcp   a DISCOVER and, the next time, a REQUEST for the address that the guest has; the number is the xid
    dhcp6  a SOLICIT, answered is what offers the address that the guest has; without one, an INFORMATION-REQUEST
    http   a GET on a connection of its own; answered is what got status 200

The pace is that of a clock: a sender that was held up sends what it owes at once, so that no number is left out; with
`behind_s`, what is owed for longer than that is not sent (``skipped``): a machine that stood still for seconds would
else be asked for more at once than any buffer holds.
Prints ``answered`` on a line of its own with the first answer, and at its end JSON: ``sent``, and ``lost``, the times
(seconds of the machine's monotonic clock) at which those were sent that nobody answered; ``late_s``, how long the
slowest answer took; ``skipped``, the times at which those were due that were not sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

Plan = dict[str, Any]

_ETHERTYPE_IPV4, _ETHERTYPE_IPV6 = 0x0800, 0x86DD
_BROADCAST = b"\xff" * 6
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_COOKIE = bytes((99, 130, 83, 99))
_ALL_SERVERS_MAC = bytes.fromhex("333300010002")
_ALL_SERVERS = socket.inet_pton(socket.AF_INET6, "ff02::1:2")
_SOLICIT, _ADVERTISE, _REPLY, _INFORMATION_REQUEST = 1, 2, 7, 11
_CLIENT_ID, _IA_NA, _OPTION_REQUEST, _ELAPSED, _NAME_SERVERS = 1, 3, 6, 8, 23


class Record:
    """What was sent when, and what was answered when, by number."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.answered: dict[int, float] = {}
        self.skipped: dict[int, float] = {}

    def answer(self, number: int) -> None:
        """Notes an answer; only the first counts."""
        if 0 <= number < len(self.sent):
            if not self.answered:
                print("answered", flush=True)
            self.answered.setdefault(number, time.monotonic())

    def text(self) -> str:
        """Gives what is printed."""
        through = self.answered.keys() | self.skipped.keys()
        lost = [at for number, at in enumerate(self.sent) if number not in through]
        late_s = max((at - self.sent[number] for number, at in self.answered.items()), default=0.0)
        skipped = list(self.skipped.values())
        return json.dumps({"sent": len(self.sent) - len(skipped), "lost": lost, "late_s": late_s, "skipped": skipped})


def pace(plan: Plan) -> Iterator[float]:
    """Gives when each packet is to be sent, on the monotonic clock."""
    start = time.monotonic()
    for number in range(round(plan["seconds"] / plan["each_s"])):
        yield start + number * plan["each_s"]


def exchange(plan: Plan, peer: socket.socket, send: Callable[[int], None], read: Callable[[bytes], int]) -> Record:
    """Sends by the clock and takes in answers; `read` gives the number of what was received, -1 for none of ours."""
    record = Record()

    def take_in(until: float) -> None:
        while (left := until - time.monotonic()) > 0 or select.select([peer], [], [], 0)[0]:
            if select.select([peer], [], [], max(left, 0))[0]:
                record.answer(read(peer.recv(65536)))

    for number, due in enumerate(pace(plan)):
        take_in(due)
        record.sent.append(time.monotonic())
        if record.sent[-1] - due > plan.get("behind_s", float("inf")):
            record.skipped[number] = due
            continue
        try:
            send(number)
        except OSError:
            continue  # no way out: sent and lost
    end = time.monotonic() + plan["wait_s"]
    while time.monotonic() < end and len(record.answered) + len(record.skipped) < len(record.sent):
        take_in(min(end, time.monotonic() + 0.05))
    return record


# --- ICMP


def icmp(plan: Plan) -> Record:
    """Echo requests."""
    six = ":" in plan["to"]
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, answer = (128, 129) if six else (8, 0)
    peer = socket.socket(family, socket.SOCK_RAW, protocol)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    token = os.urandom(8)
    mine = os.getpid() & 0xFFFF

    def send(number: int) -> None:
        payload = token + struct.pack("!I", number)
        head = struct.pack("!BBHHH", request, 0, 0, mine, number & 0xFFFF)
        total = checksum(head + payload)  # the kernel makes ICMPv6's, which covers addresses (RFC 3542, 3.1)
        peer.sendto(head[:2] + struct.pack("!H", total) + head[4:] + payload, (plan["to"], 0))

    def read(packet: bytes) -> int:
        message = packet if six else packet[(packet[0] & 15) * 4 :]
        if len(message) < 20 or message[0] != answer or message[8:16] != token:
            return -1
        return int(struct.unpack("!I", message[16:20])[0])

    return exchange(plan, peer, send, read)


def checksum(message: bytes) -> int:
    """RFC 1071."""
    words = struct.unpack(f"!{(len(message) + 1) // 2}H", message + b"\0" * (len(message) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# --- DHCP


def dhcp(plan: Plan) -> Record:
    """DISCOVER and REQUEST in turn, as frames of our own, since the guest's client holds the port."""
    peer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_IPV4))
    peer.bind((plan["device"], _ETHERTYPE_IPV4))
    mac: bytes = peer.getsockname()[4]
    first = struct.unpack("!I", os.urandom(4))[0] & 0x7FFF0000

    def send(number: int) -> None:
        peer.send(frame(mac, first + number, plan, _REQUEST if number % 2 else _DISCOVER))

    def read(packet: bytes) -> int:
        found = reply(packet)
        if found is None:
            return -1
        xid, kind = found
        number = xid - first
        return number if number >= 0 and kind == (_ACK if number % 2 else _OFFER) else -1

    return exchange(plan, peer, send, read)


def frame(mac: bytes, xid: int, plan: Plan, kind: int) -> bytes:
    """Gives a whole broadcast frame with a request; a REQUEST names address and server, as after an OFFER."""
    options = bytes((53, 1, kind))
    if kind == _REQUEST:
        options += bytes((50, 4)) + socket.inet_aton(plan["address"])
        options += bytes((54, 4)) + socket.inet_aton(plan["to"])
    bootp = struct.pack("!BBBBIHH16s16s", 1, 1, 6, 0, xid, 0, 0x8000, b"", mac) + bytes(192) + _COOKIE + options
    bootp += b"\xff" + bytes(max(0, 300 - len(bootp) - 1))
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return _BROADCAST + mac + struct.pack("!H", _ETHERTYPE_IPV4) + head + udp


def reply(packet: bytes) -> tuple[int, int] | None:
    """Gives xid and kind of a DHCP server's message in a frame; None when it is none."""
    ip = packet[14:]
    if len(ip) < 28 or ip[9] != socket.IPPROTO_UDP:
        return None
    udp = ip[(ip[0] & 15) * 4 :]
    bootp = udp[8:]
    if struct.unpack("!HH", udp[:4]) != (67, 68) or bootp[236:240] != _COOKIE:
        return None
    kind, rest = 0, bootp[240:]
    while len(rest) > 1 and rest[0] != 255:
        if rest[0] == 53:
            kind = rest[2]
        rest = rest[1:] if rest[0] == 0 else rest[2 + rest[1] :]
    return int(struct.unpack("!I", bootp[4:8])[0]), kind


# --- DHCPv6


def dhcp6(plan: Plan) -> Record:
    """SOLICIT or INFORMATION-REQUEST, as frames of our own, with the identity that the guest's client has."""
    peer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_IPV6))
    peer.bind((plan["device"], _ETHERTYPE_IPV6))
    mac: bytes = peer.getsockname()[4]
    first = struct.unpack("!I", b"\0" + os.urandom(3))[0] & 0x7F0000
    offered = socket.inet_pton(socket.AF_INET6, plan["address"]) if plan.get("address") else b""

    def send(number: int) -> None:
        peer.send(frame6(mac, first + number, solicits=bool(offered)))

    def read(packet: bytes) -> int:
        ip = packet[14:]
        if len(ip) < 52 or ip[6] != socket.IPPROTO_UDP or struct.unpack("!HH", ip[40:44]) != (547, 546):
            return -1
        kind, xid = ip[48], int.from_bytes(ip[49:52], "big")
        return xid - first if kind == (_ADVERTISE if offered else _REPLY) and offered in ip[52:] else -1

    return exchange(plan, peer, send, read)


def frame6(mac: bytes, xid: int, *, solicits: bool) -> bytes:
    """Gives a whole frame to all servers on the link, of a client whose id is its MAC (RFC 8415)."""
    client = struct.pack("!HH", 3, 1) + mac  # DUID-LL
    options = [(_CLIENT_ID, client), (_ELAPSED, b"\0\0"), (_OPTION_REQUEST, struct.pack("!H", _NAME_SERVERS))]
    if solicits:
        options.append((_IA_NA, mac[2:] + bytes(8)))
    message = (xid | (_SOLICIT if solicits else _INFORMATION_REQUEST) << 24).to_bytes(4, "big")
    message += b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
    own = socket.inet_pton(socket.AF_INET6, "fe80::")[:8] + bytes((mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE)) + mac[3:]
    size = 8 + len(message)
    udp = struct.pack("!HHHH", 546, 547, size, 0) + message
    total = checksum(own + _ALL_SERVERS + struct.pack("!II", size, socket.IPPROTO_UDP) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", total) + udp[8:]
    head = struct.pack("!IHBB", 6 << 28, size, socket.IPPROTO_UDP, 1) + own + _ALL_SERVERS
    return _ALL_SERVERS_MAC + mac + struct.pack("!H", _ETHERTYPE_IPV6) + head + udp


# --- HTTP


def http(plan: Plan) -> Record:
    """A request on a connection of its own each time; many may be under way."""
    record = Record()
    host = f"[{plan['to'].partition('%')[0]}]" if ":" in plan["to"] else plan["to"]

    async def ask(number: int) -> None:
        try:
            async with asyncio.timeout(plan["wait_s"]):
                reader, writer = await asyncio.open_connection(plan["to"], 80)
                head = f"GET {plan['path']} HTTP/1.0\r\nHost: {host}\r\n\r\n"
                writer.write(head.encode())
                said = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return
        if said.split(b" ", 2)[1:2] == [b"200"]:
            record.answer(number)

    async def run() -> None:
        asking = []
        for number, due in enumerate(pace(plan)):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            record.sent.append(time.monotonic())
            asking.append(asyncio.create_task(ask(number)))
        await asyncio.gather(*asking)

    asyncio.run(run())
    return record


KINDS: dict[str, Callable[[Plan], Record]] = {"icmp": icmp, "dhcp": dhcp, "dhcp6": dhcp6, "http": http}

if __name__ == "__main__":
    wanted: Plan = json.loads(sys.argv[1])
    print(KINDS[wanted["kind"]](wanted).text())
