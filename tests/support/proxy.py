"""What lies between a server and its PostgreSQL, and can be cut at any moment."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

_PORT = 5432
_COMMIT = b"COMMIT\0"


class Proxy:
    """A socket that leads to a cluster's socket, until it is told otherwise.

    lose_commit  the next COMMIT is not passed on, and its connection broken
    lose_answer  the next COMMIT is passed on, and its connection broken before the answer
    refuse       new connections are broken at once
    """

    def __init__(self, directory: Path, cluster_directory: str) -> None:
        self.directory = directory
        self.lose_commit = False
        self.lose_answer = False
        self._target = f"{cluster_directory}/.s.PGSQL.{_PORT}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.refuse = False
        self._passing = threading.Event()
        self._passing.set()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / f".s.PGSQL.{_PORT}"))
        self._listening.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Breaks every connection, and every new one at once."""
        self.refuse = True
        with self._lock:
            there, self._open = self._open, set()
        for end in there:
            _end(end)

    def silence(self) -> None:
        """Loses everything from now on, in open connections and in new ones."""
        self._passing.clear()

    def heal(self) -> None:
        self.refuse = False
        self._passing.set()

    def close(self) -> None:
        self.cut()
        self._passing.set()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self.refuse:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                try:
                    far.connect(self._target)
                except OSError:
                    near.close()
                    continue
                with self._lock:
                    self._open |= {near, far}
                threading.Thread(target=self._pass_on, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, to_database: bool) -> None:
        with suppress(OSError):
            while passed := source.recv(1 << 16):
                self._passing.wait()
                if to_database and _COMMIT in passed and self.lose_commit:
                    self.lose_commit = False
                    break
                if to_database and _COMMIT in passed and self.lose_answer:
                    self.lose_answer = False
                    _end(source)  # before the database can answer
                    sink.sendall(passed)
                    continue
                sink.sendall(passed)
        if not to_database or source.fileno() < 0:
            return
        for end in (source, sink):
            _end(end)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
