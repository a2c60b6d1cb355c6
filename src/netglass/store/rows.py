"""Rows of intent to and from the store's tables: the only place that reads and writes SQL for intent.

Called by ``store.store`` only, which decides when.  Never logs a row: rows hold password hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from netglass.base.errors import Bug, Gone
from netglass.model.caller import Caller
from netglass.model.changes import Change, decode_row, encode_row
from netglass.model.claims import claims
from netglass.model.snapshot import Snapshot
from netglass.store import dialect, schema

Mark = tuple[str, str, str, str, str]


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One commit as the change log keeps it.

    at  when it was decided, RFC 3339 in UTC
    """

    revision: int
    at: str
    request_id: str
    user_id: str
    project_id: str
    changes: tuple[Change, ...]

    @property
    def mark(self) -> Mark:
        """Gives what tells this commit from another one of the same revision in another history."""
        first = self.changes[0]
        return self.at, self.request_id, self.user_id, first.kind, first.id


class Place(NamedTuple):
    """The newest revision, and the id of the history that it counts in."""

    revision: int
    store_id: str


STORE_ID = "store_id"
"""Name of the constant that holds it."""

_HISTORY = select(schema.constants.c.value).where(schema.constants.c.name == STORE_ID).scalar_subquery()
_PLACE = select(schema.counter.c.revision, _HISTORY)
_TURN = _PLACE.with_for_update(of=schema.counter)
_INSERT_OBJECT = insert(schema.objects)
_UPDATE_OBJECT = (
    update(schema.objects)
    .where(schema.objects.c.kind == bindparam("of_kind"), schema.objects.c.id == bindparam("of_id"))
    .values(project_id=bindparam("project_id"), revision=bindparam("revision"), body=bindparam("body"))
)
_DELETE_OBJECT = delete(schema.objects).where(
    schema.objects.c.kind == bindparam("of_kind"), schema.objects.c.id == bindparam("of_id")
)
_INSERT_CLAIM = insert(schema.claims)
_DELETE_CLAIM = delete(schema.claims).where(
    schema.claims.c.scope == bindparam("of_scope"), schema.claims.c.key == bindparam("of_key")
)
_INSERT_LOG = insert(schema.log)
_TAKE_REVISION = update(schema.counter).values(revision=schema.counter.c.revision + 1)


def load_snapshot(connection: Connection) -> Snapshot:
    """Reads all intent as of one revision; the transaction must be one that reads of one moment."""
    revision = newest_revision(connection)
    found = connection.execute(select(schema.objects.c.kind, schema.objects.c.body))
    return Snapshot.of((decode_row(kind, body) for kind, body in found), revision)


def where_it_is(connection: Connection) -> Place:
    """Reads how far intent has come."""
    return _place(connection, _PLACE)


def take_turn(connection: Connection) -> Place:
    """Waits until no server is committing, keeps all others out until this transaction ends, and says how far it is."""
    # With SQLite the transaction's beginning has done that, and FOR UPDATE says nothing.
    return _place(connection, _TURN)


def _place(connection: Connection, query: Any) -> Place:
    revision, store_id = connection.execute(query).one()
    return Place(int(revision), str(store_id))


def newest_revision(connection: Connection) -> int:
    """Reads the number of the last commit."""
    return int(connection.execute(select(schema.counter.c.revision)).scalar_one())


def compacted_revision(connection: Connection) -> int:
    """Reads up to which revision the log is compacted away; 0 when all of it is there."""
    return int(connection.execute(select(schema.counter.c.compacted)).scalar_one())


def write_commit(connection: Connection, entry: LogEntry, notice: str) -> None:
    """Writes what a commit changes, its log, and as the last statement takes the next revision.

    notice  what all servers are told once it is committed

    Raises sqlalchemy's IntegrityError when a claim or an id is taken, Bug when the next revision is not `entry`'s:
    whoever has taken their turn and caught up knows it.
    """
    statements: dict[Any, list[dict[str, Any]]] = {
        _DELETE_CLAIM: [],
        _DELETE_OBJECT: [],
        _INSERT_OBJECT: [],
        _UPDATE_OBJECT: [],
        _INSERT_CLAIM: [],
        _INSERT_LOG: [],
    }
    for sequence, change in enumerate(entry.changes):
        body = encode_row(change.after).decode() if change.after is not None else None
        _add_object(statements, change, entry.revision, body)
        _add_claims(statements, change)
        statements[_INSERT_LOG].append(_log_values(entry, sequence, change, body))
    for statement, values in statements.items():
        if values:
            connection.execute(statement, values)
    taking = _TAKE_REVISION.returning(schema.counter.c.revision, *dialect.telling(connection, notice))
    revision = connection.execute(taking).one()[0]
    if revision != entry.revision:
        raise Bug(f"revision {entry.revision} was to be taken, and {revision} was")


