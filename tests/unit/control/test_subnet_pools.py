from __future__ import annotations

from typing import Any

import pytest
from deciding import ADMIN, ALICE, BOB, CONTROL, Cloud, refused

from netglass.control.address_scopes import (
    decide_create_address_scope,
    decide_delete_address_scope,
    decide_update_address_scope,
    scope_of_network,
)
from netglass.control.subnet_pools import (
    decide_add_prefixes,
    decide_create_subnet_pool,
    decide_delete_subnet_pool,
    decide_onboard,
    decide_remove_prefixes,
    decide_update_subnet_pool,
)
from netglass.control.subnets import decide_create_subnet
from netglass.model.caller import Caller
from netglass.model.resources import AddressScope, Network, Subnet, SubnetPool


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(CONTROL, dhcp_agents_per_network=0)


def pool(cloud: Cloud, *prefixes: str, caller: Caller = ALICE, **wanted: Any) -> SubnetPool:
    return cloud.decide(lambda d: decide_create_subnet_pool(d, {"prefixes": prefixes, **wanted}), caller)


def scope(cloud: Cloud, caller: Caller = ALICE, **wanted: Any) -> AddressScope:
    return cloud.decide(lambda d: decide_create_address_scope(d, {"ip_version": 4, **wanted}), caller)


def change(cloud: Cloud, row: SubnetPool, caller: Caller = ALICE, **changes: Any) -> SubnetPool:
    return cloud.decide(lambda d: decide_update_subnet_pool(d, cloud.now(row), changes), caller)


def of_pool(cloud: Cloud, network: Network, caller: Caller = ALICE, **wanted: Any) -> Subnet:
    values = {"network_id": network.id, "ip_version": 4, **wanted}
    return cloud.decide(lambda d: decide_create_subnet(d, values), caller)


def test_subnets_get_blocks_of_the_length_they_ask_for_and_never_the_same(cloud: Cloud) -> None:
    found = pool(cloud, "10.8.0.0/16", default_prefixlen=24)
    assert (found.min_prefixlen, found.max_prefixlen, found.ip_version) == (8, 32, 4)
    network = cloud.network()
    first = of_pool(cloud, network, subnetpool_id=found.id)
    assert (first.cidr, first.gateway_ip, first.subnetpool_id) == ("10.8.0.0/24", "10.8.0.1", found.id)
    assert of_pool(cloud, network, subnetpool_id=found.id, prefixlen=26).cidr == "10.8.1.0/26"
    assert of_pool(cloud, network, subnetpool_id=found.id, cidr="10.8.200.0/28").cidr == "10.8.200.0/28"
    by_gateway = of_pool(cloud, network, subnetpool_id=found.id, gateway_ip="10.8.9.7", prefixlen=25)
    assert (by_gateway.cidr, by_gateway.gateway_ip) == ("10.8.9.0/25", "10.8.9.7")
    bare = of_pool(cloud, network, subnetpool_id=found.id, gateway_ip=None)
    assert (bare.cidr, bare.gateway_ip) == ("10.8.8.0/24", None)
    cloud.delete(first)
    assert of_pool(cloud, network, subnetpool_id=found.id).cidr == "10.8.0.0/24"


def test_a_block_of_ipv6_has_its_gateway_after_the_anycast_address(cloud: Cloud) -> None:
    found = pool(cloud, "2001:db8::/48")
    subnet = of_pool(cloud, cloud.network(), subnetpool_id=found.id, ip_version=6)
    assert (subnet.cidr, subnet.gateway_ip, found.default_prefixlen) == ("2001:db8::/64", "2001:db8::1", 64)


