"""Reads the database's messages out of a stream of text, in place of what the `ovs` package brings for that.

That one goes through each character in Python unless it was built with a compiler: with 300 ports, a tenth of a second
of an agent's start.  Here a pattern finds where a message ends, and the standard library reads it.

Source: RFC 7047, section 4; RFC 8259.  The package has its connections ask for ``ovs.json.Parser``.
"""

from __future__ import annotations

import json
import re
from typing import Any

import ovs.json

# A whole string, a bracket, or the quote of a string whose end has not come yet; nothing is tried in two ways.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}


class Parser:
    """One message: `feed` until `is_done`, then `finish`; as ``ovs.json.Parser``, for objects and lists."""

    def __init__(self, check_trailer: bool = False) -> None:
        self._text = ""
        self._looked = 0  # up to where
        self._depth = 0
        self._done = False

    def feed(self, text: str) -> int:
        """Takes in what has come; gives how many characters of it belong to this message."""
        before = len(self._text)
        self._text += text
        for found in _TOKEN.finditer(self._text, self._looked):
            piece = found[0]
            if piece == '"':
                self._looked = found.start()
                return len(text)
            self._depth += _STEP.get(piece, 0)
            if not self._depth:
                self._done = True
                self._text = self._text[: found.end()]
                return found.end() - before
        self._looked = len(self._text)
        return len(text)

    def is_done(self) -> bool:
        """Says whether the message has ended."""
        return self._done

    def finish(self) -> Any:
        """Gives the message, or what is wrong with it as text."""
        try:
            return json.loads(self._text)
        except ValueError as error:
            return str(error)


def use() -> None:
    """Has all connections of this process read by it."""
    ovs.json.Parser = Parser
    ovs.json.PARSER = ovs.json.PARSER_PY
