from __future__ import annotations

import hashlib

import msgspec
import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, COMPUTE2, CONTROL, Cloud, addresses, refused

from netglass.base.errors import Bug
from netglass.base.fresh import Fresh
from netglass.control.binding import vif_type
from netglass.control.decision import Decision
from netglass.control.ports import decide_create_port, status_of
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.resources import Network, Port, Server, Subnet
from netglass.model.snapshot import Snapshot

SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


class World:
    """A network of Alice's with two IPv4 subnets and one IPv6 subnet, and one of Bob's."""

    def __init__(self) -> None:
        server = Server(id="bobs-server", project_id="bob", name="s", flavor_id="f", image_id="i")
        own = Server(id="alices-server", project_id="alice", name="s", flavor_id="f", image_id="i")
        self.cloud = Cloud(CONTROL, COMPUTE1, COMPUTE2, server, own, dhcp_agents_per_network=0)
        self.network = self.cloud.network(name="net1")
        self.first = self.cloud.subnet(self.network, "10.0.0.0/24")
        self.second = self.cloud.subnet(self.network, "10.0.1.0/30")
        self.sixth = self.cloud.subnet(self.network, "fd00::/64", gateway_ip="fd00::1")
        self.bobs = self.cloud.network(BOB)
        self.bobs_subnet = self.cloud.subnet(self.bobs, "10.5.0.0/24", BOB)


@pytest.fixture
def world() -> World:
    return World()


def test_a_port_with_no_wish_has_one_address_of_each_family(world: World) -> None:
    port = world.cloud.port(world.network)
    assert addresses(port) == ["10.0.0.2", "fd00::2"]
    assert (port.project_id, port.status, port.host_id) == ("alice", "DOWN", "")
    assert port.mac_address.startswith("fa:16:3e:")


def test_a_port_on_a_network_without_subnets_has_no_address() -> None:
    cloud = Cloud()
    network = cloud.network()
    assert cloud.port(network).fixed_ips == ()
    with refused("InvalidInput", 400, "IP allocation requires subnets for network"):
        cloud.port(network, fixed_ips=[{"ip_address": "10.0.0.5"}])


def test_a_port_may_have_no_address_at_all(world: World) -> None:
    assert world.cloud.port(world.network, fixed_ips=[]).fixed_ips == ()


def test_the_next_subnet_is_used_when_the_first_is_full() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/30")
    cloud.subnet(network, "10.0.1.0/30")
    assert [addresses(cloud.port(network)) for _ in range(2)] == [["10.0.0.2"], ["10.0.1.2"]]
    with refused("IpAddressGenerationFailure", 409, f"No more IP addresses available on network {network.id}."):
        cloud.port(network)


def test_all_addresses_of_a_28_are_given_once_and_come_back() -> None:
    cloud = Cloud()
    network = cloud.network()
    subnet = cloud.subnet(network, "10.0.0.0/28")
    ports = [cloud.port(network) for _ in range(13)]
    assert sorted(a for p in ports for a in addresses(p)) == sorted(f"10.0.0.{n}" for n in range(2, 15))
    with refused("IpAddressGenerationFailure", 409):
        cloud.port(network)
    cloud.delete(ports[4])
    assert addresses(cloud.port(network)) == addresses(ports[4])
    for port in cloud.snapshot.rows("ports_by_network", network.id):
        cloud.delete(port)
    assert cloud.snapshot.used("addresses", subnet.id) == ()


def test_addresses_are_chosen_by_address_by_subnet_and_together(world: World) -> None:
    wishes = [
        {"subnet_id": world.first.id},
        {"ip_address": "10.0.0.2"},
        {"subnet_id": world.second.id},
        {"subnet_id": world.sixth.id, "ip_address": "FD00:0::99"},
    ]
    port = world.cloud.port(world.network, fixed_ips=wishes)
    assert addresses(port) == ["10.0.0.3", "10.0.0.2", "10.0.1.2", "fd00::99"]


def test_a_chosen_address_may_lie_outside_of_the_pools() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network, allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.20"}])
    assert addresses(cloud.port(network, fixed_ips=[{"ip_address": "10.0.0.200"}])) == ["10.0.0.200"]