def test_what_a_pool_does_not_give_is_refused(cloud: Cloud) -> None:
    found = pool(cloud, "10.8.0.0/24", default_prefixlen=26, min_prefixlen=25, max_prefixlen=28)
    network = cloud.network()
    with refused("MaxPrefixSubnetAllocationError", 400, "maximum allowed prefix is 28"):
        of_pool(cloud, network, subnetpool_id=found.id, prefixlen=29)
    with refused("MinPrefixSubnetAllocationError", 400, "minimum allowed prefix is 25"):
        of_pool(cloud, network, subnetpool_id=found.id, cidr="10.8.0.0/24")
    with refused("SubnetAllocationError", 409, "from the available set of prefixes"):
        of_pool(cloud, network, subnetpool_id=found.id, cidr="10.9.0.0/26")
    with refused("BadRequest", 400, "Cannot allocate IPv6 subnet from IPv4 subnet pool"):
        of_pool(cloud, network, subnetpool_id=found.id, ip_version=6)
    with refused("BadRequest", 400, "allocation_pools allowed only for specific subnet requests."):
        of_pool(cloud, network, subnetpool_id=found.id, allocation_pools=[{"start": "10.8.0.2", "end": "10.8.0.3"}])
    with refused("BadRequest", 400, "is no IPv4 address"):
        of_pool(cloud, network, subnetpool_id=found.id, gateway_ip="2001:db8::1")
    for _ in range(2):
        of_pool(cloud, network, subnetpool_id=found.id, prefixlen=25)
    with refused("SubnetAllocationError", 409, "Insufficient prefix space to allocate subnet size /26"):
        of_pool(cloud, network, subnetpool_id=found.id)


def test_a_pools_quota_is_each_projects_own(cloud: Cloud) -> None:
    found = pool(cloud, "10.8.0.0/16", caller=ADMIN, shared=True, default_prefixlen=24, default_quota=512)
    mine, theirs = cloud.network(), cloud.network(BOB)
    of_pool(cloud, mine, subnetpool_id=found.id)
    of_pool(cloud, mine, subnetpool_id=found.id)
    with refused("SubnetPoolQuotaExceeded", 409):
        of_pool(cloud, mine, subnetpool_id=found.id, prefixlen=32)
    of_pool(cloud, theirs, BOB, subnetpool_id=found.id, prefixlen=23)
    six = pool(cloud, "2001:db8::/48", default_quota=2, min_prefixlen=48)
    of_pool(cloud, cloud.network(), subnetpool_id=six.id, ip_version=6, prefixlen=80)
    with refused("SubnetPoolQuotaExceeded", 409):
        of_pool(cloud, cloud.network(), subnetpool_id=six.id, ip_version=6, cidr="2001:db8:0:2::/63")


def test_there_is_one_default_pool_for_each_family(cloud: Cloud) -> None:
    four = pool(cloud, "10.8.0.0/16", caller=ADMIN, shared=True, is_default=True, default_prefixlen=26)
    with refused("InvalidInput", 400, "Only one default may exist per IP family"):
        pool(cloud, "10.9.0.0/16", caller=ADMIN, is_default=True)
    other = pool(cloud, "10.9.0.0/16", caller=ADMIN)
    with refused("InvalidInput", 400, "Only one default may exist per IP family"):
        change(cloud, other, ADMIN, is_default=True)
    pool(cloud, "2001:db8::/48", caller=ADMIN, is_default=True)
    network = cloud.network()
    assert of_pool(cloud, network, use_default_subnetpool=True).subnetpool_id == four.id
    with refused("BadRequest", 400, "cannot both be specified"):
        of_pool(cloud, network, use_default_subnetpool=True, subnetpool_id=four.id)
    with refused("BadRequest", 400, "No default subnetpool found for IPv6"):  # it is the administrator's own
        of_pool(cloud, network, use_default_subnetpool=True, ip_version=6)


def test_subnets_of_a_network_are_of_one_pool_or_of_none(cloud: Cloud) -> None:
    one, two = pool(cloud, "10.8.0.0/16", default_prefixlen=24), pool(cloud, "10.9.0.0/16", default_prefixlen=24)
    network, plain = cloud.network(), cloud.network()
    of_pool(cloud, network, subnetpool_id=one.id)
    cloud.subnet(plain, "10.0.0.0/24")
    for where, wanted in (
        (network, {"subnetpool_id": two.id}),
        (network, {"cidr": "10.1.0.0/24"}),
        (plain, {"subnetpool_id": one.id}),
    ):
        with refused("NetworkSubnetPoolAffinityError", 400):
            of_pool(cloud, where, **wanted)
    of_pool(cloud, network, cidr="2001:db8::/64", ip_version=6)


