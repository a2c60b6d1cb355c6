"""Port forwardings as clients see them, beneath their floating IP."""

from __future__ import annotations

from typing import Any

import pytest
from networking_cloud import Cloud, made

from support.clients import Client


class Forwarding:
    """Alice's floating IP, and a port behind her router."""

    def __init__(self, client: Client, public: str) -> None:
        self.client = client
        router = made(client, "routers", "router", external_gateway_info={"network_id": public})["id"]
        network = made(client, "networks", "network")["id"]
        subnet = made(client, "subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
        client.put(f"/v2.0/routers/{router}/add_router_interface", json={"subnet_id": subnet})
        port = made(client, "ports", "port", network_id=network)
        self.target = {"internal_port_id": port["id"], "internal_ip_address": port["fixed_ips"][0]["ip_address"]}
        self.floating = str(made(client, "floatingips", "floatingip", floating_network_id=public)["id"])
        self.path = f"/v2.0/floatingips/{self.floating}/port_forwardings"

    def make(self, **wanted: Any) -> dict[str, Any]:
        values = {"protocol": "tcp", **self.target, **wanted}
        return made(self.client, self.path.removeprefix("/v2.0/"), "port_forwarding", **values)

    def refused(self, **wanted: Any) -> str:
        body = {"port_forwarding": {"protocol": "tcp", **self.target, **wanted}}
        answer = self.client.post(self.path, json=body)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["NeutronError"]["message"])


@pytest.fixture
def forwarding(public: str, alice: Client) -> Forwarding:
    return Forwarding(alice, public)


def test_a_forwarding_is_made_shown_changed_and_deleted_beneath_its_floating_ip(forwarding: Forwarding) -> None:
    client = forwarding.client
    one = forwarding.make(external_port=8080, internal_port="80", description="web")
    assert one == {
        "id": one["id"],
        "protocol": "tcp",
        "external_port": 8080,
        "external_port_range": "8080:8080",
        "internal_port": 80,
        "internal_port_range": "80:80",
        "description": "web",
        **forwarding.target,
    }
    several = forwarding.make(external_port_range="5000:5009", internal_port_range="6000:6009", protocol="UDP")
    assert (several["external_port"], several["internal_port_range"], several["protocol"]) == (None, "6000:6009", "udp")
    path = f"{forwarding.path}/{one['id']}"
    assert client.get(path).json()["port_forwarding"] == one
    changed = client.put(path, json={"port_forwarding": {"external_port": 8081}}).json()["port_forwarding"]
    assert changed == one | {"external_port": 8081, "external_port_range": "8081:8081"}
    shown = client.get(f"/v2.0/floatingips/{forwarding.floating}").json()["floatingip"]
    ranges = {"external_port_range": "5000:5009", "internal_port_range": "6000:6009"}
    assert sorted(shown["port_forwardings"], key=lambda found: found["protocol"]) == [
        {"id": one["id"], "protocol": "tcp", "external_port": 8081, "internal_port": 80, **forwarding.target},
        {"id": several["id"], "protocol": "udp", **ranges, **forwarding.target},
    ]
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["NeutronError"]["type"] == "PortForwardingNotFound"


def test_forwardings_are_listed_of_one_floating_ip_and_filtered(forwarding: Forwarding, public: str) -> None:
    client = forwarding.client
    ids = [forwarding.make(external_port=port, internal_port=port)["id"] for port in (1, 2, 3)]
    other = made(client, "floatingips", "floatingip", floating_network_id=public)["id"]

    def listed(query: str = "", floating: str = forwarding.floating) -> list[str]:
        answer = client.get(f"/v2.0/floatingips/{floating}/port_forwardings{query}")
        assert answer.status_code == 200, answer.text
        return [found["id"] for found in answer.json()["port_forwardings"]]

    assert sorted(listed()) == sorted(ids)
    assert listed(floating=other) == []
    assert listed("?external_port=2") == [ids[1]]
    assert listed(f"?internal_port_id={forwarding.target['internal_port_id']}&sort_key=external_port") == ids
    assert listed("?protocol=udp") == []
    assert listed(f"?id={ids[0]}") == [ids[0]]
    assert listed("?limit=1&sort_key=external_port") == ids[:1]
    assert client.get(f"{forwarding.path}?internal_port=1").status_code == 400


def test_values_that_cannot_be_are_refused_in_neutrons_words(forwarding: Forwarding) -> None:
    single = {"external_port": 1, "internal_port": 1}
    assert "'icmp' is not in ['sctp', 'tcp', 'udp']" in forwarding.refused(protocol="icmp", **single)
    assert "'0' is too small" in forwarding.refused(external_port=0, internal_port=1)
    for wrong, words in (
        ("1:2:3", "Port range must be two integers separated by a colon"),
        (":2", "Port range must be two integers separated by a colon"),
        ("9:8", "First port in a port range must be lower than the second port"),
        ("1:70000", "'70000' is too large"),
    ):
        assert words in forwarding.refused(external_port_range=wrong, internal_port=1)
    body = {"port_forwarding": {"protocol": "tcp", **single}}
    answer = forwarding.client.post(forwarding.path, json=body)
    assert "Required attribute 'internal_port_id' not specified" in answer.json()["NeutronError"]["message"]


def test_a_forwarding_is_found_beneath_its_own_floating_ip_only_and_by_its_owner(
    cloud: Cloud, forwarding: Forwarding, public: str, admin: Client, bob: Client, rita: Client
) -> None:
    one = forwarding.make(external_port=8080, internal_port=80)
    theirs = made(bob, "floatingips", "floatingip", floating_network_id=public)["id"]
    change = {"port_forwarding": {"external_port": 1}}
    create = {"port_forwarding": {"protocol": "tcp", **forwarding.target, "external_port": 1, "internal_port": 1}}
    for client in (bob, admin):
        # Another's forwarding beneath one's own floating IP is not there, whoever asks.
        for method in ("get", "put", "delete"):
            path = f"/v2.0/floatingips/{theirs}/port_forwardings/{one['id']}"
            answer = client.request(method, path, json=change if method == "put" else None)
            assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (404, "PortForwardingNotFound")
    for method, path, body in (
        ("get", forwarding.path, None),
        ("post", forwarding.path, create),
        ("get", f"{forwarding.path}/{one['id']}", None),
        ("put", f"{forwarding.path}/{one['id']}", change),
        ("delete", f"{forwarding.path}/{one['id']}", None),
    ):
        answer = bob.request(method, path, json=body)
        assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (404, "FloatingIPNotFound")
        assert rita.request(method, path, json=body).status_code == (200 if method == "get" else 403)
    of_admin = admin.post(forwarding.path, json=create)
    assert of_admin.status_code == 201
    row = cloud.store.snapshot.rows("port_forwardings_by_project", "red")
    assert {found.id for found in row} == {one["id"], of_admin.json()["port_forwarding"]["id"]}
    assert forwarding.client.delete(f"/v2.0/floatingips/{forwarding.floating}").status_code == 409
