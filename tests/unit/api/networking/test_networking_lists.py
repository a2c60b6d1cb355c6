"""Lists: filters, fields, order, pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from networking_cloud import Cloud

from support.clients import Client


@pytest.fixture
def networks(admin: Client) -> dict[str, str]:
    """Makes five networks with names a to e; gives their ids by name."""
    wanted = [
        {"name": name, "description": words, "mtu": mtu, "admin_state_up": up}
        for name, words, mtu, up in (
            ("a", "", 1400, True),
            ("b", "x", 1300, False),
            ("c", "", 1400, True),
            ("d", "y", 1300, True),
            ("e", "", 1200, False),
        )
    ]
    made = admin.post("/v2.0/networks", json={"networks": wanted}).json()["networks"]
    return {network["name"]: network["id"] for network in made}


def names(client: Client, query: str, collection: str = "networks") -> list[str]:
    answer = client.get(f"/v2.0/{collection}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()[collection]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=a", "a"),
        ("name=a&name=b", "ab"),
        ("name=zz", ""),
        ("admin_state_up=False", "be"),
        ("admin_state_up=true&mtu=1300", "d"),
        ("mtu=1400", "ac"),
        ("mtu=large", ""),
        ("description=", "ace"),
        ("description=&description=y", "acde"),
        ("project_id=operations", "abcde"),
        ("tenant_id=operations", "abcde"),
        ("project_id=red", ""),
        ("tenant_id=operations&project_id=red", ""),
        ("provider:network_type=vlan", "abcde"),
        ("provider:physical_network=default&name=c", "c"),
        ("provider:segmentation_id=1000", "a"),
        ("status=ACTIVE&shared=False", "abcde"),
        ("shared=True", ""),
        ("id=nowhere", ""),
        ("changed_since=2020-01-01T00:00:00Z", "abcde"),
        ("changed_since=2020-01-01T00:00:00", "abcde"),
        ("changed_since=2999-01-01T00:00:00Z", ""),
        ("revision_number=1", "abcde"),
    ],
)
def test_filters_choose(admin: Client, networks: dict[str, str], query: str, expected: str) -> None:
    assert sorted(names(admin, query)) == list(expected)


def test_filters_by_several_ids_choose_each_once(admin: Client, networks: dict[str, str]) -> None:
    query = f"id={networks['a']}&id={networks['b']}&id={networks['a']}"
    assert sorted(names(admin, query)) == ["a", "b"]


def test_fields_choose_what_is_shown(admin: Client, networks: dict[str, str]) -> None:
    answer = admin.get("/v2.0/networks?fields=name&fields=subnets&fields=unknown&name=a").json()["networks"]
    assert answer == [{"name": "a", "subnets": []}]
    answer = admin.get(f"/v2.0/networks/{networks['a']}?fields=mtu").json()["network"]
    assert answer == {"mtu": 1400}
    assert admin.get(f"/v2.0/networks/{networks['a']}?fields=unknown").json()["network"] == {}
    assert "mtu" in admin.get(f"/v2.0/networks/{networks['a']}?fields=").json()["network"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort_key=name&sort_dir=desc", "edcba"),
        ("sort_key=name&sort_dir=asc", "abcde"),
        ("sort_key=name", "abcde"),
        ("sort_key=mtu&sort_dir=asc&sort_key=name&sort_dir=desc", "edbca"),
        ("sort_key=admin_state_up&sort_dir=desc&sort_key=name&sort_dir=asc", "acdbe"),
    ],
)
def test_lists_are_sorted_by_several_keys(admin: Client, networks: dict[str, str], query: str, expected: str) -> None:
    assert names(admin, query) == list(expected)


def _walk(client: Client, path: str, relation: str) -> list[list[str]]:
    """Follows a list's links; gives the names on each page."""
    pages = []
    while path:
        answer: dict[str, Any] = client.get(path).json()
        pages.append([network["name"] for network in answer["networks"]])
        links = {link["rel"]: link["href"] for link in answer.get("networks_links", [])}
        href = urlsplit(links.get(relation, "")) if pages[-1] else urlsplit("")
        path = f"{href.path}?{href.query}" if href.path else ""
    return pages


def test_pages_lead_forward_and_back(admin: Client, networks: dict[str, str]) -> None:
    forward = _walk(admin, "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc", "next")
    assert forward == [["a", "b"], ["c", "d"], ["e"]]
    start = f"/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&marker={networks['e']}&page_reverse=True"
    backward = _walk(admin, start, "previous")
    assert [page for page in backward if page] == [["c", "d"], ["a", "b"]]
    last = _walk(admin, "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&page_reverse=True", "previous")
    assert [page for page in last if page] == [["d", "e"], ["b", "c"], ["a"]]


def test_a_page_without_order_shows_everything_once(admin: Client, networks: dict[str, str]) -> None:
    pages = _walk(admin, "/v2.0/networks?limit=2", "next")
    assert sorted(name for page in pages for name in page) == list("abcde")


def test_a_marker_that_no_longer_passes_the_filter_still_marks(admin: Client, networks: dict[str, str]) -> None:
    query = f"mtu=1400&limit=5&sort_key=name&sort_dir=asc&marker={networks['b']}"
    assert names(admin, query) == ["c"]
    assert names(admin, f"{query}&page_reverse=True") == ["a"]


