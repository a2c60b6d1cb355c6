"""One TCP stream at full speed, run at both ends of a walk by its text (``python3 -c``): standard library only.

    stream_probe.py take PORT            prints "listening", takes one stream, prints JSON: megabits a second received
    stream_probe.py give ADDRESS PORT S  gives for so many seconds

What is counted is what arrived, from the first byte to the last.
"""

from __future__ import annotations

import json
import socket
import sys
import time

_BLOCK = 1 << 18


def take(port: int) -> None:
    """Takes one stream and prints how fast it came."""
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as waiting:
        waiting.settimeout(20)
        print("listening", flush=True)
        peer, _ = waiting.accept()
    peer.settimeout(20)
    room = bytearray(_BLOCK)
    total = peer.recv_into(room)
    began = time.monotonic()
    while size := peer.recv_into(room):
        total += size
    print(json.dumps(total * 8 / 1e6 / (time.monotonic() - began)), flush=True)


def give(address: str, port: int, seconds: float) -> None:
    """Gives a stream."""
    block = bytes(_BLOCK)
    with socket.create_connection((address, port), timeout=20) as peer:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            peer.sendall(block)


if __name__ == "__main__":
    if sys.argv[1] == "take":
        take(int(sys.argv[2]))
    else:
        give(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
