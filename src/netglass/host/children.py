"""Processes that outlive whoever started them, and are found again by their state directory.

A state directory holds ``state.json`` (pid, the kernel's start time, argv, and what the caller wants to remember) and
a log.  A process is the one that was started only when pid *and* start time agree: a zombie is dead, and so is a pid
that went to somebody else.  Nothing here looks at a process's name.

    caller ──fork──> between ──fork──> child ──exec──> the program
                     own session        waits until `between` has written state.json: no moment exists at which
                     namespaces         the program runs and nobody could find it again

Source: ARCHITECTURE.md, "Processes"; proc(5) for start time; pidfd_open(2).
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from netglass.base.errors import NetglassError
from netglass.host import syscalls

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
_MOST_FDS = 1 << 20


class LaunchError(NetglassError):
    """A process could not be started; the message says at which step and why."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One process, beyond doubt.

    started  clock ticks after boot, field 22 of /proc/<pid>/stat
    """

    pid: int
    started: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a state directory says.

    remembered  the caller's own, as JSON values
    """

    pid: int
    started: int
    argv: tuple[str, ...]
    remembered: dict[str, Any] = {}

    @property
    def child(self) -> Child:
        """Gives the process that was started."""
        return Child(pid=self.pid, started=self.started)


class Launch(msgspec.Struct, frozen=True):
    """What is to be started.

    argv        the program is looked for in the system's directories unless it is a path
    directory   its state directory; made, with mode 0700, when it is not there
    log         gets standard output and error, appended
    netns       path of a network namespace to start in; empty for the caller's own
    unshare     namespaces to make for it (syscalls.NEW…); with NEWPID it is their PID 1
    prepare     run in the child just before exec, within its namespaces
    passed      file descriptors of the caller that the program keeps, as 3, 4, …
    remembered  kept in state.json for whoever finds the process later
    environment in place of the plain one
    """

    argv: tuple[str, ...]
    directory: Path
    log: Path
    netns: str = ""
    unshare: int = 0
    prepare: Callable[[], None] | None = None
    passed: tuple[int, ...] = ()
    remembered: dict[str, Any] | None = None
    environment: dict[str, str] | None = None


class Beginning(msgspec.Struct, frozen=True):
    """A process that is on its way to exec."""

    launch: Launch
    between: int
    trouble: int


def start(launch: Launch) -> Child:
    """Starts a process that does not depend on this one, and records it.

    Raises LaunchError when it could not get as far as exec; then nothing of it runs.
    """
    return finish(begin(launch))


def begin(launch: Launch) -> Beginning:
    """Begins to start a process, so that several can be on their way at once; each must be given to `finish`.

    Raises LaunchError.
    """
    program = launch.argv[0] if "/" in launch.argv[0] else shutil.which(launch.argv[0], path=_ENVIRONMENT["PATH"])
    if program is None:
        raise LaunchError(f"start of {launch.argv[0]}: no such program is installed")
    launch.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe2(os.O_CLOEXEC)
    between = os.fork()
    if between == 0:
        _between(launch, program, writing)
    os.close(writing)
    return Beginning(launch, between, reading)


def finish(beginning: Beginning) -> Child:
    """Waits until a process has got as far as exec.  Raises LaunchError when it has not; then nothing of it runs."""
    launch = beginning.launch
    with os.fdopen(beginning.trouble, "rb") as pipe:
        trouble = pipe.read().decode(errors="replace")  # ends when exec has closed the other end
    os.waitpid(beginning.between, 0)
    if trouble:
        raise LaunchError(f"start of {launch.argv[0]}: {trouble}")
    state = recorded(launch.directory)
    if state is None:
        raise LaunchError(f"start of {launch.argv[0]}: it was killed before it began")
    return state.child


def _between(launch: Launch, program: str, trouble: int) -> NoReturn:
    gc.disable()  # no finalizer of the parent's objects may run here
    try:
        os.setsid()
        if launch.netns:
            netns = os.open(launch.netns, os.O_RDONLY | os.O_CLOEXEC)
            syscalls.setns(netns, syscalls.NEWNET)
        if launch.unshare:
            syscalls.unshare(launch.unshare)
        gate_out, gate_in = os.pipe2(os.O_CLOEXEC)
        second = os.fork()
        if second == 0:
            os.close(gate_in)
            _become(launch, program, gate_out, trouble)
        record(launch.directory, _state_of(launch, second))
        os.write(gate_in, b".")
    except BaseException as error:
        os.write(trouble, str(error).encode())
    os._exit(0)


def _become(launch: Launch, program: str, gate: int, trouble: int) -> NoReturn:
    trouble = _away(trouble)
    try:
        if not os.read(gate, 1):
            os._exit(1)
        # Python ignores these two, and what is ignored stays so over exec.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        log = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        # Where a descriptor lies now may be where another one must go: first all away, then each to its place.
        moved = [_away(fd) for fd in (nothing, log, log, *launch.passed)]
        os.chdir("/")
        if launch.prepare is not None:
            launch.prepare()
        for place, fd in enumerate(moved):
            os.dup2(fd, place, inheritable=True)
        # Python's own descriptors close by themselves; what we inherited from a careless starter does not.
        os.closerange(len(moved), trouble)
        os.closerange(trouble + 1, _MOST_FDS)
        os.execve(program, launch.argv, launch.environment or _ENVIRONMENT)
    except BaseException as error:
        os.write(trouble, str(error).encode())
    os._exit(127)


