from __future__ import annotations

import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, CONTROL, MAPPED, Cloud, addresses, refused

from netglass.control.gateways import gateway_port
from netglass.control.hosts import decide_register_host, decide_report
from netglass.control.router_scheduling import decide_host_router, decide_unhost_router, router_ports
from netglass.model.protocol import Registration, Report
from netglass.model.resources import FloatingIp, Host, HostRoute, HostSettings, Port, Router

OTHER = Host(id="control2", roles=("network",), settings=MAPPED)


class World:
    """An external network, and Alice's network with a subnet behind her router."""

    def __init__(self) -> None:
        self.cloud = Cloud(CONTROL, COMPUTE1, dhcp_agents_per_network=0)
        self.public = self.cloud.external()
        self.network = self.cloud.network(name="inside")
        self.subnet = self.cloud.subnet(self.network)
        self.router = self.cloud.router(external_gateway_info={"network_id": self.public.id})
        self.inside = self.cloud.join(self.router, self.subnet.id).port

    def now(self) -> Router:
        return self.cloud.now(self.router)

    def outside(self) -> Port:
        port = gateway_port(self.cloud.snapshot, self.router.id)
        assert port is not None
        return port


@pytest.fixture
def world() -> World:
    return World()


def test_a_router_has_the_subnets_gateway_address_inside_and_a_free_one_outside(world: World) -> None:
    inside, outside = world.cloud.now(world.inside), world.outside()
    assert (addresses(inside), inside.device_owner, inside.project_id) == (
        ["10.0.0.1"],
        "network:router_interface",
        "alice",
    )
    assert (addresses(outside), outside.device_owner, outside.project_id) == (
        ["203.0.113.2"],
        "network:router_gateway",
        "",
    )
    assert {inside.host_id, outside.host_id, world.now().host_id} == {"control"}
    assert {("control", world.network.id), ("control", world.public.id)} <= world.cloud.tags().keys()


def test_routers_go_to_the_least_loaded_network_host_that_reaches_their_networks() -> None:
    apart = Host(id="apart", roles=("network",), settings=HostSettings(bridge_mappings={"other": "br-x"}))
    off = Host(id="off", roles=("network",), settings=MAPPED, enabled=False)
    cloud = Cloud(CONTROL, OTHER, COMPUTE1, apart, off)
    public = cloud.external()
    routers = [cloud.router(external_gateway_info={"network_id": public.id}) for _ in range(4)]
    assert sorted(cloud.now(router).host_id for router in routers) == ["control", "control", "control2", "control2"]


def test_a_router_moves_with_all_its_ports_when_its_host_no_longer_reaches_its_networks(world: World) -> None:
    registration = Registration(roles=("network",), settings=MAPPED)
    world.cloud.decide(lambda d: decide_register_host(d, "control2", registration))
    assert world.now().host_id == "control"
    lost = Registration(roles=("network",), settings=HostSettings(bridge_mappings={"other": "br-x"}))
    world.cloud.decide(lambda d: decide_register_host(d, "control", lost))
    assert world.now().host_id == "control2"
    assert {port.host_id for port in router_ports(world.cloud.snapshot, world.router.id)} == {"control2"}


def test_a_router_without_a_host_gets_the_first_that_registers() -> None:
    cloud = Cloud()
    router = cloud.router()
    assert router.host_id == ""
    registration = Registration(roles=("network",), settings=MAPPED)
    cloud.decide(lambda d: decide_register_host(d, "control", registration))
    assert cloud.now(router).host_id == "control"


def test_overlapping_subnets_are_refused_on_one_router_and_allowed_on_two(world: World) -> None:
    other = world.cloud.network()
    overlapping = world.cloud.subnet(other, "10.0.0.128/25")
    with refused("BadRequest", 400, "overlaps with cidr 10.0.0.0/24"):
        world.cloud.join(world.router, overlapping.id)
    with refused("BadRequest", 400, "already has a port on subnet"):
        world.cloud.join(world.router, world.subnet.id)
    world.cloud.join(world.cloud.router(), overlapping.id)


