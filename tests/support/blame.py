"""Whose death a lost packet is laid on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

SWITCH = frozenset({"ovs-vswitchd", "ovsdb-server"})
"""Kinds without which a userspace switch passes nothing on: one thread of it does so and asks its database."""

NOBODY = "nobody"
MACHINE = "(a machine that stood still)"

_ONE_BURST_S = 1.0
_AFTER_S = 3.0
_HELD_S = 0.5
_BEFORE_S = 0.2  # a packet that is under way


class Kill(NamedTuple):
    """A signal to one process: when it was sent, and when what was stopped went on, by the monotonic clock."""

    at: float
    until: float
    kind: str
    host: str
    how: str


class Lost(NamedTuple):
    """What a walk lost.

    hosts  whose switches it goes through
    lost   when those were sent that nobody answered
    held   when those were due that were not sent, as the sender itself was held up
    """

    walk: str
    hosts: frozenset[str]
    sent: int
    lost: tuple[float, ...]
    held: tuple[float, ...] = ()


def blame(loss: Lost, kills: Sequence[Kill], held: Sequence[float] = ()) -> Counter[str]:
    """Gives how many packets a walk lost by the death of which kind of process.

    Packets that were lost one after the other were lost by one death: that of a switch on the way while or soon before
    the first of them was sent; where none died, that of any other process then.  Not where any sender was held up at
    that time (`held`): then the switches were too, and nobody has to die for their buffers to run over.
    """
    found: Counter[str] = Counter()
    for burst in _bursts(loss.lost):
        if any(burst[0] - _HELD_S <= at <= burst[-1] + _HELD_S for at in held):
            found[MACHINE] += len(burst)
            continue
        near = [k for k in kills if k.at - _BEFORE_S <= burst[0] <= k.until + _AFTER_S]
        on_the_way = [kill for kill in near if kill.kind in SWITCH and kill.host in loss.hosts]
        guilty = on_the_way or [kill for kill in near if kill.kind not in SWITCH]
        found[max(guilty).kind if guilty else NOBODY] += len(burst)
    return found


def _bursts(lost: Sequence[float]) -> list[list[float]]:
    found: list[list[float]] = []
    for at in sorted(lost):
        if found and at - found[-1][-1] <= _ONE_BURST_S:
            found[-1].append(at)
        else:
            found.append([at])
    return found
