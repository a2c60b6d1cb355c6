"""Permits put together, for where every rule costs every packet: one rule for many ports, or for many prefixes.

Called by ``chains``.  What passes is what the permits let pass, no more and no less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from netglass.desired.permits import Permit
from netglass.model.rules import PORT_NUMBERS

MANY = 8
"""So many prefixes, with the same kinds of packet each, become a set; fewer are read more easily as rules."""

_SLOTS = 15  # iptables-extensions(8), multiport: ports in one rule, of which a range takes two

_EVERY_PORT = (0, 65535)  # as one it is no match at all, and printed as none

Range = tuple[int | None, int | None]


class Joint(msgspec.Struct, frozen=True):
    """Permits that are said together: each of the ranges, to or from each of the remotes.

    ranges   ascending, apart from one another; ports, or the one type and code of ICMP; empty: any
    remotes  CIDRs, ascending as text; `MANY` or more, or one, which is empty for anybody
    permits  what it is made of, ascending
    """

    ip_version: int
    protocol: int | None
    ranges: tuple[Range, ...]
    remotes: tuple[str, ...]
    remote_set: str
    permits: tuple[Permit, ...]


def joints_of(permits: Iterable[Permit]) -> Iterator[Joint]:
    """Gives permits of one family and direction put together; `permits` ascend."""
    by_remote: dict[tuple[int | None, Range, str, str], list[Permit]] = {}
    for permit in permits:
        ported = permit.protocol in PORT_NUMBERS and permit.low is not None
        alike = (-1, -1) if ported else (permit.low, permit.high)
        by_remote.setdefault((permit.protocol, alike, permit.remote, permit.remote_set), []).append(permit)
    alike_remotes: dict[tuple[int | None, tuple[Range, ...], str], dict[str, list[Permit]]] = {}
    for (protocol, _, remote, remote_set), held in by_remote.items():
        for ranges in _in_slots(_ranges(held)):
            within = [permit for permit in held if not ranges or _is_within(permit, ranges)]
            alike_remotes.setdefault((protocol, ranges, remote_set), {})[remote] = within
    for (protocol, ranges, remote_set), by_prefix in alike_remotes.items():
        prefixes = sorted(remote for remote in by_prefix if remote)
        together = [prefixes] if len(prefixes) >= MANY else [[prefix] for prefix in prefixes]
        for remotes in [*([[""]] if "" in by_prefix else []), *together]:
            made_of = tuple(permit for remote in remotes for permit in by_prefix[remote])
            yield Joint(made_of[0].ip_version, protocol, ranges, tuple(remotes), remote_set, made_of)


def _ranges(permits: list[Permit]) -> list[Range]:
    """Gives the fewest ranges that hold what the permits hold; empty when that is everything."""
    first = permits[0]
    if first.low is None:
        return []
    if first.protocol not in PORT_NUMBERS:
        return [(first.low, first.high)]
    found: list[tuple[int, int]] = []
    for low, high in sorted((permit.low or 0, permit.high or 0) for permit in permits):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return [] if found == [_EVERY_PORT] else list(found)


def _in_slots(ranges: list[Range]) -> Iterator[tuple[Range, ...]]:
    """Gives ranges in parts that one rule can say; one empty part when there are none."""
    part: list[Range] = []
    slots = 0
    for low, high in ranges:
        taken = 1 if low == high else 2
        if slots + taken > _SLOTS:
            yield tuple(part)
            part, slots = [], 0
        part.append((low, high))
        slots += taken
    yield tuple(part)


def _is_within(permit: Permit, ranges: tuple[Range, ...]) -> bool:
    if permit.protocol not in PORT_NUMBERS:
        return True
    return any((low or 0) <= (permit.low or 0) and (permit.high or 0) <= (high or 0) for low, high in ranges)
