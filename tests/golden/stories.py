"""Intent of the golden stories.

basic_use_cases   the blog post's net1: DHCP on control, one server on compute1, hybrid, veth pairs
the_other_way     the same by the other settings (native, patch ports, kernel switch), flat and IPv6, a port of an
                  outside compute service, a port that is down, DHCP options of a port's own, and wrong values
routed            a router between net1 and a flat external network of two subnets, with a floating IP on the second,
                  one of which just ports are forwarded, an extra route, and one that leads nowhere
scoped            the same with another network inside; the first one and the external network are in an address scope

The stories about tunnels are in ``tunnel_stories``.
"""

from __future__ import annotations

import msgspec

from golden.tunnel_stories import PACKET_FLOWS, POPULATED
from netglass.model.resources import (
    DhcpOption,
    FixedIp,
    FloatingIp,
    Host,
    HostRoute,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Router,
    Row,
    Server,
    Subnet,
)

NET1 = "5f833617-6179-4797-b7c0-7d420d84040c"
SUBNET1 = "2d7a0a58-0674-439a-ad23-d6471aaae9bc"
DHCP_PORT = "26c9b807-7c4c-4f0e-8c3e-5d2f0d1a7b11"
VM_PORT = "53903a95-82d1-4b6e-9d0a-0d3c5a1f6e22"
VM = "3707ac87-4f5d-4349-b7ed-3a673f55e5e1"
IMAGE = Image(id="0c1f5b7e-3d52-4d8e-9d51-b0c4a7f5a111", name="light")

_LAB = HostSettings(bridge_mappings={"default": "br-eth2"}, bridge_nics={"br-eth2": "eth2"}, datapath_type="netdev")

BASIC_USE_CASES: list[Row] = [
    Host(id="control", roles=("network",), settings=_LAB),
    Host(id="compute1", roles=("hypervisor",), settings=_LAB),
    Network(id=NET1, name="net1", physical_network="default", segmentation_id=1000),
    Subnet(id=SUBNET1, network_id=NET1, cidr="10.0.0.0/24", gateway_ip="10.0.0.1"),
    LocalVlan(id=f"control/{NET1}", host="control", network_id=NET1, vlan=1),
    LocalVlan(id=f"compute1/{NET1}", host="compute1", network_id=NET1, vlan=3),
    Port(
        id=DHCP_PORT,
        network_id=NET1,
        mac_address="fa:16:3e:1d:5c:81",
        device_owner="network:dhcp",
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.2"),),
        host_id="control",
        status="ACTIVE",
    ),
    Port(
        id=VM_PORT,
        network_id=NET1,
        mac_address="fa:16:3e:fe:c7:87",
        device_owner="compute:nova",
        device_id=VM,
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.3"),),
        host_id="compute1",
        status="ACTIVE",
    ),
    IMAGE,
    Server(
        id=VM,
        name="Oracle Linux",
        hostname="oracle-linux",
        flavor_id="nano",
        image_id=IMAGE.id,
        host="compute1",
        port_ids=(VM_PORT,),
    ),
]

FLAT = "9a1d3c52-0a77-4a0f-8b6c-3f6a55d0c001"
V4 = "9a1d3c52-0a77-4a0f-8b6c-3f6a55d0c004"
V4_TOO = "9a1d3c52-0a77-4a0f-8b6c-3f6a55d0c005"
V6 = "9a1d3c52-0a77-4a0f-8b6c-3f6a55d0c006"
V6_AUTO = "9a1d3c52-0a77-4a0f-8b6c-3f6a55d0c007"
OUTSIDE = "71b0f4de-5521-4c55-8a3d-000000000001"
DOWN = "81b0f4de-5521-4c55-8a3d-000000000002"
LOST = "91b0f4de-5521-4c55-8a3d-000000000003"
GONE = "a1b0f4de-5521-4c55-8a3d-000000000004"

