"""The words of Neutron's faults about subnet pools and address scopes.

Source: neutron-lib's exceptions and ``exceptions/address_scope.py``; master of summer 2026.
"""

from __future__ import annotations

from typing import Final

from netglass.base.errors import Conflict, Invalid, NotFound, UserError

POOL_WORDS: Final[dict[str, tuple[type[UserError], str]]] = {
    # 404
    "SubnetPoolNotFound": (NotFound, "Subnet pool {subnetpool_id} could not be found."),
    "AddressScopeNotFound": (NotFound, "Address scope {address_scope_id} could not be found."),
    # 400
    "EmptySubnetPoolPrefixList": (Invalid, "Empty subnet pool prefix list."),
    "PrefixVersionMismatch": (Invalid, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."),
    "IllegalSubnetPoolPrefixBounds": (
        Invalid,
        "Illegal prefix bounds: {prefix_type}={prefixlen}, {base_prefix_type}={base_prefixlen}.",
    ),
    "IllegalSubnetPoolPrefixUpdate": (Invalid, "Illegal update to prefixes: {msg}."),
    "IllegalSubnetPoolUpdate": (Invalid, "Illegal subnetpool update : {reason}."),
    "IllegalSubnetPoolIpVersionAssociationToAddressScope": (
        Invalid,
        "Illegal subnetpool association: subnetpool {subnetpool_id} cannot associate with address scope"
        " {address_scope_id} because subnetpool ip_version is not {ip_version}.",
    ),
    "SubnetPoolDeleteError": (Invalid, "Unable to delete subnet pool: {reason}."),
    "MinPrefixSubnetAllocationError": (
        Invalid,
        "Unable to allocate subnet with prefix length {prefixlen}, minimum allowed prefix is {min_prefixlen}.",
    ),
    "MaxPrefixSubnetAllocationError": (
        Invalid,
        "Unable to allocate subnet with prefix length {prefixlen}, maximum allowed prefix is {max_prefixlen}.",
    ),
    "NetworkSubnetPoolAffinityError": (
        Invalid,
        "Subnets hosted on the same network must be allocated from the same subnet pool.",
    ),
    "NetworkAddressScopeAffinityError": (
        Invalid,
        "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
    ),
    "AddressScopeUpdateError": (Invalid, "Unable to update address scope {address_scope_id} : {reason}."),
    # 409; Neutron's own SubnetAllocationError comes out as 500
    "SubnetAllocationError": (Conflict, "Failed to allocate subnet: {reason}."),
    "SubnetPoolQuotaExceeded": (Conflict, "Per-project subnet pool prefix quota exceeded."),
    "AddressScopePrefixConflict": (
        Conflict,
        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
    ),
    "AddressScopeInUse": (
        Conflict,
        "Unable to complete operation on address scope {address_scope_id}. There are one or more subnet pools in use on"
        " the address scope.",
    ),
}
