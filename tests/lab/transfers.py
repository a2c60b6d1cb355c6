"""Bytes over TCP from one end of a walk to the other and back, and whether they arrived as they were sent."""

from __future__ import annotations

import subprocess
import time
from typing import NamedTuple

_PORT = 5001

# Both ends know what is to come: bytes of a generator with a seed, so that nothing is compared with itself.
_BLOCK = """
import hashlib, random, socket, sys
size = int(sys.argv[1]); block = random.Random(7).randbytes(1 << 20)
def send(peer):
    digest, rest = hashlib.sha256(), size
    while rest:
        part = block[:rest]; peer.sendall(part); digest.update(part); rest -= len(part)
    return digest.hexdigest()
def take(peer):
    digest, rest = hashlib.sha256(), size
    while rest and (part := peer.recv(min(rest, 1 << 18))):
        digest.update(part); rest -= len(part)
    return digest.hexdigest()
"""
_TAKE = (
    _BLOCK
    + """
with socket.create_server(("::", int(sys.argv[2])), family=socket.AF_INET6, dualstack_ipv6=True) as waiting:
    print("listening", flush=True)
    waiting.settimeout(20)
    peer, _ = waiting.accept(); peer.settimeout(60)
    print(take(peer), send(peer))
"""
)
_CALL = (
    _BLOCK
    + """
with socket.create_connection((sys.argv[3], int(sys.argv[2])), timeout=60) as peer:
    print(send(peer), take(peer))
"""
)


class Transferred(NamedTuple):
    """What came of it.

    whole      everything arrived as it was sent, in both directions
    mbit_s     of both directions together
    """

    whole: bool
    mbit_s: float


def transfer(caller: list[str], called: list[str], address: str, size: int) -> Transferred:
    """Sends `size` bytes from one place to another, and as many back.

    caller, called  the words that run a command there; `address` is what the caller calls
    """
    words = [str(size), str(_PORT)]
    taking = subprocess.Popen([*called, "python3", "-c", _TAKE, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert taking.stdout is not None
        assert taking.stdout.readline() == "listening\n"
        started = time.monotonic()
        call = [*caller, "python3", "-c", _CALL, *words, address]
        sent = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        seconds = time.monotonic() - started
        assert sent.returncode == 0, sent.stderr
        got, _ = taking.communicate(timeout=60)
    finally:
        taking.kill()
        taking.wait()
    there, back = sent.stdout.split()
    return Transferred(got.split() == [there, back] and there == back, 2 * size * 8 / seconds / 1e6)
