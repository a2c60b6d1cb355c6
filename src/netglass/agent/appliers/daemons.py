"""Keeps daemons running (Daemon): found again by their state directory after a restart of the agent.

One that fails is reported and the others are started: carry on.  A daemon is started anew when it has died, when its
command line, namespace or what it reads only at its start changed, and when a network device that it was started with
was made anew under the same name (a dead ovs-vswitchd takes its internal ports along; dnsmasq then answers one request
in four, FACTS.md).

Reloading: the state directory keeps a digest of the reload files as of the last signal.  While that is not the digest
of what is wanted, a SIGHUP is owed, whoever was to send it: an agent killed between file and signal owes nothing that
its successor does not see.  The same holds for leases that must be taken back before the signal.

The command must stay in the foreground: what forks away from its parent looks dead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from netglass.agent.appliers.protocol import NotThere, Work
from netglass.base.errors import ApplyError
from netglass.desired.state import Daemon, HostState, Thing
from netglass.host import children
from netglass.host.children import Child, Launch, LaunchError, State, Watched, read_file
from netglass.host.release import Held, release

_SHORT_LIFE_S = 1.0
_LOG_LINES = 5


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    daemon: Daemon
    digests: dict[str, str]  # reload file -> digest as of the last signal, or of the start
    devices: dict[str, int]  # network devices in its namespace at the start -> index
    began: float  # seconds of the machine's monotonic clock


class Daemons:
    """The applier of daemons.

    root       directory with one state directory per daemon
    namespaces directory with the named network namespaces
    """

    kinds = ("daemons",)

    def __init__(self, root: Path = Path("/run/netglass/daemons"), namespaces: Path = Path("/run/netns")) -> None:
        self._root = root
        self._namespaces = namespaces
        self._watched = Watched()
        self._living: dict[str, Child] = {}  # what observe and apply saw alive, for `watch` alone

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Reads back our daemons; one that must be started anew, or be signalled, differs from what is wanted."""
        self._watched.settle()
        self._living.clear()
        texts = {f.path: f.text for f in desired.files}
        found = []
        for name in _entries(self._root):
            state, remembered = self._read(name)
            if remembered is None or state is None:
                continue
            if not children.alive(state.child):
                # Without an argv it is unlike every wanted daemon, and still there to be removed.
                found.append(msgspec.structs.replace(remembered.daemon, argv=(), reload_files=()))
                continue
            self._living[name] = state.child
            children.shorten(self.log_path(name))
            found.append(self._observed(state, remembered, texts))
        return {"daemons": tuple(found)}

    def apply(self, work: Work) -> list[ApplyError]:
        """Starts, starts anew and signals."""
        failed = []
        for thing in work.add:
            failed += self._tried(self._start, thing)
        for old, new in work.change:
            assert isinstance(old, Daemon)
            assert isinstance(new, Daemon)
            failed += self._tried(self._reload if _is_same_process(old, new) else self._restart, new)
        return failed

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Ends daemons, and takes their state directories away."""
        failed = []
        for thing in things:
            if self._stop(thing.key):
                shutil.rmtree(self._root / thing.key, ignore_errors=True)
            else:
                failed.append(ApplyError(kind, thing.key, "does not end, even after SIGKILL"))
            if hurry():
                break
        return failed

    def watch(self) -> list[int]:
        """Gives a pidfd for each daemon that lives."""
        return self._watched.watch(frozenset(self._living.values()))

    def log_path(self, name: str) -> Path:
        """Gives where a daemon's standard output and error go."""
        return self._root / name / "log"

    def _read(self, name: str) -> tuple[State | None, _Remembered | None]:
        state = children.recorded(self._root / name)
        if state is None:
            return None, None
        try:
            return state, msgspec.convert(state.remembered, _Remembered)
        except msgspec.ValidationError:
            return state, None

    def _observed(self, state: State, remembered: _Remembered, texts: dict[str, str]) -> Daemon:
        daemon = remembered.daemon
        if not self._in_place(state.pid, remembered):
            return msgspec.structs.replace(daemon, argv=())
        wanted = {path: _digest(texts[path].encode()) for path in daemon.reload_files if path in texts}
        there = {path: _digest_of(path) for path in daemon.reload_files}
        told, due = remembered.digests, there | wanted
        fresh = tuple(path for path in daemon.reload_files if told.get(path) == there[path] == due[path])
        return msgspec.structs.replace(daemon, reload_files=fresh)

    def _in_place(self, pid: int, remembered: _Remembered) -> bool:
        netns = remembered.daemon.netns
        if netns:
            try:
                there = os.stat(f"{self._namespaces}/{netns}")  # noqa: PTH116 - asked often, and a Path takes longer
                here = os.stat(f"/proc/{pid}/ns/net")  # noqa: PTH116 - as above
            except OSError:
                return False
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
                return False
        now = _devices(pid)
        return all(now.get(name) == index for name, index in remembered.devices.items())

    def _tried(self, step: Callable[[Daemon], None], thing: Thing) -> list[ApplyError]:
        assert isinstance(thing, Daemon)
        try:
            step(thing)
        except NotThere as error:
            return [error]
        except (LaunchError, OSError) as error:
            return [ApplyError("daemons", thing.name, str(error))]
        return []

    def _restart(self, daemon: Daemon) -> None:
        state, remembered = self._read(daemon.name)
        if state is not None and remembered is not None and not children.alive(state.child):
            short = time.monotonic() - remembered.began < _SHORT_LIFE_S
            if short and remembered.daemon.argv == daemon.argv:
                # Once only: the next try, after the loop's pause, starts it.
                self._remember(daemon.name, state, msgspec.structs.replace(remembered, began=0.0))
                said = children.tail(self.log_path(daemon.name), lines=_LOG_LINES).strip()
                raise LaunchError(f"ended at once after its start; it said: {said or 'nothing'}")
        self._start(daemon)

    def _start(self, daemon: Daemon) -> None:
        self._need_namespace(daemon)
        if not self._stop(daemon.name):
            raise LaunchError("the old process does not end, even after SIGKILL")
        digests = {path: _digest_of(path) for path in daemon.reload_files}
        netns = str(self._namespaces / daemon.netns) if daemon.netns else ""
        remembered = _Remembered(daemon=daemon, digests=digests, devices={}, began=time.monotonic())
        directory = self._root / daemon.name
        launch = Launch(daemon.argv, directory, self.log_path(daemon.name), netns, remembered=_plain(remembered))
        try:
            child = children.start(launch)
        except LaunchError:
            self._need_namespace(daemon)  # it may have gone while the old process took its time
            raise
        self._living[daemon.name] = child
        if netns:  # in the host's own namespace devices come and go, and daemons there are not bound to one
            state = children.recorded(directory)
            if state is not None:
                now = msgspec.structs.replace(remembered, devices=_devices(child.pid))
                self._remember(daemon.name, state, now)

    def _need_namespace(self, daemon: Daemon) -> None:
        if daemon.netns and not (self._namespaces / daemon.netns).exists():
            raise NotThere(daemon.kind, daemon.key, f"there is no namespace {daemon.netns}")

    def _reload(self, daemon: Daemon) -> None:
        state, remembered = self._read(daemon.name)
        if state is None or remembered is None:
            raise LaunchError("its state directory went away meanwhile")
        gone = set(remembered.daemon.leases) - set(daemon.leases)
        release(daemon.netns, (Held(lease.mac, lease.address, lease.server) for lease in gone))
        # Read before the signal: a file that changes in between is another signal owed, never one too few.
        digests = {path: _digest_of(path) for path in daemon.reload_files}
        if digests != remembered.digests and not children.send(state.child, signal.SIGHUP):
            raise LaunchError("ended before it could be told to read its files again")
        self._remember(daemon.name, state, msgspec.structs.replace(remembered, daemon=daemon, digests=digests))

    def _remember(self, name: str, state: State, remembered: _Remembered) -> None:
        children.record(self._root / name, msgspec.structs.replace(state, remembered=_plain(remembered)))

    def _stop(self, name: str) -> bool:
        state, remembered = self._read(name)
        self._living.pop(name, None)
        if state is None:
            return True
        # What speaks unasked would take back what it said, which whoever speaks in its place may have said again:
        # a router that moves from host to host keeps its address, and guests would believe the later word.
        speaks = remembered is not None and remembered.daemon.unasked
        ended = children.stop(state.child, grace_s=0) if speaks else children.stop(state.child)
        if ended and remembered is not None:
            # Ended by us, however soon after its start.
            self._remember(name, state, msgspec.structs.replace(remembered, began=0.0))
        return ended


