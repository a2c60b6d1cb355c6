"""Networks in tunnels: ids, MTU, and which hosts can take their ports."""

from __future__ import annotations

from typing import Any

import pytest
from deciding import ADMIN, Cloud, refused

from netglass.model.resources import Host, HostSettings

RANGES = {"gre": (1, 3), "vxlan": (100, 101)}
BOB = Host(id="bob", roles=("hypervisor",), settings=HostSettings(tunnel_types=("gre",), local_ip="192.0.2.12"))
VLAN_ONLY = Host(id="old", roles=("hypervisor",), settings=HostSettings(bridge_mappings={"default": "br-eth2"}))
MUTE = Host(id="mute", roles=("hypervisor",), settings=HostSettings(tunnel_types=("gre",)))


def tunnels(*rows: Any, **settings: Any) -> Cloud:
    return Cloud(*rows, **{"tenant_network_types": ("gre",), "tunnel_ranges": RANGES} | settings)


def test_a_project_gets_the_lowest_free_id_of_the_clouds_type() -> None:
    cloud = tunnels()
    first, second = cloud.network(), cloud.network()
    assert (first.network_type, first.physical_network, first.segmentation_id) == ("gre", "", 1)
    assert second.segmentation_id == 2
    cloud.delete(first)
    assert cloud.network().segmentation_id == 1


def test_types_are_tried_in_their_order_until_all_are_full() -> None:
    cloud = tunnels(tenant_network_types=("vxlan", "gre"))
    found = [cloud.network() for _ in range(5)]
    assert [(n.network_type, n.segmentation_id) for n in found] == [
        ("vxlan", 100),
        ("vxlan", 101),
        ("gre", 1),
        ("gre", 2),
        ("gre", 3),
    ]
    with refused("NoNetworkAvailable", 503):
        cloud.network()


def test_the_same_id_is_free_in_another_type() -> None:
    cloud = tunnels()
    for kind in ("gre", "vxlan", "geneve"):
        assert cloud.network(ADMIN, network_type=kind, segmentation_id=7).segmentation_id == 7
    with refused("TunnelIdInUse", 409, "The tunnel ID 7 is in use."):
        cloud.network(ADMIN, network_type="geneve", segmentation_id=7)


@pytest.mark.parametrize(
    ("wanted", "fault", "status", "words"),
    [
        (
            {"network_type": "gre", "physical_network": "default"},
            "InvalidInput",
            400,
            "provider:physical_network specified for gre network",
        ),
        ({"network_type": "gre", "segmentation_id": 0}, "InvalidInput", 400, "out of range (1 through 4294967295)"),
        ({"network_type": "vxlan", "segmentation_id": 1 << 24}, "InvalidInput", 400, "(1 through 16777215)"),
        ({"network_type": "geneve"}, "NoNetworkAvailable", 503, ""),
    ],
)
def test_a_tunnel_that_cannot_be_is_refused(wanted: dict[str, Any], fault: str, status: int, words: str) -> None:
    with refused(fault, status, words):
        tunnels().network(ADMIN, **wanted)


@pytest.mark.parametrize(("version", "mtus"), [(4, (1458, 1450, 1442)), (6, (1438, 1430, 1422))])
def test_guests_get_what_is_left_of_the_wire_less_the_headers(version: int, mtus: tuple[int, ...]) -> None:
    cloud = tunnels(overlay_ip_version=version)
    made = [cloud.network(ADMIN, network_type=kind, segmentation_id=9) for kind in ("gre", "vxlan", "geneve")]
    assert tuple(network.mtu for network in made) == mtus
    with refused("InvalidInput", 400, f"Requested MTU is too big, maximum is {mtus[0]}"):
        cloud.update(made[0], mtu=mtus[0] + 1, caller=ADMIN)
    assert cloud.update(made[0], mtu=1400, caller=ADMIN).mtu == 1400
    assert cloud.update(made[0], mtu=0, caller=ADMIN).mtu == mtus[0]


def test_only_hosts_with_tunnels_of_the_type_carry_a_network() -> None:
    cloud = tunnels(BOB, VLAN_ONLY, MUTE)
    network = cloud.network()
    for host in ("bob", "old", "mute"):
        cloud.port(network, ADMIN, host_id=host)
    assert cloud.tags() == {("bob", network.id): 1}
    vxlan = cloud.network(ADMIN, network_type="vxlan")
    cloud.port(vxlan, ADMIN, host_id="bob")
    assert ("bob", vxlan.id) not in cloud.tags()
