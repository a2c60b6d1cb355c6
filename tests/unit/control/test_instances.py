"""Who asks for metadata is known by where the packet came in and from which address, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from netglass.control.instances import find_instance
from netglass.model.protocol import Instance
from netglass.model.resources import FixedIp, Port, Row, Server, Subnet
from netglass.model.snapshot import Snapshot

MAC = "fa:16:3e:12:34:56"
EUI64 = "fe80::f816:3eff:fe12:3456"


def network(name: str, host: str = "net1", cidr: str = "10.0.0.0/24") -> list[Row]:
    owner = {"network_id": name, "device_owner": "network:dhcp"}
    return [
        Subnet(id=f"s-{name}", network_id=name, cidr=cidr),
        Port(id=f"dhcp-{name}", mac_address="fa:16:3e:00:00:02", host_id=host, device_id="dhcp", **owner),
    ]


def guest(name: str, on: str, address: str = "10.0.0.5", project: str = "p1", mac: str = MAC) -> list[Row]:
    port = Port(
        id=f"port-{name}",
        project_id=project,
        network_id=on,
        mac_address=mac,
        device_id=name,
        device_owner="compute:nova",
        fixed_ips=(FixedIp(f"s-{on}", address),),
    )
    server = Server(id=name, project_id=project, name=name, flavor_id="f", image_id="i", port_ids=(port.id,))
    return [port, server]


def interface(router: str, on: str, host: str = "net1") -> Port:
    return Port(
        id=f"{router}-{on}",
        network_id=on,
        mac_address="fa:16:3e:00:00:01",
        device_id=router,
        device_owner="network:router_interface",
        fixed_ips=(FixedIp(f"s-{on}", "10.0.0.1"),),
        host_id=host,
    )


def find(rows: Iterable[Row], address: str = "10.0.0.5", host: str = "net1", **place: str) -> Instance | None:
    return find_instance(Snapshot.of(rows), host, address, **(place or {"network_id": "blue"}))


BLUE = [*network("blue"), *guest("vm", "blue")]
TWO = [*BLUE, *network("red"), *guest("other", "red", project="p2")]
VM = Instance(id="vm", project_id="p1")


def test_equal_addresses_on_two_networks_are_two_instances() -> None:
    assert find(TWO, network_id="blue") == VM
    assert find(TWO, network_id="red") == Instance(id="other", project_id="p2")


def test_a_host_learns_only_of_networks_that_it_serves() -> None:
    assert find(BLUE, host="net2") is None
    assert find([*BLUE, interface("r1", "blue")], host="net2", router_id="r1") is None


def test_an_address_that_no_guest_has_is_nobody() -> None:
    for address in ("10.0.0.6", "10.0.0.5\n", "", "all", "10.0.0.5/24", "::ffff:10.0.0.5"):
        assert find(BLUE, address) is None
    assert find(network("blue"), "10.0.0.5") is None


def test_a_router_stands_for_all_its_networks() -> None:
    rows = [*TWO[:-2], *guest("other", "red", "10.0.0.6", "p2"), interface("r1", "blue"), interface("r1", "red")]
    assert find(rows, "10.0.0.5", router_id="r1") == VM
    assert find(rows, "10.0.0.6", router_id="r1") == Instance(id="other", project_id="p2")
    assert find(rows, "10.0.0.6", router_id="r2") is None


def test_what_leaves_a_doubt_is_nobody() -> None:
    rows = [*TWO, interface("r1", "blue"), interface("r1", "red")]
    assert find(rows, "10.0.0.5", router_id="r1") is None


def test_a_port_that_names_somebody_elses_server_is_nobody() -> None:
    thief = replace(guest("thief", "red", "10.0.0.7", "p2")[0], device_id="vm")
    assert find([*TWO, thief], "10.0.0.7", network_id="red") is None


def test_ports_that_are_no_guests_count_for_nothing() -> None:
    assert find([*BLUE, interface("r1", "blue")], "10.0.0.1") is None


def test_a_link_local_address_is_known_by_the_mac_that_it_is_made_of() -> None:
    assert find(BLUE, EUI64) == VM
    assert find(BLUE, "fe80::1") is None
    assert find(BLUE, "fe80::f816:3eff:fe12:3457") is None
    rows = [*BLUE, *network("red"), *guest("other", "red", mac=MAC)]
    assert find(rows, EUI64, network_id="red") == Instance(id="other", project_id="p1")


def test_a_guest_of_an_outside_compute_service_is_known_by_its_port() -> None:
    rows = [row for row in BLUE if not isinstance(row, Server)]
    assert find(rows) == VM


@pytest.mark.parametrize("place", [{"network_id": "blue", "router_id": "r1"}, {"network_id": ""}])
def test_one_place_is_named_or_it_is_a_mistake(place: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either"):
        find(BLUE, **place)
