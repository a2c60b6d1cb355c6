"""Security groups, their rules, address groups, and what they mean for ports: decisions."""

from __future__ import annotations

from typing import Any

import pytest
from deciding import ADMIN, ALICE, BOB, Cloud, refused

from netglass.control.address_groups import (
    decide_add_addresses,
    decide_create_address_group,
    decide_delete_address_group,
    decide_remove_addresses,
)
from netglass.control.default_rules import (
    decide_create_default_rule,
    decide_delete_default_rule,
    default_rules,
)
from netglass.control.identity import decide_create_project, decide_delete_project, ensure_cloud
from netglass.control.security_group_rules import decide_create_rule, decide_delete_rule
from netglass.control.security_groups import (
    decide_create_group,
    decide_delete_group,
    decide_update_group,
    default_group,
    ensure_default_group,
)
from netglass.model.caller import Caller
from netglass.model.claims import claims
from netglass.model.resources import (
    DEFAULT_GROUP,
    AddressGroup,
    AddressPair,
    DefaultRule,
    Project,
    SecurityGroup,
    SecurityGroupRule,
)
from netglass.model.rules import PROTOCOL_NUMBERS, protocol_number


def group(cloud: Cloud, caller: Caller = ALICE, **wanted: Any) -> SecurityGroup:
    return cloud.decide(lambda d: decide_create_group(d, wanted), caller)


def rule(cloud: Cloud, of: SecurityGroup, caller: Caller = ALICE, **wanted: Any) -> SecurityGroupRule:
    values = {"security_group_id": of.id, "direction": "ingress", **wanted}
    return cloud.decide(lambda d: decide_create_rule(d, values), caller)


def rules_of(cloud: Cloud, of: SecurityGroup) -> set[tuple[str, str, str]]:
    found = cloud.snapshot.rows("security_group_rules_by_group", of.id)
    return {(r.direction, r.ethertype, r.remote_group_id) for r in found}


def default_of(cloud: Cloud, project: str = "alice") -> SecurityGroup:
    found = default_group(cloud.snapshot, project)
    assert found is not None
    return found


# The default group


def test_the_first_port_brings_the_default_group_which_lets_its_members_in_and_everything_out() -> None:
    cloud = Cloud()
    port = cloud.port(cloud.network())
    default = default_of(cloud)
    assert port.security_group_ids == (default.id,)
    assert rules_of(cloud, default) == {
        ("egress", "IPv4", ""),
        ("egress", "IPv6", ""),
        ("ingress", "IPv4", default.id),
        ("ingress", "IPv6", default.id),
    }
    assert claims(default) == (("default_group", "alice"),)


def test_a_project_has_one_default_group_however_often_it_is_asked_for() -> None:
    cloud = Cloud()
    cloud.decide(lambda d: [ensure_default_group(d, "alice") for _ in range(3)])
    cloud.port(cloud.network())
    group(cloud)
    assert [g.name for g in cloud.snapshot.rows("security_groups_by_project", "alice")].count(DEFAULT_GROUP) == 1


def test_a_project_is_born_with_its_default_group_and_takes_it_along() -> None:
    cloud = Cloud()
    project = cloud.decide(lambda d: decide_create_project(d, {"name": "p"}), ADMIN)
    assert default_group(cloud.snapshot, project.id) is not None
    cloud.decide(lambda d: decide_delete_project(d, project.id), ADMIN)
    assert cloud.snapshot.count(SecurityGroup) == cloud.snapshot.count(SecurityGroupRule) == 0


def test_projects_of_an_older_version_are_given_theirs_at_start() -> None:
    cloud = Cloud(Project(id="old", name="old"))
    cloud.decide(lambda d: ensure_cloud(d, ()), ADMIN)
    assert default_group(cloud.snapshot, "old") is not None


