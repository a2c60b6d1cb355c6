"""The agent's copy of intent, built from the feed's lines; pure.

The copy only ever moves from one committed state to the next: rows are collected, and become a new snapshot when the
line that closes their commit (`Listed`, `Bookmark`) has come.
"""

from __future__ import annotations

from netglass.model.changes import Change, row_from_builtins
from netglass.model.protocol import Beat, Bookmark, FeedLine, Listed, Relist, RowLine
from netglass.model.resources import ROW_TYPE_BY_KIND
from netglass.model.snapshot import Snapshot


class Replica:
    """Intent as far as it was told.

    snapshot  None until the first `Listed`: before it, nothing may be torn down
    revision  up to which everything relevant is in the snapshot; newer than the snapshot's own when nothing changed
    store     id of the store that the revision counts in; empty when no server has told it
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.revision = 0
        self.store = ""
        self._base = Snapshot.empty()
        self._changes: list[Change] = []

    def restore(self, snapshot: Snapshot, revision: int, store: str) -> None:
        """Takes over what was known before the agent's last end."""
        self.snapshot = self._base = snapshot
        self.revision = revision
        self.store = store

    def reconnected(self) -> None:
        """Forgets rows whose commit was not closed when the stream broke; they come again."""
        self._changes = []
        self._base = self.snapshot or Snapshot.empty()

    def take(self, line: FeedLine) -> bool:
        """Takes in one line; gives whether `snapshot` is another one now.

        Rows of kinds that this version does not know are left out.
        """
        if isinstance(line, RowLine):
            self._collect(line)
            return False
        if isinstance(line, Relist):
            self._base = Snapshot.empty()
            self._changes = []
            return False
        if isinstance(line, Listed):
            self.store = line.store
        if isinstance(line, Listed | Bookmark):
            return self._close(line.revision)
        if isinstance(line, Beat) and self.snapshot is not None:
            self.revision = max(self.revision, line.revision)
        return False

    def _collect(self, line: RowLine) -> None:
        if line.kind not in ROW_TYPE_BY_KIND:
            return
        if line.row is not None:
            row = row_from_builtins(line.kind, line.row)
            self._changes.append(Change(line.kind, line.id, None, row))
            return
        gone = self._base.get(ROW_TYPE_BY_KIND[line.kind], line.id)
        held = [change for change in self._changes if (change.kind, change.id) == (line.kind, line.id)]
        before = held[-1].after if held else gone
        if before is not None:
            self._changes.append(Change(line.kind, line.id, before, None))

    def _close(self, revision: int) -> bool:
        changed = self.snapshot is None or bool(self._changes) or self._base is not self.snapshot
        if changed:
            self.snapshot = self._base = self._base.apply(self._changes, revision)
        self._changes = []
        self.revision = revision
        return changed