def test_an_external_subnet_that_overlaps_an_interface_is_refused(world: World) -> None:
    network = world.cloud.network()
    subnet = world.cloud.subnet(network, "203.0.113.0/28")
    with refused("BadRequest", 400, "overlaps"):
        world.cloud.join(world.router, subnet.id)
    second = world.cloud.external("10.0.0.0/26")
    with refused("BadRequest", 400, "overlaps"):
        world.cloud.update(world.router, external_gateway_info={"network_id": second.id})
    assert world.now().gateway_network_id == world.public.id


def test_an_interface_by_port_takes_the_port_and_deletes_it_when_removed(world: World) -> None:
    network = world.cloud.network()
    subnet = world.cloud.subnet(network, "10.0.7.0/24")
    port = world.cloud.port(network, fixed_ips=[{"ip_address": "10.0.7.9"}])
    found = world.cloud.join(world.router, port=port.id)
    assert (found.port.id, found.subnet_ids, found.port.host_id) == (port.id, (subnet.id,), "control")
    with refused("PortInUse", 409):
        world.cloud.join(world.router, port=port.id)
    with refused("SubnetMismatchForPort", 400):
        world.cloud.part(world.router, world.subnet.id, port.id)
    world.cloud.part(world.router, subnet.id, port.id)
    assert world.cloud.snapshot.get(Port, port.id) is None


def test_interfaces_that_cannot_be_are_refused(world: World) -> None:
    cloud, router = world.cloud, world.router
    with refused("BadRequest", 400, "Either subnet_id or port_id must be specified"):
        cloud.join(router)
    with refused("BadRequest", 400, "Cannot specify both subnet-id and port-id"):
        cloud.join(router, "a", "b")
    with refused("SubnetNotFound", 404):
        cloud.join(router, "nowhere")
    with refused("PortNotFound", 404):
        cloud.join(router, port="nowhere")
    bare = cloud.subnet(cloud.network(), "10.0.8.0/24", gateway_ip=None)
    with refused("BadRequest", 400, "must have a gateway IP"):
        cloud.join(router, bare.id)
    theirs = cloud.subnet(cloud.network(BOB), "10.0.9.0/24", BOB)
    with refused("SubnetNotFound", 404):
        cloud.join(router, theirs.id)
    with refused("RouterInterfaceNotFoundForSubnet", 404):
        cloud.part(router, theirs.id)
    with refused("RouterInterfaceNotFound", 404):
        cloud.part(router, port="nowhere")


def test_a_router_with_interfaces_cannot_be_deleted_and_its_ports_only_with_it(world: World) -> None:
    with refused("RouterInUse", 409, "still has ports"):
        world.cloud.delete(world.router)
    with refused("ServicePortInUse", 409):
        world.cloud.delete(world.inside)
    with refused("ServicePortInUse", 409):
        world.cloud.delete(world.outside(), ADMIN)
    with refused("BadRequest", 400, "changes with"):
        world.cloud.update(world.inside, ADMIN, host_id="compute1")
    with refused("BadRequest", 400, "changes with"):
        world.cloud.update(world.inside, fixed_ips=[{"ip_address": "10.0.0.77"}])
    world.cloud.part(world.router, world.subnet.id)
    world.cloud.delete(world.router)
    assert list(router_ports(world.cloud.snapshot, world.router.id)) == []
    assert not {key for key in world.cloud.tags() if key[0] == "control"}


def test_the_gateway_can_be_taken_away_changed_and_chosen(world: World) -> None:
    network_id = world.public.id
    world.cloud.update(world.router, external_gateway_info={})
    assert gateway_port(world.cloud.snapshot, world.router.id) is None
    wish = {"network_id": network_id, "enable_snat": False, "external_fixed_ips": [{"ip_address": "203.0.113.77"}]}
    world.cloud.update(world.router, external_gateway_info=wish)
    assert (addresses(world.outside()), world.now().enable_snat) == (["203.0.113.77"], False)
    kept = world.outside()
    world.cloud.update(world.router, external_gateway_info={"network_id": network_id})
    assert (world.outside(), world.now().enable_snat) == (kept, True)
    with refused("BadRequest", 400, "is not an external network"):
        world.cloud.update(world.router, external_gateway_info={"network_id": world.network.id})
    with refused("NetworkNotFound", 404):
        world.cloud.update(world.router, external_gateway_info={"network_id": "nowhere"})