def _add_object(statements: dict[Any, list[dict[str, Any]]], change: Change, revision: int, body: str | None) -> None:
    if change.after is None:
        statements[_DELETE_OBJECT].append({"of_kind": change.kind, "of_id": change.id})
        return
    values = {"project_id": change.after.project_id, "revision": revision, "body": body}
    if change.before is None:
        statements[_INSERT_OBJECT].append({"kind": change.kind, "id": change.id, **values})
    else:
        statements[_UPDATE_OBJECT].append({"of_kind": change.kind, "of_id": change.id, **values})


def _add_claims(statements: dict[Any, list[dict[str, Any]]], change: Change) -> None:
    before = claims(change.before) if change.before is not None else ()
    after = claims(change.after) if change.after is not None else ()
    for scope, key in before:
        if (scope, key) not in after:
            statements[_DELETE_CLAIM].append({"of_scope": scope, "of_key": key})
    for scope, key in after:
        if (scope, key) not in before:
            statements[_INSERT_CLAIM].append({"scope": scope, "key": key, "kind": change.kind, "id": change.id})


def _log_values(entry: LogEntry, sequence: int, change: Change, body: str | None) -> dict[str, Any]:
    return {
        "revision": entry.revision,
        "sequence": sequence,
        "at": entry.at,
        "request_id": entry.request_id,
        "user": entry.user_id,
        "project": entry.project_id,
        "kind": change.kind,
        "id": change.id,
        "op": change.op,
        "before": encode_row(change.before).decode() if change.before is not None else None,
        "after": body,
    }


def taken_by_others(connection: Connection, entry: LogEntry) -> str:
    """Says which claims of a commit that failed are held, and by which objects; for an error's text."""
    held = []
    for change in entry.changes:
        for scope, key in claims(change.after) if change.after is not None else ():
            query = select(schema.claims).where(schema.claims.c.scope == scope, schema.claims.c.key == key)
            holder = connection.execute(query).one_or_none()
            if holder is not None and (holder.kind, holder.id) != (change.kind, change.id):
                held.append(f"{scope} {key} of {change.kind} {change.id} is held by {holder.kind} {holder.id}")
    return "; ".join(held) or "an object of that id, or two of its own that claim the same"


def read_log(connection: Connection, since: int) -> list[LogEntry]:
    """Reads the commits after revision `since`, in order.

    Raises Gone when some of them are compacted away.
    """
    rows = connection.execute(
        select(schema.log).where(schema.log.c.revision > since).order_by(schema.log.c.revision, schema.log.c.sequence)
    ).all()
    # Read after the log: what compaction took before that, this shows.
    compacted = compacted_revision(connection)
    if since < compacted:
        raise Gone(since, compacted)
    return [_entry(list(group)) for _, group in groupby(rows, key=lambda row: row.revision)]


def mark_of(connection: Connection, revision: int) -> Mark | None:
    """Reads the mark of a commit; None when the log does not hold it."""
    log = schema.log.c
    query = select(log.at, log.request_id, log.user, log.kind, log.id).where(log.revision == revision)
    found = connection.execute(query.order_by(log.sequence).limit(1)).one_or_none()
    return None if found is None else (found.at, found.request_id, found.user, found.kind, found.id)


def _entry(rows: Sequence[Any]) -> LogEntry:
    first = rows[0]
    return LogEntry(
        revision=first.revision,
        at=first.at,
        request_id=first.request_id,
        user_id=first.user,
        project_id=first.project,
        changes=tuple(Change(row.kind, row.id, _row(row.kind, row.before), _row(row.kind, row.after)) for row in rows),
    )


def _row(kind: str, text: str | None) -> Any:
    return None if text is None else decode_row(kind, text)


def compact_log(connection: Connection, through: int) -> None:
    """Deletes the log up to and including revision `through`; never moves backwards."""
    connection.execute(delete(schema.log).where(schema.log.c.revision <= through))
    connection.execute(update(schema.counter).where(schema.counter.c.compacted < through).values(compacted=through))


def undo(entries: Iterable[LogEntry]) -> list[Change]:
    """Gives the changes that take `entries` back, the last commit's first."""
    return [
        Change(change.kind, change.id, change.after, change.before)
        for entry in sorted(entries, key=lambda e: -e.revision)
        for change in reversed(entry.changes)
    ]


def entry_of(caller: Caller, at: str, revision: int, changes: tuple[Change, ...]) -> LogEntry:
    """Gives the log's entry for a commit."""
    return LogEntry(
        revision=revision,
        at=at,
        request_id=caller.request_id,
        user_id=caller.user_id,
        project_id=caller.project_id,
        changes=changes,
    )
