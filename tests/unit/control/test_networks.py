from __future__ import annotations

import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, CONTROL, Cloud, refused

from netglass.base.errors import Bug
from netglass.model.resources import Network, Port, Subnet


def segments(cloud: Cloud) -> list[int | None]:
    return sorted(n.segmentation_id for n in cloud.snapshot.all(Network))


def test_the_first_network_has_the_first_segment_of_the_range() -> None:
    network = Cloud().network(name="net1")
    assert (network.network_type, network.physical_network, network.segmentation_id) == ("vlan", "default", 1000)
    assert (network.project_id, network.mtu, network.shared) == ("alice", 1500, False)


def test_a_segment_is_free_again_when_its_network_is_gone() -> None:
    cloud = Cloud()
    first, second = cloud.network(), cloud.network()
    assert second.segmentation_id == 1001
    cloud.delete(first)
    assert cloud.network().segmentation_id == 1000


def test_the_next_range_is_used_when_the_first_is_full() -> None:
    cloud = Cloud(vlan_ranges=(("a", 5, 6), ("b", 1, 2)))
    found = [cloud.network() for _ in range(4)]
    assert [(n.physical_network, n.segmentation_id) for n in found] == [("a", 5), ("a", 6), ("b", 1), ("b", 2)]


def test_an_empty_pool_is_said_to_be_empty() -> None:
    cloud = Cloud(vlan_ranges=(("default", 10, 11),))
    cloud.network()
    cloud.network()
    with refused("NoNetworkAvailable", 503, "No project network is available for allocation."):
        cloud.network()
    assert segments(cloud) == [10, 11]


def test_a_cloud_without_tenant_network_types_has_no_network_for_projects() -> None:
    with refused("NoNetworkAvailable", 503):
        Cloud(tenant_network_types=()).network()


@pytest.mark.parametrize(
    ("wanted", "fault", "status", "words"),
    [
        ({"physical_network": "default"}, "InvalidInput", 400, "network_type required"),
        ({"network_type": "stt"}, "InvalidInput", 400, "network_type value 'stt' not supported"),
        (
            {"network_type": "vlan", "physical_network": "nowhere", "segmentation_id": 7},
            "InvalidInput",
            400,
            "physical_network 'nowhere' unknown for VLAN provider network",
        ),
        ({"network_type": "vlan", "physical_network": "nowhere"}, "InvalidInput", 400, "unknown"),
        ({"network_type": "vlan", "segmentation_id": 7}, "InvalidInput", 400, "requires physical_network"),
        (
            {"network_type": "vlan", "physical_network": "default", "segmentation_id": 4095},
            "InvalidInput",
            400,
            "segmentation_id out of range (1 through 4094)",
        ),
        (
            {"network_type": "vlan", "physical_network": "default", "segmentation_id": 0},
            "InvalidInput",
            400,
            "segmentation_id out of range (1 through 4094)",
        ),
        (
            {"network_type": "vlan", "physical_network": "default", "segmentation_id": 1000},
            "VlanIdInUse",
            409,
            "The VLAN 1000 on physical network default is in use.",
        ),
        ({"network_type": "flat"}, "InvalidInput", 400, "physical_network required for flat provider network"),
        ({"network_type": "flat", "physical_network": "taken"}, "FlatNetworkInUse", 409, "taken is in use"),
        (
            {"network_type": "flat", "physical_network": "ext", "segmentation_id": 7},
            "InvalidInput",
            400,
            "segmentation_id prohibited for flat provider network",
        ),
        ({"mtu": 1501}, "InvalidInput", 400, "Requested MTU is too big, maximum is 1500"),
        ({"mtu": 67}, "InvalidInput", 400, "minimum is 68"),
        ({"availability_zone_hints": ["mars"]}, "AvailabilityZoneNotFound", 404, "AvailabilityZone mars"),
        ({"tags": [""]}, "InvalidInput", 400, "Tag"),
        ({"tags": [str(n) for n in range(51)]}, "BadRequest", 400, "50"),
    ],
)
def test_a_network_that_cannot_be_is_refused(wanted: dict, fault: str, status: int, words: str) -> None:
    cloud = Cloud(CONTROL)
    cloud.network()
    cloud.network(network_type="flat", physical_network="taken")
    before = cloud.snapshot
    with refused(fault, status, words):
        cloud.network(ADMIN, **wanted)
    assert cloud.snapshot is before


def test_flat_networks_are_only_on_physical_networks_open_to_them() -> None:
    with refused("InvalidInput", 400, "unknown for flat provider network"):
        Cloud(flat_networks=("ext",)).network(ADMIN, network_type="flat", physical_network="other")
    with refused("InvalidInput", 400, "Flat provider networks are disabled"):
        Cloud(flat_networks=()).network(ADMIN, network_type="flat", physical_network="other")


def test_a_physical_network_without_a_range_takes_the_vlans_that_an_admin_names_and_no_others() -> None:
    cloud = Cloud(vlan_networks=("ext",))
    made = cloud.network(ADMIN, network_type="vlan", physical_network="ext", segmentation_id=77)
    assert (made.physical_network, made.segmentation_id) == ("ext", 77)
    with refused("NoNetworkAvailable", 503):
        cloud.network(ADMIN, network_type="vlan", physical_network="ext")


def test_an_admin_may_name_a_segment_outside_of_the_ranges() -> None:
    cloud = Cloud()
    network = cloud.network(ADMIN, network_type="vlan", physical_network="default", segmentation_id=42)
    assert network.segmentation_id == 42
    assert cloud.network().segmentation_id == 1000


def test_an_admin_may_leave_the_number_to_the_system() -> None:
    network = Cloud().network(ADMIN, network_type="vlan", physical_network="default")
    assert network.segmentation_id == 1000