def test_bounds_and_prefixes_that_cannot_be_are_refused(cloud: Cloud) -> None:
    for lengths, words in (
        ({"min_prefixlen": 25, "max_prefixlen": 24}, "min_prefixlen=25, max_prefixlen=24"),
        ({"max_prefixlen": 33}, "max_prefixlen=33, ip_version_max=32"),
        ({"default_prefixlen": 7}, "min_prefixlen=8, default_prefixlen=7"),
        ({"default_prefixlen": 30, "max_prefixlen": 28}, "default_prefixlen=30, max_prefixlen=28"),
    ):
        with refused("IllegalSubnetPoolPrefixBounds", 400, words):
            pool(cloud, "10.8.0.0/16", **lengths)
    with refused("EmptySubnetPoolPrefixList", 400):
        pool(cloud)
    with refused("PrefixVersionMismatch", 400):
        pool(cloud, "10.8.0.0/16", "2001:db8::/32")


def test_prefixes_grow_by_an_update_and_shrink_by_what_no_subnet_has(cloud: Cloud) -> None:
    found = pool(cloud, "10.8.1.0/24", "10.8.0.0/24", default_prefixlen=25)
    assert found.prefixes == ("10.8.0.0/23",)
    with refused("IllegalSubnetPoolPrefixUpdate", 400, "must be a subset of the new prefixes"):
        change(cloud, found, prefixes=("10.8.0.0/24",))
    grown = cloud.decide(lambda d: decide_add_prefixes(d, cloud.now(found), ("10.9.0.0/24",)))
    assert grown.prefixes == ("10.8.0.0/23", "10.9.0.0/24")
    of_pool(cloud, cloud.network(), subnetpool_id=found.id, cidr="10.8.0.0/25")

    def remove(*prefixes: str) -> SubnetPool:
        return cloud.decide(lambda d: decide_remove_prefixes(d, cloud.now(found), prefixes))

    with refused("IllegalSubnetPoolPrefixUpdate", 400, "is in use by a subnet"):
        remove("10.8.0.0/26")
    assert remove("10.7.0.0/16").prefixes == grown.prefixes
    assert remove("10.9.0.0/24", "10.8.1.0/25").prefixes == ("10.8.0.0/24", "10.8.1.128/25")
    with refused("SubnetPoolDeleteError", 400, "has existing allocations"):
        cloud.decide(lambda d: decide_delete_subnet_pool(d, cloud.now(found)))
    empty = pool(cloud, "10.20.0.0/24")
    with refused("EmptySubnetPoolPrefixList", 400):
        cloud.decide(lambda d: decide_remove_prefixes(d, empty, ("10.20.0.0/16",)))
    cloud.decide(lambda d: decide_delete_subnet_pool(d, empty))
    assert cloud.snapshot.get(SubnetPool, empty.id) is None


def test_pools_of_a_scope_have_no_address_in_common(cloud: Cloud) -> None:
    inside = scope(cloud)
    found = pool(cloud, "10.8.0.0/16", address_scope_id=inside.id)
    with refused("AddressScopePrefixConflict", 409):
        pool(cloud, "10.8.7.0/24", address_scope_id=inside.id)
    other = pool(cloud, "10.9.0.0/16", address_scope_id=inside.id)
    with refused("AddressScopePrefixConflict", 409):
        change(cloud, other, prefixes=("10.8.0.0/15",))
    with refused("IllegalSubnetPoolIpVersionAssociationToAddressScope", 400, "ip_version is not 4"):
        pool(cloud, "2001:db8::/48", address_scope_id=inside.id)
    with refused("AddressScopeInUse", 409):
        cloud.decide(lambda d: decide_delete_address_scope(d, inside))
    for one in (found, other):
        change(cloud, one, address_scope_id=None)
    cloud.decide(lambda d: decide_delete_address_scope(d, inside))


