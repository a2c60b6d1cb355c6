"""Security groups as clients see them: what the security-group tests of ``tempest.api.network`` assert, and more."""

from __future__ import annotations

from typing import Any

import pytest
from networking_cloud import Cloud

from support.clients import Client

NOBODY = "6b2f7f2e-0000-4000-8000-000000000000"


def made(client: Client, path: str, /, **wanted: Any) -> dict[str, Any]:
    resource = path.replace("-", "_").removesuffix("s")
    answer = client.post(f"/v2.0/{path}", json={resource: wanted})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[resource]
    return found


def group(client: Client, **wanted: Any) -> dict[str, Any]:
    return made(client, "security-groups", **wanted)


def rule(client: Client, of: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    return made(client, "security-group-rules", security_group_id=of["id"], **{"direction": "ingress", **wanted})


def fault(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["NeutronError"]["type"]


def listed(client: Client, path: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v2.0/{path}{query}").json()[path.replace("-", "_")]
    return found


def test_a_group_lives_from_its_making_to_its_deletion(alice: Client, rita: Client) -> None:
    mine = group(alice, name="web", description="servers")
    assert (mine["name"], mine["stateful"], mine["shared"], mine["tags"]) == ("web", True, False, [])
    assert {(r["direction"], r["ethertype"]) for r in mine["security_group_rules"]} == {
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    }
    path = f"/v2.0/security-groups/{mine['id']}"
    changed = alice.put(path, json={"security_group": {"name": "new", "description": "d", "stateful": False}}).json()
    assert rita.get(path).json() == changed
    assert changed["security_group"]["stateful"] is False
    assert mine["id"] in {g["id"] for g in listed(rita, "security-groups")}
    ingress = rule(alice, mine, protocol="tcp")
    assert alice.delete(path).status_code == 204
    assert mine["id"] not in {g["id"] for g in listed(alice, "security-groups")}
    assert ingress["id"] not in {r["id"] for r in listed(alice, "security-group-rules")}
    assert fault(alice.get(path)) == (404, "SecurityGroupNotFound")
    assert fault(alice.delete(f"/v2.0/security-groups/{NOBODY}")) == (404, "SecurityGroupNotFound")
    assert alice.get("/v2.0/security-groups/some-name").status_code == 404
    assert fault(alice.get(f"/v2.0/security-group-rules/{NOBODY}")) == (404, "SecurityGroupRuleNotFound")


def test_a_rule_is_shown_as_it_was_made(alice: Client) -> None:
    mine = group(alice)
    made_rule = rule(
        alice,
        mine,
        protocol="tcp",
        port_range_min=76,
        port_range_max=77,
        remote_ip_prefix="10.0.0.34/24",
        description="d",
    )
    shown = alice.get(f"/v2.0/security-group-rules/{made_rule['id']}").json()["security_group_rule"]
    assert shown == made_rule
    assert (
        shown
        | {
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": 76,
            "port_range_max": 77,
            "remote_ip_prefix": "10.0.0.34/24",
            "normalized_cidr": "10.0.0.0/24",
            "remote_group_id": None,
            "remote_address_group_id": None,
            "belongs_to_default_sg": False,
            "project_id": "red",
            "description": "d",
            "revision_number": 1,
        }
        == shown
    )
    assert alice.put(f"/v2.0/security-group-rules/{shown['id']}", json={}).status_code == 405
    parent = alice.get(f"/v2.0/security-groups/{mine['id']}").json()["security_group"]
    assert made_rule in parent["security_group_rules"]
    assert parent["revision_number"] == 2
    assert alice.delete(f"/v2.0/security-group-rules/{shown['id']}").status_code == 204


@pytest.mark.parametrize(("kind", "code"), [(3, 2), (3, 0), (8, 0), (0, 0), (11, None)])
def test_a_rule_names_icmp_type_and_code(alice: Client, kind: int, code: int | None) -> None:
    mine = group(alice)
    for ethertype, protocol in (("IPv4", "icmp"), ("IPv6", "ipv6-icmp")):
        found = rule(alice, mine, ethertype=ethertype, protocol=protocol, port_range_min=kind, port_range_max=code)
        assert (found["protocol"], found["port_range_min"], found["port_range_max"]) == (protocol, kind, code)


def test_a_protocol_may_be_a_number(alice: Client) -> None:
    assert rule(alice, group(alice), protocol=17)["protocol"] == "17"


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ({"protocol": "bad_protocol_name"}, 400, "bad_protocol_name"),
        ({"remote_ip_prefix": "192.168.1.1/33"}, 400, "192.168.1.1/33"),
        ({"remote_group_id": "bad_group_id"}, 404, "bad_group_id"),
        ({"remote_group_id": NOBODY}, 404, NOBODY),
        ({"remote_address_group_id": NOBODY}, 404, NOBODY),
        ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": NOBODY}, 400, "Only one of remote_ip_prefix"),
        ({"ethertype": "bad_ethertype"}, 400, "bad_ethertype"),
        ({"port_range_min": -16, "port_range_max": 80}, 400, "Invalid value for port -16"),
        ({"port_range_min": None, "port_range_max": 6}, 400, "port_range_min must be <= port_range_max"),
        ({"protocol": "icmp", "port_range_min": 1, "port_range_max": 256}, 400, "Invalid value for ICMP code"),
        ({"protocol": "icmp", "port_range_min": None, "port_range_max": 6}, 400, "(port-range-min) is missing"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "10.100.0.0/16"}, 400, "Conflicting value ethertype"),
        ({"security_group_id": NOBODY}, 404, NOBODY),
        ({"direction": "sideways"}, 400, "sideways"),
        ({"protocol": {}}, 400, "Invalid input for protocol"),
        ({"port_range_min": 10**30}, 400, "Invalid input for port_range_min"),
        ({"remote_group_id": 7}, 400, "Invalid input for remote_group_id"),
        ({"pond": 1}, 400, "Unrecognized attribute(s) 'pond'"),
        ({"id": NOBODY}, 400, "not allowed in POST"),
    ],
)
def test_a_wrong_rule_is_refused(alice: Client, wanted: dict[str, Any], status: int, words: str) -> None:
    body = {"security_group_id": group(alice)["id"], "direction": "ingress", "protocol": "tcp", **wanted}
    answer = alice.post("/v2.0/security-group-rules", json={"security_group_rule": body})
    assert answer.status_code == status
    assert words in answer.json()["NeutronError"]["message"]


