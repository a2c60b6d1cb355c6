"""Prefixes put together: the fewest that hold the same addresses, for where each one costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range


def joined(ip_version: int, cidrs: Iterable[str]) -> tuple[str, ...]:
    """Gives the fewest CIDRs that hold the same addresses, ascending; `cidrs` ascend, and none is within another."""
    found: list[str] = []
    first = last = -1
    for start, end in map(_ends, cidrs):
        if start == last + 1 and first >= 0:
            last = end
            continue
        if first >= 0:
            found += _split(ip_version, first, last)
        first, last = start, end
    if first >= 0:
        found += _split(ip_version, first, last)
    return tuple(found)


def _split(ip_version: int, first: int, last: int) -> Iterator[str]:
    """Gives the fewest CIDRs that together are a range of addresses."""
    address = IPv4Address if ip_version == 4 else IPv6Address
    yield from map(str, summarize_address_range(address(first), address(last)))


@lru_cache(maxsize=65536)
def _ends(cidr: str) -> tuple[int, int]:
    network = ip_network(cidr)
    return int(network.network_address), int(network.broadcast_address)
