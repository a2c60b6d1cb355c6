"""How long tests wait: as long as they say on a machine with a core to spare, and longer on a busy one.

So a deadline can be near enough to tell news from a look that comes round by itself, and a red run still means that
the tree is red, and not that somebody else was at work on the machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_S = 0.01


def stretched(seconds: float) -> float:
    """Gives a time as it is on this machine now: multiplied by the processes that want each core, if they are many."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(claim: Callable[[], T], within_s: float = 10, what: object = "it has come true") -> T:
    """Gives the first true value of `claim`; fails when there is none within the time, `stretched` as it is by then.

    what  what is waited for, said when it fails
    """
    started = time.monotonic()
    while not (value := claim()):
        waited = time.monotonic() - started
        assert waited < stretched(within_s), f"after {waited:.1f} s still not: {what}"
        time.sleep(_PAUSE_S)
    return value
