"""The life of networks, subnets and ports as clients see it."""

from __future__ import annotations

from typing import Any

import pytest
from networking_cloud import Cloud

from support.clients import Client


def make(client: Client, collection: str, **values: Any) -> dict[str, Any]:
    name = collection.removesuffix("s")
    answer = client.post(f"/v2.0/{collection}", json={name: values})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()[name]
    return made


def test_a_network_is_made_shown_changed_and_deleted(admin: Client) -> None:
    made = make(admin, "networks", name="n", description="d", tags=["b", "a"])
    assert made == {
        "id": made["id"],
        "name": "n",
        "description": "d",
        "project_id": "operations",
        "tenant_id": "operations",
        "admin_state_up": True,
        "status": "ACTIVE",
        "subnets": [],
        "shared": False,
        "mtu": 1500,
        "port_security_enabled": True,
        "router:external": False,
        "provider:network_type": "vlan",
        "provider:physical_network": "default",
        "provider:segmentation_id": 1000,
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "availability_zone_hints": [],
        "availability_zones": [],
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
        "revision_number": 1,
        "tags": ["a", "b"],
    }
    path = f"/v2.0/networks/{made['id']}"
    assert admin.get(path).json()["network"] == made
    changed = admin.put(path, json={"network": {"name": "m", "shared": True}})
    assert changed.status_code == 200
    assert changed.json()["network"] == made | {
        "name": "m",
        "shared": True,
        "revision_number": 2,
        "updated_at": changed.json()["network"]["updated_at"],
    }
    gone = admin.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert admin.get(path).status_code == 404


def test_an_update_that_changes_nothing_takes_no_revision(cloud: Cloud, alice: Client) -> None:
    made = make(alice, "networks", name="n")
    before = cloud.store.snapshot
    answer = alice.put(f"/v2.0/networks/{made['id']}", json={"network": {"name": "n"}})
    assert answer.json()["network"] == made
    assert cloud.store.snapshot is before


def test_a_subnet_shows_what_was_chosen_for_it(alice: Client) -> None:
    network = make(alice, "networks")
    made = make(alice, "subnets", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    assert made == {
        "id": made["id"],
        "name": "",
        "description": "",
        "project_id": "red",
        "tenant_id": "red",
        "network_id": network["id"],
        "ip_version": 4,
        "cidr": "10.0.0.0/24",
        "gateway_ip": "10.0.0.1",
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
        "dns_nameservers": [],
        "host_routes": [],
        "enable_dhcp": True,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "service_types": [],
        "subnetpool_id": None,
        "router:external": False,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
        "revision_number": 1,
        "tags": [],
    }
    assert alice.get(f"/v2.0/networks/{network['id']}").json()["network"]["subnets"] == [made["id"]]


def test_a_subnet_without_gateway_keeps_none(alice: Client) -> None:
    network = make(alice, "networks")
    made = make(alice, "subnets", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24", gateway_ip=None)
    assert made["gateway_ip"] is None
    answer = alice.put(f"/v2.0/subnets/{made['id']}", json={"subnet": {"gateway_ip": "10.0.0.254"}})
    assert answer.status_code == 409  # inside of the pools, which are all of the block
    pools = {"allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.20"}], "gateway_ip": "10.0.0.254"}
    answer = alice.put(f"/v2.0/subnets/{made['id']}", json={"subnet": pools}).json()["subnet"]
    assert answer["gateway_ip"] == "10.0.0.254"
    assert answer["allocation_pools"] == pools["allocation_pools"]


def test_text_of_addresses_is_made_canonical(alice: Client) -> None:
    network = make(alice, "networks")
    made = make(
        alice,
        "subnets",
        network_id=network["id"].upper(),
        ip_version="6",
        cidr="2001:DB8:0::/64",
        dns_nameservers=["2001:DB8::0:53"],
        host_routes=[{"destination": "2001:db8:7:0::/64", "nexthop": "2001:db8::0007"}],
    )
    assert made["cidr"] == "2001:db8::/64"
    assert made["dns_nameservers"] == ["2001:db8::53"]
    assert made["host_routes"] == [{"destination": "2001:db8:7::/64", "nexthop": "2001:db8::7"}]
    port = make(alice, "ports", network_id=network["id"], mac_address="FA-16-3E-00-00-0A")
    assert port["mac_address"] == "fa:16:3e:00:00:0a"


def test_a_port_is_bound_and_unbound(cloud: Cloud, admin: Client) -> None:
    cloud.register("c1", "hypervisor")
    network = make(admin, "networks")
    port = make(admin, "ports", network_id=network["id"])
    assert port["binding:vif_type"] == "unbound"
    assert port["binding:vif_details"] == {}
    path = f"/v2.0/ports/{port['id']}"

    def bind(host: Any) -> dict[str, Any]:
        answer = admin.put(path, json={"port": {"binding:host_id": host}})
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()["port"]
        return shown

    bound = bind("c1")
    assert bound["binding:vif_type"] == "ovs"
    assert bound["binding:vif_details"] == {
        "port_filter": True,
        "connectivity": "l2",
        "bridge_name": "br-int",
        "datapath_type": "netdev",
        "ovs_hybrid_plug": True,
    }
    assert bind("elsewhere")["binding:vif_type"] == "binding_failed"
    assert bind(None)["binding:vif_type"] == "unbound"
    found = admin.get("/v2.0/ports?binding:host_id=").json()["ports"]
    assert [item["id"] for item in found] == [port["id"]]


