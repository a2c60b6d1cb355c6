"""Reads ``ip route`` and ``iptables -S``."""

from __future__ import annotations

import re

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as ``iptables -S`` prints it.

    options  by name with their dashes, ``!`` put before a negated one's value; of an option given twice the last value
    packets  that it matched; 0 where the command was not asked (``-v``)
    """

    chain: str
    options: dict[str, str]
    packets: int = 0

    def has(self, **wanted: str) -> bool:
        """Says whether the rule has these options with these values; ``to_ports`` is ``--to-ports``."""
        return all(self.options.get(_dashed(name)) == value for name, value in wanted.items())


def _dashed(name: str) -> str:
    return f"-{name}" if len(name) == 1 else "--" + name.replace("_", "-")


def rules(text: str) -> tuple[Rule, ...]:
    """Gives the rules of all chains in the order printed."""
    return tuple(_rule(line) for line in text.splitlines() if line.startswith("-A "))


def _rule(line: str) -> Rule:
    chain, _, rest = line.removeprefix("-A ").partition(" ")
    counted = re.search(r"(?:^| )-c (\d+) \d+", rest)
    options: dict[str, str] = {}
    name, negation = "", ""
    for word in rest.split():
        if word == "!":
            negation = word
        elif word.startswith("-"):
            name, options[word], negation = word, negation, ""
        elif name:
            options[name] = f"{options[name]} {word}".strip()
    return Rule(chain=chain, options=options, packets=int(counted[1]) if counted else 0)


def next_hop(text: str) -> str:
    """Gives the router's address in a line of ``ip route``, the default route's where there are several; or nothing."""
    lines = text.splitlines()
    line = next((line for line in lines if line.startswith("default ")), lines[0] if lines else "")
    found = re.search(r"\bvia (\S+)", line)
    return found[1] if found else ""
