"""What is not a plain collection: tags, quotas, agents, zones, extensions, versions, the OpenAPI document."""

from __future__ import annotations

import re

import msgspec
import pytest
from networking_cloud import Cloud

from netglass.api.networking import OPERATIONS
from netglass.api.networking.openapi import openapi_document
from netglass.api.networking.resources import RESOURCES
from netglass.model.caller import Caller
from netglass.model.protocol import Report
from netglass.model.resources import Host
from support.clients import Client


@pytest.fixture
def path(alice: Client) -> str:
    made = alice.post("/v2.0/networks", json={"network": {}}).json()["network"]
    return f"/v2.0/networks/{made['id']}"


def test_tags_are_set_added_asked_for_and_taken(alice: Client, path: str) -> None:
    answer = alice.put(f"{path}/tags", json={"tags": ["red", "blue"]})
    assert (answer.status_code, answer.json()) == (200, {"tags": ["blue", "red"]})
    assert alice.put(f"{path}/tags/green").status_code == 201
    assert alice.post(f"{path}/tags", json={"tags": ["blue", "white"]}).json()["tags"] == [
        "blue",
        "green",
        "red",
        "white",
    ]
    assert alice.get(f"{path}/tags").json() == {"tags": ["blue", "green", "red", "white"]}
    assert alice.get(f"{path}/tags/green").status_code == 204
    assert alice.delete(f"{path}/tags/green").status_code == 204
    for verb in ("GET", "DELETE"):
        missing = alice.request(verb, f"{path}/tags/green")
        assert missing.status_code == 404
        assert missing.json()["NeutronError"]["message"] == "Tag green could not be found."
    assert alice.get(path).json()["network"]["tags"] == ["blue", "red", "white"]
    assert alice.delete(f"{path}/tags").status_code == 204
    assert alice.get(f"{path}/tags").json() == {"tags": []}


@pytest.mark.parametrize("body", [{}, {"tags": "red"}, {"tags": ["a", "a"]}, {"tags": ["x" * 256]}, {"tags": [7]}])
def test_tags_that_cannot_be_are_refused(cloud: Cloud, alice: Client, path: str, body: dict[str, object]) -> None:
    before = cloud.store.snapshot
    for verb in ("PUT", "POST"):
        answer = alice.request(verb, f"{path}/tags", json=body)
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (400, "InvalidInput")
    assert cloud.store.snapshot is before


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tags=red", "ab"),
        ("tags=red,blue", "b"),
        ("tags-any=blue,white", "bc"),
        ("not-tags=red,blue", "acd"),
        ("not-tags-any=red,blue", "cd"),
        ("tags=red&not-tags=blue", "a"),
        ("tags=none", ""),
    ],
)
def test_lists_are_filtered_by_tags(alice: Client, query: str, expected: str) -> None:
    wanted = [("a", ["red"]), ("b", ["red", "blue"]), ("c", ["white"]), ("d", [])]
    body = {"networks": [{"name": name, "tags": tags} for name, tags in wanted]}
    assert alice.post("/v2.0/networks", json=body).status_code == 201
    found = alice.get(f"/v2.0/networks?{query}").json()["networks"]
    assert sorted(network["name"] for network in found) == list(expected)


def test_quotas_are_shown_set_counted_and_reset(admin: Client, alice: Client) -> None:
    own = {"network": 5, "subnet": 5, "port": 20}
    assert alice.get("/v2.0/quotas/red").json()["quota"] == own | {"project_id": "red", "tenant_id": "red"}
    assert alice.get("/v2.0/quotas/red/default").json() == {"quota": own}
    assert admin.get("/v2.0/quotas").json() == {"quotas": []}
    set_ = admin.put("/v2.0/quotas/red", json={"quota": {"network": 1, "port": "-1"}})
    assert set_.json()["quota"] == own | {"network": 1, "port": -1, "project_id": "red", "tenant_id": "red"}
    assert alice.post("/v2.0/networks", json={"network": {}}).status_code == 201
    assert alice.post("/v2.0/networks", json={"network": {}}).status_code == 409
    for name in ("details", "details.json"):
        details = alice.get(f"/v2.0/quotas/red/{name}").json()["quota"]
        assert details["network"] == {"limit": 1, "used": 1, "reserved": 0}
    assert [quota["project_id"] for quota in admin.get("/v2.0/quotas").json()["quotas"]] == ["red"]
    assert admin.delete("/v2.0/quotas/red").status_code == 204
    assert admin.delete("/v2.0/quotas/red").json()["NeutronError"]["type"] == "TenantQuotaNotFound"
    assert alice.get("/v2.0/quotas/project").json() == {"project": {"project_id": "red", "tenant_id": "red"}}
    assert alice.get("/v2.0/quotas/tenant").json()["tenant"]["tenant_id"] == "red"


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        ({"router": 5}, "Unrecognized attribute(s) 'router'"),
        ({"network": "many"}, "Invalid input for network. Reason: 'many' is not an integer."),
        ({"network": -2}, "'-2' is too small"),
        ({"network": 2**31}, "is too large"),
        ({"network": True}, "is not an integer"),
        ({"tenant_id": "red"}, "Cannot update read-only attribute tenant_id"),
        ({"network": 0}, "already used"),
    ],
)
def test_quotas_that_cannot_be_are_refused(cloud: Cloud, admin: Client, quota: dict[str, object], words: str) -> None:
    admin.post("/v2.0/networks", json={"network": {"project_id": "red"}})
    before = cloud.store.snapshot
    answer = admin.put("/v2.0/quotas/red", json={"quota": quota})
    assert answer.status_code == 400
    assert words in answer.json()["NeutronError"]["message"]
    assert cloud.store.snapshot is before