def test_conflicts_are_answered_as_neutron_does(alice: Client) -> None:
    mine = group(alice)
    values = {"protocol": "tcp", "port_range_min": 66, "port_range_max": 67}
    rule(alice, mine, **values)
    body = {"security_group_id": mine["id"], "direction": "ingress", **values}
    again = alice.post("/v2.0/security-group-rules", json={"security_group_rule": body})
    assert fault(again) == (409, "SecurityGroupRuleExists")
    default = alice.post("/v2.0/security-groups", json={"security_group": {"name": "default"}})
    assert fault(default) == (409, "SecurityGroupDefaultAlreadyExists")
    path = f"/v2.0/security-groups/{mine['id']}"
    (own,) = listed(alice, "security-groups", "?name=default")
    for its_path in (path, f"/v2.0/security-groups/{own['id']}"):
        renamed = alice.put(its_path, json={"security_group": {"name": "Default"}})
        assert fault(renamed) == (409, "SecurityGroupDefaultAlreadyExists")
    other = alice.put(f"/v2.0/security-groups/{own['id']}", json={"security_group": {"name": "other"}})
    assert fault(other) == (409, "SecurityGroupCannotUpdateDefault")
    assert fault(alice.delete(f"/v2.0/security-groups/{own['id']}")) == (409, "SecurityGroupCannotRemoveDefault")


