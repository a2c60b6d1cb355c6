"""Where a new subnet's CIDR comes from: the request itself, or a subnet pool.

Source: Networking API v2.0, subnets (``cidr``, ``subnetpool_id``, ``use_default_subnetpool``, ``prefixlen``); Neutron's
subnet allocator for which block is taken, and its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from netglass.control.address_scopes import scope_of_network
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.prefixes import best_block, free_of, is_free
from netglass.control.spaces import space
from netglass.control.subnet_pools import find_subnet_pool
from netglass.control.visibility import visible
from netglass.model.resources import Network, Subnet, SubnetPool

_QUOTA_UNIT = {4: 32, 6: 64}  # prefix length of what a pool's quota counts


@dataclass(frozen=True)
class Allocation:
    """What a subnet gets.

    pool    None: its CIDR was asked for, and is nobody else's matter
    chosen  the pool chose it, and not the request
    """

    cidr: str
    pool: SubnetPool | None = None
    chosen: bool = False


def allocate_cidr(d: Decision, network: Network, project_id: str, wanted: Mapping[str, Any]) -> Allocation:
    """Gives a new subnet's CIDR.

    wanted  ip_version; cidr, or subnetpool_id or use_default_subnetpool with perhaps prefixlen, cidr, gateway_ip

    Raises BadRequest (contradicting or missing wishes), SubnetPoolNotFound, NetworkSubnetPoolAffinityError,
    NetworkAddressScopeAffinityError, MinPrefixSubnetAllocationError, MaxPrefixSubnetAllocationError,
    SubnetPoolQuotaExceeded, SubnetAllocationError (not enough, or not that, is free).
    """
    cidr, prefixlen = wanted.get("cidr"), wanted.get("prefixlen")
    if cidr and prefixlen is not None:
        raise _bad("cidr and prefixlen must not be supplied together")
    pool = _pool(d, wanted)
    if pool is None and not cidr:
        raise _bad("a subnetpool must be specified in the absence of a cidr")
    if pool is not None and not cidr and wanted.get("allocation_pools") is not None:
        raise _bad("allocation_pools allowed only for specific subnet requests.")
    _refuse_apart(d, network, wanted["ip_version"], pool)
    if pool is None:
        return Allocation(str(cidr))
    if wanted["ip_version"] != pool.ip_version:
        raise _bad(f"Cannot allocate IPv{wanted['ip_version']} subnet from IPv{pool.ip_version} subnet pool")
    length = pool.default_prefixlen if prefixlen is None else prefixlen
    if not cidr and wanted.get("gateway_ip"):
        cidr = _around(wanted["gateway_ip"], pool, length)
    length = ip_network(cidr, strict=False).prefixlen if cidr else length
    _refuse_length(pool, length)
    _refuse_over_quota(d, pool, project_id, length)
    return Allocation(_block(d, pool, cidr, length), pool, chosen=not cidr)


def _pool(d: Decision, wanted: Mapping[str, Any]) -> SubnetPool | None:
    by_default, pool_id = wanted.get("use_default_subnetpool"), wanted.get("subnetpool_id")
    if by_default and pool_id:
        raise _bad("subnetpool_id and use_default_subnetpool cannot both be specified")
    if not by_default:
        return find_subnet_pool(d, pool_id) if pool_id else None
    pools: list[SubnetPool] = d.snapshot.rows("subnetpools_default", wanted["ip_version"])
    found = next((pool for pool in pools if visible(d.caller, pool, d.snapshot)), None)
    if found is None:
        raise _bad(f"No default subnetpool found for IPv{wanted['ip_version']}")
    return found


def _around(gateway_ip: str, pool: SubnetPool, length: int) -> str:
    if ip_address(gateway_ip).version != pool.ip_version:
        raise _bad(f"gateway_ip {gateway_ip} is no IPv{pool.ip_version} address, as the subnet pool's are")
    return str(ip_network(f"{gateway_ip}/{length}", strict=False))


def _refuse_apart(d: Decision, network: Network, ip_version: int, pool: SubnetPool | None) -> None:
    """Raises the affinity errors: a network's subnets of one family are of one scope, or else of one pool or none."""
    scope_id = scope_of_network(d.snapshot, network.id, ip_version)
    if pool is not None and scope_id and pool.address_scope_id != scope_id:
        raise fault("NetworkAddressScopeAffinityError")
    subnets: list[Subnet] = d.snapshot.rows("subnets_by_network", network.id)
    for subnet in subnets:
        if subnet.ip_version != ip_version:
            continue
        apart = subnet.subnetpool_id != pool.id and not scope_id if pool is not None else bool(subnet.subnetpool_id)
        if apart:
            raise fault("NetworkSubnetPoolAffinityError")


def _refuse_length(pool: SubnetPool, length: int) -> None:
    if length > pool.max_prefixlen:
        raise fault("MaxPrefixSubnetAllocationError", prefixlen=length, max_prefixlen=pool.max_prefixlen)
    if length < pool.min_prefixlen:
        raise fault("MinPrefixSubnetAllocationError", prefixlen=length, min_prefixlen=pool.min_prefixlen)


def _refuse_over_quota(d: Decision, pool: SubnetPool, project_id: str, length: int) -> None:
    """Raises SubnetPoolQuotaExceeded; each project is counted alone, in addresses."""
    if not pool.default_quota:
        return
    bits = 32 if pool.ip_version == 4 else 128
    subnets: list[Subnet] = d.snapshot.rows("subnets_by_subnetpool", pool.id)
    spaces = [space(subnet.cidr) for subnet in subnets if subnet.project_id == project_id]
    used = sum(one.last - one.first + 1 for one in spaces)
    allowed = pool.default_quota << (bits - _QUOTA_UNIT[pool.ip_version])
    if used + (1 << (bits - length)) > allowed:
        raise fault("SubnetPoolQuotaExceeded", detail=f"Project {project_id} has {used} of {allowed} addresses.")


def _block(d: Decision, pool: SubnetPool, cidr: str | None, length: int) -> str:
    taken = (subnet.cidr for subnet in d.snapshot.rows("subnets_by_subnetpool", pool.id))
    free = free_of(pool.prefixes, taken)
    if cidr is not None:
        if not is_free(free, cidr):
            reason = "Cannot allocate requested subnet from the available set of prefixes"
            raise fault("SubnetAllocationError", reason=reason)
        return cidr
    found = best_block(free, pool.ip_version, length)
    if found is None:
        reason = f"Insufficient prefix space to allocate subnet size /{length}"
        raise fault("SubnetAllocationError", reason=reason)
    return found


def _bad(message: str) -> Exception:
    return fault("BadRequest", resource="subnets", msg=message)
