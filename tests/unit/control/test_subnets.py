from __future__ import annotations

import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, CONTROL, Cloud, addresses, refused

from netglass.base.errors import Bug
from netglass.model.resources import AddressRange, HostRoute, Subnet


def pools(subnet: Subnet) -> list[str]:
    return [f"{p.start}-{p.end}" for p in subnet.allocation_pools]


@pytest.mark.parametrize(
    ("cidr", "wanted", "gateway", "expected"),
    [
        ("10.0.0.0/24", {}, "10.0.0.1", ["10.0.0.2-10.0.0.254"]),
        ("10.0.0.0/24", {"gateway_ip": None}, None, ["10.0.0.1-10.0.0.254"]),
        ("10.0.0.0/24", {"gateway_ip": "10.0.0.7"}, "10.0.0.7", ["10.0.0.1-10.0.0.6", "10.0.0.8-10.0.0.254"]),
        ("10.0.0.0/24", {"gateway_ip": "10.0.0.254"}, "10.0.0.254", ["10.0.0.1-10.0.0.253"]),
        ("10.0.0.0/30", {}, "10.0.0.1", ["10.0.0.2-10.0.0.2"]),
        ("10.0.0.0/31", {"enable_dhcp": False}, "10.0.0.1", ["10.0.0.0-10.0.0.0"]),
        ("10.0.0.0/32", {"enable_dhcp": False}, None, ["10.0.0.0-10.0.0.0"]),
        ("fd00::/64", {}, "fd00::", ["fd00::1-fd00::ffff:ffff:ffff:ffff"]),
        ("fd00::/64", {"gateway_ip": "fe80::1"}, "fe80::1", ["fd00::1-fd00::ffff:ffff:ffff:ffff"]),
        ("fd00::/64", {"gateway_ip": "fd00::2"}, "fd00::2", ["fd00::1-fd00::1", "fd00::3-fd00::ffff:ffff:ffff:ffff"]),
    ],
)
def test_gateway_and_pools_have_defaults(cidr: str, wanted: dict, gateway: str | None, expected: list[str]) -> None:
    cloud = Cloud()
    subnet = cloud.subnet(cloud.network(), cidr, **wanted)
    assert subnet.gateway_ip == gateway
    assert pools(subnet) == expected


def test_given_pools_are_kept_ascending() -> None:
    cloud = Cloud()
    given = [{"start": "10.0.0.50", "end": "10.0.0.60"}, AddressRange("10.0.0.10", "10.0.0.20")]
    subnet = cloud.subnet(cloud.network(), allocation_pools=given)
    assert pools(subnet) == ["10.0.0.10-10.0.0.20", "10.0.0.50-10.0.0.60"]


