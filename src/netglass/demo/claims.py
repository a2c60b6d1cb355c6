"""What a use case says: remarks, commands with what they printed, and claims that hold or do not.

Frozen values; made by the use cases, printed by ``demo.printing`` and counted by ``demo.run``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A document begins."""

    title: str
    text: str  # in one sentence what is special of its deployment
    picture: str  # of its hosts; lines of text, printed as they are


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """A section of a document begins: a use case, a way that packets take."""

    title: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A remark for the reader, in full sentences."""

    text: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was run, and all that it printed."""

    place: str  # where a reader would type it: a host's name, ``guest vm1``, or a user's, ``demo`` or ``admin``
    command: str  # as a reader would type it there
    output: str
    status: int = 0  # exit status
    seconds: float = 0.0  # wall clock
    marks: tuple[str, ...] = ()  # words of the output that matter here; printed bold
    only: tuple[str, ...] = ()  # lines with none of these are left out of print, and "[…]" says so; empty: all are in

    def marked(self, *words: str) -> Shown:
        """Gives the same with words to print bold."""
        return msgspec.structs.replace(self, marks=words)

    def cut(self, *words: str) -> Shown:
        """Gives the same, of which only lines with one of `words`, and short gaps between them, are printed."""
        return msgspec.structs.replace(self, only=words)

    def lines(self) -> list[str]:
        """Gives the lines to print; one ``[…]`` for all that are left out between two of them."""
        lines = [line for line in self.output.expandtabs().rstrip().splitlines() if line.strip()]
        if not self.only:
            return lines
        found: list[str] = []
        gap: list[str] = []
        for line in lines:
            if any(word in line for word in self.only):
                found += [*(gap if len(gap) <= _SHORT else [GAP]), line]
                gap = []
            else:
                gap.append(line)
        return [*found, *([GAP] if gap else [])]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that the output just shown either bears out or does not."""

    text: str
    held: bool
    wanted: str
    found: str


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a reader wants to know."""

    what: str
    seconds: float


GAP = "[…]"
"""Stands for lines that are left out, as the course has it."""

_SHORT = 2  # lines; to leave out so few makes nothing clearer

Event = Opened | Began | Said | Shown | Claim | Took

Told = TypeVar("Told")
Scene = Generator[Event, None, Told]
"""A use case as it plays; its result is what later ones stand on."""


class Broken(Exception):
    """What later steps stand on is not there; the claim that says so was made before."""


def equal(text: str, wanted: object, found: object) -> Claim:
    """Claims that `found` is just `wanted`."""
    return Claim(text=text, held=wanted == found, wanted=_spelled(wanted), found=_spelled(found))


def within(text: str, wanted: Iterable[str], found: Iterable[str]) -> Claim:
    """Claims that each of `wanted` is among `found`, which may hold more."""
    want, have = sorted(set(wanted)), sorted(set(found))
    return Claim(text=text, held=set(want) <= set(have), wanted=_spelled(want), found=_spelled(have))


def true(text: str, held: bool, wanted: str, found: object) -> Claim:
    """Claims what the caller has judged; `wanted` says it in words."""
    return Claim(text=text, held=held, wanted=wanted, found=_spelled(found))


def _spelled(value: object) -> str:
    if value is None or value in ("", (), []):
        return "nothing"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in value)
    return str(value)
