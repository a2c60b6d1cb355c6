"""Two hosts with real switches, joined by a wire, and guests whose frames are sent and captured by hand.

The test's process is PID 1 of the first host (``host.hosted``); the second is a child of it, in namespaces of its own,
that does what it is asked to over a pipe.  Everything ends with the first.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from host.an_agent import Agent
from host.hosted import private_directories, shell, start_database, start_switch
from netglass.agent.standing import ports_missing
from netglass.base.ids import tap_name
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState
from netglass.host import syscalls
from netglass.host.namespaces import entered
from netglass.model.resources import Row
from netglass.model.snapshot import Snapshot

_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SETTLE_S = 0.004  # frames of one batch may overtake one another inside the switch
_LONGEST_S = 5.0
_DUE_S = 1.0


class Station:
    """One host: an agent without memory, and the guests that are plugged in there.

    alter  what a test does to the desired state before it is applied (a mutant)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.agent = Agent()
        self.alter: Callable[[HostState], HostState] = lambda state: state
        self._wires: dict[str, socket.socket] = {}

    def plug(self, guest: str, port_id: str, mac: str) -> None:
        """Makes a guest's namespace, with its NIC's other end as the port's tap."""
        tap = tap_name(port_id)
        shell("ip", "netns", "add", guest)
        shell("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", guest)
        shell("ip", "-n", guest, "link", "set", "eth0", "address", mac, "arp", "off", "promisc", "on", "up")
        shell("ip", "netns", "exec", guest, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
        with entered(guest):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        wire.bind(("eth0", 0))
        wire.setblocking(False)
        self._wires[guest] = wire

    def converge(self, rows: Sequence[Row]) -> HostState:
        """Brings the host to what rows want of it; gives the state."""
        state = self.alter(compile_host(Snapshot.of(list(rows)), self.name))
        self.agent.converge(state, rounds=12)
        if state.flows:
            # The switch goes on for some milliseconds as it did before, with kinds of packets that it has just seen.
            shell("ovs-appctl", "revalidator/purge")
        return state

    def attempt(self, rows: Sequence[Row], rounds: int = 3) -> tuple[list[str], frozenset[str]]:
        """Tries to bring the host to what rows want of it; gives what cannot be done, and the ports that wait for it.

        Both are what an agent reports: the first for ``netglass host list``, the second for the ports' status.
        """
        state = self.alter(compile_host(Snapshot.of(list(rows)), self.name))
        for _ in range(rounds):
            self.agent.once(state)
        failing = self.agent.retries.failing().items()
        said = [f"{kind} {key}: {evidence}" for (kind, key), (evidence, _) in failing]
        return said, ports_missing(state, self.agent.rounds.missing)

    def killed(self, rows: Sequence[Row], after_s: float) -> None:
        """Has an agent begin to bring the host to what rows want, and kills it; the next one knows nothing."""
        state = self.alter(compile_host(Snapshot.of(list(rows)), self.name))
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                Agent().converge(state, rounds=12)
            os._exit(0)
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.agent = Agent()

    def send(self, guest: str, frames: Sequence[bytes]) -> None:
        """Sends frames as a guest."""
        for frame in frames:
            self._wires[guest].send(frame)

    def forget(self) -> None:
        """Drops what guests have received."""
        for guest in self._wires:
            self._received(guest)

    def received(self, guest: str, last: Sequence[bytes], due: Sequence[bytes]) -> list[bytes]:
        """Gives what a guest has received once frames that hold each of `last` have come, and a moment later.

        Waits longer for what is `due`, but gives up on it in the end; fails when one of `last` does not come.
        """
        frames = self._await(guest, last, _LONGEST_S)
        late = [mark for mark in last if not _in(frames, mark)]
        if late:
            raise AssertionError(f"{guest} on {self.name} did not get the last frame within {_LONGEST_S} s")
        time.sleep(_SETTLE_S)
        frames += self._received(guest)
        missing = [mark for mark in due if not _in(frames, mark)]
        return frames + (self._await(guest, missing, _DUE_S) if missing else [])

    def _await(self, guest: str, marks: Sequence[bytes], seconds: float) -> list[bytes]:
        frames: list[bytes] = []
        deadline = time.monotonic() + seconds
        while not all(_in(frames, mark) for mark in marks) and (left := deadline - time.monotonic()) > 0:
            select.select([self._wires[guest]], [], [], left)
            frames += self._received(guest)
        return frames

    def so_far(self, guest: str) -> list[bytes]:
        """Gives what a guest has received until now."""
        return self._received(guest)

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Does something on this host."""
        return work(self, *arguments)

    def _received(self, guest: str) -> list[bytes]:
        frames: list[bytes] = []
        while True:
            try:
                frame, address = self._wires[guest].recvfrom(1 << 16)
            except BlockingIOError:
                return frames
            if address[2] != _PACKET_OUTGOING:  # its own
                frames.append(frame)


def _in(frames: Sequence[bytes], mark: bytes) -> bool:
    return any(mark in frame for frame in frames)


class Distant:
    """The same on another host, over a pipe."""

    def __init__(self, pipe: Connection, pid: int) -> None:
        self._pipe = pipe
        self.pid = pid

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._ask, name)

    def _ask(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        good, answer = self._pipe.recv()
        if not good:
            raise AssertionError(f"on the other host:\n{answer}")
        return answer


@contextmanager
def site(first: str, second: str) -> Iterator[dict[str, Any]]:
    """Gives two hosts by name, whose eth2 are two ends of one cable; to be called on a host."""
    here, there = multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        _serve(second, there)
    here.recv()  # its namespaces are there
    shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "eth2", "netns", str(pid))
    shell("ip", "link", "set", "eth2", "up")
    shell("ethtool", "-K", "eth2", "tx", "off")
    here.send("wired")
    assert here.recv() == "ready"
    distant = Distant(here, pid)
    try:
        yield {first: Station(first), second: distant}
    finally:
        here.send(None)
        os.waitpid(pid, 0)


def _serve(name: str, pipe: Connection) -> None:
    status = 1
    try:
        syscalls.unshare(syscalls.NEWNS | syscalls.NEWNET | syscalls.NEWUTS | syscalls.NEWIPC)
        private_directories()
        pipe.send("made")
        pipe.recv()
        shell("ip", "link", "set", "lo", "up")
        shell("ip", "link", "set", "eth2", "up")
        shell("ethtool", "-K", "eth2", "tx", "off")
        start_database()
        start_switch()
        station = Station(name)
        pipe.send("ready")
        while (asked := pipe.recv()) is not None:
            what, arguments = asked
            try:
                answer = (True, getattr(station, what)(*arguments))
            except BaseException:
                answer = (False, traceback.format_exc())
            pipe.send(answer)
        status = 0
    finally:
        for pid_file in Path("/run/openvswitch").glob("*.pid"):
            os.kill(int(pid_file.read_text()), 9)
        os._exit(status)
