"""Sharing by policies, as clients see it: what the tests of neutron's tempest plugin assert, and more."""

from __future__ import annotations

from typing import Any

import pytest
from networking_cloud import Cloud

from netglass.model.caller import CloudSettings
from support.clients import Client

SOMEBODY = "0123456789abcdef0123456789abcdef"
PLURALS = {
    "network": "networks",
    "security_group": "security-groups",
    "address_group": "address-groups",
    "subnetpool": "subnetpools",
    "address_scope": "address-scopes",
}
NEEDED: dict[str, dict[str, Any]] = {"subnetpool": {"prefixes": ["10.8.0.0/16"]}, "address_scope": {"ip_version": 4}}


def made(client: Client, resource: str, /, **wanted: Any) -> dict[str, Any]:
    path = {"port": "ports", "subnet": "subnets", "router": "routers", "rbac_policy": "rbac-policies"} | PLURALS
    path |= {"security_group_rule": "security-group-rules", "floatingip": "floatingips"}
    answer = client.post(f"/v2.0/{path[resource]}", json={resource: wanted})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[resource]
    return found


def share(client: Client, resource: str, row: dict[str, Any], target: str, **more: Any) -> dict[str, Any]:
    wanted = {"object_type": resource, "object_id": row["id"], "action": "access_as_shared", "target_tenant": target}
    return made(client, "rbac_policy", **wanted, **more)


def fault(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["NeutronError"]["type"]


@pytest.mark.parametrize("resource", list(PLURALS))
def test_what_is_shared_is_seen_by_its_target_and_not_changed(
    resource: str, alice: Client, bob: Client, admin: Client
) -> None:
    row = made(alice, resource, name="mine", **NEEDED.get(resource, {}))
    path = f"/v2.0/{PLURALS[resource]}/{row['id']}"
    assert bob.get(path).status_code == 404
    policy = share(alice, resource, row, "blue")
    assert policy | {"object_type": resource, "action": "access_as_shared", "project_id": "red"} == policy
    assert (policy["target_tenant"], "target_project" in policy) == ("blue", False)
    assert bob.get(path).status_code == 200
    assert row["id"] in {r["id"] for r in next(iter(bob.get(f"/v2.0/{PLURALS[resource]}").json().values()))}
    assert bob.put(path, json={resource: {"name": "x"}}).status_code == 403
    assert bob.delete(path).status_code == 403
    where = f"/v2.0/rbac-policies/{policy['id']}"
    assert bob.get(where).status_code == 404
    assert bob.get("/v2.0/rbac-policies").json() == {"rbac_policies": []}
    assert alice.get("/v2.0/rbac-policies?fields=id&fields=action").json()["rbac_policies"] == [
        {"id": policy["id"], "action": "access_as_shared"}
    ]
    assert alice.get(where).json() == admin.get(where).json() == {"rbac_policy": policy}
    assert alice.delete(where).status_code == 204
    assert bob.get(path).status_code == 404
    again = share(admin, resource, row, "*")
    assert bob.get(path).status_code == 200
    assert alice.delete(path).status_code == 204
    assert admin.get(f"/v2.0/rbac-policies/{again['id']}").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"target_tenant": "*"}, 403, "PolicyNotAuthorized"),
        ({"target_tenant": None}, 400, "HTTPBadRequest"),
        ({"target_tenant": ...}, 400, "HTTPBadRequest"),
        ({"target_tenant": "1234" * 100}, 400, "HTTPBadRequest"),
        ({"target_tenant": "nobody's"}, 400, "InvalidInput"),
        ({"object_type": "router"}, 400, "InvalidInput"),
        ({"object_type": "qos_policy"}, 400, "InvalidInput"),
        ({"action": "access_as_owner"}, 400, "InvalidActionForType"),
        ({"object_id": "6b2f7f2e-0000-4000-8000-000000000000"}, 404, "NetworkNotFound"),
        ({"object_type": "security_group"}, 404, "SecurityGroupNotFound"),
        ({"object_id": ...}, 400, "HTTPBadRequest"),
    ],
)
def test_a_wrong_policy_is_refused(alice: Client, change: dict[str, Any], status: int, kind: str) -> None:
    network = made(alice, "network")["id"]
    body = {"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": SOMEBODY}
    wanted = {name: value for name, value in {**body, **change}.items() if value is not ...}
    assert fault(alice.post("/v2.0/rbac-policies", json={"rbac_policy": wanted})) == (status, kind)