def _away(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64)


def _state_of(launch: Launch, pid: int) -> State:
    return State(
        pid=pid, started=_start_time(pid) or 0, argv=tuple(launch.argv), remembered=dict(launch.remembered or {})
    )


def record(directory: Path, state: State) -> None:
    """Writes a state directory's state, whole or not at all."""
    replace_file(directory / "state.json", msgspec.json.encode(state), 0o600)


def recorded(directory: Path) -> State | None:
    """Reads a state directory; None when it holds nothing that can be read."""
    try:
        return msgspec.json.decode((directory / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


_PROC = Path("/proc")


def alive(child: Child, proc: Path = _PROC) -> bool:
    """Says whether the very process still runs; `proc` is the /proc of the PID namespace that counts so."""
    return _start_time(child.pid, proc) == child.started


def _start_time(pid: int, proc: Path = _PROC) -> int | None:
    try:
        text = read_file(f"{proc}/{pid}/stat").decode(errors="replace")
    except OSError:
        return None
    # The name, field 2, is in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def open_pidfd(child: Child) -> int | None:
    """Opens a descriptor that becomes readable when the process ends; None when it has."""
    try:
        fd = os.pidfd_open(child.pid)
    except OSError:
        return None
    # Between reading the state and opening, the pid may have gone to somebody else; from here on it cannot.
    if alive(child):
        return fd
    os.close(fd)
    return None


def send(child: Child, number: signal.Signals) -> bool:
    """Sends a signal to just this process; False when it has ended."""
    fd = open_pidfd(child)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def stop(child: Child, *, grace_s: float = 2.0) -> bool:
    """Ends a process: asks, and after `grace_s` seconds kills.  Zero kills at once.

    Gives False when even that did not end it within five seconds (it hangs in the kernel).
    """
    fd = open_pidfd(child)
    if fd is None:
        return True
    try:
        if grace_s:
            signal.pidfd_send_signal(fd, signal.SIGTERM)
            if _waited(fd, grace_s):
                return True
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        return _waited(fd, 5.0)
    except ProcessLookupError:
        return True
    finally:
        os.close(fd)


def _waited(pidfd: int, timeout_s: float) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1000))


def tail(path: Path, *, lines: int | None = None, most: int = 1 << 20) -> str:
    """Gives a log's last lines, or all of it (None, or less than none); empty when there is no log.

    most  bytes: what was written before the last of them is left out

    Bytes that are no UTF-8 are replaced.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            text = file.read(most).decode(errors="replace")
    except OSError:
        return ""
    if lines is None or lines < 0:
        return text
    return "".join(text.splitlines(keepends=True)[-lines:]) if lines else ""


def shorten(path: Path, *, above: int = 4 << 20, keep: int = 1 << 20) -> None:
    """Cuts a log of more than `above` bytes down to the whole lines in its last `keep`.

    Whoever appends to it goes on; what is written in the very moment may be lost.  A log that is not there, or cannot
    be written, is left as it is.
    """
    with suppress(OSError):
        if path.stat().st_size <= above:
            return
        with path.open("r+b") as file:
            file.seek(-keep, os.SEEK_END)
            rest = file.read(keep).partition(b"\n")[2]
            file.truncate(0)
        with path.open("ab") as file:
            file.write(rest)


def read_file(path: str) -> bytes:
    """Gives what a file holds; raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123 - a network host reads hundreds a look, and a Path takes longer
        return file.read()


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Writes a file so that a reader sees the old content or the new, and never a part."""
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, mode)  # whatever the umask is
        file.write(content)
    fresh.replace(path)


class Watched:
    """Descriptors by which somebody hears of the end of processes."""

    def __init__(self) -> None:
        self._fd_by_child: dict[Child, int] = {}

    def watch(self, children: frozenset[Child]) -> list[int]:
        """Gives a descriptor for each of `children` that becomes readable at its end; closes those of all others.

        One that has ended meanwhile is readable at once: no end is missed between observing and watching.
        """
        for child in [c for c in self._fd_by_child if c not in children]:
            os.close(self._fd_by_child.pop(child))
        for child in children - self._fd_by_child.keys():
            fd = open_pidfd(child)
            self._fd_by_child[child] = os.eventfd(1, os.EFD_CLOEXEC) if fd is None else fd
        return list(self._fd_by_child.values())

    def settle(self) -> None:
        """Closes the descriptors of processes that have ended, so that these are not heard of again."""
        for child, fd in list(self._fd_by_child.items()):
            if _waited(fd, 0.0):
                os.close(fd)
                del self._fd_by_child[child]