def test_each_role_of_a_host_is_an_agent(cloud: Cloud, admin: Client) -> None:
    cloud.register("h1", "hypervisor", "network", zone="west")
    agents = {agent["agent_type"]: agent for agent in admin.get("/v2.0/agents").json()["agents"]}
    switch, dhcp = agents["Open vSwitch agent"], agents["DHCP agent"]
    assert (switch["binary"], dhcp["binary"]) == ("neutron-openvswitch-agent", "neutron-dhcp-agent")
    assert (switch["host"], dhcp["host"]) == ("h1", "h1")
    assert (switch["availability_zone"], dhcp["availability_zone"]) == (None, "west")
    assert switch["alive"]
    assert switch["configurations"]["bridge_mappings"] == {"default": "br-eth2"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", switch["heartbeat_timestamp"])
    assert switch["started_at"] is None
    assert admin.get(f"/v2.0/agents/{dhcp['id']}").json()["agent"]["id"] == dhcp["id"]
    found = admin.get("/v2.0/agents?agent_type=DHCP agent&alive=True&host=h1").json()["agents"]
    assert [agent["id"] for agent in found] == [dhcp["id"]]
    # Case means nothing to Neutron's database, and tempest asks so.
    assert admin.get("/v2.0/agents?agent_type=DHCP Agent").json()["agents"] == found
    assert admin.get("/v2.0/agents?agent_type=DHCP").json()["agents"] == []


def test_an_agent_shows_what_it_reports(cloud: Cloud, admin: Client) -> None:
    cloud.register("h1", "hypervisor")
    report = Report(version="1", started_at="2026-11-21T02:00:00Z", realised_revision=0, configurations={"x": 1})
    cloud.reports.report("h1", report, "2020-01-01T00:00:00Z")
    (agent,) = admin.get("/v2.0/agents").json()["agents"]
    assert agent["started_at"] == "2026-11-21 02:00:00"
    assert agent["configurations"]["x"] == 1
    assert agent["heartbeat_timestamp"] == "2020-01-01 00:00:00"
    assert not agent["alive"]


def test_an_agent_is_taken_out_of_service_and_described(cloud: Cloud, admin: Client) -> None:
    cloud.register("h1", "hypervisor", "network")
    agents = {agent["agent_type"]: agent for agent in admin.get("/v2.0/agents").json()["agents"]}
    switch, dhcp = agents["Open vSwitch agent"], agents["DHCP agent"]
    changes = {"admin_state_up": False, "description": "being repaired"}
    shown = admin.put(f"/v2.0/agents/{switch['id']}", json={"agent": changes}).json()["agent"]
    assert (shown["admin_state_up"], shown["description"]) == (False, "being repaired")
    other = admin.get(f"/v2.0/agents/{dhcp['id']}").json()["agent"]
    assert (other["admin_state_up"], other["description"]) == (False, None)
    host = cloud.store.snapshot.get(Host, "h1")
    assert host is not None
    assert not host.enabled


def test_only_a_dead_agent_is_forgotten(cloud: Cloud, admin: Client) -> None:
    cloud.register("h1", "hypervisor", "network")
    agents = admin.get("/v2.0/agents").json()["agents"]
    for agent in agents:
        answer = admin.delete(f"/v2.0/agents/{agent['id']}")
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "AgentInUse")
    registration = cloud.reports.get("h1")
    assert registration is not None
    cloud.reports.register("h1", registration.registration, "2020-01-01T00:00:00Z")
    # The DHCP and the L3 agent are one role, and go together.
    for agent in (agent for agent in agents if agent["agent_type"] != "L3 agent"):
        assert admin.delete(f"/v2.0/agents/{agent['id']}").status_code == 204
    assert admin.get("/v2.0/agents").json() == {"agents": []}
    assert cloud.store.snapshot.get(Host, "h1") is None


