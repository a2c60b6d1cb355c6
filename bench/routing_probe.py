"""Runs where packets begin, for ``routing``: asks an address again and again, and tells when it first answers.

    routing_probe.py first '{"address": A, "device": D, "seconds": S}'
    routing_probe.py count '{"address": A, "count": N, "each_s": S}'

`first` prints a line once it is asking, then JSON: ``answered``, on the machine's monotonic clock, in seconds.  Until
the next hop is there, the kernel would ask for its MAC once a second; here it asks every 10 ms, so that what is
measured is the network and not that clock.  `count` sends at an even pace and tells how many were not answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

_EACH_S = 0.002
_LAST_S = 1.0


def first(address: str, device: str, seconds: float) -> dict[str, Any]:
    """Asks every two milliseconds until there is an answer."""
    Path(f"/proc/sys/net/ipv4/neigh/{device}/retrans_time_ms").write_text("10")
    Path(f"/proc/sys/net/ipv4/neigh/{device}/mcast_solicit").write_text("1000")
    with _raw() as wire:
        print("asking", flush=True)
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            number = (number + 1) & 0xFFFF
            _ask(wire, address, number)
            if _answers(wire, address, time.monotonic() + _EACH_S, at_once=True):
                return {"answered": time.monotonic()}
    return {"answered": None}


def count(address: str, count: int, each_s: float) -> dict[str, Any]:
    """Sends so many at that pace; an answer counts when it comes within a second after the last question."""
    with _raw() as wire:
        print("asking", flush=True)
        begun, answered = time.monotonic(), set()
        for number in range(count):
            _ask(wire, address, number)
            answered |= _answers(wire, address, begun + (number + 1) * each_s)
        end = time.monotonic() + _LAST_S
        while len(answered) < count and time.monotonic() < end:
            answered |= _answers(wire, address, end, at_once=True)
    return {"sent": count, "lost": count - len(answered)}


def _raw() -> socket.socket:
    wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    wire.setblocking(False)
    return wire


def _ask(wire: socket.socket, address: str, number: int) -> None:
    head = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number)
    total = sum(struct.unpack("!4H", head))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    with contextlib.suppress(OSError):  # no route yet, or the neighbour is being looked for
        wire.sendto(struct.pack("!BBHHH", 8, 0, checksum, os.getpid() & 0xFFFF, number), (address, 0))


def _answers(wire: socket.socket, address: str, end: float, *, at_once: bool = False) -> set[int]:
    """Gives the numbers that are answered until `end`; with `at_once`, until the first of them."""
    found: set[int] = set()
    while (left := end - time.monotonic()) > 0 and not (found and at_once):
        if not select.select([wire], [], [], left)[0]:
            break
        packet, (sender, _) = wire.recvfrom(2048)
        kind, _, _, who, number = struct.unpack_from("!BBHHH", packet, (packet[0] & 0xF) * 4)
        if kind == 0 and who == os.getpid() & 0xFFFF and sender == address:
            found.add(number)
    return found


def main() -> None:
    """Does one verb and prints what it saw."""
    verbs: dict[str, Any] = {"first": first, "count": count}
    print(json.dumps(verbs[sys.argv[1]](**json.loads(sys.argv[2]))), flush=True)


if __name__ == "__main__":
    main()