def test_a_gateway_has_addresses_of_several_subnets_and_they_can_be_changed(world: World) -> None:
    cloud = world.cloud
    second = cloud.subnet(world.public, "192.0.2.0/24", ADMIN, enable_dhcp=False)
    both = [{"subnet_id": world.outside().fixed_ips[0].subnet_id}, {"subnet_id": second.id}]
    cloud.update(world.router, external_gateway_info={"network_id": world.public.id, "external_fixed_ips": both})
    assert addresses(world.outside()) == ["203.0.113.2", "192.0.2.2"]
    port = world.outside().id
    one = [{"ip_address": "192.0.2.9"}]
    cloud.update(world.router, external_gateway_info={"network_id": world.public.id, "external_fixed_ips": one})
    assert (addresses(world.outside()), world.outside().id) == (["192.0.2.9"], port)
    for subnet_id, address in ((both[0]["subnet_id"], "203.0.113.2"), (second.id, "192.0.2.2")):
        assert cloud.floating(world.public, subnet_id=subnet_id).floating_ip_address == address
    with refused("BadRequest", 400, "External IP 192.0.2.1 is the same as the gateway IP"):
        wish = {"network_id": world.public.id, "external_fixed_ips": [{"ip_address": "192.0.2.1"}]}
        cloud.update(world.router, external_gateway_info=wish)


def test_every_subnet_of_the_external_network_is_kept_from_the_routers_inside(world: World) -> None:
    cloud = world.cloud
    cloud.subnet(world.public, "192.0.2.0/24", ADMIN, enable_dhcp=False)
    inside = cloud.subnet(cloud.network(), "192.0.2.128/25")
    with refused("BadRequest", 400, "overlaps with cidr 192.0.2.0/24"):
        cloud.join(world.router, inside.id)
    apart = cloud.router()
    cloud.join(apart, inside.id)
    with refused("BadRequest", 400, "overlaps"):
        cloud.update(apart, external_gateway_info={"network_id": world.public.id})


def test_a_router_moves_to_another_external_network_and_no_route_is_left_behind(world: World) -> None:
    cloud = world.cloud
    other = cloud.external("192.0.2.0/24")
    cloud.update(world.router, routes=[HostRoute("10.9.0.0/24", "203.0.113.77")])
    with refused("InvalidRoutes", 400, "the nexthop is not connected with router"):
        cloud.update(world.router, external_gateway_info={"network_id": other.id})
    routes = [HostRoute("10.9.0.0/24", "192.0.2.77")]
    cloud.update(world.router, external_gateway_info={"network_id": other.id}, routes=routes)
    assert (addresses(world.outside()), world.now().routes) == (["192.0.2.2"], tuple(routes))


def test_an_external_network_is_deleted_with_the_floating_ips_that_are_for_nobody(world: World) -> None:
    cloud = world.cloud
    used, unused = cloud.floating(world.public, port_id=cloud.port(world.network).id), cloud.floating(world.public, BOB)
    with refused("NetworkInUse", 409):
        cloud.delete(world.public, ADMIN)
    assert cloud.now(unused).floating_ip_address
    cloud.delete(used)
    cloud.update(world.router, external_gateway_info={})
    cloud.delete(world.public, ADMIN)
    assert cloud.snapshot.count(FloatingIp) == 0
    assert not cloud.snapshot.ids("ports_by_network", world.public.id)


