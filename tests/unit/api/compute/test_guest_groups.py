"""Security groups of servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_servers_api import V21, Lab

from support.clients import Client


@pytest.fixture
def lab(served: Any) -> Iterator[Lab]:
    return Lab(served)


def group(client: Client, name: str, **wanted: Any) -> str:
    answer = client.post("/v2.0/security-groups", json={"security_group": {"name": name, **wanted}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["security_group"]["id"])


def groups_of(lab: Lab, server: str) -> list[str]:
    return sorted(found["name"] for found in lab.show(server).get("security_groups", []))


def ports_of(lab: Lab, server: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.demo.get(f"/v2.0/ports?device_id={server}").json()["ports"]
    return found


def test_a_server_has_the_default_group_unless_it_asks_for_others(lab: Lab) -> None:
    answer = lab.demo.post(V21 + "/servers", json=lab.body()).json()["server"]
    assert answer["security_groups"] == [{"name": "default"}]
    assert groups_of(lab, answer["id"]) == ["default"]
    web = group(lab.demo, "web")
    by_both = lab.create(security_groups=[{"name": "web"}, {"name": web}, {"name": "default"}])
    assert groups_of(lab, by_both) == ["default", "web"]
    assert groups_of(lab, lab.create(networks="none")) == []
    given = lab.demo.post("/v2.0/ports", json={"port": {"network_id": lab.network, "security_groups": []}}).json()
    kept = lab.create(networks=[{"port": given["port"]["id"]}], security_groups=[{"name": "web"}])
    assert groups_of(lab, kept) == []


def test_a_group_that_cannot_be_is_refused(lab: Lab, rival: Client) -> None:
    foreign = group(rival, "web")
    for name in ("web", foreign):
        answer = lab.demo.post(V21 + "/servers", json=lab.body(security_groups=[{"name": name}]))
        assert answer.status_code == 400
        assert f"Unable to find security_group with name or id '{name}'" in answer.text
    group(lab.demo, "twin")
    group(lab.demo, "twin")
    assert lab.demo.post(V21 + "/servers", json=lab.body(security_groups=[{"name": "twin"}])).status_code == 409
    lab.demo.put(f"/v2.0/networks/{lab.network}", json={"network": {"port_security_enabled": False}})
    answer = lab.demo.post(V21 + "/servers", json=lab.body(security_groups=[{"name": "default"}]))
    assert answer.status_code == 400
    assert "Network requires port_security_enabled" in answer.text
    assert groups_of(lab, lab.create()) == []


def test_a_group_is_given_and_taken(lab: Lab, rival: Client) -> None:
    web = group(lab.demo, "web")
    server = lab.running()
    assert lab.act(server, addSecurityGroup={"name": "web"}) == 202
    assert lab.act(server, addSecurityGroup={"name": web}) == 202
    assert groups_of(lab, server) == ["default", "web"]
    assert lab.act(server, removeSecurityGroup={"name": "default"}) == 202
    assert groups_of(lab, server) == ["web"]
    assert [port["security_groups"] for port in ports_of(lab, server)] == [[web]]
    assert lab.act(server, removeSecurityGroup={"name": "default"}) == 404
    assert lab.act(server, addSecurityGroup={"name": "nothing"}) == 404
    assert lab.act(server, addSecurityGroup={}) == 400
    assert lab.act(server, rival, addSecurityGroup={"name": "default"}) == 404
    assert lab.act(server, lab.served.as_("watcher"), addSecurityGroup={"name": "default"}) == 403
    assert lab.act(lab.create(networks="none"), addSecurityGroup={"name": "web"}) == 404


def test_groups_of_a_server_are_shown_in_computes_own_form(lab: Lab) -> None:
    web = group(lab.demo, "web", description="d")
    body = {"security_group_id": web, "direction": "ingress", "protocol": "tcp"}
    rules = [
        body | {"port_range_min": 22, "port_range_max": 23, "remote_ip_prefix": "10.0.0.0/8"},
        body | {"remote_group_id": web},
        body | {"protocol": None, "ethertype": "IPv6"},
    ]
    for rule in rules:
        assert lab.demo.post("/v2.0/security-group-rules", json={"security_group_rule": rule}).status_code == 201
    server = lab.create(security_groups=[{"name": "web"}])
    (shown,) = lab.demo.get(f"{V21}/servers/{server}/os-security-groups").json()["security_groups"]
    assert (shown["id"], shown["name"], shown["description"]) == (web, "web", "d")
    seen = [(r["ip_protocol"], r["from_port"], r["to_port"], r["group"], r["ip_range"]) for r in shown["rules"]]
    assert sorted(seen, key=str) == sorted(
        [
            ("tcp", 22, 23, {}, {"cidr": "10.0.0.0/8"}),
            ("tcp", 1, 65535, {"name": "web", "tenant_id": shown["tenant_id"]}, {}),
            (None, None, None, {}, {"cidr": "::/0"}),
        ],
        key=str,
    )
