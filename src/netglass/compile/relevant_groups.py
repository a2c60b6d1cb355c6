"""What of security groups a host's desired state can depend on, and how little of it suffices.

    group on H     (a port bound to H has it): the group, its rules, and what these name as their remote side
    remote on H    (a rule of a group on H names it): the group, and the ports that have it
    addresses on H (a rule of a group on H names it): the address group

A remote group may have thousands of members all over the cloud, of which a host needs no more than their addresses.
So a port that is there for its addresses alone is told in a short form, which does not change as the port comes up,
moves or is renamed; and so are groups, which rise in revision with each of their rules.  A member that joins is one
line of some 280 bytes for each host.

Called by ``compile.relevant`` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from netglass.model.changes import Change
from netglass.model.resources import AddressGroup, Port, Row, SecurityGroup, SecurityGroupRule
from netglass.model.snapshot import Snapshot

Key = tuple[str, str]


def in_short(row: Row) -> Row:
    """Gives all that compiling may read of a row that is known because of security groups.

    Of a port, its groups and addresses; of a group, its name and statefulness; of other rows, all.
    """
    if isinstance(row, SecurityGroup):
        return SecurityGroup(id=row.id, name=row.name, stateful=row.stateful)
    if isinstance(row, Port):
        return Port(
            id=row.id,
            network_id="",
            mac_address="",
            fixed_ips=tuple(replace(fixed, subnet_id="") for fixed in row.fixed_ips),
            security_group_ids=row.security_group_ids,
            allowed_address_pairs=tuple(replace(pair, mac_address="") for pair in row.allowed_address_pairs),
        )
    return row


def keys_of_groups(snapshot: Snapshot, host: str) -> Iterator[Key]:
    """Gives all that a host needs because of the groups that its ports have."""
    ports: list[Port] = snapshot.rows("ports_by_host", host)
    remotes: set[str] = set()
    for group_id in {group_id for port in ports for group_id in port.security_group_ids}:
        yield from _keys_of_group(snapshot, group_id)
        remotes.update(_remotes(snapshot, group_id))
    for remote_id in remotes:
        yield from _members(snapshot, remote_id)


def is_needed(snapshot: Snapshot, host: str, row: Row) -> bool:
    """Says whether a host needs a row because of groups: itself on the host, or remote there, or part of one."""
    if isinstance(row, Port):
        return any(_is_remote_on(snapshot, host, group_id) for group_id in row.security_group_ids)
    if isinstance(row, SecurityGroup):
        return _is_on(snapshot, host, row.id) or _is_remote_on(snapshot, host, row.id)
    if isinstance(row, SecurityGroupRule):
        return _is_on(snapshot, host, row.security_group_id)
    if isinstance(row, AddressGroup):
        return any(_is_on(snapshot, host, user) for user in snapshot.tallied("address_group_users", row.id))
    return False


def hosts_of(snapshot: Snapshot, row: Row) -> set[str]:
    """Gives the hosts that need a row because of groups."""
    if isinstance(row, Port):
        return {host for group_id in row.security_group_ids for host in _hosts_about(snapshot, group_id)}
    if isinstance(row, SecurityGroup):
        return {*_hosts_on(snapshot, row.id), *_hosts_about(snapshot, row.id)}
    if isinstance(row, SecurityGroupRule):
        return {*_hosts_on(snapshot, row.security_group_id)}
    if isinstance(row, AddressGroup):
        users = snapshot.tallied("address_group_users", row.id)
        return {host for user in users for host in _hosts_on(snapshot, user)}
    return set()


def changes_in_short(change: Change) -> bool:
    """Says whether what a host is told because of groups changes."""
    if change.before is None or change.after is None:
        return True
    return in_short(change.before) != in_short(change.after)


def keys_moved(before: Snapshot, after: Snapshot, change: Change, host: str) -> Iterator[Key]:
    """Gives what a host may come to need, or not to need, as its ports get or lose groups, and groups rules."""
    rows = [row for row in (change.before, change.after) if row is not None]
    held = {g for row in rows if isinstance(row, Port) and row.host_id == host for g in row.security_group_ids}
    for group_id in held:
        if _is_on(before, host, group_id) != _is_on(after, host, group_id):
            for snapshot in (before, after):
                yield from _keys_of_group(snapshot, group_id)
                for remote_id in _remotes(snapshot, group_id):
                    yield from _members_moved(before, after, host, remote_id)
    for row in rows:
        if isinstance(row, SecurityGroupRule) and (is_needed(before, host, row) or is_needed(after, host, row)):
            yield from _keys_named(row)
            yield from _members_moved(before, after, host, row.remote_group_id)


def _is_on(snapshot: Snapshot, host: str, group_id: str) -> bool:
    return snapshot.has_tallied("security_group_hosts", group_id, host)


def _is_remote_on(snapshot: Snapshot, host: str, group_id: str) -> bool:
    return any(_is_on(snapshot, host, user) for user in snapshot.tallied("remote_group_users", group_id))


def _hosts_on(snapshot: Snapshot, group_id: str) -> Iterable[str]:
    return snapshot.tallied("security_group_hosts", group_id)


def _hosts_about(snapshot: Snapshot, group_id: str) -> set[str]:
    """Gives the hosts on which a group is remote."""
    users = snapshot.tallied("remote_group_users", group_id)
    return {host for user in users for host in _hosts_on(snapshot, user)}


def _remotes(snapshot: Snapshot, group_id: str) -> set[str]:
    rules: list[SecurityGroupRule] = snapshot.rows("security_group_rules_by_group", group_id)
    return {rule.remote_group_id for rule in rules if rule.remote_group_id}


def _members(snapshot: Snapshot, group_id: str) -> Iterator[Key]:
    return ((Port.kind, port_id) for port_id in snapshot.ids("ports_by_security_group", group_id))


def _members_moved(before: Snapshot, after: Snapshot, host: str, group_id: str) -> Iterator[Key]:
    if _is_remote_on(before, host, group_id) != _is_remote_on(after, host, group_id):
        yield from _members(before, group_id)
        yield from _members(after, group_id)


def _keys_of_group(snapshot: Snapshot, group_id: str) -> Iterator[Key]:
    """Gives a group on a host, with its rules and the groups that they name; not those groups' members."""
    yield SecurityGroup.kind, group_id
    rules: list[SecurityGroupRule] = snapshot.rows("security_group_rules_by_group", group_id)
    for rule in rules:
        yield SecurityGroupRule.kind, rule.id
        yield from _keys_named(rule)


def _keys_named(rule: SecurityGroupRule) -> Iterator[Key]:
    if rule.remote_group_id:
        yield SecurityGroup.kind, rule.remote_group_id
    if rule.remote_address_group_id:
        yield AddressGroup.kind, rule.remote_address_group_id