def test_the_default_group_keeps_its_name_and_stays() -> None:
    cloud = Cloud()
    group(cloud)
    default = default_of(cloud)
    with refused("SecurityGroupCannotUpdateDefault", 409):
        cloud.decide(lambda d: decide_update_group(d, default, {"name": "other"}))
    changed = cloud.decide(lambda d: decide_update_group(d, default, {"description": "ours"}))
    assert changed.description == "ours"
    with refused("SecurityGroupCannotRemoveDefault", 409):
        cloud.decide(lambda d: decide_delete_group(d, changed))
    cloud.decide(lambda d: decide_delete_group(d, changed), ADMIN)
    assert default_group(cloud.snapshot, "alice") is None
    port = cloud.port(cloud.network(), security_group_ids=())
    assert port.security_group_ids == ()
    assert default_group(cloud.snapshot, "alice") is not None


@pytest.mark.parametrize("name", ["default", "Default", "DEFAULT"])
def test_no_other_group_is_called_default(name: str) -> None:
    cloud = Cloud()
    with refused("SecurityGroupDefaultAlreadyExists", 409):
        group(cloud, name=name)
    mine = group(cloud, name="web")
    with refused("SecurityGroupDefaultAlreadyExists", 409):
        cloud.decide(lambda d: decide_update_group(d, mine, {"name": name}))


# Groups


def test_a_new_group_lets_everything_out_and_nothing_in() -> None:
    cloud = Cloud()
    mine = group(cloud, name="web")
    assert rules_of(cloud, mine) == {("egress", "IPv4", ""), ("egress", "IPv6", "")}
    assert (mine.stateful, mine.project_id) == (True, "alice")


def test_quotas_count_groups_and_the_rules_they_begin_with() -> None:
    cloud = Cloud(default_quotas={"security_group": 2, "security_group_rule": 7})
    mine = group(cloud)
    with refused("OverQuota", 409, "['security_group']"):
        group(cloud)
    rule(cloud, mine)
    with refused("OverQuota", 409, "['security_group_rule']"):
        rule(cloud, mine, protocol="tcp")
    roomy = Cloud(default_quotas={"security_group_rule": 5})
    group(roomy)
    with refused("OverQuota", 409, "['security_group_rule']"):
        group(roomy)


def test_a_group_in_use_stays_and_keeps_its_statefulness() -> None:
    cloud = Cloud()
    mine = group(cloud)
    port = cloud.port(cloud.network(), security_group_ids=(mine.id,))
    with refused("SecurityGroupInUse", 409, f"Security Group {mine.id} in use."):
        cloud.decide(lambda d: decide_delete_group(d, mine))
    with refused("SecurityGroupInUse", 409):
        cloud.decide(lambda d: decide_update_group(d, mine, {"stateful": False}))
    cloud.update(port, security_group_ids=())
    stateless = cloud.decide(lambda d: decide_update_group(d, mine, {"stateful": False}))
    assert not stateless.stateful
    cloud.decide(lambda d: decide_delete_group(d, stateless))
    assert not cloud.snapshot.rows("security_group_rules_by_group", mine.id)


def test_a_group_that_goes_takes_the_rules_that_name_it_along() -> None:
    cloud = Cloud()
    web, database = group(cloud), group(cloud)
    naming = rule(cloud, database, remote_group_id=web.id)
    before = cloud.now(database).revision_number
    cloud.decide(lambda d: decide_delete_group(d, web))
    assert cloud.snapshot.get(SecurityGroupRule, naming.id) is None
    assert cloud.now(database).revision_number == before + 1


def test_another_projects_group_is_a_secret() -> None:
    cloud = Cloud()
    mine = group(cloud)
    with refused("SecurityGroupNotFound", 404, f"Security group {mine.id} does not exist"):
        cloud.decide(lambda d: decide_delete_group(d, mine), BOB)
    with refused("SecurityGroupNotFound", 404):
        rule(cloud, mine, BOB)
    with refused("SecurityGroupNotFound", 404):
        rule(cloud, group(cloud, BOB), BOB, remote_group_id=mine.id)
    bobs = cloud.network(BOB)
    with refused("SecurityGroupNotFound", 404):
        cloud.port(bobs, BOB, security_group_ids=(mine.id,))
    port = cloud.port(bobs, BOB)
    with refused("SecurityGroupNotFound", 404):
        cloud.update(port, BOB, security_group_ids=(mine.id,))