def test_a_networks_subnets_follow_their_pool_into_a_scope(cloud: Cloud) -> None:
    inside, other = scope(cloud), scope(cloud)
    one = pool(cloud, "10.8.0.0/16", default_prefixlen=24)
    network = cloud.network()
    subnet = of_pool(cloud, network, subnetpool_id=one.id)
    assert scope_of_network(cloud.snapshot, network.id, 4) == ""
    change(cloud, one, address_scope_id=inside.id)
    followed = cloud.now(subnet)
    assert (followed.address_scope_id, followed.revision_number) == (inside.id, subnet.revision_number)
    assert scope_of_network(cloud.snapshot, network.id, 4) == inside.id
    two = pool(cloud, "10.9.0.0/16", default_prefixlen=24, address_scope_id=inside.id)
    of_pool(cloud, network, subnetpool_id=two.id)
    apart = pool(cloud, "10.10.0.0/16", default_prefixlen=24, address_scope_id=other.id)
    with refused("NetworkAddressScopeAffinityError", 400):
        of_pool(cloud, network, subnetpool_id=apart.id)
    with refused("NetworkAddressScopeAffinityError", 400):
        change(cloud, one, address_scope_id=other.id)
    change(cloud, one, name="the same scope")


def test_a_networks_subnets_can_be_onboarded_by_its_owner(cloud: Cloud) -> None:
    inside = scope(cloud)
    found = pool(cloud, "10.8.0.0/16", address_scope_id=inside.id)
    network = cloud.network()
    subnets = [cloud.subnet(network, cidr) for cidr in ("10.0.0.0/24", "10.8.0.0/24", "2001:db8::/64")]
    moved = cloud.decide(lambda d: decide_onboard(d, found, network.id))
    assert {one.cidr for one in moved} == {"10.0.0.0/24", "10.8.0.0/24"}
    assert {one.subnetpool_id for one in map(cloud.now, subnets[:2])} == {found.id}
    assert cloud.now(subnets[0]).address_scope_id == inside.id
    assert cloud.now(subnets[2]).subnetpool_id == ""
    assert cloud.now(found).prefixes == ("10.0.0.0/24", "10.8.0.0/16")
    overlapping = cloud.network()
    cloud.subnet(overlapping, "10.8.0.128/25")
    with refused("IllegalSubnetPoolUpdate", 400, "conflicts with allocated prefixes"):
        cloud.decide(lambda d: decide_onboard(d, cloud.now(found), overlapping.id))
    theirs = cloud.network(ADMIN, shared=True)
    cloud.subnet(theirs, "10.30.0.0/24", ADMIN)
    with refused("PolicyNotAuthorized", 403, "onboard_network_subnets"):
        cloud.decide(lambda d: decide_onboard(d, cloud.now(found), theirs.id))
    with refused("NetworkNotFound", 404):
        cloud.decide(lambda d: decide_onboard(d, cloud.now(found), cloud.network(BOB).id))


def test_pools_and_scopes_of_others_are_there_when_shared_and_theirs_to_change(cloud: Cloud) -> None:
    mine = pool(cloud, "10.8.0.0/16")
    private = scope(cloud)
    open_scope = scope(cloud, ADMIN, shared=True)
    network = cloud.network(BOB)
    with refused("SubnetPoolNotFound", 404):
        of_pool(cloud, network, BOB, subnetpool_id=mine.id)
    with refused("AddressScopeNotFound", 404):
        pool(cloud, "10.9.0.0/16", caller=BOB, address_scope_id=private.id)
    with refused("SubnetPoolNotFound", 404):
        change(cloud, mine, BOB, name="x")
    with refused("AddressScopeNotFound", 404):
        cloud.decide(lambda d: decide_update_address_scope(d, private, {"name": "x"}), BOB)
    theirs = pool(cloud, "10.9.0.0/16", caller=BOB, address_scope_id=open_scope.id)
    with refused("IllegalSubnetPoolUpdate", 400, "when associated with shared address scope"):
        change(cloud, theirs, BOB, name="x")
    with refused("PolicyNotAuthorized", 403):
        cloud.decide(lambda d: decide_delete_address_scope(d, open_scope), BOB)
    with refused("AddressScopeUpdateError", 400, "can't be unshared"):
        cloud.decide(lambda d: decide_update_address_scope(d, open_scope, {"shared": False}), ADMIN)
    limited = Cloud(default_quotas={"subnetpool": 1})
    pool(limited, "10.8.0.0/16")
    with refused("OverQuota", 409, "subnetpool"):
        pool(limited, "10.9.0.0/16")