THE_OTHER_WAY: list[Row] = [
    Host(
        id="all-in-one",
        roles=("hypervisor", "network"),
        settings=HostSettings(
            bridge_mappings={"external": "br-ex", "default": "br-eth2"},
            bridge_nics={"br-ex": "eth3"},
            provider_link="patch",
            firewall_driver="openvswitch",
            state_root="/srv/neutron",
            instances_root="/srv/nova",
            dns_domain="example.test",
            dhcp_lease_s=600,
        ),
    ),
    Network(id=FLAT, name="flat", network_type="flat", physical_network="external", mtu=9000),
    Subnet(
        id=V4,
        created_at="2026-01-01T00:00:00Z",
        network_id=FLAT,
        cidr="192.0.2.0/25",
        gateway_ip="198.51.100.1",
        dns_nameservers=("192.0.2.53", "192.0.2.54\nport=5353"),
        host_routes=(HostRoute("203.0.113.0/24", "192.0.2.9"),),
    ),
    Subnet(
        id=V4_TOO,
        created_at="2026-01-02T00:00:00Z",
        network_id=FLAT,
        cidr="192.0.2.128/25",
        dns_nameservers=("0.0.0.0",),
    ),
    Subnet(
        id=V6,
        created_at="2026-01-03T00:00:00Z",
        network_id=FLAT,
        ip_version=6,
        cidr="2001:db8::/64",
        gateway_ip="fe80::1",
        ipv6_ra_mode="dhcpv6-stateful",
        ipv6_address_mode="dhcpv6-stateful",
    ),
    Subnet(
        id=V6_AUTO,
        created_at="2026-01-04T00:00:00Z",
        network_id=FLAT,
        ip_version=6,
        cidr="2001:db8:1::/64",
        gateway_ip="2001:db8:1::1",
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
        dns_nameservers=("2001:db8::53",),
    ),
    LocalVlan(id=f"all-in-one/{FLAT}", host="all-in-one", network_id=FLAT, vlan=7),
    Port(
        id=DHCP_PORT,
        network_id=FLAT,
        mac_address="fa:16:3e:1d:5c:81",
        device_owner="network:dhcp",
        fixed_ips=(
            FixedIp(V4, "192.0.2.2"),
            FixedIp(V4_TOO, "192.0.2.130"),
            FixedIp(V6, "2001:db8::2"),
            FixedIp(V6_AUTO, "2001:db8:1:0:f816:3eff:fe1d:5c81"),
        ),
        host_id="all-in-one",
    ),
    Port(
        id=VM_PORT,
        network_id=FLAT,
        mac_address="fa:16:3e:fe:c7:87",
        device_owner="compute:nova",
        device_id=VM,
        fixed_ips=(
            FixedIp(V4, "192.0.2.3"),
            FixedIp(V6, "2001:db8::3"),
            FixedIp(V6_AUTO, "2001:db8:1:0:f816:3eff:fefe:c787"),
        ),
        extra_dhcp_opts=(
            DhcpOption("client-id", "ff:00:01"),
            DhcpOption("ntp-server", "192.0.2.8,192.0.2.9"),
            DhcpOption("150", "192.0.2.7"),
            DhcpOption("dns-server", "[2001:db8::99]", 6),
            DhcpOption("bootfile-name", "x\ndhcp-script=/bin/sh"),
        ),
        host_id="all-in-one",
    ),
    Port(id=OUTSIDE, network_id=FLAT, mac_address="fa:16:3e:00:00:01", device_id="elsewhere", host_id="all-in-one"),
    Port(
        id=DOWN,
        network_id=FLAT,
        mac_address="fa:16:3e:00:00:02",
        admin_state_up=False,
        device_owner="compute:nova",
        device_id=VM,
        host_id="all-in-one",
    ),
    Port(id=LOST, network_id=GONE, mac_address="fa:16:3e:00:00:03", device_owner="compute:nova", host_id="all-in-one"),
    LocalVlan(id=f"all-in-one/{GONE}", host="all-in-one", network_id=GONE, vlan=8),
    Server(
        id=VM,
        name="two NICs, and one that is not there",
        flavor_id="nano",
        image_id=IMAGE.id,
        host="all-in-one",
        port_ids=(VM_PORT, DOWN, GONE),
    ),
]

PUBLIC = "9b1f7f0e-0d5a-4c9b-8f2e-6d1f7a2b3c44"
PUBLIC_SUBNET = "4f2c9d10-52aa-4d53-b1de-7a8e9f0a1b55"
SECOND_SUBNET = "6a7b8c9d-1122-4a33-9b44-5c6d7e8f9a66"
ROUTER = "0a4f0f9e-9e0d-4f0e-8c7b-1f2e3d4c5b77"
INSIDE = "17d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c88"
OUTSIDE = "e8f7a6b5-c4d3-4f2e-8a1b-0c9d8e7f6a99"
FLOATING = "3c2b1a0f-9e8d-4c7b-9a6f-5e4d3c2b1a00"
FLOATING_PORT = "b5a4f3e2-d1c0-4b9a-8f8e-7d6c5b4a3f11"

