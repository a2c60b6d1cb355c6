"""Arithmetic of prefixes: what of some is free, and which free block a request gets.

Pure numbers; nothing here knows rows.  Cost: O(n log n) in the blocks that are taken; no address is ever listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from ipaddress import summarize_address_range as summarize

from netglass.control.spaces import space

Block = IPv4Network | IPv6Network


def joined(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Gives the same addresses in as few prefixes as there can be, ascending; all of one family, no host bits."""
    found: list[Block] = [ip_network(prefix) for prefix in prefixes]
    return tuple(str(block) for block in collapse_addresses(found))  # type: ignore[type-var]


def free_of(prefixes: Iterable[str], taken: Iterable[str]) -> list[tuple[int, int]]:
    """Gives the ranges of addresses in `prefixes` that are in none of `taken`, ascending, first and last."""
    held = sorted((one.first, one.last) for one in map(space, taken))
    found: list[tuple[int, int]] = []
    for whole in sorted((one.first, one.last) for one in map(space, prefixes)):
        first = whole[0]
        for start, end in held:
            if end < first or start > whole[1]:
                continue
            if start > first:
                found.append((first, start - 1))
            first = end + 1
        if first <= whole[1]:
            found.append((first, whole[1]))
    return found


def best_block(free: Sequence[tuple[int, int]], version: int, prefixlen: int) -> str | None:
    """Gives the first block of a length out of the smallest free one that holds it, so that large ones stay whole.

    None when there is none.  Source: Neutron's subnet allocator, whose order this is.
    """
    found: list[tuple[int, int, Block]] = []
    for first, last in free:
        for block in _blocks(version, first, last):
            if block.prefixlen <= prefixlen:
                found.append((-block.prefixlen, int(block.network_address), block))
    if not found:
        return None
    smallest = min(found, key=lambda one: one[:2])[2]
    return str(next(iter(smallest.subnets(new_prefix=prefixlen))))


def is_free(free: Sequence[tuple[int, int]], cidr: str) -> bool:
    """Says whether a block lies in one of the free ranges."""
    wanted = space(cidr)
    return any(first <= wanted.first and wanted.last <= last for first, last in free)


def meet(some: Iterable[str], others: Iterable[str]) -> bool:
    """Says whether two sets of prefixes of one family have an address in common."""
    spaces = [space(other) for other in others]
    return any(a.first <= b.last and b.first <= a.last for a in map(space, some) for b in spaces)


def cover(wider: Iterable[str], prefixes: Iterable[str]) -> bool:
    """Says whether every address of `prefixes` is in `wider`, of one family."""
    free = free_of(joined(wider), ())
    return all(is_free(free, prefix) for prefix in prefixes)


def without(prefixes: Iterable[str], gone: Iterable[str], version: int) -> tuple[str, ...]:
    """Gives what is left of prefixes, in as few as there can be, ascending."""
    return joined(str(block) for first, last in free_of(prefixes, gone) for block in _blocks(version, first, last))


def _blocks(version: int, first: int, last: int) -> Iterable[Block]:
    if version == 4:
        return summarize(IPv4Address(first), IPv4Address(last))
    return summarize(IPv6Address(first), IPv6Address(last))