def test_extra_routes_lead_over_the_routers_own_subnets_only(world: World) -> None:
    route = HostRoute("10.9.0.0/24", "10.0.0.7")
    assert world.cloud.update(world.router, routes=[route, route]).routes == (route,)
    with refused("InvalidRoutes", 400, "the nexthop is not connected with router"):
        world.cloud.update(world.router, routes=[HostRoute("10.9.0.0/24", "10.1.0.7")])
    with refused("InvalidRoutes", 400, "the nexthop is used by router"):
        world.cloud.update(world.router, routes=[HostRoute("10.9.0.0/24", "10.0.0.1")])
    with refused("RoutesExhausted", 400):
        world.cloud.update(world.router, routes=[HostRoute(f"10.{n}.0.0/24", "10.0.0.7") for n in range(1, 33)])
    with refused("RouterInterfaceInUseByRoute", 409):
        world.cloud.part(world.router, world.subnet.id)


def test_quota_of_routers_and_floating_ips_is_kept() -> None:
    cloud = Cloud(default_quotas={"router": 1, "floatingip": 1})
    public = cloud.external()
    cloud.router()
    cloud.floating(public)
    with refused("OverQuota", 409):
        cloud.router()
    with refused("OverQuota", 409):
        cloud.floating(public)
    cloud.router(BOB)


def test_projects_use_external_networks_but_make_no_ports_there(world: World) -> None:
    with refused("PolicyNotAuthorized", 403, "create_port"):
        world.cloud.port(world.public, BOB)
    with refused("ExternalNetworkInUse", 409):
        world.cloud.update(world.public, ADMIN, external=False)
    with refused("NetworkInUse", 409):
        world.cloud.delete(world.public, ADMIN)


# --- floating IPs


def test_a_floating_ip_is_for_a_port_behind_a_router_to_its_network(world: World) -> None:
    cloud = world.cloud
    floating = cloud.floating(world.public)
    assert (floating.floating_ip_address, floating.port_id, floating.router_id) == ("203.0.113.3", "", "")
    port = cloud.port(world.network)
    floating = cloud.update(floating, port_id=port.id)
    assert (floating.port_id, floating.fixed_ip_address, floating.router_id) == (port.id, "10.0.0.2", world.router.id)
    assert cloud.update(floating, description="x").port_id == port.id
    floating = cloud.update(floating, port_id=None)
    assert (floating.port_id, floating.fixed_ip_address, floating.router_id) == ("", "", "")


def test_a_floating_ip_for_a_port_that_no_router_reaches_is_refused(world: World) -> None:
    alone = world.cloud.network()
    world.cloud.subnet(alone, "10.0.5.0/24")
    port = world.cloud.port(alone)
    with refused("ExternalGatewayForFloatingIPNotFound", 404, "is not reachable from subnet"):
        world.cloud.floating(world.public, port_id=port.id)
    assert not world.cloud.snapshot.ids("floating_ips_by_project", "alice")


def test_what_a_floating_ip_cannot_be_for_is_refused(world: World) -> None:
    cloud = world.cloud
    port = cloud.port(world.network)
    with refused("BadRequest", 400, "is not a valid external network"):
        cloud.floating(world.network)
    with refused("BadRequest", 400, "does not have fixed ip 10.0.0.99"):
        cloud.floating(world.public, port_id=port.id, fixed_ip_address="10.0.0.99")
    with refused("BadRequest", 400, "cannot be specified without a port_id"):
        cloud.floating(world.public, fixed_ip_address="10.0.0.2")
    with refused("BadRequest", 400, "has no fixed IPv4 addresses"):
        cloud.floating(world.public, port_id=cloud.port(world.network, fixed_ips=[]).id)
    two = cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}])
    with refused("BadRequest", 400, "multiple fixed IPv4 addresses"):
        cloud.floating(world.public, port_id=two.id)
    cloud.floating(world.public, port_id=two.id, fixed_ip_address="10.0.0.51")
    cloud.floating(world.public, port_id=port.id)
    with refused("FloatingIPPortAlreadyAssociated", 409):
        cloud.floating(world.public, port_id=port.id)
    with refused("PortNotFound", 404):
        cloud.floating(world.public, BOB, port_id=port.id)