def test_rules_and_groups_are_made_many_at_once(alice: Client, admin: Client) -> None:
    groups = alice.post("/v2.0/security-groups", json={"security_groups": [{"name": "a"}, {"name": "b"}]})
    first, second = groups.json()["security_groups"]
    assert [first["name"], second["name"]] == ["a", "b"]
    rules = [{"security_group_id": first["id"], "direction": "ingress", "protocol": n} for n in range(5)]
    answer = alice.post("/v2.0/security-group-rules", json={"security_group_rules": rules})
    assert [r["protocol"] for r in answer.json()["security_group_rules"]] == ["0", "1", "2", "3", "4"]
    twice = alice.post("/v2.0/security-group-rules", json={"security_group_rules": [rules[0] | {"protocol": 9}] * 2})
    assert fault(twice) == (409, "DuplicateSecurityGroupRuleInPost")
    two_groups = [rules[0] | {"protocol": 9}, rules[0] | {"security_group_id": second["id"]}]
    answer = alice.post("/v2.0/security-group-rules", json={"security_group_rules": two_groups})
    assert fault(answer) == (400, "SecurityGroupNotSingleGroupRules")
    two_projects = [rules[0] | {"protocol": 9, "project_id": owner} for owner in ("red", "blue")]
    answer = admin.post("/v2.0/security-group-rules", json={"security_group_rules": two_projects})
    assert fault(answer) == (400, "SecurityGroupRulesNotSingleProject")
    shown = alice.get(f"/v2.0/security-groups/{first['id']}").json()["security_group"]
    assert (len(shown["security_group_rules"]), shown["revision_number"]) == (7, 2)


def test_rules_are_found_by_what_they_say(alice: Client) -> None:
    mine, other = group(alice), group(alice)
    ssh = rule(alice, mine, protocol="tcp", port_range_min=22, port_range_max=22, remote_group_id=other["id"])
    for query in (
        f"?security_group_id={mine['id']}&direction=ingress",
        "?port_range_min=22",
        "?protocol=tcp",
        f"?remote_group_id={other['id']}",
        f"?id={ssh['id']}",
    ):
        assert [r["id"] for r in listed(alice, "security-group-rules", query)] == [ssh["id"]]
    ids = [r["id"] for r in listed(alice, "security-group-rules", f"?security_group_id={mine['id']}&sort_key=id")]
    assert ids == sorted(ids)
    assert len(ids) == 3
    fields = listed(alice, "security-group-rules", f"?id={ssh['id']}&fields=protocol&fields=remote_group_id")
    assert fields == [{"protocol": "tcp", "remote_group_id": other["id"]}]


def test_a_port_has_its_projects_default_group_unless_it_says_otherwise(alice: Client, admin: Client) -> None:
    network = made(alice, "networks")["id"]
    port = made(alice, "ports", network_id=network)
    (default,) = listed(alice, "security-groups", "?name=default")
    assert port["security_groups"] == [default["id"]]
    assert {r["remote_group_id"] for r in default["security_group_rules"]} == {None, default["id"]}
    assert all(r["belongs_to_default_sg"] for r in default["security_group_rules"])
    web = group(alice)["id"]
    for given, expected in (([], []), (None, []), ([web], [web]), ([web, default["id"]], sorted([web, default["id"]]))):
        assert made(alice, "ports", network_id=network, security_groups=given)["security_groups"] == expected
    path = f"/v2.0/ports/{port['id']}"
    assert alice.put(path, json={"port": {"security_groups": [web]}}).json()["port"]["security_groups"] == [web]
    assert port["id"] in {p["id"] for p in listed(alice, "ports", f"?security_groups={web}")}
    assert fault(alice.delete(f"/v2.0/security-groups/{web}")) == (409, "SecurityGroupInUse")
    assert fault(alice.delete(f"/v2.0/security-groups/{default['id']}")) == (409, "SecurityGroupInUse")
    for given in (["x"], "x", [web, web], [NOBODY]):
        answer = alice.put(path, json={"port": {"security_groups": given}})
        assert answer.status_code == (404 if given == [NOBODY] else 400)
    off = alice.put(path, json={"port": {"port_security_enabled": False}})
    assert fault(off) == (409, "PortSecurityPortHasSecurityGroup")
    both = {"port_security_enabled": False, "security_groups": []}
    assert alice.put(path, json={"port": both}).json()["port"]["port_security_enabled"] is False
    assert made(admin, "ports", network_id=network, project_id="red")["security_groups"] == [default["id"]]


