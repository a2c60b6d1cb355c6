"""Subnet pools and address scopes as clients see them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

from networking_cloud import Cloud, made

from support.clients import Client


def pool(client: Client, *prefixes: str, **wanted: Any) -> dict[str, Any]:
    return made(client, "subnetpools", "subnetpool", name="pool", prefixes=list(prefixes), **wanted)


def test_a_pool_lives_from_its_prefixes_to_its_last_subnet(alice: Client) -> None:
    one = pool(alice, "10.8.1.0/24", "10.8.0.0/24", default_prefixlen="26", tags=["t"])
    shown = {name: one[name] for name in ("prefixes", "ip_version", "default_prefixlen", "min_prefixlen")}
    assert shown == {
        "prefixes": ["10.8.0.0/23"],
        "ip_version": 4,
        "default_prefixlen": "26",
        "min_prefixlen": "8",
    }
    assert (one["default_quota"], one["address_scope_id"], one["is_default"], one["shared"]) == (
        None,
        None,
        False,
        False,
    )
    assert (one["max_prefixlen"], one["revision_number"], one["tags"]) == ("32", 1, ["t"])
    path = f"/v2.0/subnetpools/{one['id']}"
    network = made(alice, "networks", "network")["id"]
    subnet = made(alice, "subnets", "subnet", network_id=network, ip_version=4, subnetpool_id=one["id"])
    assert (subnet["cidr"], subnet["subnetpool_id"]) == ("10.8.0.0/26", one["id"])
    assert "prefixlen" not in subnet
    assert [s["id"] for s in alice.get(f"/v2.0/subnets?subnetpool_id={one['id']}").json()["subnets"]] == [subnet["id"]]
    answer = alice.put(f"{path}/add_prefixes", json={"prefixes": ["10.9.0.0/24"]})
    assert answer.json() == {"prefixes": ["10.8.0.0/23", "10.9.0.0/24"]}
    answer = alice.put(f"{path}/remove_prefixes", json={"prefixes": ["10.9.0.0/24"]})
    assert answer.json() == {"prefixes": ["10.8.0.0/23"]}
    assert alice.put(f"{path}/add_prefixes", json={"prefixes": "10.9.0.0/24"}).status_code == 400
    changed = alice.put(path, json={"subnetpool": {"name": "new", "default_prefixlen": 27}}).json()["subnetpool"]
    assert (changed["name"], changed["default_prefixlen"]) == ("new", "27")
    assert len(alice.get("/v2.0/subnetpools?name=new&default_prefixlen=27").json()["subnetpools"]) == 1
    assert alice.put(f"{path}/tags/more").status_code == 201
    assert alice.delete(path).json()["NeutronError"]["type"] == "SubnetPoolDeleteError"
    assert alice.delete(f"/v2.0/subnets/{subnet['id']}").status_code == 204
    assert alice.delete(path).status_code == 204
    assert alice.get(path).json()["NeutronError"]["type"] == "SubnetPoolNotFound"


def test_a_networks_subnets_are_onboarded_and_show_their_scope(alice: Client) -> None:
    scope = made(alice, "address-scopes", "address_scope", name="s", ip_version=4)
    assert scope == {**scope, "name": "s", "ip_version": 4, "shared": False, "project_id": "red"}
    one = pool(alice, "10.8.0.0/16", address_scope_id=scope["id"])
    network = made(alice, "networks", "network")["id"]
    subnet = made(alice, "subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
    before = alice.get(f"/v2.0/networks/{network}").json()["network"]
    assert (before["ipv4_address_scope"], before["ipv6_address_scope"]) == (None, None)
    path = f"/v2.0/subnetpools/{one['id']}/onboard_network_subnets"
    assert alice.put(path, json={"network_id": network}).json() == [{"id": subnet, "cidr": "10.0.0.0/24"}]
    after = alice.get(f"/v2.0/networks/{network}").json()["network"]
    assert (after["ipv4_address_scope"], after["ipv6_address_scope"]) == (scope["id"], None)
    assert alice.put(path, json={}).status_code == 400
    at = f"/v2.0/address-scopes/{scope['id']}"
    assert alice.delete(at).json()["NeutronError"]["type"] == "AddressScopeInUse"
    assert alice.put(at, json={"address_scope": {"name": "t"}}).json()["address_scope"]["name"] == "t"
    assert len(alice.get("/v2.0/address-scopes?ip_version=4").json()["address_scopes"]) == 1


def test_pools_and_scopes_are_their_projects_own_unless_shared(
    admin: Client, alice: Client, bob: Client, rita: Client
) -> None:
    for client in (alice, rita):
        for name in ("shared", "is_default"):
            body = {"subnetpool": {"name": "x", "prefixes": ["10.0.0.0/8"], name: True}}
            assert client.post("/v2.0/subnetpools", json=body).status_code == 403
        scope = {"address_scope": {"ip_version": 4, "shared": True}}
        assert client.post("/v2.0/address-scopes", json=scope).status_code == 403
    own, shared = pool(alice, "10.8.0.0/16")["id"], pool(admin, "10.9.0.0/16", shared=True)["id"]
    scope_id = made(alice, "address-scopes", "address_scope", ip_version=4)["id"]
    open_id = made(admin, "address-scopes", "address_scope", ip_version=4, shared=True)["id"]
    change, scope_change = {"subnetpool": {"name": "x"}}, {"address_scope": {"name": "x"}}
    for path, body, theirs in (
        (f"subnetpools/{own}", change, 404),
        (f"subnetpools/{shared}", change, 403),
        (f"address-scopes/{scope_id}", scope_change, 404),
        (f"address-scopes/{open_id}", scope_change, 403),
    ):
        assert bob.get(f"/v2.0/{path}").status_code == (404 if theirs == 404 else 200)
        assert bob.put(f"/v2.0/{path}", json=body).status_code == theirs
        assert bob.delete(f"/v2.0/{path}").status_code == theirs
        assert rita.put(f"/v2.0/{path}", json=body).status_code == 403
    assert alice.put(f"/v2.0/subnetpools/{own}", json={"subnetpool": {"is_default": True}}).status_code == 403
    for action, body in (
        ("add_prefixes", {"prefixes": ["10.77.0.0/24"]}),
        ("remove_prefixes", {"prefixes": ["10.77.0.0/24"]}),
        ("onboard_network_subnets", {"network_id": own}),
    ):
        assert bob.put(f"/v2.0/subnetpools/{shared}/{action}", json=body).status_code == 403
        assert bob.put(f"/v2.0/subnetpools/{own}/{action}", json=body).status_code == 404
        assert rita.put(f"/v2.0/subnetpools/{own}/{action}", json=body).status_code == 403
    listed = {found["id"] for found in bob.get("/v2.0/subnetpools").json()["subnetpools"]}
    assert listed == {shared}
    assert [found["id"] for found in bob.get("/v2.0/address-scopes").json()["address_scopes"]] == [open_id]
    network = made(bob, "networks", "network")["id"]
    made(bob, "subnets", "subnet", network_id=network, ip_version=4, subnetpool_id=shared, prefixlen=24)


def test_clients_at_once_get_different_blocks(cloud: Cloud, admin: Client) -> None:
    admin.put("/v2.0/quotas/operations", json={"quota": {"network": -1, "subnet": -1}})
    one = pool(admin, "10.8.0.0/24", default_prefixlen=28)["id"]
    networks = [made(admin, "networks", "network", **{"provider:network_type": "vlan"})["id"] for _ in range(8)]

    def make(network: str) -> list[str]:
        client = cloud.as_("admin")
        wanted = {"network_id": network, "ip_version": 4, "subnetpool_id": one}
        answers = [client.post("/v2.0/subnets", json={"subnet": wanted}) for _ in range(2)]
        return [answer.json()["subnet"]["cidr"] for answer in answers if answer.status_code == 201]

    with ThreadPoolExecutor(max_workers=8) as threads:
        cidrs = [ip_network(cidr) for found in threads.map(make, networks) for cidr in found]
    assert sorted(cidrs) == sorted(ip_network("10.8.0.0/24").subnets(new_prefix=28))
    full = admin.post(
        "/v2.0/subnets", json={"subnet": {"network_id": networks[0], "ip_version": 4, "subnetpool_id": one}}
    )
    assert (full.status_code, full.json()["NeutronError"]["type"]) == (409, "SubnetAllocationError")
