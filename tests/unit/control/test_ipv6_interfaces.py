"""Routers on IPv6 subnets: one port for all of a network's, and gateways that are no address of the subnet."""

from __future__ import annotations

import pytest
from deciding import COMPUTE1, CONTROL, Cloud, addresses, refused

from netglass.model.resources import Network, Port, Router, Subnet

SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


class World:
    """A network with an IPv4 subnet and two IPv6 ones, and a router that nothing is joined to yet."""

    def __init__(self) -> None:
        self.cloud = Cloud(CONTROL, COMPUTE1, dhcp_agents_per_network=0)
        self.network: Network = self.cloud.network()
        self.four = self.cloud.subnet(self.network)
        self.one, self.two = self.six("2001:db8:1::/64"), self.six("2001:db8:2::/64")
        self.router: Router = self.cloud.router()

    def six(self, cidr: str, **wanted: object) -> Subnet:
        return self.cloud.subnet(self.network, cidr, ip_version=6, **(SLAAC | wanted))

    def inside(self) -> list[Port]:
        ports: list[Port] = self.cloud.snapshot.rows("router_ports_by_network", self.network.id)
        return sorted(ports, key=lambda port: port.created_at)


@pytest.fixture
def world() -> World:
    return World()


def test_a_router_has_one_port_for_all_ipv6_subnets_of_a_network_and_one_for_ipv4(world: World) -> None:
    four = world.cloud.join(world.router, world.four.id).port
    first = world.cloud.join(world.router, world.one.id)
    second = world.cloud.join(world.router, world.two.id)
    assert (first.port.id, second.subnet_ids) == (second.port.id, (world.two.id,))
    assert {port.id: addresses(port) for port in world.inside()} == {
        four.id: ["10.0.0.1"],
        first.port.id: ["2001:db8:1::", "2001:db8:2::"],
    }
    with refused("BadRequest", 400, "already has a port on subnet"):
        world.cloud.join(world.router, world.two.id)


def test_the_port_loses_one_address_after_the_other_and_goes_with_the_last(world: World) -> None:
    for subnet in (world.one, world.two):
        world.cloud.join(world.router, subnet.id)
    gone = world.cloud.part(world.router, world.one.id)
    assert gone.subnet_ids == (world.one.id,)
    assert [addresses(port) for port in world.inside()] == [["2001:db8:2::"]]
    world.cloud.part(world.router, world.two.id)
    assert world.inside() == []


def test_an_interface_that_is_parted_by_port_goes_whole(world: World) -> None:
    for subnet in (world.one, world.two):
        port = world.cloud.join(world.router, subnet.id).port
    assert set(world.cloud.part(world.router, port=port.id).subnet_ids) == {world.one.id, world.two.id}
    assert world.inside() == []


def test_a_second_ipv6_port_on_a_network_is_refused(world: World) -> None:
    world.cloud.join(world.router, world.one.id)
    port = world.cloud.port(world.network, fixed_ips=[{"subnet_id": world.four.id}])
    with refused("BadRequest", 400, "Only one IPv6 port from the same network"):
        world.cloud.join(world.router, port=port.id)


def test_where_the_gateway_is_link_local_the_router_has_an_address_of_the_subnet_beside_it(world: World) -> None:
    subnet = world.six("2001:db8:3::/64", gateway_ip="fe80::1")
    port = world.cloud.join(world.router, subnet.id).port
    assert addresses(port) == ["2001:db8:3::1"]


def test_a_subnet_that_another_router_advertises_is_refused(world: World) -> None:
    subnet = world.six("2001:db8:3::/64", ipv6_ra_mode=None)
    with refused("BadRequest", 400, "RAs from an external router"):
        world.cloud.join(world.router, subnet.id)
