"""One server among several: it keeps up with what the others commit, and knows when the database is lost."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from netglass.base.errors import Unavailable
from netglass.store import dialect
from netglass.store.head import Head
from netglass.store.notices import Committed, Notice, decode
from netglass.store.session import Lost, Session
from netglass.store.watch import Watch
from netglass.store.worker import Worker

_LOOK_S = 6.0
"""How long a request waits to know what others have committed."""

_SILENT_S = 3.0
"""How long the database may owe an answer before requests are refused at once.  Opening a connection counts, too."""

_log = logging.getLogger("netglass.store")


class Listener(Protocol):
    """Who wants to know what other servers do; told on the reader's thread."""

    def heard(self, notice: Notice) -> None:
        """Another server did something."""

    def found(self) -> None:
        """Whatever other servers did until now may not have been heard of."""


class Others:
    """The other servers, as far as this one must know of them.

    server_id  names this server to the others, for as long as it runs
    lost       why the database cannot be reached; empty while it can
    """

    def __init__(self, engine: Engine, head: Head, server_id: str) -> None:
        self.server_id = server_id
        self.lost = ""
        self._lost_at = 0.0
        self._name = dialect.name_of(engine)
        self._head = head
        self._listeners: tuple[Listener, ...] = ()
        self._reader = Worker("store-reader")
        self._reads = Session(engine.execution_options(isolation_level="AUTOCOMMIT"), head.compare)
        self._looking = threading.Lock()
        self._next_look: Future[None] | None = None
        self._watch = Watch(engine, self)

    def listen(self, listener: Listener) -> None:
        """Has `listener` told, until the end."""
        self._listeners = (*self._listeners, listener)

    async def caught_up(self) -> None:
        """Waits until the snapshot holds all that was committed, by whichever server, before this was called.

        Raises Unavailable when the database cannot be reached.
        """
        self.check()
        looked = asyncio.wrap_future(self._look())
        done, _ = await asyncio.wait([looked], timeout=_LOOK_S)
        if not done:
            raise self.unreachable(f"no answer within {_LOOK_S:g} seconds")
        looked.result()

    @property
    def reachable(self) -> bool:
        """Says whether `check` would pass."""
        return not self.lost and self._watch.unanswered_s <= _SILENT_S

    def check(self) -> None:
        """Raises Unavailable while the database is known to be lost, so that nobody has to find out again."""
        if self.lost:
            raise self.unreachable(self.lost)
        silent_s = self._watch.unanswered_s
        if silent_s > _SILENT_S:
            raise self.unreachable(f"it has been asked something {silent_s:.1f} s ago and does not answer")

    def unreachable(self, why: str) -> Unavailable:
        """Gives the fault of a request that met a lost database."""
        return Unavailable(f"{self._name} cannot be reached: {why}; nothing changed.", fault="DBConnectionError")

    def close(self) -> None:
        """Ends both threads and their connections."""
        self._watch.close()
        self._reader.close()
        self._reads.close()

    # --- told by the watch, or by whoever meets a broken connection

    def heard(self, message: str) -> None:
        """Takes in what a server said."""
        notice = decode(message)
        if notice is None or notice.server == self.server_id:
            return
        if isinstance(notice, Committed):
            if notice.revision > self._head.snapshot.revision:
                self._look()
            return
        for listener in self._listeners:
            self._reader.submit(partial(self._told, listener, notice))

    def found(self) -> None:
        """Takes up everything, once the database is there (again)."""
        self._reader.submit(self._regain)

    def silent(self) -> None:
        """Takes in that the database is there, and looks whether a notice got lost."""
        if self.lost:
            self._reader.submit(self._regain)
        else:
            self._look()

    def gone(self, why: str) -> None:
        """Takes in that the database cannot be reached: requests are refused until the watch has found it again."""
        if not self.lost:
            self._lost_at = time.monotonic()
            _log.warning("%s cannot be reached: %s", self._name, why)
        self.lost = why or "it does not say why"

    # --- the reader's thread

    def _told(self, listener: Listener, notice: Notice) -> None:
        try:
            listener.heard(notice)
        except Unavailable as error:  # it hears of everything once the database is found
            _log.info("what other servers did was not taken in: %s", error.message)

    def _regain(self) -> None:
        # Nothing is decided or answered before all of it is known: hosts that were heard of meanwhile, too.
        try:
            self._catch_up()
            for listener in self._listeners:
                listener.found()
        except Unavailable:
            return  # the watch tries again
        if self.lost:
            _log.warning("%s is there again, after %.1f s", self._name, time.monotonic() - self._lost_at)
            self.lost = ""

    def _look(self) -> Future[None]:
        """Has the head catch up; gives what ends once it holds all that was committed before this call."""
        with self._looking:
            if self._next_look is None:
                self._next_look = self._reader.submit(self._catch_up)
            return self._next_look

    def _catch_up(self) -> None:
        with self._looking:
            self._next_look = None  # who comes from here on needs a look of their own: this one may miss theirs
        try:
            self._reads.run(self._head.catch_up)
        except Lost as error:
            self.gone(str(error))
            raise self.unreachable(str(error)) from None
        except SQLAlchemyError as error:
            _log.error("%s: reading what others committed failed: %s", self._name, dialect.words_of(error))
            raise self.unreachable(dialect.words_of(error)) from None
