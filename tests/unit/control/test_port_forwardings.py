from __future__ import annotations

import pytest
from deciding import ADMIN, BOB, COMPUTE1, CONTROL, Cloud, refused

from netglass.control.floating_ips import status_of_floating_ip
from netglass.control.hosts import decide_report
from netglass.model.protocol import Report
from netglass.model.resources import PortForwarding

WEB = {"external_port": 8080, "internal_port": 80}


class World:
    """A floating IP that is nobody's, and a port behind a router."""

    def __init__(self) -> None:
        self.cloud = Cloud(CONTROL, COMPUTE1, dhcp_agents_per_network=0)
        self.public = self.cloud.external()
        self.network = self.cloud.network(name="inside")
        self.subnet = self.cloud.subnet(self.network)
        self.router = self.cloud.router(external_gateway_info={"network_id": self.public.id})
        self.cloud.join(self.router, self.subnet.id)
        self.port = self.cloud.port(self.network)
        self.floating = self.cloud.floating(self.public)


@pytest.fixture
def world() -> World:
    return World()


def test_a_floating_ip_is_the_routers_from_its_first_forwarding_to_its_last(world: World) -> None:
    one = world.cloud.forward(world.floating, world.port, **WEB)
    assert (one.project_id, one.internal_ip_address) == ("alice", "10.0.0.2")
    assert (one.external_port, one.external_port_last, one.internal_port, one.internal_port_last) == (
        8080,
        8080,
        80,
        80,
    )
    two = world.cloud.forward(world.floating, world.port, **{**WEB, "protocol": "udp"})
    floating = world.cloud.now(world.floating)
    assert (floating.router_id, floating.port_id, floating.revision_number) == (world.router.id, "", 2)
    world.cloud.delete(one)
    assert world.cloud.now(world.floating).router_id == world.router.id
    world.cloud.delete(two)
    assert world.cloud.now(world.floating).router_id == ""


def test_its_status_is_active_when_the_host_of_its_router_says_so(world: World) -> None:
    world.cloud.forward(world.floating, world.port, **WEB)
    assert status_of_floating_ip(world.cloud.snapshot, world.cloud.now(world.floating)) == "DOWN"
    told = Report(version="", started_at="", realised_revision=1, ports_realised=(world.floating.floating_port_id,))
    world.cloud.decide(lambda d: decide_report(d, "control", told))
    assert status_of_floating_ip(world.cloud.snapshot, world.cloud.now(world.floating)) == "ACTIVE"


def test_ranges_pair_one_to_one_or_lead_to_a_single_port(world: World) -> None:
    pairs = {"external_port_range": (5000, 5009), "internal_port_range": (6000, 6009)}
    found = world.cloud.forward(world.floating, world.port, **pairs)
    assert (found.external_port, found.external_port_last) == (5000, 5009)
    assert (found.internal_port, found.internal_port_last) == (6000, 6009)
    world.cloud.forward(world.floating, world.port, external_port_range=(7000, 7009), internal_port=80)
    for odd in (
        {"external_port_range": (1, 10), "internal_port_range": (1, 9)},
        {"external_port": 1, "internal_port_range": (1, 2)},
    ):
        with refused("BadRequest", 400, "must be N-N or 1-N"):
            world.cloud.forward(world.floating, world.port, **odd)
    with refused("BadRequest", 400, "must be specified"):
        world.cloud.forward(world.floating, world.port, external_port=1)
    with refused("BadRequest", 400, "contradict each other"):
        world.cloud.forward(world.floating, world.port, external_port=1, external_port_range=(1, 2), internal_port=1)


def test_a_port_is_forwarded_once_outside_and_inside_for_each_protocol(world: World) -> None:
    other = world.cloud.port(world.network)
    second = world.cloud.floating(world.public)
    world.cloud.forward(world.floating, world.port, external_port_range=(8000, 8010), internal_port_range=(80, 90))
    with refused("BadRequest", 400, "external_port_range. The following ranges collide: 8000:8010 and 8010:8010"):
        world.cloud.forward(world.floating, other, external_port=8010, internal_port=80)
    with refused("BadRequest", 400, "internal_port_range. The following ranges collide: 80:90 and 85:85"):
        world.cloud.forward(second, world.port, external_port=9, internal_port=85)
    world.cloud.forward(world.floating, world.port, protocol="udp", external_port=8010, internal_port=80)
    moved = world.cloud.forward(world.floating, other, external_port=8011, internal_port=80)
    with refused("BadRequest", 400, "collide"):
        world.cloud.update(moved, external_port=8000)
    assert world.cloud.update(moved, external_port=8011, description="same").description == "same"


