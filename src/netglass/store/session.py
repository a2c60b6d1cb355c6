"""A connection to the database that is kept open, made anew when lost, and clear about what became of a commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from netglass.base.errors import NetglassError
from netglass.store.dialect import was_lost, words_of

T = TypeVar("T")


class Lost(NetglassError):
    """The database was lost before the commit: nothing of the transaction happened.  The message has its words.

    connected  a connection broke; else none could be made
    """

    def __init__(self, words: str, *, connected: bool) -> None:
        super().__init__(words)
        self.connected = connected


class Doubtful(NetglassError):
    """The database was lost during the commit: whether the transaction happened, only the database knows."""


class Session:
    """A connection that one thread at a time uses.

    engine  decides what kind its transactions are (``dialect.writing``, ``dialect.reading``)
    made    is shown each new connection before anything else is
    """

    def __init__(self, engine: Engine, made: Callable[[Connection], None] | None = None) -> None:
        self._engine = engine
        self._made = made
        self._kept: Connection | None = None

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction and gives what it gives; whatever it has not committed is rolled back.

        work  commits by `commit`; is run once more on a new connection when the first one breaks

        Raises Lost, Doubtful, and whatever else `work` raises.
        """
        try:
            return self._once(work)
        except Lost as error:
            if not error.connected:
                raise
        return self._once(work)

    def commit(self, connection: Connection) -> None:
        """Makes durable what `work` did.  Raises Doubtful when the connection breaks in that moment."""
        try:
            connection.commit()
        except DBAPIError as error:
            if not was_lost(error):
                raise
            self.close()
            raise Doubtful(words_of(error)) from None

    def close(self) -> None:
        """Ends the connection; the next `run` makes another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            connection, is_new = self._kept or self._engine.connect(), self._kept is None
        except DBAPIError as error:
            raise Lost(words_of(error), connected=False) from None
        self._kept = connection
        try:
            if is_new and self._made is not None:
                self._made(connection)
            return work(connection)
        except DBAPIError as error:
            if not was_lost(error):
                raise
            self.close()
            raise Lost(words_of(error), connected=True) from None
        finally:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        if connection is not self._kept:
            return
        try:
            connection.rollback()
        except DBAPIError:
            self.close()
