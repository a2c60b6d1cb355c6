"""Intent on disk and in memory: one writer, durable commits, one growing revision.

The newest snapshot is held in memory.  A decision is taken on it by the writer's thread, and what it changed is
written in one transaction whose last statement takes the next revision.  When that is not the one expected, another
server has committed in between: the transaction is rolled back, the others' commits are read from the log, and the
decision is taken again on the newer snapshot.  So every commit was decided on exactly the state that it changed, and
no lock in Python protects anything but this process's own memory.

Source: decision 0001 (intent is documents).
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from netglass.base.errors import Bug, Unavailable
from netglass.base.fresh import Fresh
from netglass.model.caller import Caller
from netglass.model.changes import Change
from netglass.model.draft import Draft
from netglass.model.snapshot import Snapshot
from netglass.store import rows
from netglass.store.dialect import open_engine
from netglass.store.migrate import migrate

T = TypeVar("T")

Decide = Callable[[Draft, Fresh], T]

_COMPACT_SLICE = 2000
"""Revisions whose log is deleted in one transaction: some 20 ms."""

_log = logging.getLogger("netglass.store")


@dataclass(frozen=True)
class Commit:
    """One step of intent from a revision to the next, as subscribers are told of it.

    before   intent as it was
    after    intent as it is at `revision`
    """

    revision: int
    changes: tuple[Change, ...]
    before: Snapshot
    after: Snapshot


@dataclass(frozen=True)
class Committed(Generic[T]):
    """What became of a decision.

    result    what the decision gave
    snapshot  intent right after it, with nothing of later commits
    changes   empty when the decision changed nothing: then nothing was written, and no revision taken
    revision  that of `snapshot`
    """

    result: T
    snapshot: Snapshot
    changes: tuple[Change, ...]
    revision: int


class Store:
    """Intent: `snapshot` to read, `commit` to change.  Made by `open`; all methods may be called from any thread."""

    def __init__(self, engine: Engine, snapshot: Snapshot) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._subscribers: tuple[Callable[[Commit], None], ...] = ()
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()  # orders `close` after every job that was let in
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._writer.start()

    @staticmethod
    def open(url: str) -> Store:
        """Opens a database, brings its schema up to date, and reads all of intent.

        url  SQLAlchemy's, such as ``sqlite:////var/lib/netglass/netglass.db``; the directory must exist
        """
        engine = open_engine(url)
        migrate(engine)
        with engine.connect() as connection:
            snapshot = rows.load_snapshot(connection)
        return Store(engine, snapshot)

    @property
    def snapshot(self) -> Snapshot:
        """Gives the newest intent; immutable, so it may be held as long as wanted."""
        return self._snapshot

    def commit(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        """Takes a decision on the newest intent and makes it durable; waits until it is on the disk.

        decide  may be called more than once, each time with a new draft; runs on the store's own thread

        Raises whatever `decide` raises, with nothing changed.
        Raises Unavailable   the database failed; nothing of it is seen by this server
               Bug           the decision claimed what another object holds: it did not look at the snapshot
        """
        return self._submit(partial(self._commit, decide, caller)).result()

    async def commit_async(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        """Does as `commit` while the event loop goes on."""
        return await asyncio.wrap_future(self._submit(partial(self._commit, decide, caller)))

    def subscribe(self, callback: Callable[[Commit], None]) -> Callable[[], None]:
        """Has `callback` called with each commit, in order and before its caller is answered; gives the way to stop it.

        callback  runs on the store's thread, so it must be quick and must not raise
        """
        with self._closing:
            self._subscribers = (*self._subscribers, callback)

        def stop() -> None:
            with self._closing:
                self._subscribers = tuple(c for c in self._subscribers if c is not callback)

        return stop

    def changes_since(self, revision: int) -> list[rows.LogEntry]:
        """Gives the commits after `revision`, in order; raises Gone when the log no longer reaches back to it."""
        with self._engine.connect() as connection:
            return rows.read_log(connection, revision)

    def snapshot_at(self, revision: int) -> Snapshot:
        """Gives intent as it was at `revision`; raises Gone when the log no longer reaches back to it.

        A revision that was not reached yet gives the newest intent.
        """
        # The log is read after the snapshot is taken, so it holds all that the snapshot does, and may hold more.
        newest = self._snapshot
        entries = [entry for entry in self.changes_since(revision) if entry.revision <= newest.revision]
        return newest.apply(rows.undo(entries), min(revision, newest.revision))

    def compact(self, keep: int) -> None:
        """Drops the log but for the newest `keep` revisions; intent itself is not touched.

        Goes in slices, so that a commit never waits for more than one of them.
        """
        target = self._snapshot.revision - keep
        reached = self.read(rows.compacted_revision)
        while reached < target:
            reached = min(reached + _COMPACT_SLICE, target)
            self.write(partial(rows.compact_log, through=reached)).result()

    def write(self, function: Callable[[Any], T]) -> Future[T]:
        """Runs `function` with a connection in a transaction of its own, between commits; for what is not intent."""

        def work() -> T:
            with self._engine.begin() as connection:
                return function(connection)

        return self._submit(work)

    def read(self, function: Callable[[Any], T]) -> T:
        """Runs `function` with a connection, now and on the caller's thread."""
        with self._engine.connect() as connection:
            return function(connection)

    def close(self) -> None:
        """Finishes what was asked for before, and closes the database; further commits raise Unavailable."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._work.put(None)
        self._writer.join()
        self._engine.dispose()

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise Unavailable("The server is shutting down; ask again later.", fault="ServiceUnavailable")
            self._work.put((work, future))
        return future

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            work, future = job
            if not future.set_running_or_notify_cancel():
                continue  # whoever asked has gone before it was begun
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

    def _commit(self, decide: Decide[T], caller: Caller) -> Committed[T]:
        while True:
            before = self._snapshot
            draft = Draft(before)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            result = decide(draft, Fresh(now, os.urandom))
            changes = draft.changes()
            if not changes:
                return Committed(result, before, (), before.revision)
            entry = rows.entry_of(caller, now, before.revision + 1, changes)
            if self._write(entry):
                after = draft.now.apply((), entry.revision)
                self._advance(Commit(entry.revision, changes, before, after))
                return Committed(result, after, changes, entry.revision)

    def _write(self, entry: rows.LogEntry) -> bool:
        """Writes a commit; False when another server was faster, and its commits have been taken up."""
        try:
            with self._engine.connect() as connection:
                if rows.write_commit(connection, entry) == entry.revision:
                    connection.commit()
                    return True
        except IntegrityError:
            if not self._catch_up():
                raise Bug(f"A decision claimed what is taken: {self._taken(entry)}.") from None
        except SQLAlchemyError as error:
            # Only the driver's own words: SQLAlchemy's hold the statement's values, and those may be secret.
            _log.error("commit of revision %d failed: %s", entry.revision, getattr(error, "orig", type(error).__name__))
            raise Unavailable("The database cannot be written to; nothing changed.", fault="DBError") from None
        else:
            self._catch_up()
        return False

    def _taken(self, entry: rows.LogEntry) -> str:
        with self._engine.connect() as connection:
            return rows.taken_by_others(connection, entry)

    def _catch_up(self) -> bool:
        """Takes up what other servers committed; says whether there was anything."""
        with self._engine.connect() as connection:
            entries = rows.read_log(connection, self._snapshot.revision)
        for entry in entries:
            before = self._snapshot
            after = before.apply(entry.changes, entry.revision)
            self._advance(Commit(entry.revision, entry.changes, before, after))
        return bool(entries)

    def _advance(self, commit: Commit) -> None:
        self._snapshot = commit.after
        for callback in self._subscribers:
            callback(commit)