# Rules


@pytest.mark.parametrize(
    ("wanted", "fault", "words"),
    [
        ({"protocol": "bad_protocol_name"}, "SecurityGroupRuleInvalidProtocol", "bad_protocol_name not supported"),
        ({"protocol": 256}, "SecurityGroupRuleInvalidProtocol", "256"),
        ({"protocol": -1}, "SecurityGroupRuleInvalidProtocol", "-1"),
        ({"protocol": True}, "SecurityGroupRuleInvalidProtocol", "True"),
        ({"protocol": "9" * 5000}, "SecurityGroupRuleInvalidProtocol", "…"),
        ({"protocol": "\u0661"}, "SecurityGroupRuleInvalidProtocol", ""),
        ({"ethertype": "bad_ethertype"}, "SecurityGroupRuleInvalidEtherType", "bad_ethertype"),
        ({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}, "SecurityGroupInvalidPortValue", "port -16"),
        (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 79},
            "SecurityGroupInvalidPortRange",
            "must be <=",
        ),
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 65536}, "SecurityGroupInvalidPortValue", "65536"),
        ({"protocol": "tcp", "port_range_max": 6}, "SecurityGroupInvalidPortRange", "port_range_min must be <="),
        ({"protocol": "tcp", "port_range_min": 6}, "SecurityGroupInvalidPortRange", "port_range_min must be <="),
        ({"protocol": "udp", "port_range_min": 0, "port_range_max": 5}, "SecurityGroupInvalidPortValue", "port 0"),
        ({"port_range_min": 80, "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts", "specify protocol"),
        ({"protocol": "vrrp", "port_range_min": 8, "port_range_max": 8}, "SecurityGroupInvalidProtocolForPort", "112"),
        (
            {"protocol": "icmp", "port_range_min": 1, "port_range_max": 256},
            "SecurityGroupInvalidIcmpValue",
            "ICMP code",
        ),
        ({"protocol": "icmp", "port_range_min": -1, "port_range_max": 25}, "SecurityGroupInvalidPortValue", "-1"),
        ({"protocol": "icmp", "port_range_max": 6}, "SecurityGroupMissingIcmpType", "ICMP type (port-range-min) is"),
        (
            {"protocol": "icmp", "port_range_min": 300, "port_range_max": 1},
            "SecurityGroupInvalidIcmpValue",
            "ICMP type",
        ),
        ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4"),
        ({"protocol": "58"}, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4"),
        ({"protocol": "ipv6-frag"}, "SecurityGroupEthertypeConflictWithProtocol", "ipv6-frag"),
        ({"remote_ip_prefix": "192.168.1./24"}, "InvalidCIDR", "192.168.1./24"),
        ({"remote_ip_prefix": "192.168.1.1/33"}, "InvalidCIDR", "192.168.1.1/33"),
        ({"remote_ip_prefix": "bad_prefix"}, "InvalidCIDR", "bad_prefix"),
        ({"remote_ip_prefix": "256"}, "InvalidCIDR", "256"),
        ({"remote_ip_prefix": "fe80::1%eth0/64"}, "InvalidCIDR", "fe80"),
        ({"remote_ip_prefix": 256}, "InvalidCIDR", "256"),
        ({"remote_ip_prefix": "10.0.0.0/8\n-j ACCEPT"}, "InvalidCIDR", ""),
        ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, "SecurityGroupRuleParameterConflict", "Conflicting"),
        ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype IPv4"),
        ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "x"}, "SecurityGroupMultipleRemoteEntites", "Only one"),
        ({"remote_group_id": "x", "remote_address_group_id": "y"}, "SecurityGroupMultipleRemoteEntites", "Only one"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_neutrons_words(wanted: dict[str, Any], fault: str, words: str) -> None:
    cloud = Cloud()
    mine = group(cloud)
    before = cloud.snapshot
    with refused(fault, 400, words):
        rule(cloud, mine, **wanted)
    assert cloud.snapshot is before


@pytest.mark.parametrize("missing", ["bad_group_id", "6b2f7f2e-0000-4000-8000-000000000000"])
def test_a_rule_names_only_what_there_is(missing: str) -> None:
    cloud = Cloud()
    mine = group(cloud)
    with refused("SecurityGroupNotFound", 404):
        rule(cloud, mine, remote_group_id=missing)
    with refused("AddressGroupNotFound", 404):
        rule(cloud, mine, remote_address_group_id=missing)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({"protocol": 17}, {"protocol": "17"}),
        ({"protocol": "017"}, {"protocol": "17"}),
        ({"protocol": "TCP"}, {"protocol": "tcp"}),
        ({"protocol": "any"}, {"protocol": ""}),
        ({"protocol": "icmpv6", "ethertype": "ipv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
        ({"protocol": 1, "ethertype": "IPv6"}, {"protocol": "58"}),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, {"port_range_min": None}),
        ({"protocol": "tcp", "port_range_min": "22", "port_range_max": 22}, {"port_range_min": 22}),
        ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}, {"port_range_max": 0}),
        ({"protocol": "icmp", "port_range_min": 11}, {"port_range_min": 11, "port_range_max": None}),
        ({"remote_ip_prefix": "10.0.0.7"}, {"remote_ip_prefix": "10.0.0.7/32", "spelled_prefix": ""}),
        ({"remote_ip_prefix": "10.0.0.7/24"}, {"remote_ip_prefix": "10.0.0.0/24", "spelled_prefix": "10.0.0.7/24"}),
        (
            {"remote_ip_prefix": "FD00:0::/8", "ethertype": "IPv6"},
            {"remote_ip_prefix": "fd00::/8", "spelled_prefix": ""},
        ),
    ],
)
def test_a_rule_is_kept_in_its_canonical_form(wanted: dict[str, Any], kept: dict[str, Any]) -> None:
    cloud = Cloud()
    made = rule(cloud, group(cloud), **wanted)
    assert {name: getattr(made, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"protocol": "tcp", "port_range_min": 66, "port_range_max": 67}, {}),
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "58", "ethertype": "IPv6"}),
        ({}, {"remote_ip_prefix": "0.0.0.0/0"}),
        ({"description": "a"}, {"description": "b"}),
    ],
)
def test_the_same_rule_is_not_made_twice(first: dict[str, Any], second: dict[str, Any]) -> None:
    cloud = Cloud()
    mine = group(cloud)
    made = rule(cloud, mine, **first)
    again = {"security_group_id": mine.id, "direction": "ingress", **(second or first)}
    with refused("SecurityGroupRuleExists", 409, f"Rule id is {made.id}."):
        cloud.decide(lambda d: decide_create_rule(d, again))
    other = {**again, "protocol": "udp", "ethertype": "IPv4"}
    with refused("DuplicateSecurityGroupRuleInPost", 409):
        cloud.decide(lambda d: [decide_create_rule(d, other) for _ in range(2)])
    rule(cloud, mine, **{**first, "direction": "egress", "protocol": "udp"})


