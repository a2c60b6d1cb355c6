"""Reads what ``netglass trace`` tells."""

from __future__ import annotations

import re


def steps(text: str) -> tuple[str, ...]:
    """Gives the numbered sentences, without their numbers."""
    return tuple(re.findall(r"^ *\d+\. (.*)$", text, re.MULTILINE))


def passes(told: tuple[str, ...], places: tuple[str, ...]) -> tuple[str, ...]:
    """Gives those of `places` that the sentences begin with, in the sentences' order."""
    return tuple(place for sentence in told for place in places if sentence.startswith(place))