def test_who_does_not_own_it_shares_it_with_nobody(alice: Client, bob: Client, rita: Client) -> None:
    network = made(alice, "network")
    wanted = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared"}
    body = {"rbac_policy": wanted | {"target_tenant": SOMEBODY}}
    assert bob.post("/v2.0/rbac-policies", json=body).status_code == 404
    assert rita.post("/v2.0/rbac-policies", json=body).status_code == 403
    policy = share(alice, "network", network, "blue")
    assert fault(bob.post("/v2.0/rbac-policies", json=body)) == (400, "InvalidInput")
    path = f"/v2.0/rbac-policies/{policy['id']}"
    for client, status in ((bob, 404), (rita, 403)):
        assert client.put(path, json={"rbac_policy": {"target_tenant": SOMEBODY}}).status_code == status
        assert client.delete(path).status_code == status
    assert fault(alice.put(path, json={"rbac_policy": {"target_tenant": "*"}})) == (403, "PolicyNotAuthorized")
    assert alice.put(path, json={"rbac_policy": {"action": "access_as_external"}}).status_code == 400
    again = alice.post("/v2.0/rbac-policies", json={"rbac_policy": wanted | {"target_project": "blue"}})
    assert fault(again) == (409, "DuplicateRbacPolicy")


def test_a_policy_goes_to_another_project(alice: Client, bob: Client, admin: Client) -> None:
    policy = share(alice, "network", made(alice, "network"), "blue")
    path = f"/v2.0/rbac-policies/{policy['id']}"
    changed = alice.put(path, json={"rbac_policy": {"target_tenant": SOMEBODY}}).json()["rbac_policy"]
    assert changed == policy | {"target_tenant": SOMEBODY}
    assert bob.get(f"/v2.0/networks/{policy['object_id']}").status_code == 404


