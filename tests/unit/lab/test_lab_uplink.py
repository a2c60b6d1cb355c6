"""The subnet between the machine and a lab."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from netglass.lab.topology import LabError
from netglass.lab.uplink import POOL, device, machine_routes, pick_uplink


def test_the_same_lab_gets_the_same_subnet_and_another_lab_another() -> None:
    assert pick_uplink("vlan", []) == pick_uplink("vlan", []) != pick_uplink("tunnel", [])


def test_nothing_that_the_machine_has_a_route_to_is_chosen() -> None:
    first = pick_uplink("vlan", [])
    second = pick_uplink("vlan", [first])
    third = pick_uplink("vlan", [IPv4Network(f"{first.network_address}/28", strict=False)])

    assert not second.overlaps(first)
    assert not third.overlaps(IPv4Network(f"{first.network_address}/28", strict=False))
    assert {first, second, third} == {n for n in (first, second, third) if n.subnet_of(POOL)}


def test_a_default_route_takes_nothing_away() -> None:
    assert pick_uplink("vlan", [IPv4Network("0.0.0.0/0")]) == pick_uplink("vlan", [])


def test_a_machine_with_routes_to_all_of_it_is_told_so() -> None:
    with pytest.raises(LabError, match="No free subnet"):
        pick_uplink("vlan", [POOL])


def test_the_longest_name_makes_a_device_name_that_linux_takes() -> None:
    assert len(device("a" * 11)) <= 15


def test_the_machines_routes_are_read_as_networks() -> None:
    assert all(isinstance(network, IPv4Network) for network in machine_routes())