SHARED = "5d4c3b2a-1f0e-4d9c-8b7a-6f5e4d3c2b22"
SHARED_PORT = "c6b5a4f3-e2d1-4c0b-9a8f-8e7d6c5b4a33"

_EDGE = HostSettings(
    bridge_mappings={"default": "br-eth2", "external": "br-ex"},
    bridge_nics={"br-eth2": "eth2", "br-ex": "eth3"},
    datapath_type="netdev",
)

ROUTED: list[Row] = [
    Host(id="control", roles=("network",), settings=_EDGE),
    Network(id=NET1, name="net1", physical_network="default", segmentation_id=1000),
    Subnet(id=SUBNET1, network_id=NET1, cidr="10.0.0.0/24", gateway_ip="10.0.0.1", enable_dhcp=False),
    Network(id=PUBLIC, name="public", network_type="flat", physical_network="external", external=True),
    Subnet(
        id=PUBLIC_SUBNET,
        network_id=PUBLIC,
        cidr="203.0.113.0/24",
        gateway_ip="203.0.113.1",
        enable_dhcp=False,
        created_at="2026-11-21T00:00:00Z",
    ),
    Subnet(
        id=SECOND_SUBNET,
        network_id=PUBLIC,
        cidr="192.0.2.0/25",
        enable_dhcp=False,
        created_at="2026-11-21T00:00:01Z",
    ),
    LocalVlan(id=f"control/{NET1}", host="control", network_id=NET1, vlan=1),
    LocalVlan(id=f"control/{PUBLIC}", host="control", network_id=PUBLIC, vlan=2),
    Router(
        id=ROUTER,
        name="router",
        gateway_network_id=PUBLIC,
        host_id="control",
        routes=(HostRoute("10.9.0.0/16", "10.0.0.9"), HostRoute("10.8.0.0/16", "172.16.0.9")),
    ),
    Port(
        id=INSIDE,
        network_id=NET1,
        mac_address="fa:16:3e:00:00:01",
        device_owner="network:router_interface",
        device_id=ROUTER,
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.1"),),
        host_id="control",
    ),
    Port(
        id=OUTSIDE,
        network_id=PUBLIC,
        mac_address="fa:16:3e:00:00:02",
        device_owner="network:router_gateway",
        device_id=ROUTER,
        fixed_ips=(FixedIp(PUBLIC_SUBNET, "203.0.113.2"),),
        host_id="control",
    ),
    Port(
        id=FLOATING_PORT,
        network_id=PUBLIC,
        mac_address="fa:16:3e:00:00:03",
        device_owner="network:floatingip",
        device_id=FLOATING,
        fixed_ips=(FixedIp(SECOND_SUBNET, "192.0.2.7"),),
    ),
    FloatingIp(
        id=FLOATING,
        floating_network_id=PUBLIC,
        floating_ip_address="192.0.2.7",
        floating_port_id=FLOATING_PORT,
        port_id=VM_PORT,
        fixed_ip_address="10.0.0.3",
        router_id=ROUTER,
    ),
    Port(
        id=SHARED_PORT,
        network_id=PUBLIC,
        mac_address="fa:16:3e:00:00:04",
        device_owner="network:floatingip",
        device_id=SHARED,
        fixed_ips=(FixedIp(PUBLIC_SUBNET, "203.0.113.9"),),
    ),
    FloatingIp(
        id=SHARED,
        floating_network_id=PUBLIC,
        floating_ip_address="203.0.113.9",
        floating_port_id=SHARED_PORT,
        router_id=ROUTER,
    ),
    *(
        PortForwarding(
            id=row_id,
            floating_ip_id=SHARED,
            protocol=protocol,
            external_port=outer[0],
            external_port_last=outer[1],
            internal_port_id=VM_PORT,
            internal_ip_address="10.0.0.3",
            internal_port=inner[0],
            internal_port_last=inner[1],
        )
        for row_id, protocol, outer, inner in (
            ("d7c6b5a4-0000-4000-8000-000000000001", "tcp", (2222, 2222), (22, 22)),
            ("e8d7c6b5-0000-4000-8000-000000000002", "udp", (5000, 5009), (6000, 6009)),
            ("f9e8d7c6-0000-4000-8000-000000000003", "tcp", (8000, 8009), (80, 80)),
            ("0af9e8d7-0000-4000-8000-000000000004", "icmp", (1, 1), (1, 1)),
        )
    ),
]

