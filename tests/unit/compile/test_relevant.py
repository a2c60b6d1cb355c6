"""What of intent a host needs to know; the laws are in tests/laws/test_feed_laws.py."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.compile.relevant import interested_hosts, relevant_changes, relevant_rows
from netglass.model.changes import Change
from netglass.model.resources import (
    Flavor,
    Host,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    Project,
    Row,
    Server,
    Subnet,
    User,
)
from netglass.model.snapshot import Snapshot

BLUE = Network(id="blue", segmentation_id=1000)
RED = Network(id="red", segmentation_id=1001)
BLUE_SUBNET = Subnet(id="blue-sub", network_id="blue", cidr="10.0.0.0/24")
RED_SUBNET = Subnet(id="red-sub", network_id="red", cidr="10.0.0.0/24")
CLOUD: list[Row] = [
    Host(id="compute1", roles=("hypervisor",)),
    Host(id="compute2", roles=("hypervisor",)),
    Host(id="control", roles=("network",)),
    BLUE,
    RED,
    BLUE_SUBNET,
    RED_SUBNET,
    LocalVlan(id="compute1/blue", host="compute1", network_id="blue", vlan=1),
    LocalVlan(id="compute2/red", host="compute2", network_id="red", vlan=1),
    LocalVlan(id="control/blue", host="control", network_id="blue", vlan=1),
    Port(id="guest1", network_id="blue", mac_address="m1", host_id="compute1", device_owner="compute:nova"),
    Port(id="guest2", network_id="red", mac_address="m2", host_id="compute2", device_owner="compute:nova"),
    Port(id="unbound", network_id="blue", mac_address="m3"),
    Port(id="dhcp", network_id="blue", mac_address="m4", host_id="control", device_owner="network:dhcp"),
    Server(id="vm1", name="vm1", host="compute1", flavor_id="nano", image_id="light", port_ids=("guest1",)),
    Flavor(id="nano", name="nano"),
    Flavor(id="huge", name="huge"),
    Image(id="light", name="light"),
    User(id="ann", name="ann", password_hash="secret"),
    Project(id="p1", name="p1"),
]
SNAPSHOT = Snapshot.of(CLOUD, 7)


def names(host: str, snapshot: Snapshot = SNAPSHOT) -> set[str]:
    return {row_id for _, row_id in relevant_rows(snapshot, host)}


def test_hypervisor_knows_its_ports_networks_servers_and_their_dhcp_ports() -> None:
    expected = {"compute1", "blue", "blue-sub", "compute1/blue", "guest1", "dhcp", "vm1", "nano", "light"}

    assert names("compute1") == expected


def test_dhcp_host_knows_all_ports_of_the_networks_it_serves() -> None:
    assert names("control") == {"control", "blue", "blue-sub", "control/blue", "dhcp", "guest1", "unbound"}


def test_host_knows_nothing_of_networks_that_it_does_not_carry() -> None:
    assert not names("compute1") & {"red", "red-sub", "guest2", "compute2"}


@pytest.mark.parametrize("host", ["compute1", "compute2", "control", "stranger"])
def test_no_host_is_ever_told_of_users_or_projects(host: str) -> None:
    assert not names(host) & {"ann", "p1"}


def test_unknown_host_knows_nothing() -> None:
    assert relevant_rows(SNAPSHOT, "stranger") == {}


@pytest.mark.parametrize(
    ("row", "hosts"),
    [
        (BLUE, {"compute1", "control"}),
        (RED_SUBNET, {"compute2"}),
        (Port(id="new", network_id="blue", mac_address="m9", host_id="compute2"), {"compute2", "control"}),
        (Port(id="new", network_id="red", mac_address="m9"), set()),
        (Host(id="compute2"), {"compute2"}),
        (Flavor(id="nano", name="nano"), {"compute1"}),
        (Flavor(id="huge", name="huge"), set()),
        (User(id="bob", name="bob"), set()),
    ],
)
def test_commit_interests_only_the_hosts_that_carry_what_it_touches(row: Row, hosts: set[str]) -> None:
    change = Change(row.kind, row.id, None, row)

    assert interested_hosts(SNAPSHOT, SNAPSHOT.apply([change], 8), [change]) == hosts


def test_first_port_on_a_host_brings_the_network_that_nobody_changed() -> None:
    tag = LocalVlan(id="compute1/red", host="compute1", network_id="red", vlan=2)
    port = Port(id="new", network_id="red", mac_address="m9", host_id="compute1")
    changes = [Change(row.kind, row.id, None, row) for row in (tag, port)]

    told = relevant_changes(SNAPSHOT, SNAPSHOT.apply(changes, 8), changes, "compute1")

    assert told == {
        ("network", "red"): RED,
        ("subnet", "red-sub"): RED_SUBNET,
        ("local_vlan", "compute1/red"): tag,
        ("port", "new"): port,
    }


def test_port_that_moves_away_leaves_the_host_that_it_was_on() -> None:
    before = SNAPSHOT.get(Port, "guest2")
    after = Port(id="guest2", network_id="red", mac_address="m2", host_id="compute1", device_owner="compute:nova")
    changes = [Change("port", "guest2", before, after)]
    moved = SNAPSHOT.apply(changes, 8)

    assert interested_hosts(SNAPSHOT, moved, changes) == {"compute1", "compute2"}
    assert relevant_changes(SNAPSHOT, moved, changes, "compute2") == {("port", "guest2"): None}
    assert relevant_changes(SNAPSHOT, moved, changes, "compute1") == {("port", "guest2"): after}


class Counting(Snapshot):
    """Counts the rows and keys that are looked up."""

    looked_up = 0

    @staticmethod
    def of_another(plain: Snapshot) -> Counting:
        return Counting(plain.revision, plain._tables, plain._groups, plain._numbers, plain._tallies)

    def get(self, row_type: Any, row_id: str) -> Any:
        Counting.looked_up += 1
        return super().get(row_type, row_id)

    def ids(self, group: str, key: Any) -> Any:
        found = super().ids(group, key)
        Counting.looked_up += len(found)
        return found

    def tallied(self, index: str, group: Any) -> Any:
        found = list(super().tallied(index, group))
        Counting.looked_up += len(found)
        return found


def cost_of(plain: Snapshot, change: Change) -> int:
    """Gives how much is looked up to say who must be told of a change, and what."""
    before, after = (Counting.of_another(s) for s in (plain, plain.apply([change], 1)))
    Counting.looked_up = 0
    for host in interested_hosts(before, after, [change]):
        relevant_changes(before, after, [change], host)
    return Counting.looked_up


def test_cost_of_a_commit_does_not_grow_with_the_network() -> None:
    def cost(ports: int) -> int:
        crowd = [Port(id=f"p{n}", network_id="blue", mac_address=f"x{n}", host_id="compute1") for n in range(ports)]
        new = Port(id="new", network_id="blue", mac_address="m9", host_id="compute1")
        return cost_of(Snapshot.of([*CLOUD, *crowd]), Change("port", "new", None, new))

    assert cost(1000) == cost(10)


GREEN = Network(id="green", network_type="gre", segmentation_id=1)
POPULATED = HostSettings(tunnel_types=("gre",), local_ip="192.0.2.1", l2_population=True)
TUNNELS: list[Row] = [
    Host(id="bob", settings=POPULATED),
    Host(id="daisy", settings=HostSettings(tunnel_types=("gre",), local_ip="192.0.2.2")),
    Host(id="far", settings=POPULATED),
    GREEN,
    *(LocalVlan(id=f"{host}/green", host=host, network_id="green", vlan=1) for host in ("bob", "daisy")),
    Port(id="bobs", network_id="green", mac_address="m1", host_id="bob"),
    Port(id="daisys", network_id="green", mac_address="m2", host_id="daisy"),
]
TUNNELLED = Snapshot.of(TUNNELS, 7)


def test_host_knows_its_peers_and_with_l2_population_their_ports() -> None:
    both = {"bob", "daisy", "green", "bob/green", "daisy/green"}
    assert names("bob", TUNNELLED) == both | {"bobs", "daisys"}
    assert names("daisy", TUNNELLED) == both | {"daisys"}
    assert names("far", TUNNELLED) == {"far"}


def test_host_that_gets_a_network_is_told_of_its_peers_and_they_of_it() -> None:
    tag = LocalVlan(id="far/green", host="far", network_id="green", vlan=1)
    changes = [Change(tag.kind, tag.id, None, tag)]
    after = TUNNELLED.apply(changes, 8)

    assert interested_hosts(TUNNELLED, after, changes) == {"bob", "daisy", "far"}
    assert set(relevant_changes(TUNNELLED, after, changes, "daisy")) == {("local_vlan", "far/green"), ("host", "far")}
    told = {key for key, row in relevant_changes(TUNNELLED, after, changes, "far").items() if row is not None}
    assert told == {
        ("network", "green"),
        *(("local_vlan", f"{host}/green") for host in ("bob", "daisy", "far")),
        *(("host", host) for host in ("bob", "daisy")),
        *(("port", port) for port in ("bobs", "daisys")),
    }


def test_a_port_in_a_tunnel_network_interests_the_hosts_that_are_told_where_everybody_is() -> None:
    port = Port(id="new", network_id="green", mac_address="m9", host_id="daisy")
    change = Change(port.kind, port.id, None, port)
    assert interested_hosts(TUNNELLED, TUNNELLED.apply([change], 8), [change]) == {"bob", "daisy"}
