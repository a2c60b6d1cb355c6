"""Hosts that are away, and what others take over from them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from deciding import ADMIN, COMPUTE1, CONTROL, MAPPED, Cloud, addresses

from netglass.control.presence import decide_presence, hosts_to_note
from netglass.control.router_scheduling import router_ports
from netglass.control.signs import held_by
from netglass.model.resources import Host, Network, Port, Router

OTHER = Host(id="control2", roles=("network",), settings=MAPPED)
THIRD = Host(id="control3", roles=("network",), settings=MAPPED)


class World:
    """A network with DHCP and a router, and hosts of which the first carries both."""

    def __init__(self, *hosts: Host) -> None:
        self.cloud = Cloud(CONTROL, COMPUTE1, dhcp_agents_per_network=1)
        self.network: Network = self.cloud.network(name="inside")
        self.subnet = self.cloud.subnet(self.network)
        self.router: Router = self.cloud.router()
        self.cloud.join(self.router, self.subnet.id)
        for host in hosts:
            self.cloud.decide(lambda d, row=host: d.draft.put(row), ADMIN)

    def alive(self, *hosts: str, working: Sequence[str] = ()) -> None:
        """Has only these hosts, and compute1, be heard of; of the others, nothing works but on `working`."""
        alive = {*hosts, "compute1"}
        silent = {host.id for host in self.cloud.snapshot.all(Host)} - alive - set(working)
        stopped = {
            held for host in silent for held in held_by(self.cloud.snapshot, self.cloud.snapshot.get(Host, host))
        }
        self.cloud.decide(lambda d: decide_presence(d, alive, stopped), ADMIN)

    def places(self) -> tuple[str, list[str]]:
        servers: list[Port] = self.cloud.snapshot.rows("dhcp_ports_by_network", self.network.id)
        return self.cloud.now(self.router).host_id, sorted(port.host_id for port in servers)


def test_another_host_takes_over_and_keeps_it_when_the_first_comes_back() -> None:
    world = World(OTHER)
    assert world.places() == ("control", ["control"])
    world.alive("control2")
    assert world.places() == ("control2", ["control2"])
    assert {port.host_id for port in router_ports(world.cloud.snapshot, world.router.id)} == {"control2"}
    world.alive("control", "control2")
    assert world.places() == ("control2", ["control2"])


def test_where_no_other_can_take_it_all_stays() -> None:
    world = World()
    (before,) = world.cloud.snapshot.rows("dhcp_ports_by_network", world.network.id)
    world.alive()
    assert world.places() == ("control", ["control"])
    assert addresses(world.cloud.now(before)) == addresses(before)


def test_nothing_goes_to_another_that_is_away_too() -> None:
    world = World(OTHER, THIRD)
    world.alive("control3")
    assert world.places() == ("control3", ["control3"])


def test_nothing_new_goes_to_a_host_that_is_away() -> None:
    world = World(OTHER)
    world.alive("control")
    for number in range(3):
        network = world.cloud.network(name=f"n{number}")
        world.cloud.subnet(network, cidr=f"10.9.{number}.0/24")
        (server,) = world.cloud.snapshot.rows("dhcp_ports_by_network", network.id)
        assert server.host_id == "control"
        assert world.cloud.router().host_id == "control"


def test_a_dhcp_server_that_moves_keeps_its_address() -> None:
    world = World(OTHER)
    (before,) = world.cloud.snapshot.rows("dhcp_ports_by_network", world.network.id)
    world.alive("control2")
    (after,) = world.cloud.snapshot.rows("dhcp_ports_by_network", world.network.id)
    assert addresses(after) == addresses(before)


@pytest.mark.parametrize("alive", [("control",), ("control", "control2"), ()])
def test_noting_twice_changes_nothing(alive: tuple[str, ...]) -> None:
    world = World(OTHER)
    world.alive(*alive)
    before = world.cloud.snapshot
    assert not hosts_to_note(before.all(Host), {*alive, "compute1"})
    world.alive(*alive)
    assert world.cloud.snapshot == before


def test_what_works_on_stays_and_dhcp_gets_another_server_with_an_address_of_its_own_beside_it() -> None:
    world = World(OTHER)
    (before,) = world.cloud.snapshot.rows("dhcp_ports_by_network", world.network.id)
    world.alive("control2", working=["control"])
    assert world.places() == ("control", ["control", "control2"])
    kept, beside = sorted(
        world.cloud.snapshot.rows("dhcp_ports_by_network", world.network.id), key=lambda port: port.host_id
    )
    assert kept == before
    assert set(addresses(beside)).isdisjoint(addresses(before))


def test_when_the_host_is_back_it_alone_has_the_router_and_another_the_dhcp() -> None:
    world = World(OTHER)
    world.alive("control2", working=["control"])
    world.alive("control", "control2")
    assert world.places() == ("control", ["control2"])


def test_what_worked_on_and_then_stops_is_taken_over() -> None:
    world = World(OTHER)
    world.alive("control2", working=["control"])
    world.alive("control2")
    assert world.places() == ("control2", ["control2"])


def test_a_router_that_is_changed_stays_while_nobody_knows_that_it_stopped() -> None:
    world = World(OTHER)
    world.alive("control2", working=["control"])
    more = world.cloud.network(name="more")
    subnet = world.cloud.subnet(more, cidr="10.9.0.0/24")
    world.cloud.join(world.router, subnet.id)
    assert world.cloud.now(world.router).host_id == "control"
    (server,) = world.cloud.snapshot.rows("dhcp_ports_by_network", more.id)
    assert server.host_id == "control2"


def test_what_nobody_could_take_is_taken_once_somebody_can() -> None:
    world = World()
    world.alive()
    world.cloud.decide(lambda d: d.draft.put(OTHER), ADMIN)
    world.alive("control2")
    assert world.places() == ("control2", ["control2"])
