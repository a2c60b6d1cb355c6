"""All intent at one revision, indexed and immutable.

A snapshot is cheap to change: its tables are persistent hash tries (rpds), so a new snapshot shares all but a few
nodes with the old one, and whoever holds the old one is not disturbed.  rpds-py was chosen as it is alive, typed,
written in Rust, and already carried by much of the Python world through jsonschema.

Indexes are declared in `GROUPS`, `NUMBERS` and `TALLIES`; adding one is a line.  They are what makes deciding O(1) in
the size of the cloud: nothing in ``control`` or ``compile`` may walk a whole table where an index can answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Any, TypeVar

from rpds import HashTrieMap, HashTrieSet

from netglass.base.numbers import with_number, without_number
from netglass.model.changes import Change
from netglass.model.resources import (
    DEFAULT_GROUP,
    ROW_TYPES,
    AddressGroup,
    AddressScope,
    FloatingIp,
    Host,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Project,
    RbacPolicy,
    RoleAssignment,
    Router,
    Row,
    SecurityGroup,
    SecurityGroupRule,
    Server,
    Subnet,
    SubnetPool,
    User,
)
from netglass.model.rules import rule_key

R = TypeVar("R", bound=Row)

ROUTER_INTERFACES = frozenset(
    {
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
    }
)
"""Owners of the ports that a router has inside."""

_NO_IDS: HashTrieSet[str] = HashTrieSet()
_NO_COUNTS: HashTrieMap[Any, int] = HashTrieMap()


def _segment(network: Network) -> list[tuple[Any, int]]:
    if network.segmentation_id is None:
        return []
    return [((network.network_type, network.physical_network), network.segmentation_id)]


# name -> (row type, keys under which the row is found)
# A port that is told in short (compile.relevant_groups) has no network, subnet or MAC, and is not asked for by them.
GROUPS: dict[str, tuple[type[Row], Callable[[Any], Iterable[Any]]]] = {
    "networks_by_project": (Network, lambda n: [n.project_id]),
    "networks_by_physical_network": (Network, lambda n: [n.physical_network] if n.physical_network else []),
    "networks_shared": (Network, lambda n: [True] if n.shared else []),
    "networks_external": (Network, lambda n: [True] if n.external else []),
    "networks_flat": (Network, lambda n: [n.physical_network] if n.network_type == "flat" else []),
    "subnets_by_network": (Subnet, lambda s: [s.network_id]),
    "subnets_by_project": (Subnet, lambda s: [s.project_id]),
    "subnets_by_subnetpool": (Subnet, lambda s: [s.subnetpool_id] if s.subnetpool_id else []),
    "subnetpools_by_project": (SubnetPool, lambda p: [p.project_id]),
    "subnetpools_shared": (SubnetPool, lambda p: [True] if p.shared else []),
    "subnetpools_default": (SubnetPool, lambda p: [p.ip_version] if p.is_default else []),
    "subnetpools_by_scope": (SubnetPool, lambda p: [p.address_scope_id] if p.address_scope_id else []),
    "address_scopes_by_project": (AddressScope, lambda s: [s.project_id]),
    "address_scopes_shared": (AddressScope, lambda s: [True] if s.shared else []),
    "ports_by_network": (Port, lambda p: [p.network_id] if p.network_id else []),
    "ports_by_project": (Port, lambda p: [p.project_id]),
    "ports_by_device": (Port, lambda p: [p.device_id] if p.device_id else []),
    "ports_by_host": (Port, lambda p: [p.host_id] if p.host_id else []),
    "ports_by_host_network": (Port, lambda p: [(p.host_id, p.network_id)] if p.host_id else []),
    "ports_by_subnet": (Port, lambda p: {f.subnet_id for f in p.fixed_ips if f.subnet_id}),
    "ports_by_mac": (Port, lambda p: [(p.network_id, p.mac_address)] if p.mac_address else []),
    "ports_by_address": (Port, lambda p: [(f.subnet_id, f.ip_address) for f in p.fixed_ips if f.subnet_id]),
    "dhcp_ports_by_network": (Port, lambda p: [p.network_id] if p.device_owner == "network:dhcp" else []),
    "dhcp_ports_by_host": (Port, lambda p: [p.host_id] if p.device_owner == "network:dhcp" and p.host_id else []),
    "router_ports_by_network": (Port, lambda p: [p.network_id] if p.device_owner in ROUTER_INTERFACES else []),
    "routers_by_project": (Router, lambda r: [r.project_id]),
    "routers_by_host": (Router, lambda r: [r.host_id] if r.host_id else []),
    "routers_by_gateway_network": (Router, lambda r: [r.gateway_network_id] if r.gateway_network_id else []),
    "floating_ips_by_project": (FloatingIp, lambda f: [f.project_id]),
    "floating_ips_by_network": (FloatingIp, lambda f: [f.floating_network_id]),
    "floating_ips_by_router": (FloatingIp, lambda f: [f.router_id] if f.router_id else []),
    "floating_ips_by_port": (FloatingIp, lambda f: [f.port_id] if f.port_id else []),
    "floating_ips_by_address": (FloatingIp, lambda f: [f.floating_ip_address]),
    "ports_by_security_group": (Port, lambda p: p.security_group_ids),
    "security_groups_by_project": (SecurityGroup, lambda g: [g.project_id]),
    "default_groups": (SecurityGroup, lambda g: [g.project_id] if g.name == DEFAULT_GROUP else []),
    "security_group_rules_by_key": (SecurityGroupRule, lambda r: [(r.security_group_id, rule_key(r))]),
    "security_group_rules_by_project": (SecurityGroupRule, lambda r: [r.project_id]),
    "security_group_rules_by_group": (SecurityGroupRule, lambda r: [r.security_group_id]),
    "security_group_rules_by_remote_group": (
        SecurityGroupRule,
        lambda r: [r.remote_group_id] if r.remote_group_id else [],
    ),
    "security_group_rules_by_address_group": (
        SecurityGroupRule,
        lambda r: [r.remote_address_group_id] if r.remote_address_group_id else [],
    ),
    "address_groups_by_project": (AddressGroup, lambda g: [g.project_id]),
    "rbac_policies_by_project": (RbacPolicy, lambda p: [p.project_id]),
    "rbac_policies_by_object": (RbacPolicy, lambda p: [p.object_id]),
    "rbac_policies_by_grant": (RbacPolicy, lambda p: [(p.object_id, p.action, p.target_project)]),
    "rbac_policies_by_target": (RbacPolicy, lambda p: [(p.target_project, p.object_type, p.action)]),
    "port_forwardings_by_project": (PortForwarding, lambda f: [f.project_id]),
    "port_forwardings_by_floating_ip": (PortForwarding, lambda f: [f.floating_ip_id]),
    "port_forwardings_by_port": (PortForwarding, lambda f: [f.internal_port_id]),
    "local_vlans_by_host": (LocalVlan, lambda v: [v.host]),
    "local_vlans_by_network": (LocalVlan, lambda v: [v.network_id]),
    "hosts_by_role": (Host, lambda h: h.roles),
    "servers_by_host": (Server, lambda s: [s.host] if s.host else []),
    "servers_by_flavor": (Server, lambda s: [s.flavor_id]),
    "servers_by_image": (Server, lambda s: [s.image_id]),
    "servers_by_project": (Server, lambda s: [s.project_id]),
    "projects_by_name": (Project, lambda p: [p.name]),
    "users_by_name": (User, lambda u: [u.name]),
    "roles_by_user": (RoleAssignment, lambda a: [a.user_id]),
    "roles_by_target": (RoleAssignment, lambda a: [a.target]),
}

# name -> (row type, (group, number) pairs it takes)
NUMBERS: dict[str, tuple[type[Row], Callable[[Any], Iterable[tuple[Any, int]]]]] = {
    # addresses in use by subnet id, as integers
    "addresses": (Port, lambda p: [(f.subnet_id, int(ip_address(f.ip_address))) for f in p.fixed_ips if f.subnet_id]),
    # segments in use by (network type, physical network)
    "segments": (Network, _segment),
    # local VLAN tags in use by host
    "local_vlans": (LocalVlan, lambda v: [(v.host, v.vlan)]),
}

# name -> (row type, (group, key) pairs that it counts for)
TALLIES: dict[str, tuple[type[Row], Callable[[Any], Iterable[tuple[Any, Any]]]]] = {
    # hosts that a security group's ports are bound to, by group
    "security_group_hosts": (Port, lambda p: [(g, p.host_id) for g in p.security_group_ids] if p.host_id else []),
    # security groups with a rule about a security group, by the latter
    "remote_group_users": (
        SecurityGroupRule,
        lambda r: [(r.remote_group_id, r.security_group_id)] if r.remote_group_id else [],
    ),
    # security groups with a rule about an address group, by the latter
    "address_group_users": (
        SecurityGroupRule,
        lambda r: [(r.remote_address_group_id, r.security_group_id)] if r.remote_address_group_id else [],
    ),
    # hosts that a network's DHCP ports are bound to, by network
    "dhcp_hosts": (
        Port,
        lambda p: [(p.network_id, p.host_id)] if p.device_owner == "network:dhcp" and p.host_id else [],
    ),
}


def _by_type(
    declared: dict[str, tuple[type[Row], Callable[[Any], Iterable[Any]]]],
) -> dict[type[Row], list[tuple[str, Callable[[Any], Iterable[Any]]]]]:
    found: dict[type[Row], list[tuple[str, Callable[[Any], Iterable[Any]]]]] = {}
    for name, (row_type, keys) in declared.items():
        found.setdefault(row_type, []).append((name, keys))
    return found


_GROUPS_BY_TYPE = _by_type(GROUPS)
_NUMBERS_BY_TYPE = _by_type(NUMBERS)
_TALLIES_BY_TYPE = _by_type(TALLIES)


class Snapshot:
    """All intent at one revision; immutable.

    revision  number of the last commit that it holds; 0 when nothing was ever committed
    """

    __slots__ = ("_groups", "_numbers", "_tables", "_tallies", "revision")

    def __init__(
        self,
        revision: int,
        tables: dict[type[Row], HashTrieMap[str, Any]],
        groups: dict[str, HashTrieMap[Any, HashTrieSet[str]]],
        numbers: dict[str, HashTrieMap[Any, tuple[int, ...]]],
        tallies: dict[str, HashTrieMap[Any, HashTrieMap[Any, int]]],
    ) -> None:
        self.revision = revision
        self._tables = tables
        self._groups = groups
        self._numbers = numbers
        self._tallies = tallies

    @staticmethod
    def empty() -> Snapshot:
        """Gives the snapshot before the first commit."""
        return Snapshot(
            0,
            {t: HashTrieMap() for t in ROW_TYPES},
            {name: HashTrieMap() for name in GROUPS},
            {name: HashTrieMap() for name in NUMBERS},
            {name: HashTrieMap() for name in TALLIES},
        )

    @staticmethod
    def of(rows: Iterable[Row], revision: int = 0) -> Snapshot:
        """Gives a snapshot that holds just `rows`; the order of the rows does not matter."""
        changes = [Change(row.kind, row.id, None, row) for row in rows]
        return Snapshot.empty().apply(changes, revision)

    def get(self, row_type: type[R], row_id: str) -> R | None:
        """Gives the row, or None."""
        return self._tables[row_type].get(row_id)

    def count(self, row_type: type[Row]) -> int:
        """Gives how many rows of the kind there are."""
        return len(self._tables[row_type])

    def all(self, row_type: type[R]) -> Iterator[R]:
        """Gives every row of a kind, in no particular order."""
        return iter(self._tables[row_type].values())

    def ids(self, group: str, key: Any) -> HashTrieSet[str]:
        """Gives the ids that an index of `GROUPS` holds under `key`; empty when none."""
        return self._groups[group].get(key, _NO_IDS)

    def rows(self, group: str, key: Any) -> list[Any]:
        """Gives the rows that an index of `GROUPS` holds under `key`, ascending by id."""
        table = self._tables[GROUPS[group][0]]
        return [table[row_id] for row_id in sorted(self.ids(group, key))]

    def used(self, index: str, group: Any) -> tuple[int, ...]:
        """Gives the numbers taken in a group of an index of `NUMBERS`, ascending."""
        return self._numbers[index].get(group, ())

    def tallied(self, index: str, group: Any) -> Iterable[Any]:
        """Gives the keys that rows of a group of an index of `TALLIES` have, each once, in no particular order."""
        found: Iterable[Any] = self._tallies[index].get(group, _NO_COUNTS)
        return found

    def has_tallied(self, index: str, group: Any, key: Any) -> bool:
        """Says whether any row of a group of an index of `TALLIES` has the key."""
        return key in self._tallies[index].get(group, _NO_COUNTS)

    def apply(self, changes: Iterable[Change], revision: int) -> Snapshot:
        """Gives the snapshot after `changes`, numbered `revision`.

        Each change's own ``before`` is not trusted: what leaves the indexes is the row that is here now, so that
        applying a change twice, or a row on top of another, always ends in consistent indexes.
        """
        tables = dict(self._tables)
        groups = dict(self._groups)
        numbers = dict(self._numbers)
        tallies = dict(self._tallies)
        for change in changes:
            row = change.after or change.before
            if row is None:
                continue
            row_type = type(row)
            table = tables[row_type]
            old = table.get(change.id)
            if old is not None:
                _unindex(old, row_type, groups, numbers)
                _count(old, row_type, tallies, -1)
            if change.after is None:
                tables[row_type] = table.discard(change.id)
            else:
                tables[row_type] = table.insert(change.id, change.after)
                _index(change.after, row_type, groups, numbers)
                _count(change.after, row_type, tallies, 1)
        return Snapshot(revision, tables, groups, numbers, tallies)

    def __eq__(self, other: object) -> bool:
        """Compares rows, not revisions: two snapshots are equal when they hold equal intent."""
        if not isinstance(other, Snapshot):
            return NotImplemented
        return all(dict(self._tables[t].items()) == dict(other._tables[t].items()) for t in ROW_TYPES)

    __hash__ = None  # type: ignore[assignment]  # a snapshot holds rows that hold dicts


def _index(row: Row, row_type: type[Row], groups: dict[str, Any], numbers: dict[str, Any]) -> None:
    for name, keys in _GROUPS_BY_TYPE.get(row_type, ()):
        for key in keys(row):
            groups[name] = groups[name].insert(key, groups[name].get(key, _NO_IDS).insert(row.id))
    for name, pairs in _NUMBERS_BY_TYPE.get(row_type, ()):
        for group, number in pairs(row):
            numbers[name] = numbers[name].insert(group, with_number(numbers[name].get(group, ()), number))


def _unindex(row: Row, row_type: type[Row], groups: dict[str, Any], numbers: dict[str, Any]) -> None:
    for name, keys in _GROUPS_BY_TYPE.get(row_type, ()):
        for key in keys(row):
            left = groups[name].get(key, _NO_IDS).discard(row.id)
            groups[name] = groups[name].insert(key, left) if len(left) else groups[name].discard(key)
    for name, pairs in _NUMBERS_BY_TYPE.get(row_type, ()):
        for group, number in pairs(row):
            rest = without_number(numbers[name].get(group, ()), number)
            numbers[name] = numbers[name].insert(group, rest) if rest else numbers[name].discard(group)


def _count(row: Row, row_type: type[Row], tallies: dict[str, Any], step: int) -> None:
    for name, pairs in _TALLIES_BY_TYPE.get(row_type, ()):
        for group, key in pairs(row):
            counts = tallies[name].get(group, _NO_COUNTS)
            count = counts.get(key, 0) + step
            counts = counts.insert(key, count) if count else counts.discard(key)
            tallies[name] = tallies[name].insert(group, counts) if len(counts) else tallies[name].discard(group)