BAD_SUBNETS = [
    ("10.0.0.1/24", {}, "HTTPBadRequest", 400, "isn't a recognized IP subnet cidr, '10.0.0.0/24' is recommended."),
    ("banana", {}, "HTTPBadRequest", 400, "'banana' is not a valid IP subnet"),
    ("10.0.0.0/24", {"ip_version": 6}, "InvalidInput", 400, "cidr '10.0.0.0/24' does not match the ip_version '6'"),
    ("0.0.0.0/0", {}, "InvalidInput", 400, "0 is not allowed as CIDR prefix length"),
    ("::/64", {}, "InvalidInput", 400, "IPv6 subnet '::' is not supported"),
    ("10.0.0.0/31", {}, "InvalidInput", 400, "incompatible with DHCP service enabled"),
    ("fd00::/127", {}, "InvalidInput", 400, "incompatible with DHCP service enabled"),
    ("224.0.0.0/24", {}, "InvalidInput", 400, "Multicast IP subnet"),
    ("127.0.0.0/24", {}, "InvalidInput", 400, "Loopback IP subnet"),
    ("fe80::/64", {}, "InvalidInput", 400, "Link-local IP subnet"),
    ("::ffff:1.2.3.0/120", {}, "InvalidInput", 400, "IPv4-mapped IPv6 subnet"),
    ("0.0.0.0/24", {}, "InvalidInput", 400, "First IP '0.0.0.0'"),
    ("10.9.0.128/25", {}, "InvalidInput", 400, "overlaps with another subnet"),
    ("10.8.0.0/13", {}, "InvalidInput", 400, "overlaps with another subnet"),
    ("10.0.0.0/24", {"gateway_ip": "10.0.1.1"}, "InvalidInput", 400, "Gateway is not valid on subnet"),
    ("10.0.0.0/24", {"gateway_ip": "10.0.0.0"}, "InvalidInput", 400, "Gateway is not valid on subnet"),
    ("10.0.0.0/24", {"gateway_ip": "10.0.0.255"}, "InvalidInput", 400, "Gateway is not valid on subnet"),
    ("10.0.0.0/24", {"gateway_ip": "fd00::1"}, "InvalidInput", 400, "gateway_ip 'fd00::1' does not match"),
    ("fd00::/64", {"gateway_ip": "fd01::1"}, "InvalidInput", 400, "Gateway is not valid on subnet"),
    ("10.0.0.0/24", {"gateway_ip": "x"}, "HTTPBadRequest", 400, "gateway_ip"),
    ("10.0.0.0/24", {"dns_nameservers": ["9.9.9.9"] * 6}, "DNSNameServersExhausted", 400, "new subnet"),
    ("10.0.0.0/24", {"dns_nameservers": ["fd00::1"]}, "InvalidInput", 400, "dns_nameserver 'fd00::1' does not match"),
    ("10.0.0.0/24", {"dns_nameservers": ["x"]}, "InvalidInput", 400, "Error parsing dns address x"),
    (
        "10.0.0.0/24",
        {"host_routes": [{"destination": f"10.{n}.0.0/16", "nexthop": "10.0.0.9"} for n in range(21)]},
        "HostRoutesExhausted",
        400,
        "exceeds the limit 20",
    ),
    (
        "10.0.0.0/24",
        {"host_routes": [HostRoute("10.1.0.0/16", "fd00::1")]},
        "InvalidInput",
        400,
        "nexthop 'fd00::1' does not match the ip_version '4'",
    ),
    ("10.0.0.0/24", {"host_routes": [HostRoute("fd01::/64", "10.0.0.9")]}, "InvalidInput", 400, "destination"),
    ("10.0.0.0/24", {"host_routes": [HostRoute("x", "10.0.0.9")]}, "InvalidInput", 400, "Invalid route"),
    ("10.0.0.0/24", {"ipv6_ra_mode": "slaac"}, "InvalidInput", 400, "ipv6_ra_mode is not valid when ip_version is 4"),
    ("10.0.0.0/24", {"ipv6_address_mode": "slaac"}, "InvalidInput", 400, "ipv6_address_mode is not valid"),
    (
        "fd00::/64",
        {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"},
        "InvalidInput",
        400,
        "they must be the same value",
    ),
    ("fd00::/64", {"ipv6_ra_mode": "slaac", "enable_dhcp": False}, "InvalidInput", 400, "enable_dhcp is set to False"),
    ("fd00::/72", {"ipv6_address_mode": "slaac"}, "InvalidInput", 400, "requires the prefix to be /64"),
    ("10.0.0.0/24", {"service_types": ["vm"]}, "InvalidSubnetServiceType", 400, "Subnet service type vm"),
]


@pytest.mark.parametrize(("cidr", "wanted", "fault", "status", "words"), BAD_SUBNETS)
def test_a_subnet_that_cannot_be_is_refused(cidr: str, wanted: dict, fault: str, status: int, words: str) -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network, "10.9.0.0/24")
    before = cloud.snapshot
    with refused(fault, status, words):
        cloud.subnet(network, cidr, **wanted)
    assert cloud.snapshot is before