def test_only_administrators_see_how_a_port_is_bound(alice: Client, admin: Client) -> None:
    network = make(alice, "networks")
    port = make(alice, "ports", network_id=network["id"])
    assert [name for name in port if name.startswith("binding:")] == ["binding:vnic_type"]
    shown = admin.get(f"/v2.0/ports/{port['id']}").json()["port"]
    assert {name for name in shown if name.startswith("binding:")} == {
        "binding:host_id",
        "binding:profile",
        "binding:vif_details",
        "binding:vif_type",
        "binding:vnic_type",
    }


def test_extra_dhcp_options_come_and_go(alice: Client) -> None:
    network = make(alice, "networks")
    port = make(
        alice,
        "ports",
        network_id=network["id"],
        extra_dhcp_opts=[
            {"opt_name": "mtu", "opt_value": "1400"},
            {"opt_name": "tftp-server", "opt_value": "10.0.0.9"},
        ],
    )
    assert port["extra_dhcp_opts"] == [
        {"opt_name": "mtu", "opt_value": "1400", "ip_version": 4},
        {"opt_name": "tftp-server", "opt_value": "10.0.0.9", "ip_version": 4},
    ]
    changes = {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": None}]}
    answer = alice.put(f"/v2.0/ports/{port['id']}", json={"port": changes}).json()["port"]
    assert [option["opt_name"] for option in answer["extra_dhcp_opts"]] == ["tftp-server"]


def test_several_are_made_in_one_commit(cloud: Cloud, alice: Client) -> None:
    network = make(alice, "networks")
    before = cloud.store.snapshot.revision
    wanted = [{"network_id": network["id"], "name": f"p{i}"} for i in range(10)]
    answer = alice.post("/v2.0/ports", json={"ports": wanted})
    assert answer.status_code == 201
    assert [port["name"] for port in answer.json()["ports"]] == [f"p{i}" for i in range(10)]
    assert len({port["mac_address"] for port in answer.json()["ports"]}) == 10
    assert cloud.store.snapshot.revision == before + 1


def test_a_bulk_may_wrap_each_object_in_its_name(alice: Client) -> None:
    answer = alice.post("/v2.0/networks", json={"networks": [{"network": {"name": "a"}}]})
    assert [network["name"] for network in answer.json()["networks"]] == ["a"]


def test_an_administrator_makes_objects_for_a_project(admin: Client, bob: Client) -> None:
    for name in ("project_id", "tenant_id"):
        made = make(admin, "networks", **{name: "blue"})
        assert bob.get(f"/v2.0/networks/{made['id']}").json()["network"]["project_id"] == "blue"


@pytest.mark.parametrize("verb", ["put", "delete", "tags"])
def test_a_change_may_insist_on_a_revision(alice: Client, verb: str) -> None:
    made = make(alice, "networks")
    path = f"/v2.0/networks/{made['id']}"

    def change(constraint: str) -> Any:
        headers = {"If-Match": constraint}
        if verb == "put":
            return alice.put(path, json={"network": {"name": "x"}}, headers=headers)
        return alice.put(f"{path}/tags/t", headers=headers) if verb == "tags" else alice.delete(path, headers=headers)

    stale = change("revision_number=7")
    assert stale.status_code == 412
    assert stale.json()["NeutronError"] == {
        "type": "RevisionNumberConstraintFailed",
        "message": "Constrained to 7, but current revision is 1",
        "detail": "",
    }
    assert change('"etag"').status_code == 400
    assert alice.get(path).json()["network"] == made
    assert change("revision_number=1").status_code in (200, 201, 204)


def test_every_answer_names_its_request(alice: Client) -> None:
    assert alice.get("/v2.0/networks").headers["X-Openstack-Request-Id"].startswith("req-")
    assert alice.get("/v2.0/networks/x").headers["X-Openstack-Request-Id"].startswith("req-")


def test_a_network_in_use_is_not_deleted(alice: Client) -> None:
    network = make(alice, "networks")
    port = make(alice, "ports", network_id=network["id"])
    answer = alice.delete(f"/v2.0/networks/{network['id']}")
    assert answer.status_code == 409
    assert answer.json()["NeutronError"]["type"] == "NetworkInUse"
    assert alice.delete(f"/v2.0/ports/{port['id']}").status_code == 204
    assert alice.delete(f"/v2.0/networks/{network['id']}").status_code == 204