def test_a_floating_ip_is_for_a_port_or_has_forwardings_never_both(world: World) -> None:
    cloud = world.cloud
    bound = cloud.port(world.network)
    whole = cloud.floating(world.public, port_id=bound.id)
    with refused("FloatingIPPortAlreadyAssociated", 409):
        cloud.forward(whole, world.port, **WEB)
    with refused("PortHasBindingFloatingIP", 409):
        cloud.forward(world.floating, bound, **WEB)
    cloud.forward(world.floating, world.port, **WEB)
    with refused("FipInUseByPortForwarding", 409):
        cloud.update(world.floating, port_id=world.port.id)
    with refused("FipInUseByPortForwarding", 409):
        cloud.delete(world.floating)
    kept = cloud.update(world.floating, port_id=None, description="of many")
    assert (kept.router_id, kept.description) == (world.router.id, "of many")


def test_what_is_forwarded_to_must_be_there_and_reached_by_one_router(world: World) -> None:
    cloud = world.cloud
    with refused("BadRequest", 400, "10.0.0.99 is not suitable for internal neutron port"):
        cloud.forward(world.floating, world.port, internal_ip_address="10.0.0.99", **WEB)
    with refused("BadRequest", 400, "must allocate an IPv4 address at least"):
        cloud.forward(world.floating, cloud.port(world.network, fixed_ips=[]), **WEB)
    alone = cloud.network()
    cloud.subnet(alone, "10.9.0.0/24")
    with refused("BadRequest", 400, "is not reachable from subnet"):
        cloud.forward(world.floating, cloud.port(alone), **WEB)
    second = cloud.router(external_gateway_info={"network_id": world.public.id})
    cloud.join(second, cloud.snapshot.rows("subnets_by_network", alone.id)[0].id)
    cloud.forward(world.floating, world.port, **WEB)
    with refused("BadRequest", 400, f"had been set on router {world.router.id}"):
        cloud.forward(world.floating, cloud.port(alone), external_port=1, internal_port=1)


def test_what_goes_takes_its_forwardings_and_what_they_need_stays(world: World) -> None:
    cloud = world.cloud
    port = cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}])
    first = cloud.forward(world.floating, port, internal_ip_address="10.0.0.50", **WEB)
    second = cloud.forward(world.floating, port, internal_ip_address="10.0.0.51", external_port=8081, internal_port=80)
    with refused("RouterInterfaceInUseByFloatingIP", 409):
        cloud.part(world.router, world.subnet.id)
    with refused("RouterExternalGatewayInUseByFloatingIp", 409):
        cloud.update(world.router, external_gateway_info={})
    cloud.update(port, fixed_ips=[{"ip_address": "10.0.0.51"}])
    assert cloud.snapshot.get(PortForwarding, first.id) is None
    assert cloud.now(second).internal_port == 80
    cloud.delete(port)
    assert cloud.snapshot.get(PortForwarding, second.id) is None
    assert cloud.now(world.floating).router_id == ""
    cloud.part(world.router, world.subnet.id)


def test_a_forwarding_moves_to_another_port_and_address(world: World) -> None:
    one = world.cloud.forward(world.floating, world.port, **WEB)
    other = world.cloud.port(world.network, fixed_ips=[{"ip_address": "10.0.0.60"}, {"ip_address": "10.0.0.61"}])
    assert world.cloud.update(one, internal_port_id=other.id).internal_ip_address == "10.0.0.60"
    assert world.cloud.update(one, internal_ip_address="10.0.0.61").internal_port_id == other.id
    moved = world.cloud.update(one, internal_port_range=(81, 81), external_port=None, protocol="udp")
    assert (moved.internal_port, moved.external_port, moved.protocol) == (81, 8080, "udp")


def test_forwardings_are_their_owners_and_counted(world: World) -> None:
    one = world.cloud.forward(world.floating, world.port, **WEB)
    with refused("FloatingIPNotFound", 404):
        world.cloud.forward(world.floating, world.port, BOB, **WEB)
    with refused("PortForwardingNotFound", 404):
        world.cloud.update(one, BOB, external_port=1)
    with refused("PortForwardingNotFound", 404):
        world.cloud.delete(one, BOB)
    theirs = world.cloud.network(BOB)
    world.cloud.subnet(theirs, "10.8.0.0/24", BOB)
    with refused("PortNotFound", 404):
        world.cloud.forward(world.floating, world.cloud.port(theirs, BOB), external_port=1, internal_port=1)
    of_alice = world.cloud.forward(world.floating, world.port, ADMIN, external_port=1, internal_port=1)
    assert of_alice.project_id == "alice"
    limited = World()
    limited.cloud = Cloud(CONTROL, default_quotas={"port_forwarding": 0})
    limited.cloud.snapshot = world.cloud.snapshot
    with refused("OverQuota", 409, "port_forwarding"):
        limited.cloud.forward(world.floating, world.port, external_port=2, internal_port=2)
