"""By what others can tell that a silent host works on, whom to ask, and what their answers mean."""

from __future__ import annotations

import pytest
from deciding import COMPUTE1, Cloud

from netglass.control.signs import Told, held_by, stopped, witnesses
from netglass.model.protocol import Sign
from netglass.model.resources import Host, HostSettings, Network, Port, Router

_SETTINGS = HostSettings(
    bridge_mappings={"default": "br-eth2", "external": "br-ex"},
    bridge_nics={"br-eth2": "eth2", "br-ex": "eth3"},
    tunnel_types=("gre",),
    local_ip="192.0.2.1",
)
SILENT = Host(id="silent", roles=("network",), settings=_SETTINGS)
TUNNEL = Sign(address="192.0.2.1")
INSIDE = Sign(address="10.0.0.1", physical_network="default", vlan=1000, mac="fa:16:3e:00:00:01")
OUTSIDE = Sign(address="203.0.113.9", physical_network="external", mac="fa:16:3e:00:00:02")
NOTHING: frozenset[Sign] = frozenset()


def witness(id: str, *roles: str, **settings: object) -> Host:
    return Host(id=id, roles=roles, settings=HostSettings(**settings))  # type: ignore[arg-type]


VLANS = {"bridge_mappings": {"default": "br-eth2"}, "bridge_nics": {"br-eth2": "eth2"}}
GATEWAY = witness("gateway", "network", bridge_mappings={"external": "br-ex"}, bridge_nics={"br-ex": "eth3"})
GRE = witness("gre", "hypervisor", tunnel_types=("gre",), local_ip="192.0.2.2")
VXLAN = witness("vxlan", "hypervisor", tunnel_types=("vxlan",), local_ip="192.0.2.3")
BARE = witness("bare", "hypervisor", bridge_mappings={"default": "br-eth2"})  # its bridge's NIC is an operator's
ON_VLANS = [witness(f"h{number}", "hypervisor", **VLANS) for number in range(5)]


def test_a_router_shows_by_the_addresses_of_its_ports_and_a_dhcp_server_by_its_own() -> None:
    cloud = Cloud(SILENT, COMPUTE1, dhcp_agents_per_network=1)
    network = cloud.network()
    subnet = cloud.subnet(network)
    router: Router = cloud.router()
    cloud.join(router, subnet.id)
    (server,) = cloud.snapshot.rows("dhcp_ports_by_network", network.id)
    (inside,) = cloud.snapshot.rows("ports_by_device", router.id)
    vlan = cloud.now(network).segmentation_id
    assert held_by(cloud.snapshot, SILENT) == {
        port_or_router: (
            Sign(address=port.fixed_ips[0].ip_address, physical_network="default", vlan=vlan, mac=port.mac_address),
        )
        for port_or_router, port in ((router.id, inside), (server.id, server))
    }
    assert held_by(cloud.snapshot, COMPUTE1) == {}


def test_what_is_in_tunnels_shows_by_their_address_and_what_has_no_ipv4_address_or_is_down_not_at_all() -> None:
    network = Network(id="n", network_type="gre", segmentation_id=7)
    wired = Network(id="w", physical_network="default", segmentation_id=1000)
    router = Router(id="r", host_id=SILENT.id)
    owner = {"device_owner": "network:router_interface", "device_id": "r", "host_id": SILENT.id}
    ports = [
        Port(id="1", network_id="n", mac_address="m1", **owner),
        Port(id="2", network_id="n", mac_address="m2", **owner),
        Port(id="3", network_id="w", mac_address="m3", **owner),
        Port(id="4", network_id="w", mac_address="m4", admin_state_up=False, **owner),
        Port(id="5", network_id="no such network", mac_address="m5", **owner),
    ]
    cloud = Cloud(SILENT, network, wired, router, *ports)
    assert held_by(cloud.snapshot, SILENT) == {"r": (TUNNEL,)}


def test_those_who_would_take_over_are_asked_first_and_only_for_what_they_can_see() -> None:
    cloud = Cloud(SILENT, GATEWAY, GRE, VXLAN, BARE, *ON_VLANS)
    everybody = {host.id for host in cloud.snapshot.all(Host)}
    signs = (TUNNEL, INSIDE, OUTSIDE)
    found = witnesses(cloud.snapshot, SILENT, signs, everybody)
    assert found == {"gateway": [OUTSIDE], "gre": [TUNNEL], "h0": [INSIDE]}
    assert witnesses(cloud.snapshot, SILENT, signs, {"vxlan", "bare", "silent"}) == {}


@pytest.mark.parametrize(
    ("told", "works"),
    [
        ([], False),
        ([Told(NOTHING, NOTHING)], False),
        ([Told({INSIDE}, NOTHING)], True),  # nobody can tell of the outside
        ([Told({INSIDE, OUTSIDE}, NOTHING)], True),
        ([Told({INSIDE}, {OUTSIDE})], False),  # a router that leads nowhere
        ([Told({INSIDE}, {OUTSIDE}), Told({OUTSIDE}, {INSIDE})], True),  # each sees what the other misses
        ([Told(NOTHING, {INSIDE, OUTSIDE})], False),
    ],
)
def test_a_router_works_when_of_each_sign_that_anybody_can_tell_somebody_has_seen_it(
    told: list[Told], works: bool
) -> None:
    assert stopped({"r": (INSIDE, OUTSIDE)}, told) == (frozenset() if works else {"r"})


def test_what_shows_no_sign_counts_as_stopped() -> None:
    assert stopped({"r": ()}, [Told({INSIDE}, NOTHING)]) == {"r"}