def test_a_port_may_send_from_more_addresses(alice: Client, admin: Client, bob: Client) -> None:
    network = made(alice, "networks")["id"]
    pairs = [{"ip_address": "10.0.0.9"}, {"ip_address": "10.1.0.7/16", "mac_address": "fa:16:3e:00:00:01"}]
    port = made(alice, "ports", network_id=network, allowed_address_pairs=pairs)
    assert port["allowed_address_pairs"] == [
        {"ip_address": "10.0.0.9", "mac_address": port["mac_address"]},
        {"ip_address": "10.1.0.0/16", "mac_address": "fa:16:3e:00:00:01"},
    ]
    path = f"/v2.0/ports/{port['id']}"
    for given in ([], None):
        assert (
            alice.put(path, json={"port": {"allowed_address_pairs": given}}).json()["port"]["allowed_address_pairs"]
            == []
        )
    for wrong in (
        "x",
        [{}],
        [{"mac_address": "fa:16:3e:00:00:01"}],
        [{"ip_address": "x"}],
        [{"ip_address": None}],
        [{"ip_address": "10.0.0.0/99"}],
        [{"ip_address": "224.0.0.1"}],
        [{"ip_address": "ff02::/16"}],
        [{"ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"}],
        [{"ip_address": "10.0.0.1", "mac_address": None}],
        [{"ip_address": "10.0.0.1", "active": True}],
        [{"ip_address": f"10.0.0.{n}"} for n in range(11)],
        [{"ip_address": "10.0.0.1"}] * 2,
        ["10.0.0.1"],
    ):
        answer = alice.put(path, json={"port": {"allowed_address_pairs": wrong}})
        assert answer.status_code == 400, wrong
    for wide in ("0.0.0.0/0", "::/0"):
        given = [{"ip_address": wide}]
        shown = alice.put(path, json={"port": {"allowed_address_pairs": given}}).json()["port"]
        assert shown["allowed_address_pairs"][0]["ip_address"] == wide
    shared = made(admin, "networks", shared=True)["id"]
    theirs = made(bob, "ports", network_id=shared)
    for given in ([{"ip_address": "1.1.1.1"}], []):
        answer = bob.put(f"/v2.0/ports/{theirs['id']}", json={"port": {"allowed_address_pairs": given}})
        assert answer.status_code == 403
    body = {"network_id": shared, "allowed_address_pairs": [{"ip_address": "1.1.1.1"}]}
    assert bob.post("/v2.0/ports", json={"port": body}).status_code == 403


def test_nobody_but_its_owner_changes_or_sees_a_group(alice: Client, rita: Client, bob: Client, admin: Client) -> None:
    mine = group(alice)
    path, rules = f"/v2.0/security-groups/{mine['id']}", "/v2.0/security-group-rules"
    one = f"{rules}/{mine['security_group_rules'][0]['id']}"
    body = {"security_group_rule": {"security_group_id": mine["id"], "direction": "ingress"}}
    update = {"security_group": {"name": "x"}}
    for client, status in ((bob, 404), (rita, 403)):
        assert client.put(path, json=update).status_code == status
        assert client.post(rules, json=body).status_code == status
        assert client.delete(one).status_code == status
        assert client.delete(path).status_code == status
        assert client.put(f"{path}/tags/t").status_code == status
    assert (bob.get(path).status_code, bob.get(one).status_code) == (404, 404)
    assert (rita.get(path).status_code, rita.get(one).status_code) == (200, 200)
    assert rita.post("/v2.0/security-groups", json={"security_group": {}}).status_code == 403
    assert bob.post("/v2.0/security-groups", json={"security_group": {"project_id": "red"}}).status_code == 400
    assert admin.post(rules, json=body).json()["security_group_rule"]["project_id"] == "operations"
    shown = alice.get(path).json()["security_group"]["security_group_rules"]
    foreign = next(r for r in shown if r["project_id"] == "operations")
    assert foreign["id"] in {r["id"] for r in listed(alice, "security-group-rules")}
    assert alice.delete(f"{rules}/{foreign['id']}").status_code == 204


def test_reading_makes_nothing(cloud: Cloud, bob: Client, admin: Client) -> None:
    before = cloud.store.snapshot
    for path in ("security-groups", "security-groups?project_id=nobody", "security-group-rules", "address-groups"):
        assert bob.get(f"/v2.0/{path}").status_code == 200
        assert admin.get(f"/v2.0/{path}").status_code == 200
    assert cloud.store.snapshot is before