@pytest.mark.parametrize(
    ("given", "fault", "status", "words"),
    [
        ([("10.0.0.20", "10.0.0.10")], "InvalidAllocationPool", 400, "10.0.0.20-10.0.0.10 is not valid"),
        ([("fd00::1", "fd00::2")], "InvalidAllocationPool", 400, "fd00::1-fd00::2 is not valid"),
        ([("x", "10.0.0.10")], "InvalidAllocationPool", 400, "is not valid"),
        ([("10.0.0.250", "10.0.1.2")], "OutOfBoundsAllocationPool", 400, "beyond the subnet cidr 10.0.0.0/24"),
        ([("10.0.0.0", "10.0.0.9")], "OutOfBoundsAllocationPool", 400, "10.0.0.0-10.0.0.9"),
        ([("10.0.0.9", "10.0.0.255")], "OutOfBoundsAllocationPool", 400, "10.0.0.9-10.0.0.255"),
        (
            [("10.0.0.30", "10.0.0.40"), ("10.0.0.20", "10.0.0.30")],
            "OverlappingAllocationPools",
            409,
            "10.0.0.20-10.0.0.30 10.0.0.30-10.0.0.40 for subnet 10.0.0.0/24",
        ),
        (
            [("10.0.0.1", "10.0.0.40")],
            "GatewayConflictWithAllocationPools",
            409,
            "Gateway ip 10.0.0.1 conflicts with allocation pool 10.0.0.1-10.0.0.40",
        ),
    ],
)
def test_pools_that_cannot_be_are_refused_whenever_given(given: list, fault: str, status: int, words: str) -> None:
    cloud = Cloud()
    network = cloud.network()
    wanted = [{"start": start, "end": end} for start, end in given]
    with refused(fault, status, words):
        cloud.subnet(network, allocation_pools=wanted)
    subnet = cloud.subnet(network)
    with refused(fault, status, words):
        cloud.update(subnet, allocation_pools=wanted)


def test_several_subnets_of_both_families_lie_on_one_network() -> None:
    cloud = Cloud()
    network = cloud.network()
    for cidr in ("10.0.0.0/24", "10.0.1.0/24", "fd00::/64", "fd00:0:0:1::/64"):
        cloud.subnet(network, cidr)
    assert len(cloud.snapshot.rows("subnets_by_network", network.id)) == 4


def test_two_networks_may_have_the_same_cidr() -> None:
    cloud = Cloud()
    assert cloud.subnet(cloud.network()).cidr == cloud.subnet(cloud.network(BOB), caller=BOB).cidr


def test_a_subnet_is_made_by_the_owner_of_its_network_or_an_admin() -> None:
    cloud = Cloud()
    private, shared = cloud.network(), cloud.network(shared=True)
    with refused("NetworkNotFound", 404, f"Network {private.id} could not be found."):
        cloud.subnet(private, caller=BOB)
    with refused("PolicyNotAuthorized", 403, "create_subnet"):
        cloud.subnet(shared, caller=BOB)
    assert cloud.subnet(private, caller=ADMIN, project_id="alice").project_id == "alice"


def test_a_subnet_is_changed_by_its_owner_the_networks_owner_or_an_admin() -> None:
    cloud = Cloud()
    private, shared = cloud.network(), cloud.network(shared=True)
    hidden = cloud.subnet(private)
    seen = cloud.subnet(shared)
    for act in (lambda s: cloud.update(s, BOB, name="x"), lambda s: cloud.delete(s, BOB)):
        with refused("SubnetNotFound", 404):
            act(hidden)
        with refused("PolicyNotAuthorized", 403):
            act(seen)
    foreign = cloud.subnet(private, "10.1.0.0/24", ADMIN)
    assert foreign.project_id == "admin"
    assert cloud.update(foreign, ALICE, name="mine").name == "mine"


def test_a_subnet_changes() -> None:
    cloud = Cloud()
    subnet = cloud.subnet(cloud.network())
    changed = cloud.update(
        subnet,
        name="s",
        dns_nameservers=["9.9.9.9", "1.1.1.1"],
        host_routes=[{"destination": "10.1.0.0/16", "nexthop": "10.0.0.9"}],
        tags=["x"],
        service_types=["compute:nova"],
        allocation_pools=[{"start": "10.0.0.100", "end": "10.0.0.110"}],
        gateway_ip="10.0.0.99",
    )
    assert changed.dns_nameservers == ("9.9.9.9", "1.1.1.1")
    assert changed.host_routes == (HostRoute("10.1.0.0/16", "10.0.0.9"),)
    assert (changed.gateway_ip, pools(changed)) == ("10.0.0.99", ["10.0.0.100-10.0.0.110"])
    assert (changed.service_types, changed.tags, changed.revision_number) == (("compute:nova",), ("x",), 2)