def test_a_groups_revision_rises_once_with_each_request_that_changes_its_rules() -> None:
    cloud = Cloud()
    mine = group(cloud)
    wanted = [{"security_group_id": mine.id, "direction": "ingress", "protocol": p} for p in ("tcp", "udp")]
    tcp, _ = cloud.decide(lambda d: [decide_create_rule(d, w) for w in wanted])
    assert cloud.now(mine).revision_number == 2
    cloud.decide(lambda d: decide_delete_rule(d, tcp))
    assert cloud.now(mine).revision_number == 3


def test_every_protocol_has_a_number() -> None:
    assert [protocol_number(str(n)) for n in range(256)] == list(range(256))
    assert all(protocol_number(name) == number for name, number in PROTOCOL_NUMBERS.items())
    assert [protocol_number(text) for text in ("", "any", "256", "-1", "tcpx")] == [None] * 5


# Rules that groups begin with


def test_administrators_choose_what_groups_begin_with() -> None:
    cloud = Cloud()
    before = group(cloud)
    ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    made = cloud.decide(lambda d: decide_create_default_rule(d, ssh), ADMIN)
    outward = next(r for r in default_rules(cloud.snapshot) if (r.direction, r.ethertype) == ("egress", "IPv6"))
    cloud.decide(lambda d: decide_delete_default_rule(d, outward), ADMIN)
    after = group(cloud)
    assert rules_of(cloud, before) == {("egress", "IPv4", ""), ("egress", "IPv6", "")}
    assert rules_of(cloud, after) == {("egress", "IPv4", ""), ("ingress", "IPv4", "")}
    cloud.decide(lambda d: decide_delete_default_rule(d, made), ADMIN)
    assert len(default_rules(cloud.snapshot)) == 3