def test_a_group_has_tags(alice: Client) -> None:
    mine = group(alice, tags=["b", "a"])
    path = f"/v2.0/security-groups/{mine['id']}/tags"
    assert alice.get(path).json() == {"tags": ["a", "b"]}
    assert alice.put(f"{path}/c").status_code == 201
    assert [g["id"] for g in listed(alice, "security-groups", "?tags=a,c")] == [mine["id"]]


def test_an_address_group_is_changed_by_adding_and_removing(alice: Client, rita: Client, bob: Client) -> None:
    mine = made(alice, "address-groups", name="ag", addresses=["10.10.10.3/32", "192.168.0.10/24", "2001:db8::f00/64"])
    assert mine["addresses"] == ["10.10.10.3/32", "192.168.0.0/24", "2001:db8::/64"]
    path = f"/v2.0/address-groups/{mine['id']}"
    added = alice.put(f"{path}/add_addresses", json={"addresses": ["10.20.30.40/32"]})
    assert added.json()["address_group"]["addresses"] == sorted([*mine["addresses"], "10.20.30.40/32"])
    removed = alice.put(f"{path}/remove_addresses", json={"addresses": ["10.20.30.40"]})
    assert removed.json()["address_group"]["addresses"] == mine["addresses"]
    assert alice.put(path, json={"address_group": {"name": "new"}}).json()["address_group"]["name"] == "new"
    wrong = {"addresses": ["this is bad IP address"]}
    for answer in (
        alice.put(f"{path}/add_addresses", json=wrong),
        alice.put(f"{path}/remove_addresses", json=wrong),
        alice.put(f"{path}/add_addresses", json={}),
        alice.put(path, json={"address_group": {"addresses": []}}),
        alice.post("/v2.0/address-groups", json={"address_group": {"addresses": ["10.20.30.40"]}}),
    ):
        assert answer.status_code == 400
    assert alice.put(f"{path}/remove_addresses", json={"addresses": ["10.200.200.200"]}).status_code == 404
    assert bob.get(path).status_code == 404
    assert bob.put(f"{path}/add_addresses", json={"addresses": ["10.1.1.1"]}).status_code == 404
    assert rita.put(f"{path}/add_addresses", json={"addresses": ["10.1.1.1"]}).status_code == 403
    naming = rule(alice, group(alice), remote_address_group_id=mine["id"])
    assert fault(alice.delete(path)) == (409, "AddressGroupInUse")
    assert naming["remote_address_group_id"] == mine["id"]
    assert alice.delete(f"/v2.0/security-group-rules/{naming['id']}").status_code == 204
    assert alice.delete(path).status_code == 204


def test_everybody_sees_and_administrators_choose_what_groups_begin_with(alice: Client, admin: Client) -> None:
    path = "default-security-group-rules"
    found = listed(alice, path)
    shown = {(r["direction"], r["ethertype"], r["remote_group_id"], r["used_in_non_default_sg"]) for r in found}
    assert shown == {
        ("egress", "IPv4", None, True),
        ("egress", "IPv6", None, True),
        ("ingress", "IPv4", "PARENT", False),
        ("ingress", "IPv6", "PARENT", False),
    }
    wanted = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    assert alice.post(f"/v2.0/{path}", json={"default_security_group_rule": wanted}).status_code == 403
    ssh = made(admin, path, **wanted)
    assert (ssh["used_in_default_sg"], ssh["used_in_non_default_sg"]) == (False, True)
    assert [r["port_range_min"] for r in group(alice)["security_group_rules"] if r["direction"] == "ingress"] == [22]
    assert alice.delete(f"/v2.0/{path}/{ssh['id']}").status_code == 403
    assert admin.delete(f"/v2.0/{path}/{ssh['id']}").status_code == 204
    assert admin.delete(f"/v2.0/{path}/{found[0]['id']}").status_code == 204
    assert admin.get(f"/v2.0/{path}/{found[0]['id']}").status_code == 404
    assert listed(alice, path) == [r for r in found if r["id"] != found[0]["id"]]
