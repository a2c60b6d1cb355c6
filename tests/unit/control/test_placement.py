from __future__ import annotations

from typing import Any

import pytest
from deciding import ADMIN, ALICE, COMPUTE1, COMPUTE2, CONTROL, Cloud, refused
from msgspec.structs import replace

from netglass.base.errors import Forbidden, NotFound
from netglass.control.placement import Place, choose_host, decide_enable_host, read_place, zones
from netglass.model.resources import Host, HostSettings, Network, Server

ANYWHERE = Place()
UP = frozenset({"control", "compute1", "compute2"})
RACK = Host(id="rack1", roles=("hypervisor",), availability_zone="rack")
NETWORK = Network(id="n", physical_network="default", segmentation_id=1000)


def server(number: int, host: str) -> Server:
    return Server(id=f"s{number}", name="s", flavor_id="f", image_id="i", host=host)


def chosen(cloud: Cloud, place: Place = ANYWHERE, networks: Any = (), up: frozenset[str] = UP) -> str | None:
    host = cloud.decide(lambda d: choose_host(d, place, networks, up))
    return host.id if host is not None else None


def test_the_least_loaded_host_is_chosen_and_then_the_first_by_name() -> None:
    assert chosen(Cloud(CONTROL, COMPUTE2, COMPUTE1)) == "compute1"
    assert chosen(Cloud(CONTROL, COMPUTE2, COMPUTE1, server(1, "compute1"))) == "compute2"
    assert chosen(Cloud(COMPUTE2, COMPUTE1, server(1, "compute1"), server(2, "compute2"))) == "compute1"


def test_hosts_that_are_disabled_or_silent_take_nothing() -> None:
    assert chosen(Cloud(replace(COMPUTE1, enabled=False), COMPUTE2)) == "compute2"
    assert chosen(Cloud(COMPUTE1, COMPUTE2), up=frozenset({"compute2"})) == "compute2"
    assert chosen(Cloud(CONTROL)) is None


def test_a_host_must_reach_the_networks() -> None:
    unmapped = replace(COMPUTE1, settings=HostSettings())
    assert chosen(Cloud(unmapped, COMPUTE2), networks=[NETWORK]) == "compute2"
    assert chosen(Cloud(unmapped), networks=[NETWORK]) is None
    assert chosen(Cloud(unmapped)) == "compute1"


def test_a_named_host_is_the_only_one_looked_at() -> None:
    cloud = Cloud(COMPUTE1, COMPUTE2)
    assert chosen(cloud, Place("nova", "compute2")) == "compute2"
    assert chosen(cloud, Place("nova", "compute2"), up=frozenset({"compute1"})) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (None, Place()),
        ("", Place()),
        ("nova", Place("nova")),
        ("nova:compute2", Place("nova", "compute2")),
        ("nova:compute2:compute2", Place("nova", "compute2")),
        (":compute1", Place("nova", "compute1")),
        ("nova::compute1", Place("nova", "compute1")),
        ("rack", Place("rack")),
    ],
)
def test_zone_and_host_are_read(text: str | None, place: Place) -> None:
    assert read_place(Cloud(CONTROL, COMPUTE1, COMPUTE2, RACK).snapshot, text) == place


@pytest.mark.parametrize("text", ["mars", "mars:compute1"])
def test_an_unknown_zone_is_refused(text: str) -> None:
    with refused("InvalidRequest", 400, "availability zone is not available"):
        read_place(Cloud(COMPUTE1).snapshot, text)


@pytest.mark.parametrize("text", ["nova:control", "nova:nobody", "rack:compute1", "nova:compute1:compute2"])
def test_a_host_that_cannot_be_meant_is_refused(text: str) -> None:
    with refused("ComputeHostNotFound", 400):
        read_place(Cloud(CONTROL, COMPUTE1, COMPUTE2, RACK).snapshot, text)


def test_zones_are_those_of_hypervisors() -> None:
    found = zones(Cloud(CONTROL, COMPUTE1, RACK).snapshot)
    assert {name: [host.id for host in hosts] for name, hosts in found.items()} == {
        "nova": ["compute1"],
        "rack": ["rack1"],
    }


def test_only_an_admin_disables_a_host_and_only_a_hypervisor() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    with pytest.raises(Forbidden):
        cloud.decide(lambda d: decide_enable_host(d, "compute1", enabled=False), ALICE)
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_enable_host(d, "control", enabled=False), ADMIN)
    assert not cloud.decide(lambda d: decide_enable_host(d, "compute1", enabled=False), ADMIN).enabled
