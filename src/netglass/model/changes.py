"""What one transaction does to intent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from netglass.base.errors import NotUnderstood
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


def read_row(kind: str, value: dict[str, Any]) -> Row:
    """Reads a row out of decoded JSON of whatever version; raises NotUnderstood unless all of it is known here."""
    if kind not in ROW_TYPE_BY_KIND:
        raise NotUnderstood("rows of this kind are unknown")
    try:
        row = msgspec.convert(value, type=ROW_TYPE_BY_KIND[kind])
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error
    if strange := sorted(set(_strange_fields(value, row))):
        raise NotUnderstood(f"unknown {', '.join(strange)}")
    return row


def _strange_fields(value: Any, read: Any, at: str = "") -> Iterator[str]:
    """Gives the fields that decoded JSON has and what was read out of it has not, at any depth.

    at  where in the row this is, as ``settings.``; empty at its top
    """
    if isinstance(value, dict) and isinstance(read, msgspec.Struct):
        for name, inner in value.items():
            if name in read.__struct_fields__:
                yield from _strange_fields(inner, getattr(read, name), f"{at}{name}.")
            else:
                yield f"{at}{name}"
    elif isinstance(value, dict) and isinstance(read, dict):
        for name, inner in value.items():
            yield from _strange_fields(inner, read.get(name), f"{at}{name}.")
    elif isinstance(value, list) and isinstance(read, tuple):
        for inner, one in zip(value, read, strict=True):
            yield from _strange_fields(inner, one, at)
