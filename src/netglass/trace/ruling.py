"""iptables rules as values, read as ``iptables-save`` prints them, which is how ``desired.state.RuleSet`` holds them.

Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from netglass.trace.fields import NotUnderstoodError

_LONG_OF = {"--source": "-s", "--destination": "-d", "--protocol": "-p", "--jump": "-j", "--goto": "-g"}
_WITHOUT_VALUE = (
    "--physdev-is-bridged",
    "--physdev-is-in",
    "--physdev-is-out",
    "--random",
    "--random-fully",
    "--persistent",
    "--notrack",
    "--save-mark",
    "--restore-mark",
    "--clamp-mss-to-pmtu",
    "--nodst",
    "-f",
)
_WITH_TWO = ("--tcp-flags", "--match-set")
_DECIDE_NOTHING = ("--comment", "--limit", "--limit-burst", "--hashlimit-upto", "--hashlimit-burst", "--hashlimit-name")


class Test(NamedTuple):
    """One match of a rule.

    module  ``-m`` before it; empty: none
    values  what follows the option
    """

    option: str
    negated: bool
    values: tuple[str, ...]
    module: str = ""

    def __str__(self) -> str:
        return " ".join([*(["!"] if self.negated else []), self.option, *self.values])


class Rule(NamedTuple):
    """One rule; `settings` are those of its target, `goes` says that a chain which it names does not come back."""

    text: str
    tests: tuple[Test, ...]
    target: str
    settings: Mapping[str, str]
    goes: bool = False


@lru_cache(maxsize=4096)
def parsed(rules: tuple[str, ...]) -> Mapping[str, tuple[Rule, ...]]:
    """Gives rules by chain, in their order; raises NotUnderstoodError for text that is no rule."""
    found: dict[str, list[Rule]] = {}
    for text in rules:
        words = _words(text)
        found.setdefault(words[1], []).append(_Reading(text, words[2:]).rule())
    return {chain: tuple(those) for chain, those in found.items()}


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NotUnderstoodError(f"{text} ({error})") from None
    if len(words) < 2 or words[0] != "-A":
        raise NotUnderstoodError(text)
    return words


class _Reading:
    def __init__(self, text: str, words: list[str]) -> None:
        self._text = text
        self._words = words
        self._module = ""

    def rule(self) -> Rule:
        tests: list[Test] = []
        settings: dict[str, str] = {}
        target, goes, negated = "", False, False
        while self._words:
            option = self._words.pop(0)
            option = _LONG_OF.get(option, option)
            if option == "!":
                negated = True
                continue
            values = self._values(option)
            if option in ("-j", "-g"):
                target, goes = values[0], option == "-g"
            elif target:
                settings[option] = " ".join(values)
            elif option == "-m":
                self._module = values[0]
            elif option not in _DECIDE_NOTHING:
                tests.append(Test(option, negated, values, self._module))
            negated = False
        return Rule(self._text, tuple(tests), target, settings, goes)

    def _values(self, option: str) -> tuple[str, ...]:
        count = 0 if option in _WITHOUT_VALUE else 2 if option in _WITH_TWO else 1
        if len(self._words) < count:
            raise NotUnderstoodError(self._text)
        return tuple(self._words.pop(0) for _ in range(count))
