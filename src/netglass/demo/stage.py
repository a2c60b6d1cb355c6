"""Where the use cases play: runs the client, commands on hosts and commands in guests, and takes the time.

`LabStage` plays on a lab.  Nothing here knows what a command is for.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

import msgspec

from netglass.demo.claims import Shown
from netglass.lab.topology import LabError

PATIENCE = 20.0
"""Seconds to wait for something that takes well under two."""

_PAUSE = 0.05  # seconds between two looks


class Watch(Protocol):
    """A command that runs while something else happens."""

    def result(self) -> Shown:
        """Waits for its end and gives what it printed; a command that goes on too long is ended."""


class Stage(Protocol):
    """What a use case may do.

    fresh  nothing was made here before, so nothing need be looked for
    """

    fresh: bool

    def client(self, user: str, *words: str) -> Shown:
        """Runs ``openstack`` with `words` as that user."""

    def clients(self, user: str, *commands: Sequence[str]) -> list[Shown]:
        """Runs several at once, since each takes a second of its own to start; gives them in the order asked."""

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
        # The client that came with this Python, whatever the PATH says.
        self._openstack = str(Path(sys.executable).with_name("openstack"))

    def client(self, user: str, *words: str) -> Shown:
        """Runs ``openstack`` with `words` as that user."""
        return self.clients(user, words)[0]

    def clients(self, user: str, *commands: Sequence[str]) -> list[Shown]:
        """Runs several at once, since each takes a second of its own to start; gives them in the order asked."""
        if not commands:
            return []
        environment = {**os.environ, **self._ways.environment(user)}

        def run(words: Sequence[str]) -> Shown:
            named = ("openstack", *words)
            return _run(user, named, [self._openstack, *words], environment)

        with ThreadPoolExecutor(len(commands)) as pool:
            shown = list(pool.map(run, commands))
        self._asked_at = time.monotonic()
        return shown

    def on(self, host: str, *argv: str) -> Shown:
        """Runs a command on a host."""
        return _run(host, argv, [*self._ways.host(host), *argv])

    def inside(self, guest: str, *argv: str) -> Shown:
        """Runs a command inside a guest of the project user; a guest that does not run answers with status 1."""
        place = f"guest {guest}"
        try:
            words = self._ways.guest(guest)
        except LabError as error:
            return Shown(place=place, command=shlex.join(argv), output=str(error), status=1)
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
        # A session of its own: nsenter(1) forks to enter a PID namespace, and both must be ended.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, start_new_session=True)

    def await_ready(self, ready: str) -> None:
        errors: IO[str] = self._process.stderr  # type: ignore[assignment]  # a pipe was asked for
        while line := errors.readline():
            if ready in line:
                return

    def result(self) -> Shown:
        """Waits for its end and gives what it printed; a command that goes on too long is ended."""
        try:
            output, errors = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.end()
            output, errors = self._process.communicate()
        status = self._process.returncode
        return Shown(
            place=self._place,
            command=shlex.join(self._named),
            output=output if status == 0 else output + errors,
            status=status,
            seconds=time.monotonic() - self._began,
        )

    def end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()


def _run(place: str, named: Sequence[str], argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Shown:
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL, timeout=60
        )
        output, status = (done.stdout if done.returncode == 0 else done.stdout + done.stderr), done.returncode
    except subprocess.TimeoutExpired:
        output, status = "(no answer within 60 s)", 124
    command = shlex.join(named)
    return Shown(place=place, command=command, output=output, status=status, seconds=time.monotonic() - began)
