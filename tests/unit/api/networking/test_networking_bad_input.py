"""Bad input: each with its status, its fault in Neutron's words, and nothing changed."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from networking_cloud import Cloud

from support.clients import Client

BODY_LIMIT = 1024 * 1024
NOBODY = "00000000-0000-4000-8000-000000000000"

# what is sent, and the status, fault and words that are the answer
Case = tuple[dict[str, Any], int, str, str]
LackingCase = tuple[dict[str, Any], list[str], int, str, str]  # with what is left out of the ordinary
BodyCase = tuple[bytes, dict[str, str], int, str, str]  # with headers


@pytest.fixture
def network(alice: Client) -> str:
    made: str = alice.post("/v2.0/networks", json={"network": {"name": "n"}}).json()["network"]["id"]
    return made


@pytest.fixture
def subnet(alice: Client, network: str) -> str:
    body = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}}
    made: str = alice.post("/v2.0/subnets", json=body).json()["subnet"]["id"]
    return made


def refused(response: Any, status: int, fault: str, words: str = "") -> None:
    assert response.status_code == status, response.text
    error = response.json()["NeutronError"]
    assert error["type"] == fault
    assert words in error["message"]
    assert set(error) == {"type", "message", "detail"}


NETWORKS = [
    ({"nane": "x"}, 400, "HTTPBadRequest", "Unrecognized attribute(s) 'nane'"),
    ({"id": "7c2ce9ed-40a1-4aa3-8c53-a4bb1ba2a0f1"}, 400, "HTTPBadRequest", "Attribute 'id' not allowed in POST"),
    ({"status": "DOWN"}, 400, "HTTPBadRequest", "Attribute 'status' not allowed in POST"),
    ({"name": 7}, 400, "HTTPBadRequest", "Invalid input for name. Reason: '7' is not a valid string."),
    ({"name": None}, 400, "HTTPBadRequest", "Invalid input for name. Reason: 'None' is not a valid string."),
    ({"name": "x" * 256}, 400, "HTTPBadRequest", "exceeds maximum length of 255"),
    ({"name": "a\0b"}, 400, "HTTPBadRequest", "NUL"),
    ({"admin_state_up": "maybe"}, 400, "HTTPBadRequest", "'maybe' cannot be converted to boolean"),
    ({"mtu": "large"}, 400, "HTTPBadRequest", "'large' is not an integer"),
    ({"mtu": -1}, 400, "HTTPBadRequest", "'-1' is too small - must be at least '0'"),
    ({"mtu": 9000}, 400, "InvalidInput", "maximum is 1500"),
    ({"tags": ["a", "a"]}, 400, "HTTPBadRequest", "Duplicate items in the list: 'a'"),
    ({"tags": "a"}, 400, "HTTPBadRequest", "'a' is not a list"),
    ({"availability_zone_hints": ["mars"]}, 404, "AvailabilityZoneNotFound", "mars"),
    ({"project_id": "blue"}, 400, "HTTPBadRequest", "not allowed for current user"),
    ({"project_id": "red", "tenant_id": "blue"}, 400, "HTTPBadRequest", "'project_id' and 'tenant_id' do not match"),
    ({"shared": True}, 403, "PolicyNotAuthorized", "rule:create_network:shared"),
    ({"provider:network_type": "vlan"}, 403, "PolicyNotAuthorized", "rule:create_network:provider:network_type"),
    ({"provider:segmentation_id": 5}, 403, "PolicyNotAuthorized", "rule:create_network:provider:segmentation_id"),
]


@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_that_cannot_be_is_refused(cloud: Cloud, alice: Client, case: Case) -> None:
    wanted, status, fault, words = case
    before = cloud.store.snapshot
    refused(alice.post("/v2.0/networks", json={"network": wanted}), status, fault, words)
    assert cloud.store.snapshot is before


PROVIDER = [
    ({"provider:network_type": "stt"}, 400, "InvalidInput", "not supported"),
    (
        {"provider:network_type": "vlan", "provider:physical_network": "default", "provider:segmentation_id": 4095},
        400,
        "InvalidInput",
        "out of range",
    ),
    (
        {"provider:network_type": "vlan", "provider:physical_network": "mars", "provider:segmentation_id": 7},
        400,
        "InvalidInput",
        "physical_network 'mars' unknown",
    ),
    (
        {"provider:network_type": "vlan", "provider:physical_network": "default", "provider:segmentation_id": 77},
        409,
        "VlanIdInUse",
        "77",
    ),
    ({"provider:network_type": "flat", "provider:physical_network": "mars"}, 400, "InvalidInput", "unknown"),
    ({"provider:physical_network": "default"}, 400, "InvalidInput", "network_type required"),
    ({"provider:segmentation_id": "seven"}, 400, "HTTPBadRequest", "'seven' is not an integer"),
]


@pytest.mark.parametrize("case", PROVIDER)
def test_a_segment_that_cannot_be_is_refused(cloud: Cloud, admin: Client, case: Case) -> None:
    wanted, status, fault, words = case
    taken = {"provider:network_type": "vlan", "provider:physical_network": "default", "provider:segmentation_id": 77}
    assert admin.post("/v2.0/networks", json={"network": taken}).status_code == 201
    before = cloud.store.snapshot
    refused(admin.post("/v2.0/networks", json={"network": wanted}), status, fault, words)
    assert cloud.store.snapshot is before


def test_an_empty_pool_of_segments_is_a_clear_fault(cloud: Cloud, admin: Client) -> None:
    projects = [f"p{i % 3}" for i in range(10)]
    for project in projects:
        assert admin.post("/v2.0/networks", json={"network": {"project_id": project}}).status_code == 201
    before = cloud.store.snapshot
    refused(admin.post("/v2.0/networks", json={"network": {}}), 503, "NoNetworkAvailable", "No project network")
    assert cloud.store.snapshot is before


SUBNETS = [
    ({"cidr": "10.9.0.0/24"}, ["network_id"], 400, "HTTPBadRequest", "Required attribute 'network_id' not specified"),
    ({}, ["cidr"], 400, "BadRequest", "a subnetpool must be specified in the absence of a cidr"),
    ({"prefixlen": 24}, [], 400, "BadRequest", "cidr and prefixlen must not be supplied together"),
    ({"use_default_subnetpool": True}, ["cidr"], 400, "BadRequest", "No default subnetpool found for IPv4"),
    ({"subnetpool_id": NOBODY}, ["cidr"], 404, "SubnetPoolNotFound", f"Subnet pool {NOBODY} could not be found."),
    ({"cidr": "10.9.0.7/24"}, [], 400, "HTTPBadRequest", "Invalid input for cidr. Reason: '10.9.0.7/24' isn't a"),
    ({"cidr": "10.9.0.0"}, [], 400, "HTTPBadRequest", "Invalid input for cidr. Reason:"),
    ({"cidr": "10.9.0.0/33"}, [], 400, "HTTPBadRequest", "Invalid input for cidr. Reason:"),
    ({"cidr": "10.9.0.0/255.255.255.0"}, [], 400, "HTTPBadRequest", "'10.9.0.0/24' is recommended"),
    ({"cidr": 7}, [], 400, "HTTPBadRequest", "Invalid input for cidr. Reason:"),
    ({"cidr": "2001:db8::/64"}, [], 400, "InvalidInput", ""),
    ({"ip_version": 5}, [], 400, "HTTPBadRequest", "Invalid input for ip_version. Reason: '5' is not in [4, 6]."),
    ({"gateway_ip": "10.8.0.1"}, [], 400, "InvalidInput", ""),
    ({"gateway_ip": "x"}, [], 400, "HTTPBadRequest", "'x' is not a valid IP address"),
    ({"allocation_pools": [{"start": "10.8.0.2", "end": "10.8.0.9"}]}, [], 400, "OutOfBoundsAllocationPool", ""),
    ({"allocation_pools": [{"start": "10.9.0.9", "end": "10.9.0.2"}]}, [], 400, "InvalidAllocationPool", ""),
    (
        {"allocation_pools": [{"start": "10.9.0.2", "end": "10.9.0.9"}, {"start": "10.9.0.9", "end": "10.9.0.20"}]},
        [],
        409,
        "OverlappingAllocationPools",
        "",
    ),
    ({"allocation_pools": [{"start": "10.9.0.2"}]}, [], 400, "HTTPBadRequest", "Invalid data format for IP pool"),
    ({"allocation_pools": None}, [], 400, "HTTPBadRequest", "Invalid data format for IP pool"),
    ({"dns_nameservers": ["dns.example"]}, [], 400, "HTTPBadRequest", "'dns.example' is not a valid nameserver."),
    ({"dns_nameservers": ["9.9.9.9", "9.9.9.9"]}, [], 400, "HTTPBadRequest", "Duplicate nameserver '9.9.9.9'"),
    ({"host_routes": [{"destination": "10.1.0.0/16"}]}, [], 400, "HTTPBadRequest", "Invalid data format for hostroute"),
    ({"ipv6_ra_mode": "magic"}, [], 400, "HTTPBadRequest", "Invalid input for ipv6_ra_mode."),
    ({"network_id": "not-a-uuid"}, [], 400, "HTTPBadRequest", "'not-a-uuid' is not a valid UUID"),
    ({"network_id": "7c2ce9ed-40a1-4aa3-8c53-a4bb1ba2a0f1"}, [], 404, "NetworkNotFound", "could not be found"),
    ({"service_types": ["compute:nova"]}, [], 403, "PolicyNotAuthorized", "rule:create_subnet:service_types"),
]


@pytest.mark.parametrize("case", SUBNETS)
def test_a_subnet_that_cannot_be_is_refused(cloud: Cloud, alice: Client, network: str, case: LackingCase) -> None:
    wanted, without, status, fault, words = case
    values = {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"} | wanted
    body = {name: value for name, value in values.items() if name not in without}
    before = cloud.store.snapshot
    refused(alice.post("/v2.0/subnets", json={"subnet": body}), status, fault, words)
    assert cloud.store.snapshot is before


def test_an_overlapping_subnet_is_refused(cloud: Cloud, alice: Client, network: str, subnet: str) -> None:
    before = cloud.store.snapshot
    body = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.128/25"}}
    refused(alice.post("/v2.0/subnets", json=body), 400, "InvalidInput", "overlaps with another subnet")
    assert cloud.store.snapshot is before


PORTS = [
    ({"mac_address": "ff:ff:ff:ff:ff:ff"}, 400, "HTTPBadRequest", "is not a valid MAC address"),
    ({"mac_address": "fa:16:3e:00:00"}, 400, "HTTPBadRequest", "'fa:16:3e:00:00' is not a valid MAC address"),
    ({"mac_address": "fa:16:3e:00:00:99"}, 409, "MacAddressInUse", "fa:16:3e:00:00:99"),
    ({"mac_address": "FA-16-3E-00-00-99"}, 409, "MacAddressInUse", "fa:16:3e:00:00:99"),
    ({"fixed_ips": [{"ip_address": "10.0.0.99"}]}, 409, "IpAddressAlreadyAllocated", "10.0.0.99"),
    ({"fixed_ips": [{"ip_address": "10.1.0.9"}]}, 400, "InvalidIpForNetwork", "10.1.0.9"),
    ({"fixed_ips": [{"ip_address": "nowhere"}]}, 400, "HTTPBadRequest", "'nowhere' is not a valid IP address"),
    ({"fixed_ips": [{"ip": "10.0.0.7"}]}, 400, "HTTPBadRequest", "Invalid data format for fixed IP"),
    ({"fixed_ips": None}, 400, "HTTPBadRequest", "Invalid data format for fixed IP"),
    (
        {"fixed_ips": [{"ip_address": "10.0.0.7"}, {"ip_address": "10.0.0.7"}]},
        400,
        "HTTPBadRequest",
        "Duplicate IP address '10.0.0.7'",
    ),
    ({"device_id": 5}, 400, "HTTPBadRequest", "'5' is not a valid string"),
    ({"extra_dhcp_opts": [{"opt_name": "x\ny", "opt_value": "1"}]}, 400, "HTTPBadRequest", "extra_dhcp_opts"),
    ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1\n2"}]}, 400, "HTTPBadRequest", "control characters"),
    ({"extra_dhcp_opts": [{"opt_value": "1"}]}, 400, "HTTPBadRequest", "Invalid data format for extra DHCP option"),
    ({"binding:host_id": "c1"}, 403, "PolicyNotAuthorized", "rule:create_port:binding:host_id"),
    ({"binding:profile": {"a": "b"}}, 403, "PolicyNotAuthorized", "rule:create_port:binding:profile"),
    ({"binding:vif_type": "ovs"}, 400, "HTTPBadRequest", "Attribute 'binding:vif_type' not allowed in POST"),
    ({"binding:vnic_type": "wireless"}, 400, "HTTPBadRequest", "Invalid input for binding:vnic_type."),
    ({"network_id": "net1"}, 400, "HTTPBadRequest", "'net1' is not a valid UUID"),
]


@pytest.mark.parametrize("case", PORTS)
def test_a_port_that_cannot_be_is_refused(cloud: Cloud, alice: Client, network: str, subnet: str, case: Case) -> None:
    wanted, status, fault, words = case
    there = {"network_id": network, "mac_address": "fa:16:3e:00:00:99", "fixed_ips": [{"ip_address": "10.0.0.99"}]}
    assert alice.post("/v2.0/ports", json={"port": there}).status_code == 201
    before = cloud.store.snapshot
    refused(alice.post("/v2.0/ports", json={"port": {"network_id": network} | wanted}), status, fault, words)
    assert cloud.store.snapshot is before


def test_over_quota_is_refused(cloud: Cloud, alice: Client) -> None:
    for _ in range(5):
        assert alice.post("/v2.0/networks", json={"network": {}}).status_code == 201
    before = cloud.store.snapshot
    refused(alice.post("/v2.0/networks", json={"network": {}}), 409, "OverQuota", "['network']")
    assert cloud.store.snapshot is before


def test_a_bulk_of_which_one_cannot_be_makes_none(cloud: Cloud, alice: Client) -> None:
    before = cloud.store.snapshot
    wanted = [{"name": "a"}, {"name": "b"}, {"name": "c", "mtu": 9000}]
    refused(alice.post("/v2.0/networks", json={"networks": wanted}), 400, "InvalidInput")
    refused(alice.post("/v2.0/networks", json={"networks": [{}] * 6}), 409, "OverQuota")
    refused(alice.post("/v2.0/networks", json={"networks": []}), 400, "HTTPBadRequest", "Resources required")
    refused(alice.post("/v2.0/networks", json={"networks": {}}), 400, "HTTPBadRequest", "Resources required")
    refused(alice.post("/v2.0/networks", json={"networks": [7]}), 400, "HTTPBadRequest", "invalid data")
    assert cloud.store.snapshot is before


JSON = {"content-type": "application/json"}
BODIES = [
    (b"{", JSON, 400, "HTTPBadRequest", "Malformed request body"),
    (b"", JSON, 400, "HTTPBadRequest", "Malformed request body"),
    (b"\xff\xfe", JSON, 400, "HTTPBadRequest", "Malformed request body"),
    (b'{"network":{"name":"\xff"}}', JSON, 400, "HTTPBadRequest", "Malformed request body"),
    (b"[]", JSON, 400, "HTTPBadRequest", "Malformed request body"),
    (b"{}", JSON, 400, "HTTPBadRequest", "Resource body required"),
    (b'{"net": {}}', JSON, 400, "HTTPBadRequest", "Unable to find 'network' in request body"),
    (b'{"network": null}', JSON, 400, "HTTPBadRequest", "Unable to find 'network' in request body"),
    (b'{"network": []}', JSON, 400, "HTTPBadRequest", "Body contains invalid data"),
    (b'{"network": {}}', {"content-type": "text/xml"}, 415, "HTTPUnsupportedMediaType", "text/xml"),
    (b"{" + b" " * BODY_LIMIT + b"}", JSON, 413, "HTTPRequestEntityTooLarge", "larger than"),
    (b"[" * 200_000, JSON, 400, "HTTPBadRequest", "Malformed request body"),
]


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_cannot_be_read_is_refused(cloud: Cloud, alice: Client, case: BodyCase) -> None:
    body, headers, status, fault, words = case
    before = cloud.store.snapshot
    refused(alice.post("/v2.0/networks", content=body, headers=headers), status, fault, words)
    assert cloud.store.snapshot is before


def test_a_very_long_list_is_refused_quickly(cloud: Cloud, alice: Client, network: str) -> None:
    """Each list fits into the largest body; comparing all pairs of its items would take minutes."""
    routes = [{"destination": "10.1.0.0/16", "nexthop": f"10.{i >> 8}.{i & 255}.1"} for i in range(15_000)]
    cidr = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/8"}
    before = cloud.store.snapshot
    started = process_time()
    answer = alice.post("/v2.0/subnets", json={"subnet": cidr | {"host_routes": routes}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (400, "HostRoutesExhausted")
    answer = alice.post("/v2.0/networks", json={"network": {"tags": ["x"] * 100_000}})
    assert answer.status_code == 400
    answer = alice.post("/v2.0/networks", json={"network": {"name": "x" * 1_000_000}})
    assert len(answer.content) < 1000
    assert process_time() - started < 5
    assert cloud.store.snapshot is before


QUERIES = [
    ("color=red", "HTTPBadRequest", "['color'] is invalid attribute for filtering"),
    ("router:internal=True", "HTTPBadRequest", "is invalid attribute for filtering"),
    ("admin_state_up=maybe", "InvalidInput", "'maybe' cannot be converted to boolean"),
    ("sort_key=color", "HTTPBadRequest", "['color'] is invalid attribute for sort_keys"),
    ("sort_key=name&sort_dir=up", "HTTPBadRequest", "valid value is 'asc' and 'desc'"),
    ("sort_key=name&sort_dir=asc&sort_dir=desc", "HTTPBadRequest", "must be same"),
    ("limit=-1", "BadRequest", "Limit must be an integer 0 or greater"),
    ("limit=many", "BadRequest", "Limit must be an integer 0 or greater"),
    ("changed_since=yesterday", "InvalidInput", "YYYY-MM-DDTHH:MM:SSZ"),
]


@pytest.mark.parametrize(("query", "fault", "words"), QUERIES)
def test_a_query_that_cannot_be_is_refused(alice: Client, query: str, fault: str, words: str) -> None:
    refused(alice.get(f"/v2.0/networks?{query}"), 400, fault, words)


def test_an_unknown_half_of_fixed_ips_is_refused(alice: Client) -> None:
    refused(alice.get("/v2.0/ports?fixed_ips=mac=1"), 400, "InvalidInput", "ip_address=")


def test_a_marker_that_is_not_there_is_not_found(alice: Client) -> None:
    refused(alice.get("/v2.0/networks?limit=1&marker=nowhere"), 404, "NetworkNotFound", "nowhere")


def test_without_a_token_nothing_is_told(cloud: Cloud) -> None:
    for path in ("/v2.0/networks", "/v2.0/ports/x", "/v2.0/nothing", "/v2.0/extensions"):
        response = cloud.client.get(path)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == 401
        assert "WWW-Authenticate" in response.headers


def test_an_expired_token_is_refused(cloud: Cloud) -> None:
    alice = cloud.as_("alice")
    assert alice.get("/v2.0/networks").status_code == 200
    cloud.now += 3601
    before = cloud.store.snapshot
    assert alice.post("/v2.0/networks", json={"network": {}}).status_code == 401
    assert cloud.store.snapshot is before


def test_a_token_that_somebody_made_up_is_refused(cloud: Cloud) -> None:
    response = cloud.client.get("/v2.0/networks", headers={"X-Auth-Token": "gAAAAABmadeup"})
    assert response.status_code == 401


def test_what_is_not_there_is_not_found_in_neutrons_words(alice: Client) -> None:
    for collection, title in (("networks", "Network"), ("subnets", "Subnet"), ("ports", "Port")):
        for method in ("GET", "DELETE"):
            answer = alice.request(method, f"/v2.0/{collection}/my-name")
            refused(answer, 404, f"{title}NotFound", f"{title} my-name could not be found.")
    refused(alice.get("/v2.0/trunks"), 404, "HTTPNotFound", "The resource could not be found.")
    refused(alice.get("/v2.0/networks/a/b/c/d"), 404, "HTTPNotFound")
    refused(alice.patch("/v2.0/networks"), 405, "HTTPMethodNotAllowed", "PATCH")
    refused(alice.post("/v2.0/availability_zones", json={}), 405, "HTTPMethodNotAllowed")


def test_read_only_attributes_cannot_be_updated(cloud: Cloud, admin: Client, network: str, subnet: str) -> None:
    before = cloud.store.snapshot
    for path, name, changes in (
        (f"networks/{network}", "status", {"network": {"status": "DOWN"}}),
        (f"networks/{network}", "tenant_id", {"network": {"tenant_id": "blue"}}),
        (f"subnets/{subnet}", "cidr", {"subnet": {"cidr": "10.2.0.0/24"}}),
        (f"subnets/{subnet}", "network_id", {"subnet": {"network_id": network}}),
    ):
        words = f"Cannot update read-only attribute {name}"
        refused(admin.put(f"/v2.0/{path}", json=changes), 400, "HTTPBadRequest", words)
    assert cloud.store.snapshot is before
