"""Ports in the text of flows: by name, as flows are kept and shown, and by number, as the switch is told and asked.

``ovs-ofctl`` can translate between them, and asks the switch first what all of its tables can do, for names of theirs,
which takes longer than all the rest (4 of 5 parts of 25 ms, on Open vSwitch 3.1).
Source: ovs-ofctl(8), "--names"; its ``in_port=`` and ``output:`` are the only places in which our flows name ports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from netglass.pipeline.flows import port_text

_NAMED = re.compile(r'(in_port=|output:)(?:"([^"]+)"|([A-Za-z][A-Za-z0-9]*)(?=[,)\s]|$))')
_NUMBERED = re.compile(r"(in_port=|output:)(\d+)(?=[,)\s]|$)")


def with_numbers(text: str, numbers: Mapping[str, int]) -> str:
    """Gives a flow's text with the ports' numbers (1..65279) in place of their names.

    Raises KeyError with the name that has no number, or none that a flow could use.
    """

    def number(found: re.Match[str]) -> str:
        name = found[2] or found[3]
        if numbers.get(name, 0) <= 0:
            raise KeyError(name)
        return f"{found[1]}{numbers[name]}"

    return _NAMED.sub(number, text)


def with_names(text: str, names: Mapping[int, str]) -> str:
    """Gives a flow's text with the ports' names in place of their numbers; a number of no port stays."""

    def name(found: re.Match[str]) -> str:
        known = names.get(int(found[2]))
        return f"{found[1]}{port_text(known)}" if known is not None else found[0]

    return _NUMBERED.sub(name, text)
