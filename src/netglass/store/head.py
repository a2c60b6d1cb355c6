"""The newest intent in memory: how it follows the database, and who is told when it moves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from netglass.base.errors import Gone
from netglass.model.changes import Change
from netglass.model.resources import ROW_TYPES, Row
from netglass.model.snapshot import Snapshot
from netglass.store import constants, dialect, rows

_log = logging.getLogger("netglass.store")


@dataclass(frozen=True)
class Commit:
    """One step of intent from a revision to the next, as subscribers are told of it.

    before    intent as it was
    after     intent as it is at `revision`
    store_id  names the history that `revision` counts in
    """

    revision: int
    changes: tuple[Change, ...]
    before: Snapshot
    after: Snapshot
    store_id: str

    @property
    def went_back(self) -> bool:
        """Says whether the database was put back to an older state: then revisions from before mean nothing now."""
        return self.revision <= self.before.revision


class Head:
    """The newest snapshot of one server; all methods may be called from any thread.

    store_id  names the history that revisions count in; another one when the database was put back
    """

    def __init__(self, connection: Connection) -> None:
        self.store_id = constants.store_id(connection)
        self.snapshot = rows.load_snapshot(connection)
        self._mark = rows.mark_of(connection, self.snapshot.revision)
        self._moving = threading.RLock()
        self._subscribing = threading.Lock()
        self._subscribers: tuple[Callable[[Commit], None], ...] = ()

    def subscribe(self, callback: Callable[[Commit], None]) -> Callable[[], None]:
        """Has `callback` called with each commit, in order; gives the way to stop it."""
        with self._subscribing:
            self._subscribers = (*self._subscribers, callback)

        def stop() -> None:
            with self._subscribing:
                self._subscribers = tuple(c for c in self._subscribers if c is not callback)

        return stop

    def advance(self, entry: rows.LogEntry, after: Snapshot) -> None:
        """Moves on to what this server has committed, unless it was read back from the database already."""
        with self._moving:
            if entry.revision == self.snapshot.revision + 1:
                self._move(entry.changes, after, entry.mark)

    def catch_up(self, connection: Connection, place: rows.Place | None = None) -> None:
        """Takes up all that is committed, by whichever server.

        place  how far that is; None: it is asked
        """
        with self._moving:
            revision, store_id = place or rows.where_it_is(connection)
            if store_id != self.store_id or revision < self.snapshot.revision:
                self.compare(connection)
            if revision <= self.snapshot.revision:
                return
            try:
                entries = rows.read_log(connection, self.snapshot.revision)
            except Gone:  # this server was away for longer than the log reaches back
                self._read_anew(connection)
                return
            for entry in entries:
                after = self.snapshot.apply(entry.changes, entry.revision)
                self._move(entry.changes, after, entry.mark)

    def compare(self, connection: Connection) -> None:
        """Makes sure that the database still holds the history that this server knows; to be asked by each new session.

        A database that was put back (restored from a backup, or failed over to a standby that lagged) is read anew,
        and gets another `store_id`, by which agents know that their revisions are not those of this history.
        """
        with self._moving:
            store_id = constants.store_id(connection)
            if self._is_held(connection):
                self.store_id = store_id  # another one, when another server knew more than this one does
                return
            if store_id == self.store_id:
                store_id = constants.change_store_id(connection.engine, store_id)
            known = self.snapshot.revision
            self.store_id = store_id
            self._read_anew(connection)
            _log.error(
                "the database was put back: it is at revision %d now, and does not hold revision %d as this server "
                "knew it; what was committed in between is lost, and every agent lists anew as of store %s",
                self.snapshot.revision,
                known,
                store_id,
            )

    def _is_held(self, connection: Connection) -> bool:
        known = self.snapshot.revision
        if rows.newest_revision(connection) < known:
            return False
        # In this order: what compaction takes after the first look, the second one shows.
        return rows.mark_of(connection, known) == self._mark or rows.compacted_revision(connection) >= known

    def _read_anew(self, connection: Connection) -> None:
        with dialect.reading(connection.engine).connect() as moment:
            before, after = self.snapshot, rows.load_snapshot(moment)
            mark = rows.mark_of(moment, after.revision)
        self._move(_difference(before, after), after, mark)

    def _move(self, changes: tuple[Change, ...], after: Snapshot, mark: rows.Mark | None) -> None:
        commit = Commit(after.revision, changes, self.snapshot, after, self.store_id)
        self.snapshot = after
        self._mark = mark
        for callback in self._subscribers:
            callback(commit)


def _difference(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    found: list[Change] = []
    for row_type in ROW_TYPES:
        old: dict[str, Row] = {row.id: row for row in before.all(row_type)}
        new: dict[str, Row] = {row.id: row for row in after.all(row_type)}
        for row_id in sorted(old.keys() | new.keys()):
            if old.get(row_id) != new.get(row_id):
                found.append(Change(row_type.kind, row_id, old.get(row_id), new.get(row_id)))
    return tuple(found)