@pytest.mark.parametrize(
    ("wish", "fault", "status", "words"),
    [
        ({"ip_address": "10.0.0.50"}, "IpAddressAlreadyAllocated", 409, "IP address 10.0.0.50 already allocated in"),
        ({"ip_address": "10.9.0.1"}, "InvalidIpForNetwork", 400, "10.9.0.1 is not a valid IP for any of the subnets"),
        ({"ip_address": "10.0.0.0"}, "InvalidIpForNetwork", 400, "10.0.0.0"),
        ({"ip_address": "10.0.0.255"}, "InvalidIpForNetwork", 400, "10.0.0.255"),
        ({"ip_address": "10.0.0.1"}, "InvalidIpForSubnet", 400, "10.0.0.1 is not a valid IP for the specified subnet"),
        ({"ip_address": "fd00::1"}, "InvalidIpForSubnet", 400, "fd00::1"),
        ({"ip_address": "fd00::"}, "InvalidIpForNetwork", 400, "fd00::"),
        ({"ip_address": "x"}, "HTTPBadRequest", 400, "Invalid input for fixed_ips. Reason: 'x' is not a valid IP"),
        ({}, "InvalidInput", 400, "IP allocation requires subnet_id or ip_address"),
        ({"subnet_id": "first", "ip_address": "10.0.1.2"}, "InvalidIpForSubnet", 400, "10.0.1.2"),
        ({"subnet_id": "none"}, "SubnetNotFound", 404, "Subnet none could not be found."),
        ({"subnet_id": "bobs"}, "SubnetNotFound", 404, "could not be found."),
        ({"subnet_id": "other"}, "InvalidInput", 400, "because fixed_ips included invalid subnet"),
    ],
)
def test_an_address_that_cannot_be_is_refused(world: World, wish: dict, fault: str, status: int, words: str) -> None:
    cloud = world.cloud
    other = cloud.subnet(cloud.network(), "10.6.0.0/24")
    ids = {"first": world.first.id, "bobs": world.bobs_subnet.id, "other": other.id}
    wish = {k: ids.get(v, v) if k == "subnet_id" else v for k, v in wish.items()}
    port = cloud.port(world.network)
    cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.50"}])
    before = cloud.snapshot
    with refused(fault, status, words):
        cloud.port(world.network, fixed_ips=[wish])
    with refused(fault, status, words):
        cloud.update(port, fixed_ips=[wish])
    assert cloud.snapshot is before


def test_an_address_named_twice_in_one_request_is_refused(world: World) -> None:
    with refused("IpAddressAlreadyAllocated", 409):
        world.cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9"}])


def test_a_gateways_address_is_for_routers_and_admins(world: World) -> None:
    gateway = [{"subnet_id": world.first.id, "ip_address": "10.0.0.1"}]
    router = world.cloud.port(world.network, device_owner="network:router_interface", fixed_ips=gateway)
    assert addresses(router) == ["10.0.0.1"]
    world.cloud.delete(router)
    assert addresses(world.cloud.port(world.network, ADMIN, fixed_ips=gateway)) == ["10.0.0.1"]


def test_a_port_has_only_so_many_addresses(world: World) -> None:
    with refused("InvalidInput", 400, "Exceeded maximum amount of fixed ips per port"):
        world.cloud.port(world.network, fixed_ips=[{"subnet_id": world.first.id}] * 6)


def test_an_auto_address_subnet_gives_the_address_of_the_mac(world: World) -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network)
    slaac = cloud.subnet(network, "fd00:1::/64", **SLAAC)
    eui = "fd00:1::f816:3eff:fe01:203"
    mac = "fa:16:3e:01:02:03"
    port = cloud.port(network, mac_address=mac)
    assert addresses(port) == ["10.0.0.2", eui]
    cloud.delete(port)
    for wishes in ([], [{"subnet_id": slaac.id}], [{"ip_address": eui}], [{"subnet_id": slaac.id, "ip_address": eui}]):
        port = cloud.port(network, mac_address=mac, fixed_ips=wishes)
        assert addresses(port) == [eui]
        assert addresses(cloud.update(port, fixed_ips=wishes)) == [eui]
        cloud.delete(port)
    with refused("AllocationOnAutoAddressSubnet", 400, "as the subnet is configured for automatic addresses"):
        cloud.port(network, fixed_ips=[{"ip_address": "fd00:1::5"}])
    router = cloud.port(network, device_owner="network:router_interface")
    assert addresses(router) == ["10.0.0.2"]


def test_a_subnet_with_service_types_serves_those_first_and_nobody_else() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24")
    cloud.subnet(network, "10.0.1.0/24", service_types=["compute:nova"])
    assert addresses(cloud.port(network)) == ["10.0.0.2"]
    assert addresses(cloud.port(network, device_owner="compute:nova")) == ["10.0.1.2"]
    only = cloud.network()
    cloud.subnet(only, service_types=["compute:nova"])
    with refused("IpAddressGenerationFailureNoMatchingSubnet", 409, "No valid service subnet"):
        cloud.port(only)