def test_two_default_rules_are_the_same_only_for_the_same_groups() -> None:
    cloud = Cloud()
    both = {"direction": "ingress", "protocol": "tcp", "used_in_default_sg": True, "used_in_non_default_sg": True}
    cloud.decide(lambda d: decide_create_default_rule(d, both), ADMIN)
    for one in ("used_in_default_sg", "used_in_non_default_sg"):
        with refused("DefaultSecurityGroupRuleExists", 409):
            cloud.decide(lambda d, one=one: decide_create_default_rule(d, both | {one: False}), ADMIN)
    kept = {**both, "protocol": "udp", "used_in_default_sg": False}
    cloud.decide(lambda d: decide_create_default_rule(d, kept), ADMIN)
    other = kept | {"used_in_default_sg": True, "used_in_non_default_sg": False}
    cloud.decide(lambda d: decide_create_default_rule(d, other), ADMIN)


def test_a_default_rule_whose_remote_side_is_gone_is_left_out() -> None:
    rows = [DefaultRule(id="x", direction="ingress", remote_group_id="gone", used_in_non_default_sg=True)]
    cloud = Cloud(*rows)
    assert rules_of(cloud, group(cloud)) == {("egress", "IPv4", ""), ("egress", "IPv6", "")}


# Address groups


def test_an_address_group_holds_blocks_each_once() -> None:
    cloud = Cloud()
    wanted = {"addresses": ("10.10.10.3/32", "192.168.0.10/24", "2001:db8::f00/64", "192.168.0.0/24")}
    made: AddressGroup = cloud.decide(lambda d: decide_create_address_group(d, wanted))
    assert made.addresses == ("10.10.10.3/32", "192.168.0.0/24", "2001:db8::/64")
    with refused("AddressesAlreadyExist", 400, "192.168.0.0/24"):
        cloud.decide(lambda d: decide_add_addresses(d, made, ["192.168.0.1/24"]))
    more = cloud.decide(lambda d: decide_add_addresses(d, made, ["10.20.30.40"]))
    assert more.addresses[1] == "10.20.30.40/32"
    with refused("AddressesNotFound", 404, "10.200.200.200/32"):
        cloud.decide(lambda d: decide_remove_addresses(d, more, ["10.200.200.200"]))
    fewer = cloud.decide(lambda d: decide_remove_addresses(d, more, ["10.20.30.40"]))
    assert fewer.addresses == made.addresses
    with refused("AddressGroupNotFound", 404):
        cloud.decide(lambda d: decide_add_addresses(d, fewer, ["10.1.1.1"]), BOB)


def test_an_address_group_that_a_rule_names_stays() -> None:
    cloud = Cloud()
    addresses = cloud.decide(lambda d: decide_create_address_group(d, {}))
    naming = rule(cloud, group(cloud), remote_address_group_id=addresses.id)
    with refused("AddressGroupInUse", 409):
        cloud.decide(lambda d: decide_delete_address_group(d, addresses))
    cloud.decide(lambda d: decide_delete_rule(d, naming))
    cloud.decide(lambda d: decide_delete_address_group(d, addresses))


# Ports


def test_ports_of_the_clouds_own_services_have_no_groups() -> None:
    cloud = Cloud()
    port = cloud.port(cloud.network(), device_owner="network:dhcp")
    assert (port.port_security_enabled, port.security_group_ids) == (False, ())
    with refused("PortSecurityAndIPRequiredForSecurityGroups", 400):
        cloud.port(cloud.network(), device_owner="network:x", security_group_ids=(default_of(cloud).id,))


