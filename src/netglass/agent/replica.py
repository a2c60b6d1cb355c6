"""The agent's copy of intent, built from the feed's lines; pure.

The copy only ever moves from one committed state to the next: rows are collected, and become a new snapshot when the
line that closes their commit (`Listed`, `Bookmark`) has come.

Nor does it ever move to a state that this version understands in part.  A row of a kind, with a field or with a value
that it does not know is *unread*: what it says could forbid what the others permit.  As long as there is one, the copy
stays where it was before the first of them, and the host is kept by that.
"""

from __future__ import annotations

from netglass.base.errors import NotUnderstood
from netglass.model.changes import Change, read_row
from netglass.model.protocol import Beat, Bookmark, FeedLine, Listed, Relist, RowLine
from netglass.model.resources import ROW_TYPE_BY_KIND, Row
from netglass.model.snapshot import Snapshot


class Replica:
    """Intent as far as it was told and understood.

    snapshot  None until the first `Listed`: before it, nothing may be torn down
    revision  up to which everything relevant is in the snapshot; newer than the snapshot's own when nothing changed
    store     id of the store that the revision counts in; empty when no server has told it
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.revision = 0
        self.store = ""
        self._base = Snapshot.empty()  # the last closed commit, understood or not
        self._base_store = ""
        self._changes: list[Change] = []
        self._held: dict[tuple[str, str], Row | None] = {}  # what the changes leave, by kind and id
        self._unread: dict[tuple[str, str], str] = {}

    @property
    def unread(self) -> tuple[str, ...]:
        """Gives what is not understood, row by row, ascending; while there is any, all else stays as it was."""
        return tuple(f"{kind} {row_id}: {why}" for (kind, row_id), why in sorted(self._unread.items()))

    def restore(self, snapshot: Snapshot, revision: int, store: str) -> None:
        """Takes over what was known before the agent's last end."""
        self.snapshot = self._base = snapshot
        self.revision = revision
        self.store = self._base_store = store

    def reconnected(self) -> None:
        """Forgets rows that have not become the snapshot when the stream broke; they come again."""
        self._forget(self.snapshot or Snapshot.empty())
        self._base_store = self.store

    def take(self, line: FeedLine) -> bool:
        """Takes in one line; gives whether `snapshot` is another one now."""
        if isinstance(line, RowLine):
            self._collect(line)
            return False
        if isinstance(line, Relist):
            self._forget(Snapshot.empty())
            return False
        if isinstance(line, Listed):
            self._base_store = line.store
        if isinstance(line, Listed | Bookmark):
            return self._close(line.revision)
        if isinstance(line, Beat) and self.snapshot is not None and not self._unread:
            self.revision = max(self.revision, line.revision)
        return False

    def _forget(self, base: Snapshot) -> None:
        self._base = base
        self._changes = []
        self._held = {}
        self._unread = {}

    def _collect(self, line: RowLine) -> None:
        self._unread.pop((line.kind, line.id), None)
        if line.row is not None:
            try:
                row = read_row(line.kind, line.row)
            except NotUnderstood as error:
                self._unread[line.kind, line.id] = str(error)
                return
            self._change(Change(line.kind, line.id, None, row))
        elif line.kind in ROW_TYPE_BY_KIND:
            self._drop(line)

    def _drop(self, line: RowLine) -> None:
        gone = self._base.get(ROW_TYPE_BY_KIND[line.kind], line.id)
        before = self._held.get((line.kind, line.id), gone)
        if before is not None:
            self._change(Change(line.kind, line.id, before, None))

    def _change(self, change: Change) -> None:
        self._changes.append(change)
        self._held[change.kind, change.id] = change.after

    def _close(self, revision: int) -> bool:
        before = self.snapshot
        changed = before is None or bool(self._changes) or self._base is not before
        if changed:
            self._base = self._base.apply(self._changes, revision)
        self._changes = []
        self._held = {}
        if self._unread:
            return False
        self.snapshot, self.revision, self.store = self._base, revision, self._base_store
        return changed
