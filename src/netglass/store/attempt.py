"""One commit on its way: decided, written, and settled when the database was lost in the middle of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection

from netglass.base.fresh import Fresh
from netglass.model.caller import Caller
from netglass.model.changes import Change
from netglass.model.draft import Draft
from netglass.model.snapshot import Snapshot
from netglass.store import notices, rows
from netglass.store.head import Head
from netglass.store.notices import encode
from netglass.store.session import Session

T = TypeVar("T")

Decide = Callable[[Draft, Fresh], T]


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


@dataclass(frozen=True)
class Deciding(Generic[T]):
    """Who wants what decided."""

    decide: Decide[T]
    caller: Caller
    server: str


class Attempt(Generic[T]):
    """A decision until it is committed; used on the writer's thread.

    entry  what was written last; None before
    """

    def __init__(self, deciding: Deciding[T], head: Head, session: Session) -> None:
        self._deciding = deciding
        self._head = head
        self._session = session
        self._written: Committed[T] | None = None
        self.entry: rows.LogEntry | None = None

    def run(self, connection: Connection) -> Committed[T]:
        """Takes its turn, decides on the newest intent, writes and commits.

        Raises what the decision raises; Doubtful; IntegrityError when it claimed what is taken.
        """
        self._head.catch_up(connection, rows.take_turn(connection))
        before = self._head.snapshot
        draft = Draft(before)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        result = self._deciding.decide(draft, Fresh(now, os.urandom))
        changes = draft.changes()
        if not changes:
            return Committed(result, before, (), before.revision)
        entry = rows.entry_of(self._deciding.caller, now, before.revision + 1, changes)
        self.entry, self._written = (
            entry,
            Committed(result, draft.now.apply((), entry.revision), changes, entry.revision),
        )
        rows.write_commit(connection, entry, encode(notices.Committed(self._deciding.server, entry.revision)))
        self._session.commit(connection)
        return self._done(entry, self._written)

    def settle(self, connection: Connection) -> Committed[T]:
        """Finds out what became of a commit that was doubtful, and makes it anew if it was lost."""
        # Had the database not been through with it yet, it would still hold the turn.
        self._head.catch_up(connection, rows.take_turn(connection))
        if self.entry is not None and self._written is not None:
            found = rows.read_log(connection, self.entry.revision - 1)
            if found and found[0] == self.entry:
                return self._done(self.entry, self._written)
        return self.run(connection)

    def _done(self, entry: rows.LogEntry, written: Committed[T]) -> Committed[T]:
        self._head.advance(entry, written.snapshot)
        return written
