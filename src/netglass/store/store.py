"""Intent on disk and in memory: one commit at a time, durable, each with the next revision.

The newest snapshot is held in memory.  A commit takes its turn: it locks the one row that counts revisions, and so
keeps out every other server.  Then it reads what others have committed meanwhile, decides on the newest snapshot,
writes, and lets go by committing.  So each decision was taken on exactly the state that it changed, revisions have no
gaps, and no lock in Python protects anything but this process's own memory.

Over PostgreSQL there may be several servers.  What one commits wakes the others, and who asks `caught_up` first never
reads less than was committed anywhere before that.

Source: decisions 0001 (intent is documents) and 0012 (commits take turns).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from netglass.base.errors import Bug, OutcomeUnknown, Unavailable
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot
from netglass.store import dialect, rows
from netglass.store.attempt import Attempt, Committed, Decide, Deciding
from netglass.store.head import Commit, Head
from netglass.store.migrate import migrate
from netglass.store.others import Listener, Others
from netglass.store.session import Doubtful, Lost, Session
from netglass.store.worker import Worker

T = TypeVar("T")

_COMPACT_SLICE = 2000
"""Revisions whose log is deleted in one transaction: some 20 ms."""

_PATIENCE_S = 20.0
"""How long a request waits for its commit."""

_SETTLE_S = 10.0
"""How long the database is asked what became of a commit that it was lost in."""

_log = logging.getLogger("netglass.store")


class Store:
    """Intent: `snapshot` to read, `commit` to change.  Made by `open`; all methods may be called from any thread.

    server_id  names this server to others over the same database, for as long as it runs
    """

    def __init__(self, engine: Engine, head: Head) -> None:
        self.server_id = uuid4().hex
        self._engine = engine
        self._name = dialect.name_of(engine)
        self._head = head
        self._closing = threading.Event()
        shared = dialect.is_shared(engine)
        self._others = Others(engine, head, self.server_id) if shared else None
        self._writes = Session(dialect.writing(engine), head.compare if shared else None)
        self._writer = Worker("store-writer")

    @staticmethod
    def open(url: str) -> Store:
        """Opens a database, brings its schema up to date, and reads all of intent.

        url  SQLAlchemy's: ``sqlite:////var/lib/netglass/netglass.db``, whose directory must exist, or
             ``postgresql://user@host/database``, whose database must

        Raises Invalid for a URL that cannot be used, Unavailable when the database cannot be reached.
        """
        engine = dialect.open_engine(url)
        try:
            migrate(engine)
            with dialect.reading(engine).connect() as connection:
                head = Head(connection)
        except SQLAlchemyError as error:
            engine.dispose()
            message = f"{dialect.name_of(engine)} cannot be used: {dialect.words_of(error)}."
            raise Unavailable(message, fault="DBConnectionError") from None
        return Store(engine, head)

    @property
    def snapshot(self) -> Snapshot:
        """Gives the newest intent that is known here; immutable, so it may be held as long as wanted."""
        return self._head.snapshot

    @property
    def store_id(self) -> str:
        """Gives the id of the history that revisions count in; another database has another."""
        return self._head.store_id

    @property
    def shared(self) -> bool:
        """Says whether other servers may be at work on the same database."""
        return self._others is not None

    @property
    def lost(self) -> bool:
        """Says whether the database is known to be lost."""
        return self._others is not None and bool(self._others.lost)

    @property
    def reachable(self) -> bool:
        """Says whether the database is neither lost nor silent since it was last asked something, seconds ago."""
        return self._others is None or self._others.reachable

    def commit(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        """Takes a decision on the newest intent and makes it durable; waits until it is on the disk.

        decide  may be called more than once, each time with a new draft; runs on the store's own thread

        Raises whatever `decide` raises, with nothing changed.
        Raises Unavailable     the database failed; nothing changed
               OutcomeUnknown  the database was lost in the middle of it, and does not come back
               Bug             the decision claimed what another object holds: it did not look at the snapshot
        """
        return self._submit(partial(self._commit, decide, caller)).result()

    async def commit_async(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        """Does as `commit` while the event loop goes on, for `_PATIENCE_S` seconds at most."""
        future = self._submit(partial(self._commit, decide, caller))
        waiting = asyncio.wrap_future(future)
        try:
            done, _ = await asyncio.wait([waiting], timeout=_PATIENCE_S)
        except asyncio.CancelledError:
            future.cancel()
            raise
        if done:
            return waiting.result()
        if future.cancel():  # it was never begun
            message = f"{self._name} is too slow: a commit waited {_PATIENCE_S:g} seconds in vain; nothing changed."
            raise Unavailable(message, fault="DBError")
        raise self._unknown(f"it does not answer within {_PATIENCE_S:g} seconds")

    async def caught_up(self) -> None:
        """Waits until the snapshot holds all that was committed, by whichever server, before this was called.

        So a client reads through one server what it wrote through another.  Costs nothing where there is one only.
        Raises Unavailable when the database cannot be reached.
        """
        if self._others is not None:
            await self._others.caught_up()

    def subscribe(self, callback: Callable[[Commit], None]) -> Callable[[], None]:
        """Has `callback` called with each commit, in order and before its caller is answered; gives the way to stop it.

        callback  runs on the store's threads, so it must be quick and must not raise
        """
        return self._head.subscribe(callback)

    def listen(self, listener: Listener) -> None:
        """Has `listener` told what other servers do, for as long as the store is open."""
        if self._others is not None:
            self._others.listen(listener)

    def changes_since(self, revision: int) -> list[rows.LogEntry]:
        """Gives the commits after `revision`, in order; raises Gone when the log no longer reaches back to it."""
        return self.read(partial(rows.read_log, since=revision))

    def snapshot_at(self, revision: int) -> Snapshot:
        """Gives intent as it was at `revision`; raises Gone when the log no longer reaches back to it.

        A revision that was not reached yet gives the newest intent.
        """
        # The log is read after the snapshot is taken, so it holds all that the snapshot does, and may hold more.
        newest = self.snapshot
        entries = [entry for entry in self.changes_since(revision) if entry.revision <= newest.revision]
        return newest.apply(rows.undo(entries), min(revision, newest.revision))

    def compact(self, keep: int) -> None:
        """Drops the log but for the newest `keep` revisions; intent itself is not touched.

        Goes in slices, so that a commit never waits for more than one of them.
        """
        target = self.snapshot.revision - keep
        reached = self.read(rows.compacted_revision)
        while reached < target:
            reached = min(reached + _COMPACT_SLICE, target)
            self.write(partial(rows.compact_log, through=reached)).result()

    def write(self, function: Callable[[Connection], T]) -> Future[T]:
        """Runs `function` with a connection in a transaction of its own, between commits; for what is not intent.

        function  is run once more when the connection breaks

        The future raises Unavailable when the database fails.
        """

        def work(connection: Connection) -> T:
            result = function(connection)
            self._writes.commit(connection)
            return result

        return self._submit(lambda: self._guarded(partial(self._writes.run, work)))

    def read(self, function: Callable[[Connection], T]) -> T:
        """Runs `function` with a connection, now and on the caller's thread; all it reads is of one moment.

        Raises Unavailable when the database fails.
        """

        def run() -> T:
            with dialect.reading(self._engine).connect() as connection:
                return function(connection)

        return self._guarded(run)

    def close(self) -> None:
        """Finishes what was asked for before, and closes the database; further commits raise Unavailable."""
        self._closing.set()
        if not self._writer.close():
            return
        if self._others is not None:
            self._others.close()
        self._writes.close()
        self._engine.dispose()

    # --- the writer's thread

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        if self._others is not None:
            self._others.check()
        return self._writer.submit(work)

    def _commit(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        attempt = Attempt(Deciding(decide, caller, self.server_id), self._head, self._writes)

        def run() -> Committed[T]:
            try:
                return self._writes.run(attempt.run)
            except IntegrityError:
                raise Bug(f"A decision claimed what is taken: {self._taken(attempt.entry)}.") from None
            except Doubtful as doubt:
                return self._settle(attempt, str(doubt))

        return self._guarded(run)

    def _settle(self, attempt: Attempt[T], why: str) -> Committed[T]:
        end = time.monotonic() + _SETTLE_S
        while True:
            try:
                return self._writes.run(attempt.settle)
            except (Lost, Doubtful) as error:
                self._gone(str(error))
                if time.monotonic() > end or self._closing.wait(0.1):
                    raise self._unknown(why) from None

    def _taken(self, entry: rows.LogEntry | None) -> str:
        return self._writes.run(lambda connection: rows.taken_by_others(connection, entry)) if entry else ""

    def _guarded(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except Lost as error:
            self._gone(str(error))
            message = f"{self._name} cannot be reached: {error}; nothing changed."
            raise Unavailable(message, fault="DBConnectionError") from None
        except Doubtful as error:
            self._gone(str(error))
            raise self._unknown(str(error)) from None
        except SQLAlchemyError as error:
            # Only the driver's own words: SQLAlchemy's hold the statement's values, and those may be secret.
            why = dialect.words_of(error)
            _log.error("%s failed: %s", self._name, why)
            raise Unavailable(f"{self._name} failed: {why}; nothing changed.", fault="DBError") from None

    def _gone(self, why: str) -> None:
        if self._others is not None:
            self._others.gone(why)

    def _unknown(self, why: str) -> OutcomeUnknown:
        message = f"{self._name} was lost in the middle of a commit: {why}. It may have been made or not: look."
        return OutcomeUnknown(message, fault="DBOutcomeUnknown")