def test_dhcp_moves_away_from_an_agent_that_is_forgotten(cloud: Cloud, admin: Client) -> None:
    cloud.register("n1", "network")
    network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cidr = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    assert admin.post("/v2.0/subnets", json={"subnet": cidr}).status_code == 201
    cloud.register("n2", "network", zone="east")
    assert admin.get(f"/v2.0/networks/{network}").json()["network"]["availability_zones"] == ["nova"]
    registration = cloud.reports.get("n1")
    assert registration is not None
    cloud.reports.register("n1", registration.registration, "2020-01-01T00:00:00Z")
    (dead,) = admin.get("/v2.0/agents?host=n1&agent_type=DHCP agent").json()["agents"]
    assert admin.delete(f"/v2.0/agents/{dead['id']}").status_code == 204
    (server,) = admin.get("/v2.0/ports?device_owner=network:dhcp").json()["ports"]
    assert server["binding:host_id"] == "n2"
    assert admin.get(f"/v2.0/networks/{network}").json()["network"]["availability_zones"] == ["east"]


def test_a_hypervisor_with_ports_is_not_forgotten(cloud: Cloud, admin: Client) -> None:
    cloud.register("c1", "hypervisor")
    network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    admin.post("/v2.0/ports", json={"port": {"network_id": network, "binding:host_id": "c1"}})
    registration = cloud.reports.get("c1")
    assert registration is not None
    cloud.reports.register("c1", registration.registration, "2020-01-01T00:00:00Z")
    (agent,) = admin.get("/v2.0/agents").json()["agents"]
    answer = admin.delete(f"/v2.0/agents/{agent['id']}")
    assert answer.status_code == 409
    assert "1 ports are bound" in answer.json()["NeutronError"]["message"]


def test_zones_are_those_of_network_hosts(cloud: Cloud, alice: Client) -> None:
    cloud.register("c1", "hypervisor", zone="compute")
    cloud.register("n1", "network", zone="west")
    row = cloud.store.snapshot.get(Host, "n1")
    assert row is not None
    zones = alice.get("/v2.0/availability_zones").json()["availability_zones"]
    assert zones == [{"name": "west", "resource": "network", "state": "available"}]
    closed = msgspec.structs.replace(row, enabled=False)
    cloud.store.commit(lambda draft, fresh: draft.put(closed), Caller(roles=("admin",)))
    assert alice.get("/v2.0/availability_zones?state=unavailable").json()["availability_zones"][0]["name"] == "west"
    assert alice.get("/v2.0/availability_zones?resource=router").json() == {"availability_zones": []}


def test_extensions_are_listed_and_asked_for(alice: Client) -> None:
    listed = alice.get("/v2.0/extensions").json()["extensions"]
    aliases = [extension["alias"] for extension in listed]
    assert aliases == sorted(aliases)
    assert alice.get("/v2.0/extensions/binding").json()["extension"] == listed[aliases.index("binding")]
    assert {"agent", "provider", "quotas", "standard-attr-tag", "port-security"} <= set(aliases)
    assert not {"dvr", "l3-ha", "vlan-transparent"} & set(aliases)
    missing = alice.get("/v2.0/extensions/Availability Zone")
    assert missing.status_code == 404
    assert "Availability Zone" in missing.json()["NeutronError"]["message"]


def test_routers_have_a_provider(alice: Client) -> None:
    only = {"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": True}
    assert alice.get("/v2.0/service-providers").json() == {"service_providers": [only]}
    assert alice.get("/v2.0/service-providers?service_type=VPN").json() == {"service_providers": []}


def test_versions_are_told_to_everybody(cloud: Cloud) -> None:
    (version,) = cloud.client.get("/").json()["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"] == [{"rel": "self", "href": "http://cloud.test:9696/v2.0/"}]
    for path in ("/v2.0/", "/v2.0"):
        resources = cloud.client.get(path).json()["resources"]
        assert {"networks", "subnets", "ports"} <= {resource["collection"] for resource in resources}


def test_the_document_describes_every_operation(cloud: Cloud) -> None:
    document = cloud.client.get("/v2.0/openapi.json").json()
    assert document == msgspec.json.decode(msgspec.json.encode(openapi_document(OPERATIONS, RESOURCES)))
    described = {(path, method.upper()) for path, at in document["paths"].items() for method in at}
    assert described == {(operation.path, operation.method) for operation in OPERATIONS}
    identifiers = [at[method]["operationId"] for at in document["paths"].values() for method in at]
    assert len(set(identifiers)) == len(identifiers)


def test_references_of_the_document_lead_somewhere() -> None:
    document = openapi_document(OPERATIONS, RESOURCES)
    text = msgspec.json.encode(document).decode()
    wanted = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))
    assert wanted <= set(document["components"]["schemas"])


def test_what_is_answered_is_what_the_document_says(cloud: Cloud, admin: Client) -> None:
    cloud.register("h1", "hypervisor", "network")
    network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cidr = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    admin.post("/v2.0/subnets", json={"subnet": cidr})
    admin.post("/v2.0/ports", json={"port": {"network_id": network}})
    schemas = openapi_document(OPERATIONS, RESOURCES)["components"]["schemas"]
    for resource in RESOURCES:
        if resource.above is not None:
            continue  # shown beneath its parent only
        for shown in admin.get(resource.root).json()[resource.collection]:
            assert set(shown) == set(schemas[resource.name]["properties"])
