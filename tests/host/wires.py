"""Guests by hand on a host's wires: namespaces with a NIC, what passes between them, and what arrives."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosted import shell


def plug(number: int, device: str = "") -> str:
    """Puts a guest with 10.9.0.<number> on a port's Linux bridge, or with `device` as its end; gives its namespace."""
    netns, tap = f"guest{number}", device or f"tapp{number}"
    shell("ip", "netns", "add", netns)
    shell("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", netns)
    if not device:
        shell("ip", "link", "set", tap, "master", f"qbrp{number}")
    shell("ip", "link", "set", tap, "up")
    shell("ip", "-n", netns, "link", "set", "eth0", "up")
    shell("ip", "-n", netns, "address", "add", f"10.9.0.{number}/24", "dev", "eth0")
    return netns


def reaches(netns: str, address: str) -> bool:
    """Says whether one ping is answered within a fifth of a second."""
    argv = ("ip", "netns", "exec", netns, "ping", "-c1", "-W0.2", address)
    return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0


def reached_within(netns: str, address: str, seconds: float) -> bool:
    """Says whether a ping is answered before the time is over."""
    end = time.monotonic() + seconds
    while not (answered := reaches(netns, address)) and time.monotonic() < end:
        pass
    return answered


@contextmanager
def captured(netns: str, wanted: str) -> Iterator[list[str]]:
    """Captures what arrives at a guest; the list is filled at the end, one frame a line."""
    target = Path("/run") / f"captured-{netns}"
    with target.open("w") as output:
        argv = ("ip", "netns", "exec", netns, "tcpdump", "-lnei", "eth0", "-Q", "in", "--immediate-mode", wanted)
        running = subprocess.Popen(argv, stdout=output, stderr=subprocess.PIPE, text=True)
        assert running.stderr is not None
        assert any("listening on" in line for line in running.stderr)
        frames: list[str] = []
        yield frames
        running.terminate()
        running.communicate(timeout=10)
    frames += [line for line in target.read_text().splitlines() if line]