def test_interface_and_gateway_stay_while_floating_ips_need_them(world: World) -> None:
    floating = world.cloud.floating(world.public, port_id=world.cloud.port(world.network).id)
    with refused("RouterInterfaceInUseByFloatingIP", 409):
        world.cloud.part(world.router, world.subnet.id)
    with refused("RouterExternalGatewayInUseByFloatingIp", 409):
        world.cloud.update(world.router, external_gateway_info={})
    world.cloud.delete(floating)
    world.cloud.part(world.router, world.subnet.id)


def test_deleting_a_port_or_its_address_frees_its_floating_ip(world: World) -> None:
    port = world.cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.50"}])
    floating = world.cloud.floating(world.public, port_id=port.id)
    world.cloud.update(port, fixed_ips=[{"ip_address": "10.0.0.60"}])
    assert world.cloud.now(floating).port_id == ""
    world.cloud.update(floating, port_id=port.id)
    world.cloud.delete(port)
    assert world.cloud.now(floating).router_id == ""


def test_a_full_external_network_has_no_more_floating_ips() -> None:
    cloud = Cloud(default_quotas={})
    public = cloud.external("203.0.113.0/29")
    held = [cloud.floating(public).floating_ip_address for _ in range(5)]
    assert held == [f"203.0.113.{n}" for n in range(2, 7)]
    with refused("ExternalIpAddressExhausted", 400):
        cloud.floating(public)


def test_a_floating_ip_is_active_when_the_host_of_its_router_says_so(world: World) -> None:
    from netglass.control.floating_ips import status_of_floating_ip

    cloud = world.cloud
    floating = cloud.floating(world.public, port_id=cloud.port(world.network).id)
    told = Report(
        version="",
        started_at="",
        realised_revision=1,
        oldest_failing_revision=None,
        ports_realised=(floating.floating_port_id,),
    )
    cloud.decide(lambda d: decide_report(d, "compute1", told))
    assert status_of_floating_ip(cloud.snapshot, cloud.now(floating)) == "DOWN"
    cloud.decide(lambda d: decide_report(d, "control", told))
    assert status_of_floating_ip(cloud.snapshot, cloud.now(floating)) == "ACTIVE"
    moved = cloud.update(floating, port_id=cloud.port(world.network).id)
    assert status_of_floating_ip(cloud.snapshot, moved) == "DOWN"


def test_routers_and_floating_ips_of_others_are_not_there(world: World) -> None:
    floating = world.cloud.floating(world.public)
    with refused("RouterNotFound", 404):
        world.cloud.update(world.router, BOB, name="mine")
    with refused("RouterNotFound", 404):
        world.cloud.join(world.router, world.subnet.id, caller=BOB)
    with refused("FloatingIPNotFound", 404):
        world.cloud.delete(floating, BOB)
    assert ALICE.project_id == floating.project_id


def test_a_router_is_moved_by_hand_from_one_host_to_another(world: World) -> None:
    registration = Registration(roles=("network",), settings=MAPPED)
    other = world.cloud.decide(lambda d: decide_register_host(d, "control2", registration))
    control = world.cloud.snapshot.get(Host, "control")
    assert control is not None
    with refused("RouterHostedByL3Agent", 409):
        world.cloud.decide(lambda d: decide_host_router(d, world.now(), other), ADMIN)
    with refused("RouterNotHostedByL3Agent", 409):
        world.cloud.decide(lambda d: decide_unhost_router(d, world.now(), other), ADMIN)
    world.cloud.decide(lambda d: decide_unhost_router(d, world.now(), control), ADMIN)
    assert {port.host_id for port in router_ports(world.cloud.snapshot, world.router.id)} == {""}
    with refused("InvalidL3Agent", 409):
        world.cloud.decide(lambda d: decide_host_router(d, world.now(), COMPUTE1), ADMIN)
    world.cloud.decide(lambda d: decide_host_router(d, world.now(), other), ADMIN)
    assert {port.host_id for port in router_ports(world.cloud.snapshot, world.router.id)} == {"control2"}
