"""A decision in the making: a snapshot, and what has been put on top of it so far."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from netglass.model.changes import Change
from netglass.model.resources import Row
from netglass.model.snapshot import Snapshot

R = TypeVar("R", bound=Row)


class Draft:
    """Collects the changes of one transaction; what was put is seen by later reads of `now`.

    before  intent as committed
    now     intent as it would be

    A draft lives inside one decision and is never shared.  Nothing outside sees its changes until the store commits
    them, so a decision that raises half-way leaves nothing behind.
    """

    def __init__(self, before: Snapshot) -> None:
        self.before = before
        self.now = before
        self._touched: dict[tuple[type[Row], str], None] = {}

    def put(self, row: R) -> R:
        """Makes or replaces a row as given, and gives it back."""
        self.now = self.now.apply([Change(row.kind, row.id, None, row)], self.now.revision)
        self._touched[(type(row), row.id)] = None
        return row

    def update(self, row: R, now: str, **values: object) -> R:
        """Puts `row` with `values` changed, its revision number raised and its time set; gives the new row.

        A change that changes nothing is not made: the row is given back as it is.
        """
        changed = msgspec.structs.replace(row, **values)
        if changed == row:
            return row
        return self.put(msgspec.structs.replace(changed, revision_number=row.revision_number + 1, updated_at=now))

    def drop(self, row: Row) -> None:
        """Drops a row; no error when it is not there."""
        self.now = self.now.apply([Change(row.kind, row.id, row, None)], self.now.revision)
        self._touched[(type(row), row.id)] = None

    def changes(self) -> tuple[Change, ...]:
        """Gives one change for each row that really differs, in the order in which they were first touched."""
        found = []
        for row_type, row_id in self._touched:
            before = self.before.get(row_type, row_id)
            after = self.now.get(row_type, row_id)
            if before != after:
                found.append(Change(row_type.kind, row_id, before, after))
        return tuple(found)
