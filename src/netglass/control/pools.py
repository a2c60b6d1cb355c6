"""Allocation pools: the ranges of a subnet from which addresses are chosen.

Source: Networking API v2.0, subnets; Neutron's IPAM for the order of checks and their faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from itertools import pairwise

from netglass.control.faults import fault
from netglass.control.spaces import Space, space, text_of
from netglass.model.resources import AddressRange


def default_pools(cidr: str, gateway_ip: str | None) -> tuple[AddressRange, ...]:
    """Gives all that a host may have in the CIDR, less the gateway: one range, two around it, or none."""
    whole = space(cidr)
    if whole.first == whole.last:
        return (AddressRange(text_of(whole.version, whole.first), text_of(whole.version, whole.first)),)
    ranges = [(whole.lowest, whole.highest)]
    if gateway_ip is not None:
        gateway = int(ip_address(gateway_ip))
        if whole.lowest <= gateway <= whole.highest:
            ranges = [(whole.lowest, gateway - 1), (gateway + 1, whole.highest)]
    return tuple(
        AddressRange(text_of(whole.version, first), text_of(whole.version, last))
        for first, last in ranges
        if first <= last
    )


def checked_pools(cidr: str, pools: Sequence[AddressRange]) -> tuple[AddressRange, ...]:
    """Gives pools ascending.

    Raises InvalidAllocationPool (wrong family, end before start), OutOfBoundsAllocationPool (beyond the CIDR, or
    holding its network or broadcast address), OverlappingAllocationPools.
    """
    whole = space(cidr)
    numbered = sorted(((*_bounds(pool, whole, cidr), pool) for pool in pools), key=lambda bounds: bounds[:2])
    for (_, last, pool), (first, _, later) in pairwise(numbered):
        if first <= last:
            raise fault("OverlappingAllocationPools", pool_1=text(pool), pool_2=text(later), subnet_cidr=cidr)
    return tuple(pool for _, _, pool in numbered)


def _bounds(pool: AddressRange, whole: Space, cidr: str) -> tuple[int, int]:
    try:
        start, end = ip_address(pool.start), ip_address(pool.end)
    except ValueError:
        raise fault("InvalidAllocationPool", pool=text(pool)) from None
    if start.version != whole.version or end.version != whole.version or int(start) > int(end):
        raise fault("InvalidAllocationPool", pool=text(pool))
    if int(start) < whole.lowest or int(end) > whole.highest:
        raise fault("OutOfBoundsAllocationPool", pool=text(pool), subnet_cidr=cidr)
    return int(start), int(end)


def refuse_gateway_in(pools: Sequence[AddressRange], gateway_ip: str | None) -> None:
    """Raises GatewayConflictWithAllocationPools when a pool holds the gateway; pools are valid, of its family."""
    if gateway_ip is None:
        return
    gateway = int(ip_address(gateway_ip))
    for pool in pools:
        if int(ip_address(pool.start)) <= gateway <= int(ip_address(pool.end)):
            raise fault("GatewayConflictWithAllocationPools", ip_address=gateway_ip, pool=text(pool))


def text(pool: AddressRange) -> str:
    """Gives a pool as messages show it, such as ``10.0.0.2-10.0.0.254``."""
    return f"{pool.start}-{pool.end}"
