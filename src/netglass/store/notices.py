"""What servers tell one another through the database: that something happened.

Never what: that is read from the tables, so that a notice that gets lost or comes late does no harm.
"""

from __future__ import annotations

import msgspec


class Committed(msgspec.Struct, frozen=True, tag="committed"):
    """A server has committed a revision."""

    server: str
    revision: int


class Reported(msgspec.Struct, frozen=True, tag="reported"):
    """A server has heard of hosts."""

    server: str
    hosts: tuple[str, ...]


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """A server has a question to a host, by its id."""

    server: str
    question: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """A host has answered a question."""

    server: str
    question: str


Notice = Committed | Reported | Asked | Answered


def encode(notice: Notice) -> str:
    """Gives a notice as text."""
    return msgspec.json.encode(notice).decode()


def decode(text: str) -> Notice | None:
    """Reads a notice; None for what this version does not know."""
    try:
        found: Notice = msgspec.json.decode(text, type=Notice)
    except msgspec.DecodeError:
        return None
    return found