def test_a_port_keeps_the_network_shared_with_its_project(alice: Client, bob: Client, admin: Client) -> None:
    network = made(alice, "network")
    subnet = made(alice, "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    policy = share(alice, "network", network, "blue")
    shown = bob.get(f"/v2.0/networks/{network['id']}").json()["network"]
    assert shown["shared"] is True
    assert alice.get(f"/v2.0/networks/{network['id']}").json()["network"]["shared"] is False
    assert shown["revision_number"] > network["revision_number"]
    assert bob.get(f"/v2.0/subnets/{subnet['id']}").status_code == 200
    for client, query in ((bob, "True"), (alice, "False")):
        found = client.get(f"/v2.0/subnets?shared={query}").json()["subnets"]
        assert [row["id"] for row in found] == [subnet["id"]]
        assert "shared" not in found[0]
    port = made(bob, "port", network_id=network["id"])
    path = f"/v2.0/rbac-policies/{policy['id']}"
    assert fault(alice.delete(path)) == (409, "RbacPolicyInUse")
    assert fault(alice.put(path, json={"rbac_policy": {"target_tenant": SOMEBODY}})) == (409, "RbacPolicyInUse")
    everybody = share(admin, "network", network, "*")
    assert alice.delete(path).status_code == 204
    assert fault(admin.delete(f"/v2.0/rbac-policies/{everybody['id']}")) == (409, "RbacPolicyInUse")
    assert alice.delete(f"/v2.0/ports/{port['id']}").status_code == 204
    assert admin.delete(f"/v2.0/rbac-policies/{everybody['id']}").status_code == 204
    own = share(alice, "network", network, "red")
    made(alice, "port", network_id=network["id"])
    assert alice.delete(f"/v2.0/rbac-policies/{own['id']}").status_code == 204


def test_the_attribute_shared_and_the_policy_for_everybody_are_one(alice: Client, bob: Client, admin: Client) -> None:
    network = made(admin, "network", shared=True)
    path = f"/v2.0/networks/{network['id']}"
    (policy,) = admin.get(f"/v2.0/rbac-policies?object_id={network['id']}").json()["rbac_policies"]
    assert (policy["target_tenant"], policy["action"], policy["object_type"]) == ("*", "access_as_shared", "network")
    assert admin.delete(f"/v2.0/rbac-policies/{policy['id']}").status_code == 204
    assert admin.get(path).json()["network"]["shared"] is False
    assert bob.get(path).status_code == 404
    assert admin.put(path, json={"network": {"shared": True}}).json()["network"]["shared"] is True
    assert len(admin.get("/v2.0/rbac-policies").json()["rbac_policies"]) == 1
    assert {n["id"] for n in bob.get("/v2.0/networks?shared=True").json()["networks"]} == {network["id"]}
    port = made(bob, "port", network_id=network["id"])
    assert fault(admin.put(path, json={"network": {"shared": False}})) == (409, "InvalidSharedSetting")
    share(admin, "network", network, "blue")
    assert admin.put(path, json={"network": {"shared": False}}).status_code == 200
    assert bob.get(f"/v2.0/ports/{port['id']}").status_code == 200
    assert bob.get(path).json()["network"]["shared"] is True
    assert alice.get(path).status_code == 404


def test_a_network_may_lead_outside_for_one_project(cloud: Cloud, alice: Client, bob: Client, admin: Client) -> None:
    cloud.register("control", "network")
    network = made(admin, "network", name="partner")
    made(admin, "subnet", network_id=network["id"], ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
    wanted = {"object_type": "network", "object_id": network["id"], "action": "access_as_external"}
    policy = made(admin, "rbac_policy", **wanted, target_tenant="red")
    path = f"/v2.0/networks/{network['id']}"
    shown = alice.get(path).json()["network"]
    assert (shown["router:external"], shown["shared"]) == (True, False)
    assert bob.get(path).status_code == 404
    assert fault(alice.post("/v2.0/ports", json={"port": {"network_id": network["id"]}})) == (
        403,
        "PolicyNotAuthorized",
    )
    router = made(alice, "router", external_gateway_info={"network_id": network["id"]})
    floating = made(alice, "floatingip", floating_network_id=network["id"])
    assert fault(admin.delete(f"/v2.0/rbac-policies/{policy['id']}")) == (409, "RbacPolicyInUse")
    assert alice.delete(f"/v2.0/floatingips/{floating['id']}").status_code == 204
    assert alice.delete(f"/v2.0/routers/{router['id']}").status_code == 204
    everybody = made(admin, "rbac_policy", **wanted, target_tenant="*")
    assert bob.get(path).json()["network"]["router:external"] is True
    assert admin.put(path, json={"network": {"router:external": False}}).status_code == 200
    assert admin.get(f"/v2.0/rbac-policies/{everybody['id']}").status_code == 404
    assert admin.delete(f"/v2.0/rbac-policies/{policy['id']}").status_code == 204
    assert admin.get(path).json()["network"]["router:external"] is False


def test_a_shared_group_is_used_and_then_kept_shared(alice: Client, bob: Client, admin: Client) -> None:
    group = made(alice, "security_group", name="web")
    made(alice, "security_group_rule", security_group_id=group["id"], direction="ingress", protocol="tcp")
    policy = share(alice, "security_group", group, "blue")
    shown = bob.get(f"/v2.0/security-groups/{group['id']}").json()["security_group"]
    assert (shown["shared"], len(shown["security_group_rules"])) == (True, 3)
    assert [g["id"] for g in bob.get("/v2.0/security-groups?shared=True").json()["security_groups"]] == [group["id"]]
    rule = {"security_group_id": group["id"], "direction": "egress", "protocol": "udp"}
    assert bob.post("/v2.0/security-group-rules", json={"security_group_rule": rule}).status_code == 403
    network = made(bob, "network")["id"]
    port = made(bob, "port", network_id=network, security_groups=[group["id"]])
    own = made(bob, "security_group")
    remote = {"security_group_id": own["id"], "direction": "ingress", "remote_group_id": group["id"]}
    made(bob, "security_group_rule", **remote)
    path = f"/v2.0/rbac-policies/{policy['id']}"
    assert fault(alice.delete(path)) == (409, "RbacPolicyInUse")
    assert bob.delete(f"/v2.0/ports/{port['id']}").status_code == 204
    assert alice.delete(path).status_code == 204
    assert bob.get(f"/v2.0/security-groups/{group['id']}").status_code == 404


def test_a_shared_address_group_is_used_and_then_kept_shared(alice: Client, bob: Client) -> None:
    addresses = made(alice, "address_group", addresses=["10.0.0.0/8"])
    policy = share(alice, "address_group", addresses, "blue")
    rule = {"direction": "ingress", "remote_address_group_id": addresses["id"]}
    used = made(bob, "security_group_rule", security_group_id=made(bob, "security_group")["id"], **rule)
    path = f"/v2.0/rbac-policies/{policy['id']}"
    assert fault(alice.delete(path)) == (409, "RbacPolicyInUse")
    assert bob.put(f"/v2.0/address-groups/{addresses['id']}/add_addresses", json={"addresses": []}).status_code == 403
    assert bob.delete(f"/v2.0/security-group-rules/{used['id']}").status_code == 204
    assert alice.delete(path).status_code == 204


def test_a_shared_pool_and_scope_are_used_and_then_kept_shared(alice: Client, bob: Client) -> None:
    scope = made(alice, "address_scope", name="s", ip_version=4)
    pool = made(alice, "subnetpool", name="p", prefixes=["10.8.0.0/16"], default_prefixlen=24)
    policies = [share(alice, kind, row, "blue")["id"] for kind, row in (("address_scope", scope), ("subnetpool", pool))]
    theirs = made(bob, "subnetpool", name="p", prefixes=["10.9.0.0/16"], address_scope_id=scope["id"])
    network = made(bob, "network")["id"]
    subnet = made(bob, "subnet", network_id=network, ip_version=4, subnetpool_id=pool["id"])
    assert subnet["cidr"] == "10.8.0.0/24"
    assert bob.get(f"/v2.0/subnetpools/{pool['id']}").json()["subnetpool"]["shared"] is True
    for policy in policies:
        assert fault(alice.delete(f"/v2.0/rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    assert bob.delete(f"/v2.0/subnets/{subnet['id']}").status_code == 204
    assert bob.delete(f"/v2.0/subnetpools/{theirs['id']}").status_code == 204
    for policy in policies:
        assert alice.delete(f"/v2.0/rbac-policies/{policy}").status_code == 204


def test_policies_have_a_quota(database_url: str) -> None:
    cloud = Cloud(database_url, CloudSettings(default_quotas={"rbac_policy": 2}))
    alice = cloud.as_("alice")
    network = made(alice, "network")
    for n in range(2):
        share(alice, "network", network, f"{n:032x}")
    wanted = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared"}
    third = alice.post("/v2.0/rbac-policies", json={"rbac_policy": wanted | {"target_tenant": SOMEBODY}})
    assert fault(third) == (409, "OverQuota")
    cloud.store.close()


@pytest.mark.parametrize("how", ["attribute", "policy for all", "policy for one"])
def test_sharing_a_network_gives_nobody_the_rights_of_its_owner(
    how: str, alice: Client, rita: Client, bob: Client, admin: Client
) -> None:
    """Ports that filters trust, and ports without filters, are for the network's owner (CVE-2015-5240, 2026-50266)."""
    network = made(alice, "network")
    made(alice, "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    if how == "attribute":
        assert admin.put(f"/v2.0/networks/{network['id']}", json={"network": {"shared": True}}).status_code == 200
    else:
        share(admin, "network", network, "*" if how == "policy for all" else "blue")
    body = {"network_id": network["id"]}
    plain = made(bob, "port", **body)
    path = f"/v2.0/ports/{plain['id']}"
    for owner, foreign in (
        ("network:dhcp", 403),
        ("network:router_interface", 403),
        ("neutron:x", 403),
        (" Network:x", 403),
        ("compute:nova", 200),
        ("", 200),
    ):
        wanted = {"port": {**body, "device_owner": owner}}
        created = {200: 201}.get(foreign, foreign)
        assert bob.post("/v2.0/ports", json=wanted).status_code == created, owner
        assert bob.put(path, json={"port": {"device_owner": owner}}).status_code == foreign, owner
        assert rita.post("/v2.0/ports", json=wanted).status_code == 403
        assert alice.post("/v2.0/ports", json=wanted).status_code == 201
    for change in (
        {"port_security_enabled": False, "security_groups": []},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.77"}]},
        {"fixed_ips": [{"ip_address": "10.0.0.78"}]},
        {"mac_address": "fa:16:3e:00:00:78"},
    ):
        assert bob.post("/v2.0/ports", json={"port": {**body, **change}}).status_code == 403, change
        assert bob.put(path, json={"port": change}).status_code == 403, change
    assert bob.put(f"/v2.0/networks/{network['id']}", json={"network": {"name": "mine"}}).status_code == 403
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}
    assert bob.post("/v2.0/subnets", json={"subnet": subnet}).status_code == 403
