"""How an object on the machine says that it is ours, and why it exists; the table is in ``desired.state``."""

from __future__ import annotations

import os
from pathlib import Path

from netglass.desired.state import Thing

_WORD = "netglass"
_OWNER, _REF = "netglass-owner", "netglass-ref"

Mark = tuple[str, tuple[str, ...]]  # owner, intent


def mark_of(thing: Thing) -> str:
    """Gives the mark as one line: a link's alias, a namespace's marker file."""
    return f"{_WORD} {thing.owner} {_first(thing)}"


def read_mark(text: str) -> Mark | None:
    """Gives owner and intent out of such a line; None when it is not a mark of ours."""
    words = text.split()
    if len(words) != 3 or words[0] != _WORD:
        return None
    return words[1], (words[2],)


def ids_of(thing: Thing) -> dict[str, str]:
    """Gives the mark as external_ids of a row of the switch's database."""
    return {_OWNER: thing.owner, _REF: _first(thing)}


def read_ids(external_ids: dict[str, str]) -> Mark | None:
    """Gives owner and intent out of external_ids; None when the row is not ours."""
    if _OWNER not in external_ids:
        return None
    return external_ids[_OWNER], (external_ids.get(_REF, ""),)


def without_ids(external_ids: dict[str, str]) -> dict[str, str]:
    """Gives external_ids without the mark."""
    return {key: value for key, value in external_ids.items() if key not in (_OWNER, _REF)}


def _first(thing: Thing) -> str:
    # A device's alias holds 255 characters; the plan knows every reference, a mark one.
    return thing.intent[0]


class NamespaceMarks:
    """Marker files of namespaces, in a directory that only we write.

    The marker is there before the namespace, so that a crash between the two never leaves a namespace without one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> set[str]:
        """Gives the names that are marked, whether or not a namespace of that name exists."""
        try:
            return set(os.listdir(self._directory))  # noqa: PTH208 - names are wanted, not paths; read every round
        except FileNotFoundError:
            return set()

    def read(self, name: str) -> Mark:
        """Gives owner and intent of a marked name."""
        text = (self._directory / name).read_text()
        return read_mark(text) or ("", ())

    def add(self, thing: Thing) -> None:
        """Marks the namespace that `thing` describes."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / thing.key).write_text(mark_of(thing) + "\n")

    def drop(self, name: str) -> None:
        """Takes a mark away."""
        (self._directory / name).unlink(missing_ok=True)
