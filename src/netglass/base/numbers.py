"""Picking numbers out of ranges: addresses, segments and VLAN tags are all the same question."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


def pick_lowest(ranges: Iterable[tuple[int, int]], used: tuple[int, ...]) -> int | None:
    """Picks the lowest number of `ranges` that is not in `used`; None when all are taken.

    ranges  inclusive (first, last) pairs, looked at in the order given
    used    ascending, each once; may hold numbers outside of `ranges`

    Cost: O(len(ranges) * log(len(used))); no range is ever expanded, so a /8 or a /64 costs nothing.
    Among ascending distinct numbers, ``used[i] - i`` never falls, so the first gap is found by halving.
    """
    for first, last in ranges:
        base = bisect_left(used, first)
        low, high = base, len(used)
        while low < high:
            middle = (low + high) // 2
            if used[middle] - first > middle - base:
                high = middle
            else:
                low = middle + 1
        candidate = first + low - base
        if candidate <= last:
            return candidate
    return None


def with_number(used: tuple[int, ...], number: int) -> tuple[int, ...]:
    """Gives `used` with `number` in its place; unchanged when it is there already."""
    at = bisect_left(used, number)
    if at < len(used) and used[at] == number:
        return used
    return (*used[:at], number, *used[at:])


def without_number(used: tuple[int, ...], number: int) -> tuple[int, ...]:
    """Gives `used` without `number`; unchanged when it is not there."""
    at = bisect_left(used, number)
    if at == len(used) or used[at] != number:
        return used
    return used[:at] + used[at + 1 :]


def holds_number(used: tuple[int, ...], number: int) -> bool:
    """Says whether the ascending `used` holds `number`."""
    at = bisect_left(used, number)
    return at < len(used) and used[at] == number