def test_macs_are_unique_on_a_network_and_only_there(world: World) -> None:
    mac = "FA-16-3E-00-00-09"
    assert world.cloud.port(world.network, mac_address=mac).mac_address == "fa:16:3e:00:00:09"
    with refused("MacAddressInUse", 409, "The mac address fa:16:3e:00:00:09 is in use."):
        world.cloud.port(world.network, mac_address="fa:16:3e:00:00:09")
    world.cloud.port(world.bobs, BOB, mac_address="fa:16:3e:00:00:09")


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "fa:16:3e", "x"])
def test_a_mac_that_no_host_has_is_refused(world: World, mac: str) -> None:
    with refused("HTTPBadRequest", 400, f"Invalid input for mac_address. Reason: '{mac}' is not a valid MAC address."):
        world.cloud.port(world.network, mac_address=mac)


def test_a_made_mac_is_tried_again_until_the_tries_are_over(world: World) -> None:
    def decision(bytes_: list[int]) -> Decision:
        def entropy(size: int) -> bytes:
            return bytes([bytes_.pop(0) if len(bytes_) > 1 else bytes_[0]]) * size

        fresh = Fresh("2026-11-21T02:00:00Z", entropy)
        return Decision(Draft(world.cloud.snapshot), ALICE, world.cloud.settings, fresh)

    world.cloud.port(world.network, mac_address="fa:16:3e:07:07:07")
    assert decide_create_port(decision([7, 7, 8, 9]), {"network_id": world.network.id}).mac_address.endswith("08:08:08")
    with refused("NetworkMacAddressGenerationFailure", 503, "Unable to generate unique mac on network"):
        decide_create_port(decision([7]), {"network_id": world.network.id})


def test_a_port_on_a_network_that_is_not_seen_is_refused(world: World) -> None:
    for network_id in (world.bobs.id, "none"):
        with refused("NetworkNotFound", 404, f"Network {network_id} could not be found."):
            world.cloud.decide(lambda d, n=network_id: decide_create_port(d, {"network_id": n}))


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({"device_owner": "network:dhcp"}, "rule:create_port:device_owner"),
        ({"device_owner": "network:router_interface"}, "rule:create_port:device_owner"),
        ({"device_owner": "neutron:x"}, "rule:create_port:device_owner"),
        ({"mac_address": "fa:16:3e:00:00:09"}, "rule:create_port:mac_address"),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, "rule:create_port:fixed_ips:ip_address"),
        ({"port_security_enabled": False}, "rule:create_port:port_security_enabled"),
    ],
)
@pytest.mark.parametrize("role", ["member", "manager"])
def test_on_a_shared_network_a_guest_project_asks_for_less(wanted: dict, rule: str, role: str) -> None:
    cloud = Cloud()
    network = cloud.network(shared=True)
    subnet = cloud.subnet(network)
    bob = Caller(project_id="bob", roles=("member", role))
    with refused("PolicyNotAuthorized", 403, rule):
        cloud.port(network, bob, **wanted)
    port = cloud.port(network, bob, fixed_ips=[{"subnet_id": subnet.id}], port_security_enabled=True)
    with refused("PolicyNotAuthorized", 403, rule.replace("create", "update").removesuffix(":ip_address")):
        cloud.update(port, bob, **wanted)
    cloud.port(network, ALICE, **wanted)


def test_on_a_shared_network_a_guest_project_may_repeat_what_its_port_has() -> None:
    cloud = Cloud()
    network = cloud.network(shared=True)
    cloud.subnet(network)
    port = cloud.port(network, BOB)
    same = [{"subnet_id": f.subnet_id, "ip_address": f.ip_address} for f in port.fixed_ips]
    changed = cloud.update(port, BOB, fixed_ips=same, mac_address=port.mac_address, name="x", device_owner="")
    assert changed.name == "x"


def test_a_device_of_somebody_else_is_refused(world: World) -> None:
    words = "The following device_id bobs-server is not owned by your project"
    with refused("DeviceIDNotOwnedByTenant", 409, words):
        world.cloud.port(world.network, device_id="bobs-server")
    port = world.cloud.port(world.network, device_id="alices-server", device_owner="compute:nova")
    with refused("DeviceIDNotOwnedByTenant", 409, words):
        world.cloud.update(port, device_id="bobs-server")
    with refused("DeviceIDNotOwnedByTenant", 409):
        world.cloud.port(world.network, device_owner="network:router_interface", device_id="some-router")
    with refused("DeviceIDNotOwnedByTenant", 409):
        world.cloud.update(port, device_owner="network:router_interface")
    assert world.cloud.update(port, ADMIN, device_id="bobs-server").device_id == "bobs-server"


