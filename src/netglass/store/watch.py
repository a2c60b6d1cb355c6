"""Hears what other servers did, notices when the database is lost, and finds it again.  PostgreSQL only.

A thread keeps a connection that LISTENs.  Whatever it hears, and every second of silence, has the server catch up, so
that a notice that got lost delays things and breaks nothing.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from netglass.store.dialect import CHANNEL, words_of

PING_S = 1.0
"""Seconds of silence after which the connection is tried."""

_RETRY_S = 0.25
_END_S = 5.0


class Listener(Protocol):
    """Who is told; all of it on the watch's own thread."""

    def found(self) -> None:
        """The database is there (again): whatever happened before has not been heard of."""

    def heard(self, message: str) -> None:
        """A server said something."""

    def silent(self) -> None:
        """Nothing was said for `PING_S` seconds, and the database is there."""

    def gone(self, why: str) -> None:
        """The database cannot be reached."""


class Watch:
    """The thread; begins at once, ends with `close`."""

    def __init__(self, engine: Engine, listener: Listener) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._listener = listener
        self._bell, self._rope = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closed = threading.Event()
        self._asked_at: float | None = None
        self._is_listening = False
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._thread.start()

    @property
    def unanswered_s(self) -> float:
        """Gives for how long the database has been silent after it was asked something; 0.0 when it owes no answer."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def close(self) -> None:
        """Ends the thread and its connection."""
        self._closed.set()
        os.write(self._rope, b".")
        self._thread.join(_END_S)
        if not self._thread.is_alive():  # else it waits for a database that does not answer, and ends with the process
            os.close(self._rope)
            os.close(self._bell)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._asked_at = time.monotonic()
            try:
                with self._engine.connect() as connection:
                    self._guarded(self._listen, connection)
            except DBAPIError as error:
                if self._is_listening:  # a connection that ends may be all that happened: at once a new one
                    self._is_listening = False
                    continue
                self._listener.gone(words_of(error))
                self._closed.wait(_RETRY_S)

    def _guarded(self, listen: Callable[[Connection], None], connection: Connection) -> None:
        # The driver is asked past SQLAlchemy, so its errors come without SQLAlchemy's wrapping.
        driver_error = connection.dialect.loaded_dbapi.Error
        try:
            listen(connection)
        except driver_error as error:
            connection.invalidate()
            raise DBAPIError("LISTEN", None, error) from error

    def _listen(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"LISTEN {CHANNEL}")
        self._asked_at, self._is_listening = None, True
        self._listener.found()
        either = select.poll()
        either.register(driver.fileno(), select.POLLIN)
        either.register(self._bell, select.POLLIN)
        while not self._closed.is_set():
            if not either.poll(PING_S * 1000):
                self._asked_at = time.monotonic()
                driver.execute("SELECT 1")
                self._asked_at = None
                self._listener.silent()
            for notice in driver.notifies(timeout=0):
                self._listener.heard(notice.payload)
