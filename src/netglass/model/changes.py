"""What one transaction does to intent."""

from __future__ import annotations

from typing import Any

import msgspec

from netglass.model.resources import ROW_TYPE_BY_KIND, Row


class Change(msgspec.Struct, frozen=True):
    """One row made, changed or dropped.

    before  None when the row is new
    after   None when the row is dropped; never both None
    """

    kind: str
    id: str
    before: Row | None
    after: Row | None

    @property
    def op(self) -> str:
        """Says create, update or delete."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "update"


def encode_row(row: Row) -> bytes:
    """Gives a row as JSON (RFC 8259); fields at their default are left out."""
    return msgspec.json.encode(row)


def decode_row(kind: str, text: bytes | str) -> Row:
    """Reads back what `encode_row` gave; fields that this version does not know are dropped.

    Raises KeyError for an unknown kind, msgspec.ValidationError for text that does not fit it.
    """
    return msgspec.json.decode(text, type=ROW_TYPE_BY_KIND[kind])


def row_from_builtins(kind: str, value: dict[str, Any]) -> Row:
    """Reads a row out of decoded JSON; raises as `decode_row` does."""
    return msgspec.convert(value, type=ROW_TYPE_BY_KIND[kind])