def test_a_list_without_limit_has_no_links(admin: Client, networks: dict[str, str]) -> None:
    assert "networks_links" not in admin.get("/v2.0/networks").json()


def test_links_are_those_that_the_outside_can_follow(admin: Client, networks: dict[str, str]) -> None:
    links = admin.get("/v2.0/networks?limit=1&fields=id&fields=name").json()["networks_links"]
    assert [link["rel"] for link in links] == ["next", "previous"]
    assert all(link["href"].startswith("http://cloud.test:9696/v2.0/networks?limit=1&fields=id") for link in links)


@pytest.fixture
def ports(cloud: Cloud, admin: Client) -> dict[str, Any]:
    """Makes a network with two subnets and three ports p1 to p3."""
    network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    subnets = [
        admin.post("/v2.0/subnets", json={"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}}).json()
        for cidr in ("10.0.0.0/24", "10.1.0.0/24")
    ]
    first, second = (subnet["subnet"]["id"] for subnet in subnets)
    wanted = [
        {"name": "p1", "fixed_ips": [{"subnet_id": first, "ip_address": "10.0.0.11"}], "device_id": "d1"},
        {
            "name": "p2",
            "mac_address": "fa:16:3e:00:00:0b",
            "fixed_ips": [{"subnet_id": second, "ip_address": "10.1.0.11"}],
            "device_id": "d1",
        },
        {"name": "p3", "fixed_ips": [{"subnet_id": first, "ip_address": "10.0.0.22"}, {"subnet_id": second}]},
    ]
    body = {"ports": [{"network_id": network, "device_owner": "compute:nova"} | port for port in wanted]}
    assert admin.post("/v2.0/ports", json=body).status_code == 201
    return {"network": network, "first": first, "second": second}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fixed_ips=ip_address=10.0.0.11", "1"),
        ("fixed_ips=ip_address=10.0.0.11&fixed_ips=ip_address=10.1.0.11", "12"),
        ("fixed_ips=subnet_id={first}", "13"),
        ("fixed_ips=subnet_id={first}&fixed_ips=ip_address=10.1.0.11", ""),
        ("fixed_ips=subnet_id={second}&fixed_ips=ip_address=10.1.0.11", "2"),
        ("fixed_ips=ip_address_substr=.0.11", "12"),
        ("fixed_ips=ip_address_substr=10.0.", "13"),
        ("fixed_ips=ip_address_substr=10.0.&fixed_ips=subnet_id={second}", "3"),
        ("network_id={network}&device_id=d1", "12"),
        ("mac_address=FA-16-3E-00-00-0B", "2"),
        ("mac_address=fa:16:3e:00:00:0b&mac_address=", "2"),
        ("fixed_ips=ip_address=10.9.9.9", ""),
        ("fixed_ips=ip_address=nowhere", ""),
        ("device_id=", "3"),
        ("device_id=&device_id=d1", "123"),
        ("binding:host_id=", "123"),
        ("binding:vif_type=unbound", "123"),
        ("device_owner=compute:nova&name=p2", "2"),
        ("network_id=7c2ce9ed-40a1-4aa3-8c53-a4bb1ba2a0f1", ""),
    ],
)
def test_ports_are_found(admin: Client, ports: dict[str, Any], query: str, expected: str) -> None:
    found = names(admin, query.format(**ports), "ports")
    assert sorted(found) == [f"p{number}" for number in expected]


def test_a_caller_lists_what_is_theirs_shared_or_on_their_networks(
    cloud: Cloud, admin: Client, alice: Client, bob: Client, rita: Client
) -> None:
    admin.post("/v2.0/networks", json={"network": {"name": "shared", "shared": True}})
    shared = alice.get("/v2.0/networks").json()["networks"][0]["id"]
    subnet = {"name": "s", "network_id": shared, "ip_version": 4, "cidr": "10.0.0.0/24"}
    assert admin.post("/v2.0/subnets", json={"subnet": subnet}).status_code == 201
    alice.post("/v2.0/networks", json={"network": {"name": "mine"}})
    alice.post("/v2.0/ports", json={"port": {"name": "p", "network_id": shared}})
    for client in (alice, rita):
        assert sorted(names(client, "")) == ["mine", "shared"]
        assert names(client, "", "ports") == ["p"]
    assert names(bob, "") == ["shared"]
    assert names(bob, "", "subnets") == ["s"]
    assert names(bob, "", "ports") == []
    assert names(bob, f"network_id={shared}", "ports") == []
    assert names(admin, "", "ports") == ["p"]
    assert names(bob, "project_id=red") == []


def test_hidden_attributes_can_be_neither_seen_nor_asked_by(alice: Client, networks: dict[str, str]) -> None:
    made = alice.post("/v2.0/networks", json={"network": {}}).json()["network"]
    assert not [name for name in made if name.startswith("provider:")]
    assert alice.get("/v2.0/networks?fields=provider:segmentation_id").json()["networks"] == [{}]
    for query in ("provider:segmentation_id=1000", "sort_key=provider:segmentation_id"):
        answer = alice.get(f"/v2.0/networks?{query}")
        assert answer.status_code == 403
        assert answer.json()["NeutronError"]["type"] == "PolicyNotAuthorized"