def test_ports_are_changed_by_their_owner_and_deleted_by_the_networks_owner_too() -> None:
    cloud = Cloud()
    network = cloud.network(shared=True)
    cloud.subnet(network)
    bobs, alices = cloud.port(network, BOB), cloud.port(network)
    with refused("PortNotFound", 404, f"Port {alices.id} could not be found."):
        cloud.update(alices, BOB, name="x")
    with refused("PortNotFound", 404):
        cloud.delete(alices, BOB)
    with refused("PolicyNotAuthorized", 403, "rule:update_port"):
        cloud.update(bobs, ALICE, name="x")
    cloud.delete(bobs, ALICE)


def test_a_ports_addresses_change_and_what_still_fits_is_kept(world: World) -> None:
    cloud = world.cloud
    port = cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.77"}, {"subnet_id": world.sixth.id}])
    assert addresses(port) == ["10.0.0.77", "fd00::2"]
    port = cloud.update(port, fixed_ips=[{"subnet_id": world.sixth.id}, {"subnet_id": world.first.id}])
    assert addresses(port) == ["fd00::2", "10.0.0.77"]
    port = cloud.update(port, fixed_ips=[{"ip_address": "10.0.0.77"}, {"subnet_id": world.first.id}])
    assert addresses(port) == ["10.0.0.77", "10.0.0.2"]
    port = cloud.update(port, fixed_ips=[{"subnet_id": world.first.id}, {"ip_address": "10.0.0.77"}])
    assert addresses(port) == ["10.0.0.2", "10.0.0.77"]
    port = cloud.update(port, fixed_ips=[])
    assert port.fixed_ips == ()
    assert cloud.snapshot.used("addresses", world.first.id) == ()


def test_the_one_address_of_a_full_subnet_can_be_asked_for_again(world: World) -> None:
    port = world.cloud.port(world.network, fixed_ips=[{"subnet_id": world.second.id}])
    port = world.cloud.update(port, fixed_ips=[{"subnet_id": world.second.id}, {"ip_address": "10.0.0.9"}])
    assert addresses(port) == ["10.0.1.2", "10.0.0.9"]
    port = world.cloud.update(port, fixed_ips=[{"ip_address": "10.0.1.2"}])
    assert addresses(port) == ["10.0.1.2"]


def test_a_mac_changes_only_while_nobody_is_plugged_in(world: World) -> None:
    cloud = Cloud(COMPUTE1)
    network = cloud.network()
    cloud.subnet(network, "fd00::/64", **SLAAC)
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01")
    assert addresses(port) == ["fd00::f816:3eff:fe00:1"]
    port = cloud.update(port, mac_address="fa:16:3e:00:00:02")
    assert (port.mac_address, addresses(port)) == ("fa:16:3e:00:00:02", ["fd00::f816:3eff:fe00:2"])
    other = cloud.port(network)
    with refused("MacAddressInUse", 409):
        cloud.update(port, mac_address=other.mac_address)
    cloud.update(port, ADMIN, host_id="compute1")
    with refused("PortBound", 409, "port is already bound, port type: ovs"):
        cloud.update(port, mac_address="fa:16:3e:00:00:03")
    assert cloud.update(port, mac_address="fa:16:3e:00:00:02").mac_address == "fa:16:3e:00:00:02"


def test_a_port_is_bound_moved_and_unbound_by_its_host(world: World) -> None:
    cloud, network = world.cloud, world.network
    port = cloud.port(network, ADMIN, host_id="compute1", project_id="alice")
    assert cloud.tags() == {("compute1", network.id): 1}
    cloud.snapshot = realised(cloud, port, "compute1")
    assert cloud.now(port).status == "ACTIVE"
    port = cloud.update(port, ADMIN, host_id="compute2")
    assert (port.status, port.realised_on, port.host_id) == ("DOWN", (), "compute2")
    assert cloud.tags() == {("compute2", network.id): 1}
    port = cloud.update(port, ADMIN, host_id=None)
    assert (port.host_id, cloud.tags()) == ("", {})


def realised(cloud: Cloud, port: Port, *hosts: str) -> Snapshot:
    draft = Draft(cloud.snapshot)
    row = draft.put(msgspec.structs.replace(cloud.now(port), realised_on=hosts))
    draft.put(msgspec.structs.replace(row, status=status_of(draft.now, row)))
    return draft.now


