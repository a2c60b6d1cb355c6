"""Subnet pools: prefixes out of which subnets get their CIDR.

Source: Networking API v2.0, subnetpools, with the extensions ``default-subnetpools``, ``subnetpool-prefix-ops``,
``subnet_onboard`` and ``address-scope``; Neutron for the order of checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import msgspec

from netglass.base.errors import Bug
from netglass.control import prefixes as blocks
from netglass.control import quotas
from netglass.control.address_scopes import find_address_scope
from netglass.control.decision import Decision
from netglass.control.faults import disallowed, fault, invalid_input
from netglass.control.tags import ordered_tags
from netglass.control.visibility import (
    find_network,
    may_update,
    owns_network,
    project_for,
    require_delete,
    require_update,
    visible,
)
from netglass.model.resources import AddressScope, Subnet, SubnetPool

_PLAIN = frozenset({"name", "description", "default_quota"})
_LENGTHS = ("default_prefixlen", "min_prefixlen", "max_prefixlen")
_CHANGEABLE = _PLAIN | {"tags", "prefixes", "is_default", "address_scope_id", *_LENGTHS}
_LEAST_LENGTH = {4: 8, 6: 64}  # of subnets, where a pool says nothing
_LONGEST = {4: 32, 6: 128}


def find_subnet_pool(d: Decision, pool_id: str) -> SubnetPool:
    """Gives a subnet pool that the caller sees; raises SubnetPoolNotFound."""
    pool = d.snapshot.get(SubnetPool, pool_id)
    if pool is None or not visible(d.caller, pool, d.snapshot):
        raise fault("SubnetPoolNotFound", subnetpool_id=pool_id)
    return pool


def decide_create_subnet_pool(d: Decision, wanted: Mapping[str, Any]) -> SubnetPool:
    """Makes a subnet pool; gives the row.

    wanted  by field name of SubnetPool; prefixes must be there, and say the IP version.  Lengths that are absent: as
            large as /8 or /64, as small as one address, and by default the largest

    Raises OverQuota, EmptySubnetPoolPrefixList, PrefixVersionMismatch, IllegalSubnetPoolPrefixBounds, InvalidInput (a
    second default), and as `_refuse_scope`.
    """
    project_id = project_for(d, wanted)
    quotas.check(d, "subnetpool", project_id)
    version = _version(wanted["prefixes"])
    least = wanted.get("min_prefixlen", _LEAST_LENGTH[version])
    pool = SubnetPool(
        id=d.fresh.uuid(),
        project_id=project_id,
        name=wanted.get("name") or "",
        description=wanted.get("description") or "",
        tags=ordered_tags("subnetpool", wanted.get("tags") or ()),
        ip_version=version,
        prefixes=blocks.joined(wanted["prefixes"]),
        min_prefixlen=least,
        max_prefixlen=wanted.get("max_prefixlen", _LONGEST[version]),
        default_prefixlen=wanted.get("default_prefixlen", least),
        default_quota=wanted.get("default_quota"),
        is_default=wanted.get("is_default", False),
        shared=wanted.get("shared", False),
        address_scope_id=wanted.get("address_scope_id") or "",
        created_at=d.now,
        updated_at=d.now,
    )
    _refuse_lengths(pool)
    if pool.is_default:
        _refuse_second_default(d, pool)
    _refuse_scope(d, pool)
    return d.draft.put(pool)


def decide_update_subnet_pool(d: Decision, pool: SubnetPool, changes: Mapping[str, Any]) -> SubnetPool:
    """Changes a subnet pool; gives the new row.  Prefixes may only become more; its subnets follow its address scope.

    Raises SubnetPoolNotFound or PolicyNotAuthorized (another's pool), IllegalSubnetPoolUpdate (in somebody else's
    scope), IllegalSubnetPoolPrefixUpdate, NetworkAddressScopeAffinityError (subnets of other pools beside its own),
    and as `decide_create_subnet_pool`.
    """
    require_update(d, pool)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a subnet pool that nobody may change reached the decision: {sorted(unknown)}")
    _refuse_in_foreign_scope(d, pool)
    values = {name: changes[name] for name in (*_PLAIN, *_LENGTHS, "is_default") if name in changes}
    if "prefixes" in changes:
        values["prefixes"] = _grown(pool, changes["prefixes"])
    if "address_scope_id" in changes:
        values["address_scope_id"] = changes["address_scope_id"] or ""
    if "tags" in changes:
        values["tags"] = ordered_tags("subnetpool", changes["tags"])
    changed = msgspec.structs.replace(pool, **values)
    _refuse_lengths(changed)
    if changed.is_default and not pool.is_default:
        _refuse_second_default(d, changed)
    _refuse_scope(d, changed)
    if changed.address_scope_id != pool.address_scope_id:
        _rescope(d, changed)
    return d.draft.update(pool, d.now, **values)


def decide_delete_subnet_pool(d: Decision, pool: SubnetPool) -> None:
    """Deletes a subnet pool.

    Raises SubnetPoolNotFound or PolicyNotAuthorized (another's pool), SubnetPoolDeleteError while subnets are of it.
    """
    require_delete(d, pool)
    if d.snapshot.ids("subnets_by_subnetpool", pool.id):
        raise fault("SubnetPoolDeleteError", reason="Subnet pool has existing allocations")
    for policy in d.snapshot.rows("rbac_policies_by_object", pool.id):
        d.draft.drop(policy)
    d.draft.drop(pool)


def decide_add_prefixes(d: Decision, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Adds prefixes to a pool; gives the new row.  Raises as `decide_update_subnet_pool`."""
    return decide_update_subnet_pool(d, pool, {"prefixes": (*pool.prefixes, *prefixes)})


def decide_remove_prefixes(d: Decision, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Takes prefixes, or parts of them, out of a pool; those that are not in it are no error.  Gives the new row.

    Raises SubnetPoolNotFound or PolicyNotAuthorized (another's pool), IllegalSubnetPoolPrefixUpdate when a subnet has
    addresses of them, EmptySubnetPoolPrefixList when none would be left, PrefixVersionMismatch.
    """
    require_update(d, pool)
    if any(ip_network(prefix).version != pool.ip_version for prefix in prefixes):
        raise fault("PrefixVersionMismatch")
    if not blocks.meet(pool.prefixes, prefixes):
        return pool
    if blocks.meet(prefixes, (subnet.cidr for subnet in _subnets(d, pool))):
        raise fault("IllegalSubnetPoolPrefixUpdate", msg="One or more the prefixes to be removed is in use by a subnet")
    left = blocks.without(pool.prefixes, prefixes, pool.ip_version)
    if not left:
        raise fault("EmptySubnetPoolPrefixList")
    return d.draft.update(pool, d.now, prefixes=left)


def decide_onboard(d: Decision, pool: SubnetPool, network_id: str) -> list[Subnet]:
    """Makes a network's subnets of the pool's family subnets of the pool, which grows by them; gives their new rows.

    Raises NetworkNotFound, PolicyNotAuthorized (another's network: it could be led into a foreign scope),
    IllegalSubnetPoolUpdate when one has addresses that the pool gave away, and as `decide_update_subnet_pool`.
    """
    require_update(d, pool)
    network = find_network(d, network_id)
    if not owns_network(d.caller, network.id, d.snapshot):
        raise disallowed("onboard_network_subnets")
    given = [subnet.cidr for subnet in _subnets(d, pool)]
    found = [s for s in d.snapshot.rows("subnets_by_network", network.id) if s.ip_version == pool.ip_version]
    for subnet in found:
        if blocks.meet((subnet.cidr,), given):
            raise fault(
                "IllegalSubnetPoolUpdate",
                reason=f"Onboarding subnet {subnet.id}: {subnet.cidr} conflicts with allocated prefixes in subnet pool"
                f" {pool.id}",
            )
    pool = decide_update_subnet_pool(d, pool, {"prefixes": (*pool.prefixes, *(s.cidr for s in found))})
    moved = {"subnetpool_id": pool.id, "address_scope_id": pool.address_scope_id}
    return [d.draft.update(subnet, d.now, **moved) for subnet in found]


def _subnets(d: Decision, pool: SubnetPool) -> list[Subnet]:
    found: list[Subnet] = d.snapshot.rows("subnets_by_subnetpool", pool.id)
    return found


def _version(prefixes: Sequence[str]) -> int:
    versions = {ip_network(prefix).version for prefix in prefixes}
    if not versions:
        raise fault("EmptySubnetPoolPrefixList")
    if len(versions) > 1:
        raise fault("PrefixVersionMismatch")
    return versions.pop()


def _grown(pool: SubnetPool, prefixes: Sequence[str]) -> tuple[str, ...]:
    if _version(prefixes) != pool.ip_version:
        raise fault("PrefixVersionMismatch")
    if not blocks.cover(prefixes, pool.prefixes):
        raise fault("IllegalSubnetPoolPrefixUpdate", msg="Existing prefixes must be a subset of the new prefixes")
    return blocks.joined(prefixes)


def _refuse_lengths(pool: SubnetPool) -> None:
    """Raises IllegalSubnetPoolPrefixBounds unless min <= default <= max <= what the family has."""
    pairs = (
        ("min_prefixlen", pool.min_prefixlen, "max_prefixlen", pool.max_prefixlen),
        ("max_prefixlen", pool.max_prefixlen, "ip_version_max", _LONGEST[pool.ip_version]),
        ("min_prefixlen", pool.min_prefixlen, "default_prefixlen", pool.default_prefixlen),
        ("default_prefixlen", pool.default_prefixlen, "max_prefixlen", pool.max_prefixlen),
    )
    for name, less, other, more in pairs:
        if less > more:
            raise fault(
                "IllegalSubnetPoolPrefixBounds",
                prefix_type=name,
                prefixlen=less,
                base_prefix_type=other,
                base_prefixlen=more,
            )


def _refuse_second_default(d: Decision, pool: SubnetPool) -> None:
    if d.snapshot.ids("subnetpools_default", pool.ip_version):
        raise invalid_input(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        )


def _refuse_scope(d: Decision, pool: SubnetPool) -> None:
    """Raises what is wrong with a pool's address scope.

    AddressScopeNotFound, IllegalSubnetPoolIpVersionAssociationToAddressScope, AddressScopePrefixConflict (another pool
    there has some of its addresses).
    """
    if not pool.address_scope_id:
        return
    scope = find_address_scope(d, pool.address_scope_id)
    if scope.ip_version != pool.ip_version:
        raise fault(
            "IllegalSubnetPoolIpVersionAssociationToAddressScope",
            subnetpool_id=pool.id,
            address_scope_id=scope.id,
            ip_version=scope.ip_version,
        )
    other: SubnetPool
    for other in d.snapshot.rows("subnetpools_by_scope", scope.id):
        if other.id != pool.id and blocks.meet(other.prefixes, pool.prefixes):
            raise fault("AddressScopePrefixConflict")


def _refuse_in_foreign_scope(d: Decision, pool: SubnetPool) -> None:
    scope = d.snapshot.get(AddressScope, pool.address_scope_id) if pool.address_scope_id else None
    if scope is not None and not may_update(d.caller, scope, d.snapshot):
        reason = f"subnetpool {pool.id} cannot be updated when associated with shared address scope {scope.id}"
        raise fault("IllegalSubnetPoolUpdate", reason=reason)


def _rescope(d: Decision, pool: SubnetPool) -> None:
    """Has the pool's subnets follow it into another scope, or none.

    Raises NetworkAddressScopeAffinityError when a network would have subnets of one family in different scopes.
    """
    subnets = _subnets(d, pool)
    for network_id in {subnet.network_id for subnet in subnets}:
        beside: list[Subnet] = d.snapshot.rows("subnets_by_network", network_id)
        if any(s.ip_version == pool.ip_version and s.subnetpool_id != pool.id for s in beside):
            raise fault("NetworkAddressScopeAffinityError")
    for subnet in subnets:
        # Nothing that its owner made or sees of it, so its revision number stays.
        d.draft.put(msgspec.structs.replace(subnet, address_scope_id=pool.address_scope_id))
