"""What of security groups a host is told, and what that costs; the laws are in tests/laws/test_feed_laws.py."""

from __future__ import annotations

from msgspec.structs import replace
from test_relevant import cost_of

from netglass.api.feed import _row_lines
from netglass.compile.relevant import interested_hosts, relevant_changes, relevant_rows
from netglass.model.changes import Change
from netglass.model.resources import (
    AddressGroup,
    AddressPair,
    FixedIp,
    Port,
    Row,
    SecurityGroup,
    SecurityGroupRule,
)
from netglass.model.snapshot import Snapshot


def uuid(kind: int, n: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{n:012x}"


WEB, DATABASE = uuid(1, 1), uuid(1, 2)
GROUPS: list[Row] = [
    SecurityGroup(id=WEB, project_id="p", name="web", description="d", tags=("t",), revision_number=9),
    SecurityGroup(id=DATABASE, name="database"),
    SecurityGroupRule(id=uuid(2, 1), security_group_id=DATABASE, direction="ingress", remote_group_id=WEB),
    SecurityGroupRule(
        id=uuid(2, 2), security_group_id=DATABASE, direction="egress", remote_address_group_id=uuid(3, 1)
    ),
    SecurityGroupRule(id=uuid(2, 3), security_group_id=WEB, direction="ingress", protocol="tcp"),
    AddressGroup(id=uuid(3, 1), addresses=("10.0.0.0/8",)),
]


def port(n: int, group: str, host: str = "") -> Port:
    return Port(
        id=uuid(4, n),
        project_id="p",
        name=f"port {n}",
        network_id=uuid(5, 1),
        mac_address=f"fa:16:3e:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
        fixed_ips=(FixedIp(uuid(6, 1), f"10.0.{n >> 8}.{n & 255}"),),
        security_group_ids=(group,),
        host_id=host,
    )


def cloud(members: int, hosts: int = 3) -> Snapshot:
    """Gives a database on each host, and that many members of its remote group somewhere else."""
    databases = [port(60_000 + n, DATABASE, f"db{n}") for n in range(hosts)]
    webs = [port(n, WEB, f"web{n % 2}") for n in range(members)]
    return Snapshot.of([*GROUPS, *databases, *webs], 1)


def made(row: Row) -> Change:
    return Change(row.kind, row.id, None, row)


def changed(row: Row, **values: object) -> Change:
    return Change(row.kind, row.id, row, replace(row, **values))


def test_a_host_is_told_its_groups_their_rules_and_the_addresses_of_remote_members() -> None:
    member = replace(port(1, WEB, "web1"), allowed_address_pairs=(AddressPair("10.9.0.0/24", "fa:16:3e:00:00:09"),))
    told = relevant_rows(cloud(1).apply([made(member)], 2), "db0")
    assert {key for key in told if key[0] != "port"} == {
        ("security_group", WEB),
        ("security_group", DATABASE),
        ("security_group_rule", uuid(2, 1)),
        ("security_group_rule", uuid(2, 2)),
        ("address_group", uuid(3, 1)),
    }
    assert told["security_group", WEB] == SecurityGroup(id=WEB, name="web")
    assert told["port", member.id] == Port(
        id=member.id,
        network_id="",
        mac_address="",
        fixed_ips=(FixedIp("", "10.0.0.1"),),
        security_group_ids=(WEB,),
        allowed_address_pairs=(AddressPair("10.9.0.0/24"),),
    )
    assert told["port", uuid(4, 60_000)] == port(60_000, DATABASE, "db0")
    assert ("port", uuid(4, 60_001)) not in told


def test_a_host_of_members_alone_knows_no_other_members() -> None:
    told = relevant_rows(cloud(4), "web0")
    assert {row_id for kind, row_id in told if kind == "port"} == {uuid(4, 0), uuid(4, 2)}
    assert {row_id for kind, row_id in told if kind == "security_group"} == {WEB}


def test_a_member_that_joins_is_one_small_line_for_each_host() -> None:
    before, change = cloud(1000), made(port(1001, WEB))
    after = before.apply([change], 2)
    assert interested_hosts(before, after, [change]) == {"db0", "db1", "db2"}
    told = relevant_changes(before, after, [change], "db0")
    assert set(told) == {("port", change.id)}
    assert len(_row_lines(told.items())) < 300


def test_a_member_that_comes_up_or_is_renamed_interests_nobody_who_only_knows_its_addresses() -> None:
    before = cloud(4)
    for values in ({"status": "ACTIVE", "realised_on": ("web1",)}, {"name": "x"}, {"host_id": "web0"}):
        change = changed(port(1, WEB, "web1"), **values)
        assert interested_hosts(before, before.apply([change], 2), [change]) <= {"web0", "web1"}
    moved = changed(port(1, WEB, "web1"), fixed_ips=(FixedIp(uuid(6, 1), "10.0.9.9"),))
    assert "db0" in interested_hosts(before, before.apply([moved], 2), [moved])


def test_a_group_whose_rules_change_is_not_told_again() -> None:
    before = cloud(4)
    new = SecurityGroupRule(id=uuid(2, 9), security_group_id=WEB, direction="ingress", protocol="udp")
    web = before.get(SecurityGroup, WEB)
    assert web is not None
    changes = [made(new), changed(web, revision_number=10, updated_at="later")]
    after = before.apply(changes, 2)
    assert interested_hosts(before, after, changes) == {"web0", "web1"}
    assert relevant_changes(before, after, changes, "web0") == {("security_group_rule", new.id): new}


def test_the_first_rule_about_a_group_brings_its_members_and_the_last_takes_them_away() -> None:
    before = cloud(5)
    rule = before.get(SecurityGroupRule, uuid(2, 1))
    assert rule is not None
    second = replace(rule, id=uuid(2, 8), protocol="tcp")
    both = before.apply([made(second)], 2)
    assert set(relevant_changes(before, both, [made(second)], "db0")) == {("security_group_rule", second.id)}
    drop = Change(rule.kind, rule.id, rule, None)
    one = both.apply([drop], 3)
    assert set(relevant_changes(both, one, [drop], "db0")) == {("security_group_rule", rule.id)}
    last = Change(second.kind, second.id, second, None)
    none = one.apply([last], 4)
    members = {("port", uuid(4, n)) for n in range(5)}
    gone = {("security_group_rule", second.id), ("security_group", WEB), *members}
    assert relevant_changes(one, none, [last], "db0") == dict.fromkeys(gone)


def test_the_first_guest_with_a_group_brings_all_of_it_to_its_host() -> None:
    before = cloud(5, hosts=1)
    first, second = made(port(7000, DATABASE, "new")), made(port(7001, DATABASE, "new"))
    one = before.apply([first], 2)
    told = relevant_changes(before, one, [first], "new")
    assert told == relevant_rows(one, "new")
    assert len([key for key in told if key[0] == "port"]) == 6
    two = one.apply([second], 3)
    assert set(relevant_changes(one, two, [second], "new")) == {("port", second.id)}


def test_cost_does_not_grow_with_the_members() -> None:
    few, many = cloud(10), cloud(1000)
    rule = SecurityGroupRule(id=uuid(2, 9), security_group_id=DATABASE, direction="ingress", remote_group_id=WEB)
    in_web = SecurityGroupRule(id=uuid(2, 9), security_group_id=WEB, direction="ingress", protocol="udp")
    addresses = changed(AddressGroup(id=uuid(3, 1), addresses=("10.0.0.0/8",)), addresses=())
    for change in (
        made(port(5000, WEB)),
        made(port(5000, WEB, "web0")),
        made(port(5000, DATABASE, "db0")),
        changed(port(1, WEB, "web1"), status="ACTIVE"),
        Change("port", uuid(4, 1), port(1, WEB, "web1"), None),
        made(rule),
        made(in_web),
        addresses,
    ):
        assert cost_of(many, change) == cost_of(few, change)
