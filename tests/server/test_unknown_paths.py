"""Whoever asks for what is not there, as often as they like and each time for something else, fills no memory."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from process import ServerProcess, StartServer

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

# NETGLASS_UNKNOWN_PATHS=1000000 for as many as the advisory's reporter sent.
_REQUESTS = int(os.environ.get("NETGLASS_UNKNOWN_PATHS", "10000"))
_WARM_UP = 3000
_AT_ONCE = 50  # requests that one connection has on the way
_PREFIXES = ("", "/v2.0", "/v2.0/networks", "/v2.0/ports/x", "/identity/v3", "/compute/v2.1", "/image/v2", "/netglass")


def _paths(seed: int) -> Iterator[str]:
    dice = random.Random(seed)
    while True:
        yield f"{dice.choice(_PREFIXES)}/{dice.getrandbits(96):024x}?q={dice.getrandbits(64):x}"


def _ask(server: ServerProcess, token: str, paths: Iterator[str], count: int) -> set[bytes]:
    """Sends requests over one connection, many at a time; gives the status codes that came back."""
    seen: set[bytes] = set()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as wire:
        reader = wire.makefile("rb")
        for _ in range(count // _AT_ONCE):
            batch = itertools.islice(paths, _AT_ONCE)
            wire.sendall(b"".join(_request(path, token) for path in batch))
            for _ in range(_AT_ONCE):
                seen.add(reader.readline().split()[1])
                length = 0
                while (line := reader.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                reader.read(length)
    return seen


def _request(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n\r\n".encode()


def _resident_kb(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.parametrize("who", ["with a token", "without"])
def test_asking_for_random_paths_makes_the_server_no_larger(start_server: StartServer, who: str) -> None:
    """CVE-2021-40797."""
    server = start_server()
    api = server.user()
    paths = _paths(7)
    token = api.token if who == "with a token" else ""
    _ask(server, token, paths, _WARM_UP)
    before = _resident_kb(server)
    seen = _ask(server, token, paths, _REQUESTS)
    assert seen <= {b"400", b"401", b"404"}
    assert _resident_kb(server) < before * 1.01