def _is_same_process(old: Daemon, new: Daemon) -> bool:
    started_so = (old.argv, old.netns, old.read_at_start) == (new.argv, new.netns, new.read_at_start)
    return started_so and not _must_forget(old, new)


def _must_forget(old: Daemon, new: Daemon) -> bool:
    # A DHCPv6 lease can be released only with the client's DUID (RFC 8415, 18.2.7), which nobody told us.  A new
    # server knows no leases, and confirms to each client what the host file gives it.
    return any(":" in lease.address for lease in set(old.leases) - set(new.leases))


def _plain(remembered: _Remembered) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(remembered)
    return plain


def _entries(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in root.iterdir())
    except FileNotFoundError:
        return []


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: str) -> str:
    try:
        return _digest(read_file(path))
    except OSError:
        return ""


def _devices(pid: int) -> dict[str, int]:
    # /proc/<pid>/net/igmp lists the devices of the process's own namespace that are up, but lo, without a netlink
    # socket there: "2\ttap26c9b807-7c:     1      V3".
    found: dict[str, int] = {}
    try:
        lines = read_file(f"/proc/{pid}/net/igmp").decode().splitlines()
    except OSError:
        return found
    for line in lines[1:]:
        words = line.replace(":", " ").split()
        if line[:1].isdigit() and len(words) > 1 and words[1] != "lo":
            found[words[1]] = int(words[0])
    return found