SIX = "c0ffee06-0001-4a4f-8a6b-000000000001"
SIX_TOO = "c0ffee06-0002-4a4f-8a6b-000000000002"
SIX_OUTSIDE = "c0ffee06-0003-4a4f-8a6b-000000000003"
INSIDE_SIX = "27d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c88"

ROUTED_IPV6: list[Row] = [
    *(row for row in ROUTED if not isinstance(row, FloatingIp) and row.id not in (FLOATING_PORT, OUTSIDE)),
    Subnet(
        id=SIX,
        network_id=NET1,
        ip_version=6,
        cidr="2001:db8:1::/64",
        gateway_ip="fe80::1",
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
        dns_nameservers=("2001:db8::53", "192.0.2.53", "2001:db8::54\nprefix ::/0"),
        created_at="2026-11-21T00:00:02Z",
    ),
    Subnet(
        id=SIX_TOO,
        network_id=NET1,
        ip_version=6,
        cidr="2001:db8:2::/64",
        gateway_ip="2001:db8:2::",
        ipv6_ra_mode="dhcpv6-stateful",
        ipv6_address_mode="dhcpv6-stateful",
        created_at="2026-11-21T00:00:03Z",
    ),
    Subnet(
        id=SIX_OUTSIDE,
        network_id=PUBLIC,
        ip_version=6,
        cidr="2001:db8:f::/64",
        gateway_ip="2001:db8:f::1",
        enable_dhcp=False,
        created_at="2026-11-21T00:00:04Z",
    ),
    Port(
        id=INSIDE_SIX,
        network_id=NET1,
        mac_address="fa:16:3e:00:00:06",
        device_owner="network:router_interface",
        device_id=ROUTER,
        fixed_ips=(FixedIp(SIX, "2001:db8:1::2"), FixedIp(SIX_TOO, "2001:db8:2::")),
        host_id="control",
    ),
    Port(
        id=OUTSIDE,
        network_id=PUBLIC,
        mac_address="fa:16:3e:00:00:02",
        device_owner="network:router_gateway",
        device_id=ROUTER,
        fixed_ips=(FixedIp(PUBLIC_SUBNET, "203.0.113.2"), FixedIp(SIX_OUTSIDE, "2001:db8:f::2")),
        host_id="control",
    ),
]

SCOPE = "1b2c3d4e-0000-4000-8000-00000000000a"
NET2 = "6f833617-6179-4797-b7c0-7d420d84040c"
SUBNET2 = "3d7a0a58-0674-439a-ad23-d6471aaae9bc"
SUBNET2_V6 = "4d7a0a58-0674-439a-ad23-d6471aaae9bc"
INSIDE2 = "27d3c2b1-a0f9-4e8d-9c7b-6a5f4e3d2c88"


def _in_scope(row: Row) -> Row:
    scoped = isinstance(row, Subnet) and row.id in (SUBNET1, PUBLIC_SUBNET)
    return msgspec.structs.replace(row, address_scope_id=SCOPE) if scoped else row


SCOPED: list[Row] = [
    *(_in_scope(row) for row in ROUTED if not isinstance(row, PortForwarding)),
    Network(id=NET2, name="net2", physical_network="default", segmentation_id=1001),
    Subnet(id=SUBNET2, network_id=NET2, cidr="10.1.0.0/24", gateway_ip="10.1.0.1", enable_dhcp=False),
    Subnet(
        id=SUBNET2_V6,
        network_id=NET2,
        ip_version=6,
        cidr="2001:db8:1::/64",
        gateway_ip="2001:db8:1::1",
        enable_dhcp=False,
        address_scope_id="2b2c3d4e-0000-4000-8000-00000000000b",
    ),
    LocalVlan(id=f"control/{NET2}", host="control", network_id=NET2, vlan=3),
    Port(
        id=INSIDE2,
        network_id=NET2,
        mac_address="fa:16:3e:00:00:05",
        device_owner="network:router_interface",
        device_id=ROUTER,
        fixed_ips=(FixedIp(SUBNET2, "10.1.0.1"), FixedIp(SUBNET2_V6, "2001:db8:1::1")),
        host_id="control",
    ),
]

STORIES: dict[str, list[Row]] = {
    "basic_use_cases": BASIC_USE_CASES,
    "the_other_way": THE_OTHER_WAY,
    "routed": ROUTED,
    "scoped": SCOPED,
    "routed_ipv6": ROUTED_IPV6,
    "packet_flows": PACKET_FLOWS,
    "populated": POPULATED,
}
