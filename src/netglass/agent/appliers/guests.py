"""Keeps light guests: their hulls (Guest), and that a hull has booted (GuestBoot).

A hull is a process with namespaces of its own (network, mount, UTS, IPC, PID) whose PID 1 waits on a fifo; its NICs
are veth pairs with the tap as the host's end.  It is what a virtual machine is before its first instruction: the
wiring can be made around it.  Booting it is one line written into the fifo.

A guest that fails is reported and the others are made: carry on.  Guests outlive the agent and are found again by
their state directories.  A guest that has ended, lost a tap, or runs another boot than is wanted is killed whole and
made anew; its console log goes on.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import netglass.guest
from netglass.agent.appliers.marks import mark_of
from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import Guest, GuestBoot, HostState, Thing
from netglass.host import hull, veth
from netglass.host.children import (
    Beginning,
    Child,
    Launch,
    LaunchError,
    State,
    Watched,
    alive,
    begin,
    finish,
    recorded,
    send,
    shorten,
    stop,
    tail,
)

T = TypeVar("T", bound=Thing)
R = TypeVar("R")

_SCRIPTS = hull.scripts(Path(netglass.guest.__file__).parent)
_BATCH = 20  # guests that are taken away together: half a second at most
_CONSOLE_BYTES = 102_400  # of a console log that are told: Nova's MAX_CONSOLE_BYTES
_NO_BOOT = 0  # boots count from 1: differs from every wanted guest


class GuestSeen(msgspec.Struct, frozen=True):
    """How a server's guest is doing, for the report.

    state  running, stopped (it has ended) or error
    """

    server_id: str
    boot: int
    state: str
    error: str = ""


class Guests:
    """The applier of light guests.

    root  directory with one state directory per guest
    """

    kinds = ("guests", "guest_boots")

    def __init__(self, root: Path = Path("/run/netglass/guests")) -> None:
        self._root = root
        self._watched = Watched()
        self._living: dict[str, Child] = {}  # what observe and apply saw alive, for `watch` alone
        self._trouble: dict[str, str] = {}  # server id -> why its guest could not be made or booted

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Reads back our guests; a boot counts as there only where it is wanted, since it cannot be taken back."""
        self._watched.settle()
        self._living.clear()
        wanted = {b.key: b for b in desired.guest_boots}
        guests: list[Guest] = []
        boots: list[GuestBoot] = []
        for server_id in _entries(self._root):
            state, guest = self._read(server_id)
            if state is None or guest is None:
                continue
            whole = alive(state.child) and all(veth.exists(nic.tap) for nic in guest.nics)
            if alive(state.child):
                self._living[server_id] = state.child
                shorten(_console_of(guest.directory))
            guests.append(guest if whole else msgspec.structs.replace(guest, boot=_NO_BOOT))
            boot = wanted.get(server_id)
            if whole and boot is not None and self._booted(server_id):
                boots.append(msgspec.structs.replace(boot, boot=guest.boot))
        return {"guests": tuple(guests), "guest_boots": tuple(boots)}

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes hulls, or boots them."""
        failed: list[ApplyError] = []
        boots = [thing for thing in work.wanted if isinstance(thing, GuestBoot)]
        guests = [thing for thing in work.wanted if isinstance(thing, Guest)]
        # Making namespaces is most of the work, and the kernel does it on every core at once.
        at_once = 2 * (os.cpu_count() or 1)
        for first in range(0, len(guests), at_once):
            batch = guests[first : first + at_once]
            begun = [(guest, self._tried(work.kind, guest, self._begin, failed)) for guest in batch]
            for guest, beginning in begun:
                if beginning is not None:
                    self._tried(work.kind, guest, partial(self._complete, beginning), failed)
        for boot in boots:
            self._tried(work.kind, boot, self._boot, failed)
        return failed

    def _tried(self, kind: str, thing: T, step: Callable[[T], R], failed: list[ApplyError]) -> R | None:
        try:
            done = step(thing)
        except (LaunchError, veth.VethError, OSError) as error:
            self._trouble[thing.key] = str(error)
            failed.append(ApplyError(kind, thing.key, str(error)))
            return None
        self._trouble.pop(thing.key, None)
        return done

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Kills guests whole, and takes away what they leave; their console logs go with an empty directory."""
        failed: list[ApplyError] = []
        guests = [thing for thing in things if isinstance(thing, Guest)]
        for start_at in range(0, len(guests), _BATCH):
            failed += self._remove_together(kind, guests[start_at : start_at + _BATCH])
            if hurry():
                break
        return failed

    def _remove_together(self, kind: str, guests: list[Guest]) -> list[ApplyError]:
        for guest in guests:
            state = recorded(self._root / guest.server_id)
            if state is not None:
                send(state.child, signal.SIGKILL)  # to all at once, and then waited for
        failed = []
        try:
            veth.unplug(*(nic.tap for guest in guests for nic in guest.nics))
        except (veth.VethError, OSError) as error:
            failed = [ApplyError(kind, guest.key, str(error)) for guest in guests]
        for guest in guests:
            try:
                self._end(guest.server_id)
                _clear(Path(guest.directory))
                self._trouble.pop(guest.server_id, None)
            except (veth.VethError, OSError) as error:
                failed.append(ApplyError(kind, guest.key, str(error)))
        return failed

    def watch(self) -> list[int]:
        """Gives a pidfd for each guest that lives."""
        return self._watched.watch(frozenset(self._living.values()))

    def seen(self) -> tuple[GuestSeen, ...]:
        """Tells how each guest on this host is doing, ascending by server id; a hull not booted yet is left out."""
        found = {key: GuestSeen(key, self._boot_number(key), "error", text) for key, text in self._trouble.items()}
        for server_id in _entries(self._root):
            state, guest = self._read(server_id)
            if state is None or guest is None or server_id in found:
                continue
            if not alive(state.child):
                found[server_id] = GuestSeen(server_id, guest.boot, "stopped")
            elif self._booted(server_id):
                found[server_id] = GuestSeen(server_id, guest.boot, "running")
        return tuple(found[key] for key in sorted(found))

    def _boot_number(self, server_id: str) -> int:
        guest = self._read(server_id)[1]
        return guest.boot if guest is not None else _NO_BOOT

    def _read(self, server_id: str) -> tuple[State | None, Guest | None]:
        state = recorded(self._root / server_id)
        if state is None:
            return None, None
        try:
            return state, msgspec.convert(state.remembered, Guest)
        except msgspec.ValidationError:
            return state, None

    def _booted(self, server_id: str) -> bool:
        return (self._root / server_id / "booted").exists()

    def _begin(self, guest: Guest) -> Beginning:
        self._end(guest.server_id)
        directory = self._root / guest.server_id
        (directory / "root").mkdir(mode=0o700, parents=True)
        os.mkfifo(directory / "fifo", 0o600)
        Path(guest.directory).mkdir(parents=True, exist_ok=True)
        # Read and write, so that the guest's end is never without a writer: it waits instead of seeing an end of
        # file, and a line written while it was not reading yet is kept.
        fifo = os.open(directory / "fifo", os.O_RDWR | os.O_CLOEXEC)
        try:
            return begin(_launch(guest, directory, fifo))
        finally:
            os.close(fifo)

    def _complete(self, beginning: Beginning, guest: Guest) -> None:
        child = finish(beginning)
        self._living[guest.server_id] = child
        try:
            for index, nic in enumerate(guest.nics):
                far = veth.End(f"eth{index}", nic.mac, tx_checksum=False)
                veth.plug(veth.End(nic.tap), far, child.pid, mtu=nic.mtu, alias=mark_of(guest))
        except (veth.VethError, OSError):
            self._end(guest.server_id)
            raise

    def _boot(self, boot: GuestBoot) -> None:
        state, guest = self._read(boot.server_id)
        if state is None or guest is None or guest.boot != boot.boot:
            raise LaunchError(f"there is no hull of boot {boot.boot} yet")
        directory = self._root / boot.server_id
        fifo = os.open(directory / "fifo", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(fifo, b"boot\n")
        finally:
            os.close(fifo)
        # Killed between the two, the next agent writes a second line, which nobody reads.
        (directory / "booted").touch()

    def _end(self, server_id: str) -> None:
        state, guest = self._read(server_id)
        self._living.pop(server_id, None)
        if state is not None and not stop(state.child, grace_s=0):
            raise OSError(f"process {state.pid} does not end, even after SIGKILL")
        # The kernel takes a dead namespace's devices away in its own time; the next guest wants the names now.
        veth.unplug(*(nic.tap for nic in (guest.nics if guest is not None else ())))
        shutil.rmtree(self._root / server_id, ignore_errors=True)


def read_console(directory: str, lines: int | None = None) -> str:
    """Gives the end of a guest's console log: lines, or as much of it as is told (None, or -1 as Nova says it).

    Empty when there is none.
    """
    return tail(_console_of(directory), lines=lines, most=_CONSOLE_BYTES)


def _console_of(directory: str) -> Path:
    return Path(directory) / "console.log"


def _launch(guest: Guest, directory: Path, fifo: int) -> Launch:
    console = _console_of(guest.directory)
    root = hull.Root(str(directory / "root"), guest.hostname, str(console), _SCRIPTS)
    names = " ".join(f"eth{i}" for i in range(len(guest.nics)))
    remembered: dict[str, Any] = msgspec.to_builtins(guest)
    return Launch(
        argv=("/bin/busybox", "sh", "/etc/netglass/init"),
        directory=directory,
        log=console,
        unshare=hull.NAMESPACES,
        prepare=partial(hull.enter, root),
        passed=(fifo,),
        remembered=remembered,
        environment=hull.ENVIRONMENT
        | {"NETGLASS_HOSTNAME": guest.hostname, "NETGLASS_BOOT": str(guest.boot), "NETGLASS_NICS": names},
    )


def _entries(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in root.iterdir())
    except FileNotFoundError:
        return []


def _clear(directory: Path) -> None:
    try:
        left = {entry.name for entry in directory.iterdir()}
        if left <= {"console.log"}:
            shutil.rmtree(directory)
    except FileNotFoundError:
        return