def test_the_cidr_never_changes() -> None:
    cloud = Cloud()
    subnet = cloud.subnet(cloud.network())
    with pytest.raises(Bug):
        cloud.update(subnet, cidr="10.1.0.0/24")


def test_a_gateway_does_not_move_into_a_pool_or_out_of_the_subnet() -> None:
    cloud = Cloud()
    subnet = cloud.subnet(cloud.network())
    with refused("GatewayConflictWithAllocationPools", 409):
        cloud.update(subnet, gateway_ip="10.0.0.20")
    with refused("InvalidInput", 400, "Gateway is not valid on subnet"):
        cloud.update(subnet, gateway_ip="10.7.0.1")
    assert cloud.update(subnet, gateway_ip=None).gateway_ip is None


def test_a_gateway_that_a_router_has_stays() -> None:
    cloud = Cloud()
    network = cloud.network()
    subnet = cloud.subnet(network)
    port = cloud.port(
        network, device_owner="network:router_interface", fixed_ips=[{"subnet_id": subnet.id, "ip_address": "10.0.0.1"}]
    )
    with refused("GatewayIpInUse", 409, f"Current gateway ip 10.0.0.1 already in use by port {port.id}."):
        cloud.update(subnet, gateway_ip=None)


def test_an_address_outside_of_shrunken_pools_stays_its_ports() -> None:
    cloud = Cloud()
    network = cloud.network()
    subnet = cloud.subnet(network)
    port = cloud.port(network)
    cloud.update(subnet, allocation_pools=[{"start": "10.0.0.100", "end": "10.0.0.101"}])
    assert addresses(cloud.now(port)) == ["10.0.0.2"]
    assert addresses(cloud.port(network)) == ["10.0.0.100"]


def test_dhcp_cannot_be_turned_on_where_it_cannot_work_nor_off_where_ipv6_modes_need_it() -> None:
    cloud = Cloud()
    network = cloud.network()
    tiny = cloud.subnet(network, "10.0.0.0/31", enable_dhcp=False)
    with refused("InvalidInput", 400, "incompatible with DHCP"):
        cloud.update(tiny, enable_dhcp=True)
    slaac = cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    with refused("InvalidInput", 400, "Cannot disable enable_dhcp with ipv6 attributes set"):
        cloud.update(slaac, enable_dhcp=False)


def test_a_subnet_in_use_stays_and_dhcp_ports_do_not_keep_it() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    network = cloud.network()
    subnet = cloud.subnet(network)
    port = cloud.port(network)
    with refused("SubnetInUse", 409, "One or more ports have an IP allocation from this subnet."):
        cloud.delete(subnet)
    cloud.delete(port)
    cloud.delete(subnet)
    assert cloud.dhcp_ports(network) == []
    assert cloud.snapshot.used("addresses", subnet.id) == ()


def test_ports_get_and_lose_the_address_of_an_auto_address_subnet() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network)
    port = cloud.port(network, mac_address="fa:16:3e:01:02:03")
    router = cloud.port(network, device_owner="network:router_interface")
    subnet = cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert addresses(cloud.now(port)) == ["10.0.0.3", "fd00::f816:3eff:fe01:203"]
    assert addresses(cloud.now(router)) == ["10.0.0.4"]
    assert len(cloud.dhcp_ports(network)[0].fixed_ips) == 2
    cloud.delete(subnet)
    assert addresses(cloud.now(port)) == ["10.0.0.3"]
    assert len(cloud.dhcp_ports(network)[0].fixed_ips) == 1


def test_an_auto_address_subnet_with_a_router_on_it_stays() -> None:
    cloud = Cloud()
    network = cloud.network()
    subnet = cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    cloud.port(
        network, device_owner="network:router_interface", fixed_ips=[{"subnet_id": subnet.id, "ip_address": "fd00::"}]
    )
    with refused("SubnetInUse", 409):
        cloud.delete(subnet)