def test_a_host_that_cannot_take_a_port_makes_the_binding_fail_and_nothing_else(world: World) -> None:
    cloud = world.cloud
    port = cloud.port(world.network, ADMIN, host_id="mars")
    assert (port.host_id, vif_type(cloud.snapshot, port), cloud.tags()) == ("mars", "binding_failed", {})
    port = cloud.update(port, ADMIN, mac_address="fa:16:3e:00:00:09", host_id="compute1")
    assert vif_type(cloud.snapshot, port) == "ovs"
    direct = cloud.port(world.network, ADMIN, host_id="compute2", vnic_type="direct")
    assert vif_type(cloud.snapshot, direct) == "binding_failed"
    assert vif_type(cloud.snapshot, cloud.port(world.network)) == "unbound"


def test_the_kind_of_a_bound_port_stays(world: World) -> None:
    port = world.cloud.port(world.network, ADMIN, host_id="compute1", project_id="alice")
    with refused("PortInUse", 409, f"Unable to complete operation on port {port.id}"):
        world.cloud.update(port, vnic_type="direct")
    port = world.cloud.update(port, ADMIN, host_id="")
    assert world.cloud.update(port, vnic_type="direct").vnic_type == "direct"


def test_a_profile_is_kept_unless_it_is_too_long(world: World) -> None:
    port = world.cloud.port(world.network, ADMIN, profile={"a": 1})
    assert port.profile == {"a": 1}
    assert world.cloud.update(port, ADMIN, profile=None).profile == {}
    with refused("InvalidInput", 400, "binding:profile value too large"):
        world.cloud.update(port, ADMIN, profile={"a": "x" * 4096})


def test_a_routers_port_is_not_deleted_as_a_port(world: World) -> None:
    port = world.cloud.port(world.network, ADMIN, device_owner="network:router_interface", device_id="router")
    words = f"Port {port.id} cannot be deleted directly via the port API: has device owner network:router_interface."
    with refused("ServicePortInUse", 409, words):
        world.cloud.delete(port, ADMIN)
    world.cloud.update(port, ADMIN, device_id="")
    world.cloud.delete(port, ADMIN)


def test_a_servers_port_may_be_deleted(world: World) -> None:
    port = world.cloud.port(world.network, device_owner="compute:nova", device_id="alices-server")
    world.cloud.delete(port)
    assert world.cloud.snapshot.get(Port, port.id) is None


def test_a_port_that_is_turned_off_is_down_until_it_is_turned_on(world: World) -> None:
    cloud = world.cloud
    port = cloud.port(world.network, ADMIN, host_id="compute1", project_id="alice")
    cloud.snapshot = realised(cloud, port, "compute1")
    assert cloud.update(port, admin_state_up=False).status == "DOWN"
    assert cloud.update(port, admin_state_up=True).status == "ACTIVE"


def test_plain_attributes_change_with_one_revision(world: World) -> None:
    port = world.cloud.port(world.network, name="a", tags=["x"], port_security_enabled=False)
    assert (port.tags, port.port_security_enabled) == (("x",), False)
    changed = world.cloud.update(port, name="b", description="d", tags=[], device_id="dev", extra_dhcp_opts=[])
    assert (changed.name, changed.description, changed.tags, changed.device_id) == ("b", "d", (), "dev")
    assert changed.revision_number == 2
    with pytest.raises(Bug):
        world.cloud.update(port, network_id="x")


def test_a_port_takes_port_security_from_its_network() -> None:
    cloud = Cloud()
    network = cloud.network(port_security_enabled=False)
    assert cloud.port(network).port_security_enabled is False


def test_a_name_never_matters_for_what_is_chosen() -> None:
    def chosen(name: str) -> list[str]:
        cloud = Cloud()
        network = cloud.network(name=name)
        cloud.subnet(network, name=name)
        return [a for _ in range(3) for a in addresses(cloud.port(network, name=name))]

    assert chosen("a") == chosen(hashlib.sha256(b"z").hexdigest())


def test_a_refused_decision_changes_nothing(world: World) -> None:
    before = world.cloud.snapshot
    draft = Draft(before)
    d = Decision(draft, ALICE, world.cloud.settings, Fresh("2026-11-21T02:00:00Z", lambda size: b"\1" * size))
    with refused("MacAddressInUse", 409):
        decide_create_port(d, {"network_id": world.network.id, "mac_address": "fa:16:3e:00:00:01"})
        decide_create_port(d, {"network_id": world.network.id, "mac_address": "fa:16:3e:00:00:01"})
    assert world.cloud.snapshot == before
    assert (before.count(Port), before.count(Network), before.count(Subnet)) == (0, 2, 4)