def test_a_network_without_port_security_gives_none_to_its_ports() -> None:
    cloud = Cloud()
    network = cloud.network(port_security_enabled=False)
    assert cloud.port(network).security_group_ids == ()
    with refused("PortSecurityAndIPRequiredForSecurityGroups", 400):
        cloud.port(network, security_group_ids=(default_of(cloud).id,))
    with refused("AddressPairAndPortSecurityRequired", 409):
        cloud.port(network, allowed_address_pairs=({"ip_address": "10.0.0.9"},))
    assert cloud.port(network, port_security_enabled=True).security_group_ids == (default_of(cloud).id,)


def test_port_security_goes_only_once_groups_and_pairs_have_gone() -> None:
    cloud = Cloud()
    port = cloud.port(cloud.network(), allowed_address_pairs=({"ip_address": "10.0.0.9"},))
    with refused("AddressPairAndPortSecurityRequired", 409):
        cloud.update(port, port_security_enabled=False, security_group_ids=())
    with refused("PortSecurityPortHasSecurityGroup", 409):
        cloud.update(port, port_security_enabled=False, allowed_address_pairs=())
    with refused("PortSecurityAndIPRequiredForSecurityGroups", 400):
        groups = port.security_group_ids
        cloud.update(port, port_security_enabled=False, allowed_address_pairs=(), security_group_ids=groups)
    bare = {"port_security_enabled": False, "security_group_ids": (), "allowed_address_pairs": ()}
    off = cloud.update(port, **bare)
    assert (off.port_security_enabled, off.security_group_ids, off.allowed_address_pairs) == (False, (), ())
    assert cloud.update(port, port_security_enabled=True).security_group_ids == ()


def test_stateful_and_stateless_groups_are_not_mixed() -> None:
    cloud = Cloud()
    mixed = (group(cloud).id, group(cloud, stateful=False).id)
    with refused("SecurityGroupConflict", 409, "both stateful and stateless"):
        cloud.port(cloud.network(), security_group_ids=mixed)


def test_groups_of_a_port_are_ascending_and_each_once() -> None:
    cloud = Cloud()
    ids = [group(cloud).id for _ in range(3)]
    port = cloud.port(cloud.network(), security_group_ids=(*reversed(ids), ids[0]))
    assert port.security_group_ids == tuple(sorted(ids))


def test_address_pairs_are_few_and_each_once() -> None:
    cloud = Cloud()
    network = cloud.network()
    many = tuple({"ip_address": f"10.0.0.{n}"} for n in range(11))
    with refused("AllowedAddressPairExhausted", 400, "exceeds the maximum 10"):
        cloud.port(network, allowed_address_pairs=many)
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01", allowed_address_pairs=many[:10])
    assert port.allowed_address_pairs[1] == AddressPair("10.0.0.1", "")
    twice = ({"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1", "mac_address": port.mac_address})
    with refused("DuplicateAddressPairInRequest", 400, "fa:16:3e:00:00:01"):
        cloud.update(port, allowed_address_pairs=twice)
    with refused("DuplicateAddressPairInRequest", 400):
        cloud.port(network, mac_address=port.mac_address.replace("01", "02"), allowed_address_pairs=(twice[0],) * 2)


def test_on_a_network_of_others_nobody_widens_what_their_port_may_send() -> None:
    cloud = Cloud()
    shared = cloud.network(ADMIN, shared=True)
    pairs = ({"ip_address": "1.1.1.1"},)
    with refused("PolicyNotAuthorized", 403):
        cloud.port(shared, BOB, allowed_address_pairs=pairs)
    port = cloud.port(shared, BOB)
    with refused("PolicyNotAuthorized", 403):
        cloud.update(port, BOB, allowed_address_pairs=pairs)
    assert cloud.update(port, ADMIN, allowed_address_pairs=pairs).allowed_address_pairs == (AddressPair("1.1.1.1"),)
