"""Starts the process that holds a userspace switch's packet sockets, and tells it when to look (`held_sockets`)."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys

log = logging.getLogger(__name__)

_LOOK = b"."


class SwitchSockets:
    """The packet sockets of the ovs-vswitchd whose pid file is in a directory, held by a process beside ours."""

    def __init__(self, directory: str) -> None:
        self._command = (sys.executable, "-m", "netglass.host.held_sockets", directory)
        self._holder: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Has sockets that came or went be seen at once.  Never raises, never waits; a dead holder is replaced."""
        if self._holder is None or self._holder.poll() is not None:
            self._start()
        elif self._holder.stdin is not None:
            # Full: it has news enough.  Broken: it has ended since, and is replaced the next time.
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._holder.stdin.fileno(), _LOOK)

    def _start(self) -> None:
        try:
            self._holder = subprocess.Popen(self._command, stdin=subprocess.PIPE)
        except OSError as error:
            log.info("an ovs-vswitchd with many ports will end slowly: nobody holds its sockets: %s", error)
            return
        assert self._holder.stdin is not None
        os.set_blocking(self._holder.stdin.fileno(), False)
