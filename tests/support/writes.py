"""What clients were told of their writes, and what may be there after them.

An object has one writer, who writes one thing after the other.  A write of which nobody was told what became of it may
be done at any moment after it was sent, or never; what was answered is done by then, and what was refused never.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """What a client was told.

    MISSING  refused, since there is no such object
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Op(Enum):
    """What a client asked for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Write(NamedTuple):
    """One write; `value` is what the object is after it, None for a delete."""

    op: Op
    value: str | None
    outcome: Outcome


class Key(NamedTuple):
    """An object, by its kind and the name that its writer gave it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Value = str | None
_State = tuple[Value, frozenset[int]]  # what the object is, and which unknown writes may still be done


def possible(writes: Sequence[Write]) -> frozenset[Value]:
    """Gives what an object may be after its writes; None: not there.  Empty: not all answers can be true."""
    states: set[_State] = {(None, frozenset())}
    for number, write in enumerate(writes):
        states = _reached(states, writes)
        if write.outcome is Outcome.UNKNOWN:
            states = {(value, pending | {number}) for value, pending in states}
        elif write.outcome is Outcome.ANSWERED:
            states = {(write.value, pending) for value, pending in states if _applies(write, value)}
        elif write.outcome is Outcome.MISSING:
            states = {state for state in states if state[0] is None}
    return frozenset(value for value, _ in _reached(states, writes))


def _applies(write: Write, value: Value) -> bool:
    return (value is None) is (write.op is Op.CREATE)


def _reached(states: Iterable[_State], writes: Sequence[Write]) -> set[_State]:
    """Gives what may be when any of the pending writes were done, in any order."""
    found: set[_State] = set()
    left = list(states)
    while left:
        state = left.pop()
        if state in found:
            continue
        found.add(state)
        value, pending = state
        left += [(writes[n].value, pending - {n}) for n in pending if _applies(writes[n], value)]
    return found


class Ledger:
    """The writes of all clients; may be written by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._writes: dict[Key, list[Write]] = {}
        self._told: Counter[str] = Counter()
        self._answered = 0

    def note(self, key: Key, write: Write) -> None:
        """Notes what a client was told of a write."""
        with self._lock:
            self._writes.setdefault(key, []).append(write)
            self._answered += write.outcome is Outcome.ANSWERED
            self._lock.notify_all()

    def wait_for_answers(self, count: int, within_s: float = 60) -> None:
        """Waits until so many more writes were answered."""
        with self._lock:
            wanted = self._answered + count
            assert self._lock.wait_for(lambda: self._answered >= wanted, within_s), (
                f"{self._answered} of {wanted} writes answered after {within_s} s"
            )

    def count(self, told: str) -> None:
        """Counts what clients were told, in words."""
        with self._lock:
            self._told[told] += 1

    def told(self) -> dict[str, int]:
        """Gives how often clients were told what."""
        with self._lock:
            return dict(self._told)

    def writes(self) -> dict[Key, tuple[Write, ...]]:
        """Gives all that was noted, by object and in order."""
        with self._lock:
            return {key: tuple(writes) for key, writes in self._writes.items()}

    def contradictions(self, found: Mapping[Key, Sequence[str]]) -> list[str]:
        """Gives a line for everything that is there, or not there, against what a client was told.

        found  what objects are, by the names that their writers gave them
        """
        noted = self.writes()
        said = [f"{key} is there, and nobody wrote it" for key in found if key not in noted]
        for key, writes in noted.items():
            values: Sequence[Value] = found.get(key, ()) or (None,)
            may_be = possible(writes)
            if len(values) > 1:
                said.append(f"{key} is there {len(values)} times: {values}")
            elif values[0] not in may_be:
                told = ", ".join(f"{w.op.value} {w.value or ''}: {w.outcome.value}" for w in writes)
                said.append(f"{key} is {values[0]}, and may be {sorted(map(str, may_be))} after {told}")
        return said
