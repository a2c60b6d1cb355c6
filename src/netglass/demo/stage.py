"""Where the use cases play: runs the client, commands on hosts and commands in guests, and takes the time.

`LabStage` plays on a lab.  Nothing here knows what a command is for.
"""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from netglass.demo.claims import Shown
from netglass.lab.topology import LabError

PATIENCE = 20.0
"""Seconds to wait for something that takes well under two."""

_PAUSE = 0.05  # seconds between two looks


class Watch(Protocol):
    """A command that runs while something else happens."""

    def result(self, enough: Callable[[str], bool] | None = None) -> Shown:
        """Gives what it printed once that is `enough`, or without `enough` at its end.

        It is ended then; after `PATIENCE` it is ended in any case.
        """


class Stage(Protocol):
    """What a use case may do.

    fresh  nothing was made here before, so nothing need be looked for
    """

    fresh: bool

    def client(self, user: str, *words: str) -> Shown:
        """Runs ``openstack`` with `words` as that user."""

    def clients(self, *asked: Sequence[str]) -> list[Shown]:
        """Runs several at once, since each takes a second of its own to start; gives them in the order asked.

        asked  of each the user, and the words after ``openstack``
        """

    def netglass(self, user: str, *words: str) -> Shown:
        """Runs ``netglass`` with `words` as that user."""

    def on(self, host: str, *argv: str) -> Shown:
        """Runs a command on a host."""

    def inside(self, guest: str, *argv: str) -> Shown:
        """Runs a command inside a guest of the project user."""

    def until(self, look: Callable[[], Shown], good: Callable[[Shown], bool]) -> Shown:
        """Looks again and again until it is good, or for `PATIENCE`; gives the last look.

        Its `seconds` are those since the client's last command ended.
        """

    def watch(self, host: str, *argv: str, ready: str) -> AbstractContextManager[Watch]:
        """Runs a command on a host for the length of a ``with``, which begins once it printed `ready` to stderr."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """How to get at a lab's places: words before a command, and the environment of a user's client."""

    host: Callable[[str], Sequence[str]]
    guest: Callable[[str], Sequence[str]]
    environment: Callable[[str], Mapping[str, str]]


class LabStage:
    """A lab as a stage."""

    def __init__(self, ways: Ways, *, fresh: bool) -> None:
        self.fresh = fresh
        self._ways = ways
        self._asked_at = time.monotonic()

    def client(self, user: str, *words: str) -> Shown:
        """Runs ``openstack`` with `words` as that user."""
        return self.clients((user, *words))[0]

    def clients(self, *asked: Sequence[str]) -> list[Shown]:
        """Runs several at once, since each takes a second of its own to start; gives them in the order asked.

        asked  of each the user, and the words after ``openstack``
        """
        if not asked:
            return []
        with ThreadPoolExecutor(len(asked)) as pool:
            shown = list(pool.map(lambda words: self._program(words[0], "openstack", *words[1:]), asked))
        self._asked_at = time.monotonic()
        return shown

    def netglass(self, user: str, *words: str) -> Shown:
        """Runs ``netglass`` with `words` as that user."""
        return self._program(user, "netglass", *words)

    def _program(self, user: str, program: str, *words: str) -> Shown:
        # The one that came with this Python, whatever the PATH says.
        path = Path(sys.executable).with_name(program)
        return _run(user, (program, *words), [str(path), *words], {**os.environ, **self._ways.environment(user)})

    def on(self, host: str, *argv: str) -> Shown:
        """Runs a command on a host."""
        return _run(host, argv, [*self._ways.host(host), *argv])

    def inside(self, guest: str, *argv: str) -> Shown:
        """Runs a command inside a guest of the project user; a guest that does not run answers with status 1."""
        place = f"guest {guest}"
        try:
            words = self._ways.guest(guest)
        except LabError as error:
            return Shown(place=place, command=spelled(argv), output=str(error), status=1)
        return _run(place, argv, [*words, *argv])

    def until(self, look: Callable[[], Shown], good: Callable[[Shown], bool]) -> Shown:
        """Looks again and again until it is good, or for `PATIENCE`; gives the last look."""
        end = time.monotonic() + PATIENCE
        while not good(shown := look()) and time.monotonic() < end:
            time.sleep(_PAUSE)
        return msgspec.structs.replace(shown, seconds=time.monotonic() - self._asked_at)

    @contextmanager
    def watch(self, host: str, *argv: str, ready: str) -> Iterator[Watch]:
        """Runs a command on a host for the length of a ``with``, which begins once it printed `ready` to stderr."""
        watching = _Watching(host, argv, [*self._ways.host(host), *argv])
        try:
            watching.await_ready(ready)
            yield watching
        finally:
            watching.end()


class _Watching:
    def __init__(self, host: str, named: Sequence[str], argv: Sequence[str]) -> None:
        self._place = host
        self._named = named
        self._began = time.monotonic()
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._heard = {self._out: b"", self._err: b""}

    def await_ready(self, ready: str) -> None:
        self._listen(lambda: ready.encode() in self._heard[self._err])

    def result(self, enough: Callable[[str], bool] | None = None) -> Shown:
        """Gives what it printed once that is `enough`, or without `enough` at its end."""
        by_itself = self._listen(lambda: enough is not None and enough(self._text(self._out)))
        self.end()
        status = self._process.returncode if by_itself else 0  # one that we ended has done its work
        return Shown(
            place=self._place,
            command=spelled(self._named),
            output=self._text(self._out) + (self._text(self._err) if status else ""),
            status=status,
            seconds=time.monotonic() - self._began,
        )

    def _text(self, pipe: int) -> str:
        return self._heard[pipe].decode(errors="replace")

    def _listen(self, enough: Callable[[], bool]) -> bool:
        """Reads until that is enough, or for `PATIENCE`; says whether the command ended by itself before."""
        end = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as waiting:
            for pipe in self._heard:
                waiting.register(pipe, selectors.EVENT_READ)
            while not enough() and (left := end - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    if part := os.read(key.fd, 1 << 16):
                        self._heard[key.fd] += part
                    else:
                        waiting.unregister(key.fd)
                if not waiting.get_map():
                    self._process.wait()
                    return True
        return False

    def end(self) -> None:
        if self._process.poll() is not None:
            return
        # nsenter(1) forks to enter a PID namespace, and ends after the command in there.  Were it ended first, the
        # command would be left to the machine's PID 1; in many a container that one buries nobody, and the host's PID 1
        # waits for its dead.
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in path.read_text().split() or [str(self._process.pid)]:
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(int(pid), signal.SIGTERM)
        self._process.communicate()  # and what it still says is not wanted


def spelled(argv: Sequence[str]) -> str:
    """Gives a command as a reader would type it; what a shell runs, without the shell."""
    return argv[2] if len(argv) == 3 and argv[:2] == ("sh", "-c") else shlex.join(argv)


def _run(place: str, named: Sequence[str], argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Shown:
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL, timeout=60
        )
        output, status = (done.stdout if done.returncode == 0 else done.stdout + done.stderr), done.returncode
    except subprocess.TimeoutExpired:
        output, status = "(no answer within 60 s)", 124
    command = spelled(named)
    return Shown(place=place, command=command, output=output, status=status, seconds=time.monotonic() - began)
