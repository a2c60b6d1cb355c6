"""The processes of a lab's hosts: found by their command lines, and sent signals that can reach no other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from netglass.lab.places import LabPlace

PROC = Path("/proc")

KINDS = {
    "server": "/etc/netglass/server.toml",
    "agent": "netglass.agent.main",
    "metadata-agent": "netglass.metadata.main",
    "ovs-vswitchd": "ovs-vswitchd unix:",
    "ovsdb-server": "ovsdb-server /etc/openvswitch",
    "dnsmasq": "dnsmasq ",
    "haproxy": "haproxy ",
    "radvd": "radvd ",
    "ovs-ofctl": "ovs-ofctl ",  # an agent's watchers of flows
    "held-sockets": "netglass.host.held_sockets",
}
"""Kind of process -> what is found in its command line."""

_OF_INIT = frozenset({"agent"})  # its children look like it until they have become something else


class Process(NamedTuple):
    """One process of a host, as the machine counts it."""

    kind: str
    host: str
    pid: int
    words: str

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal; gives False when the process has ended."""
        try:
            held = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if _words(self.pid) != self.words:
                return False
            signal.pidfd_send_signal(held, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(held)
        return True


def processes(lab: str) -> list[Process]:
    """Gives the processes of the cloud's hosts that are of one of `KINDS`; what runs in guests is none of them."""
    place = LabPlace(lab)
    record = place.read()
    assert record is not None
    ours = {place.host(name).root for name, host in record.topology.hosts.items() if not host.is_outside}
    hosts = {_space(child.pid): (path.name, child.pid) for path, child in place.children().items() if path in ours}
    return list(_found({space: found for space, found in hosts.items() if space}))


def _found(hosts: dict[str, tuple[str, int]]) -> Iterator[Process]:
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        host, init = hosts.get(_space(pid), ("", 0))
        if not host or pid == init:
            continue
        words = _words(pid)
        kind = next((kind for kind, part in KINDS.items() if part in words), "")
        if kind and (kind not in _OF_INIT or _parent(pid) == init):
            yield Process(kind, host, pid, words)


def _space(pid: int) -> str:
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return ""


def _words(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
