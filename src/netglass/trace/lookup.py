"""Which flow of a table decides on a frame: the one of the highest priority that matches, conjunctions included.

A conjunction (ovs-actions(7)) is a flow that several others stand for, of which one of each of its dimensions must
match: ``conjunction(7,1/2)`` and ``conjunction(7,2/2)`` together let the flow with ``conj_id=7`` match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from netglass.desired.state import Flow
from netglass.trace.acting import Learnt, parse_actions
from netglass.trace.fields import Frame, NotUnderstoodError
from netglass.trace.matching import matches

Entry = Flow | Learnt


class Decision(NamedTuple):
    """The flow that decides, and where it stands for a conjunction the clauses by which it does."""

    flow: Entry
    clauses: tuple[Entry, ...] = ()


def decisive(flows: Sequence[Entry], frame: Frame) -> Decision | None:
    """Gives the flow that decides; None when none matches.

    flows  in descending order of priority

    Raises NotUnderstoodError for one that had to be understood and was not.
    """
    for _, group in groupby(flows, key=lambda flow: flow.priority):
        found = [flow for flow in group if matches(flow.match, frame)]
        hard = [flow for flow in found if "conjunction(" not in flow.actions]
        if hard:
            return Decision(hard[0])
        for number in _complete(found):
            known = frame._replace(notes={**frame.notes, "conj_id": number})
            chosen = next((f for f in flows if f"conj_id={number}" in f.match and matches(f.match, known)), None)
            if chosen is not None:
                return Decision(chosen, tuple(flow for flow in found if f"conjunction({number}," in flow.actions))
    return None


def _complete(found: Sequence[Entry]) -> Iterator[int]:
    """Gives the conjunctions of which every dimension is there."""
    held: dict[tuple[int, int], set[int]] = defaultdict(set)
    for flow in found:
        for action in parse_actions(flow.actions):
            if action.verb == "conjunction":
                number, dimension, count = _read(str(action.value))
                held[number, count].add(dimension)
    yield from (number for (number, count), dimensions in sorted(held.items()) if len(dimensions) == count)


def _read(text: str) -> tuple[int, int, int]:
    try:
        number, _, part = text.partition(",")
        dimension, _, count = part.partition("/")
        return int(number, 0), int(dimension), int(count)
    except ValueError:
        raise NotUnderstoodError(f"conjunction({text})") from None