def test_a_vlan_type_alone_is_enough() -> None:
    assert Cloud().network(ADMIN, network_type="vlan").segmentation_id == 1000


def test_a_flat_network_has_no_segment_and_can_be_made_anew() -> None:
    cloud = Cloud()
    network = cloud.network(ADMIN, network_type="flat", physical_network="ext")
    assert (network.network_type, network.segmentation_id) == ("flat", None)
    cloud.delete(network, ADMIN)
    cloud.network(ADMIN, network_type="flat", physical_network="ext")


def test_no_project_but_an_admin_makes_networks_for_others() -> None:
    assert Cloud().network(ADMIN, project_id="alice").project_id == "alice"
    with refused("HTTPBadRequest", 400, "requires admin privileges"):
        Cloud().network(ALICE, project_id="bob")


def test_a_network_changes_and_counts_its_revisions() -> None:
    cloud = Cloud()
    network = cloud.network(name="a")
    changed = cloud.update(network, name="b", mtu=1400, tags=["z", "a", "z"], admin_state_up=False)
    assert (changed.name, changed.mtu, changed.tags, changed.admin_state_up) == ("b", 1400, ("a", "z"), False)
    assert (network.revision_number, changed.revision_number) == (1, 2)
    assert cloud.update(network, name="b").revision_number == 2


def test_an_unknown_attribute_is_a_bug_of_the_edge() -> None:
    cloud = Cloud()
    network = cloud.network()
    with pytest.raises(Bug):
        cloud.update(network, id="x")


def test_another_project_neither_sees_nor_changes_a_network() -> None:
    cloud = Cloud()
    private, shared = cloud.network(), cloud.network(shared=True)
    for act in (lambda n: cloud.update(n, BOB, name="x"), lambda n: cloud.delete(n, BOB)):
        with refused("NetworkNotFound", 404):
            act(private)
        with refused("PolicyNotAuthorized", 403):
            act(shared)


def test_only_the_number_of_a_segment_changes_and_only_while_nobody_is_plugged_in() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    network, other = cloud.network(), cloud.network()
    for fixed in ({"network_type": "flat"}, {"physical_network": "other"}):
        with refused("InvalidInput", 400, "Plugin does not support updating the following provider network attrib"):
            cloud.update(network, ADMIN, **fixed)
    with refused("VlanIdInUse", 409):
        cloud.update(network, ADMIN, segmentation_id=other.segmentation_id)
    with refused("InvalidInput", 400, "out of range"):
        cloud.update(network, ADMIN, segmentation_id=5000)
    assert cloud.update(network, ADMIN, segmentation_id=77, network_type="vlan").segmentation_id == 77
    assert cloud.network().segmentation_id == 1000
    cloud.port(network, ADMIN, host_id="compute1")
    with refused("InvalidInput", 400, "cannot be updated if any port in the network"):
        cloud.update(network, ADMIN, segmentation_id=78)
    assert cloud.update(network, ADMIN, segmentation_id=77).segmentation_id == 77


def test_a_flat_network_gets_no_segment_later() -> None:
    cloud = Cloud()
    network = cloud.network(ADMIN, network_type="flat", physical_network="ext")
    with refused("InvalidInput", 400, "Only VLAN type networks can be updated."):
        cloud.update(network, ADMIN, segmentation_id=5)


def test_sharing_ends_only_when_nobody_else_is_left() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network(shared=True, name="common")
    cloud.subnet(network)
    port = cloud.port(network, BOB)
    with refused("InvalidSharedSetting", 409, "network common. Multiple projects are using it."):
        cloud.update(network, shared=False)
    cloud.delete(port, BOB)
    assert cloud.update(network, shared=False).shared is False


def test_mtu_is_never_below_what_a_subnet_needs() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network)
    assert cloud.update(network, mtu=1000).mtu == 1000
    with refused("NetworkMTUSubnetConflict", 409, "requires a minimum of 68"):
        cloud.update(network, mtu=60)
    with refused("NetworkMTUSubnetConflict", 409, "requires a minimum of 1280"):
        cloud.subnet(network, "fd00::/64")
    cloud.update(network, mtu=1280)
    cloud.subnet(network, "fd00::/64")
    with refused("NetworkMTUSubnetConflict", 409, "requires a minimum of 1280"):
        cloud.update(network, mtu=1279)
    assert cloud.update(network, mtu=0).mtu == 1500


def test_a_network_in_use_stays() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    network = cloud.network()
    cloud.subnet(network)
    port = cloud.port(network, host_id="compute1")
    with refused("NetworkInUse", 409, f"id for these ports is: {port.id}."):
        cloud.delete(network)
    cloud.delete(port)
    cloud.delete(network)


def test_a_network_takes_its_subnets_dhcp_ports_and_tags_along() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network)
    cloud.subnet(network, "fd00::/64")
    assert len(cloud.dhcp_ports(network)) == 1
    assert len(cloud.tags()) == 1
    cloud.delete(network)
    assert [cloud.snapshot.count(t) for t in (Network, Subnet, Port)] == [0, 0, 0]
    assert cloud.tags() == {}


def test_networks_beyond_the_quota_are_refused() -> None:
    cloud = Cloud(default_quotas={"network": 1, "subnet": 1, "port": 1})
    network = cloud.network()
    with refused("OverQuota", 409, "Quota exceeded for resources: ['network']."):
        cloud.network()
    cloud.subnet(network)
    with refused("OverQuota", 409, "['subnet']"):
        cloud.subnet(network, "10.1.0.0/24")
    cloud.port(network)
    with refused("OverQuota", 409, "['port']"):
        cloud.port(network)
    assert cloud.network(BOB).segmentation_id == 1001
