"""Intent of the golden stories about tunnels.

packet_flows  the course's two hypervisors and network node, GRE between them, learning
populated     VXLAN and Geneve over IPv6, told where everybody is; with a peer that cannot be reached and wrong values
"""

from __future__ import annotations

from msgspec.structs import replace

from netglass.model.resources import FixedIp, Host, HostSettings, Image, LocalVlan, Network, Port, Row, Server, Subnet

NET = "1e0f833a-6179-4797-b7c0-7d420d84040c"
SUBNET = "2d7a0a58-0674-439a-ad23-d6471aaae9bd"
BLUE = "3e0f833a-6179-4797-b7c0-7d420d84040c"
BOBS = "e4dbc657-c4f5-4349-b7ed-3a673f55e5e1"
DAISYS = "6dcc748c-1758-4d5e-9e3f-0d3c5a1f6e22"
DHCP = "26c9b807-7c4c-4f0e-8c3e-5d2f0d1a7b12"
WRONG = "46c9b807-7c4c-4f0e-8c3e-5d2f0d1a7b13"
VM = "4707ac87-4f5d-4349-b7ed-3a673f55e5e1"
IMAGE = Image(id="0c1f5b7e-3d52-4d8e-9d51-b0c4a7f5a111", name="light")


def _host(name: str, number: int, role: str) -> Host:
    address = f"192.168.133.{number}"
    settings = HostSettings(
        bridge_nics={"br-eth2": "eth2"},
        bridge_addresses={"br-eth2": (f"{address}/24",)},
        datapath_type="netdev",
        tunnel_types=("gre",),
        local_ip=address,
    )
    return Host(id=name, roles=(role,), settings=settings)


def _port(port_id: str, number: int, host: str, owner: str = "compute:nova", device: str = "") -> Port:
    return Port(
        id=port_id,
        network_id=NET,
        mac_address=f"fa:16:3e:00:00:{number:02x}",
        device_owner=owner,
        device_id=device,
        fixed_ips=(FixedIp(SUBNET, f"10.0.0.{number}"),),
        host_id=host,
        status="ACTIVE",
    )


def _vlan(host: str, network: str, vlan: int) -> LocalVlan:
    return LocalVlan(id=f"{host}/{network}", host=host, network_id=network, vlan=vlan)


PACKET_FLOWS: list[Row] = [
    _host("network", 113, "network"),
    _host("bob", 112, "hypervisor"),
    _host("daisy", 114, "hypervisor"),
    Network(id=NET, name="net1", network_type="gre", segmentation_id=1, mtu=1458),
    Subnet(id=SUBNET, network_id=NET, cidr="10.0.0.0/24", gateway_ip="10.0.0.1"),
    *(_vlan(host, NET, tag) for host, tag in (("network", 1), ("bob", 1), ("daisy", 2))),
    _port(DHCP, 2, "network", "network:dhcp"),
    _port(BOBS, 3, "bob"),
    _port(DAISYS, 4, "daisy", device=VM),
    IMAGE,
    Server(id=VM, name="vm", hostname="vm", flavor_id="nano", image_id=IMAGE.id, host="daisy", port_ids=(DAISYS,)),
]


def _populated(row: Row) -> Row:
    if isinstance(row, Host):
        number = row.settings.local_ip.rpartition(".")[2]
        settings = replace(
            row.settings,
            bridge_addresses={"br-eth2": (f"fd00:133::{number}/64",)},
            tunnel_types=("geneve", "vxlan"),
            local_ip=f"fd00:133::{number}",
            l2_population=True,
        )
        return replace(row, settings=settings)
    return replace(row, network_type="vxlan", mtu=1430) if isinstance(row, Network) else row


POPULATED: list[Row] = [
    *(_populated(row) for row in PACKET_FLOWS),
    Network(id=BLUE, name="blue", network_type="geneve", segmentation_id=(1 << 24) - 1, mtu=1422),
    *(_vlan(host, BLUE, 3) for host in ("bob", "old")),
    Host(id="old", settings=HostSettings(tunnel_types=("geneve",), local_ip="192.168.133.99", datapath_type="netdev")),
    replace(_port(WRONG, 9, "bob"), mac_address="not\na MAC"),
]
