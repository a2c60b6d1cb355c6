"""Who may do what: every verb for everybody, and declarations that no rule covers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from networking_cloud import Cloud

from netglass.api.networking.policy import POLICY, Target, anybody, asked_rules, check_policy, permits
from netglass.api.networking.resources import NETWORK, PORT, RESOURCES
from netglass.base.errors import Bug
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot
from support.clients import Client

CIDR = {"ip_version": 4, "cidr": "10.2.0.0/24"}
ADDRESS = [{"ip_address": "10.3.0.9"}]
# what is done -> status for: its member, its reader, a member of another project, an administrator
MATRIX = [
    ("get", "networks/{own}", {}, (200, 200, 404, 200)),
    ("put", "networks/{own}", {"network": {"name": "x"}}, (200, 403, 404, 200)),
    ("put", "networks/{own}", {"network": {"shared": False}}, (403, 403, 404, 200)),
    ("put", "networks/{own}", {"network": {"provider:segmentation_id": 1000}}, (403, 403, 404, 200)),
    ("delete", "networks/{own}", None, (409, 403, 404, 409)),
    ("get", "networks/{own}/tags", None, (200, 200, 404, 200)),
    ("put", "networks/{own}/tags", {"tags": []}, (200, 403, 404, 200)),
    ("put", "networks/{own}/tags/t", None, (201, 403, 404, 201)),
    ("delete", "networks/{own}/tags", None, (204, 403, 404, 204)),
    ("get", "subnets/{subnet}", None, (200, 200, 404, 200)),
    ("put", "subnets/{subnet}", {"subnet": {"name": "x"}}, (200, 403, 404, 200)),
    ("put", "subnets/{subnet}", {"subnet": {"service_types": []}}, (403, 403, 404, 200)),
    ("put", "subnets/{subnet}/tags", {"tags": []}, (200, 403, 404, 200)),
    ("get", "ports/{port}", None, (200, 200, 404, 200)),
    ("put", "ports/{port}", {"port": {"name": "x"}}, (200, 403, 404, 200)),
    ("put", "ports/{port}", {"port": {"binding:host_id": ""}}, (403, 403, 404, 200)),
    ("put", "ports/{port}", {"port": {"binding:profile": {}}}, (403, 403, 404, 200)),
    ("put", "ports/{port}", {"port": {"mac_address": "fa:16:3e:00:00:01"}}, (403, 403, 404, 200)),
    ("put", "ports/{port}", {"port": {"port_security_enabled": True}}, (200, 403, 404, 200)),
    ("put", "ports/{port}", {"port": {"device_owner": "network:dhcp"}}, (200, 403, 404, 200)),
    ("put", "ports/{port}/tags", {"tags": []}, (200, 403, 404, 200)),
    ("delete", "ports/{port}", None, (204, 403, 404, 204)),
    ("post", "networks", {"network": {}}, (201, 403, 201, 201)),
    ("post", "subnets", {"subnet": {"network_id": "{own}", **CIDR}}, (201, 403, 404, 201)),
    ("post", "ports", {"port": {"network_id": "{own}"}}, (201, 403, 404, 201)),
    ("post", "ports", {"port": {"network_id": "{own}", "mac_address": "fa:16:3e:00:00:07"}}, (201, 403, 404, 201)),
    ("post", "ports", {"port": {"network_id": "{own}", "device_owner": "network:x"}}, (201, 403, 404, 201)),
    ("post", "ports", {"port": {"network_id": "{own}", "binding:host_id": "c"}}, (403, 403, 404, 201)),
    # On a network that an administrator shares:
    ("get", "networks/{shared}", None, (200, 200, 200, 200)),
    ("put", "networks/{shared}", {"network": {"name": "x"}}, (403, 403, 403, 200)),
    ("delete", "networks/{shared}", None, (403, 403, 403, 204)),
    ("put", "networks/{shared}/tags/t", None, (403, 403, 403, 201)),
    ("post", "subnets", {"subnet": {"network_id": "{shared}", **CIDR}}, (403, 403, 403, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}"}}, (201, 403, 201, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}", "mac_address": "fa:16:3e:00:00:07"}}, (403, 403, 403, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}", "device_owner": "network:x"}}, (403, 403, 403, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}", "device_owner": " Network:x"}}, (403, 403, 403, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}", "port_security_enabled": False}}, (403, 403, 403, 201)),
    ("post", "ports", {"port": {"network_id": "{shared}", "fixed_ips": ADDRESS}}, (403, 403, 403, 201)),
    ("get", "agents", None, (200, 200, 200, 200)),
    ("get", "availability_zones", None, (200, 200, 200, 200)),
    ("get", "extensions", None, (200, 200, 200, 200)),
    ("get", "quotas/red", None, (200, 200, 403, 200)),
    ("get", "quotas/red/default", None, (200, 200, 403, 200)),
    ("get", "quotas/red/details", None, (200, 200, 403, 200)),
    ("get", "quotas", None, (403, 403, 403, 200)),
    ("put", "quotas/red", {"quota": {"port": 30}}, (403, 403, 403, 200)),
    ("delete", "quotas/red", None, (403, 403, 403, 404)),
]
PEOPLE = ("alice", "rita", "bob", "admin")


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**ids) if value.startswith("{") else value
    if isinstance(value, dict):
        return {key: _filled(inner, ids) for key, inner in value.items()}
    return value


@pytest.mark.parametrize(("method", "path", "body", "expected"), MATRIX)
def test_each_verb_is_for_whom_the_table_says(
    cloud: Cloud, method: str, path: str, body: Any, expected: tuple[int, ...]
) -> None:
    found = []
    for who in PEOPLE:
        ids = _things(cloud, who)
        before = cloud.store.snapshot
        answer = cloud.as_(who).request(
            method, f"/v2.0/{path.format(**ids)}", json=_filled(body, ids) if body else None
        )
        found.append(answer.status_code)
        assert answer.status_code < 400 or cloud.store.snapshot is before
        _forget(cloud, ids)
    assert tuple(found) == expected


def _things(cloud: Cloud, who: str) -> dict[str, str]:
    alice, admin = cloud.as_("alice"), cloud.as_("admin")
    own = alice.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cidr = {"network_id": own, "ip_version": 4, "cidr": "10.0.0.0/24"}
    subnet = alice.post("/v2.0/subnets", json={"subnet": cidr}).json()["subnet"]["id"]
    port = alice.post("/v2.0/ports", json={"port": {"network_id": own}}).json()["port"]["id"]
    shared = admin.post("/v2.0/networks", json={"network": {"shared": True}}).json()["network"]["id"]
    cidr = {"network_id": shared, "ip_version": 4, "cidr": "10.3.0.0/24"}
    assert admin.post("/v2.0/subnets", json={"subnet": cidr}).status_code == 201
    return {"own": own, "subnet": subnet, "port": port, "shared": shared}


def _forget(cloud: Cloud, ids: dict[str, str]) -> None:
    admin = cloud.as_("admin")
    for collection in ("ports", "networks"):
        for item in admin.get(f"/v2.0/{collection}").json()[collection]:
            assert admin.delete(f"/v2.0/{collection}/{item['id']}").status_code in (204, 404)


def test_agents_are_shown_to_administrators_only(cloud: Cloud, alice: Client, admin: Client) -> None:
    cloud.register("c1", "hypervisor")
    agents = admin.get("/v2.0/agents").json()["agents"]
    assert len(agents) == 1
    assert alice.get("/v2.0/agents").json() == {"agents": []}
    assert alice.get(f"/v2.0/agents/{agents[0]['id']}").status_code == 404


def test_a_token_for_no_project_sees_and_makes_nothing(cloud: Cloud, admin: Client) -> None:
    admin.post("/v2.0/networks", json={"network": {"shared": True}})
    nobody = Client(cloud.client.app, headers={"X-Auth-Token": cloud.token_for("alice", "")})
    assert nobody.get("/v2.0/networks").json() == {"networks": []}
    answer = nobody.post("/v2.0/networks", json={"network": {}})
    assert answer.status_code == 400
    assert nobody.post("/v2.0/networks", json={"network": {"project_id": "red"}}).status_code == 400


def test_a_member_cannot_take_a_dhcp_port_of_another_project(cloud: Cloud, admin: Client, bob: Client) -> None:
    cloud.register("n1", "network")
    network = admin.post("/v2.0/networks", json={"network": {"shared": True}}).json()["network"]["id"]
    cidr = {"network_id": network, "ip_version": 4, "cidr": "10.3.0.0/24"}
    assert admin.post("/v2.0/subnets", json={"subnet": cidr}).status_code == 201
    (server,) = admin.get("/v2.0/ports?device_owner=network:dhcp").json()["ports"]
    for answer in (
        bob.get(f"/v2.0/ports/{server['id']}"),
        bob.put(f"/v2.0/ports/{server['id']}", json={"port": {"device_owner": ""}}),
        bob.delete(f"/v2.0/ports/{server['id']}"),
    ):
        assert answer.status_code == 404


def test_the_table_covers_the_declarations_exactly() -> None:
    assert asked_rules(RESOURCES) == POLICY.keys()
    check_policy(RESOURCES)


def test_a_verb_without_a_rule_stops_the_start() -> None:
    lacking = {name: rule for name, rule in POLICY.items() if name != "delete_network"}
    with pytest.raises(Bug, match="delete_network"):
        check_policy(RESOURCES, lacking)


def test_a_guarded_attribute_without_a_rule_stops_the_start() -> None:
    guarded = replace(PORT.by_name["name"], guards=frozenset({"update"}))
    attributes = tuple(guarded if a.name == "name" else a for a in PORT.attributes)
    with pytest.raises(Bug, match="update_port:name"):
        check_policy((*(r for r in RESOURCES if r is not PORT), replace(PORT, attributes=attributes)))


def test_a_rule_that_nothing_asks_stops_the_start() -> None:
    with pytest.raises(Bug, match="create_nettwork"):
        check_policy(RESOURCES, {**POLICY, "create_nettwork": anybody})


def test_a_rule_that_hides_an_attribute_must_not_look_at_the_object() -> None:
    looking = {**POLICY, "get_network:provider:network_type": POLICY["get_network"]}
    with pytest.raises(Bug, match="get_network:provider:network_type"):
        check_policy(RESOURCES, looking)


def test_an_unknown_rule_lets_in_nobody() -> None:
    admin = Caller(project_id="p", roles=("admin",))
    assert not permits("frobnicate_network", admin, Target("p"), Snapshot.empty())
    assert permits(NETWORK.rule("create"), admin, Target("p"), Snapshot.empty())
