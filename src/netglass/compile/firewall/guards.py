"""What each guest's port on a host may send and receive: the one model that both drivers render.

A port with port security is *guarded*: it sends from its own addresses and allowed address pairs only, and sends and
receives what the rules of its groups permit, and what it needs to have an address at all.  A port without is *open*.
Ports of the network's own (DHCP, routers) are neither: nobody's guest is behind them.

Remote groups and address groups are sets of addresses with a name, so that a member comes and goes without a word
about rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

import msgspec

from netglass.base.ids import address_set_name, groups_part_name
from netglass.base.memory import remembered
from netglass.compile.firewall.numbers import numbers
from netglass.compile.firewall.rules import Remote, UnusableRule, permit_of, refs_of, remote_of
from netglass.compile.guests import runs_here
from netglass.compile.place import Carried, Place, is_guarded, is_service, is_word
from netglass.desired.permits import Permit, ascending
from netglass.desired.state import Diagnostic
from netglass.model.resources import AddressGroup, Port, SecurityGroup, SecurityGroupRule, ref
from netglass.model.rules import EGRESS, INGRESS

IpNetwork = IPv4Network | IPv6Network

_Span = tuple[int, int, int, str]
"""A CIDR that can be sorted, the wider of two before those within: version, first address, the last one below zero."""

PORTS, GROUPS = 1024, 256  # of so many, what was made is remembered


class Source(msgspec.Struct, frozen=True):
    """A MAC that a port may send from, and the CIDRs that it may send from with it; ascending, IPv4 first."""

    mac: str
    addresses: tuple[str, ...]

    def of(self, ip_version: int) -> list[str]:
        """Gives the CIDRs of one family."""
        return [cidr for cidr in self.addresses if (":" in cidr) == (ip_version == 6)]


class Group(msgspec.Struct, frozen=True):
    """A security group that a port here has.

    egress, ingress  permits, ascending, each once
    because          references of what a permit is made of, by direction and permit
    remotes          whose addresses the sets of its permits hold, by the set's name
    """

    id: str
    stateful: bool
    egress: tuple[Permit, ...]
    ingress: tuple[Permit, ...]
    because: dict[tuple[str, Permit], tuple[str, ...]]
    remotes: dict[str, Remote]


class Guard(msgspec.Struct, frozen=True, dict=True):
    """One guarded port; `sources` ascending by MAC."""

    port: Port
    carried: Carried
    sources: tuple[Source, ...]
    groups: tuple[Group, ...]
    stateful: bool

    @cached_property
    def intent(self) -> tuple[str, ...]:
        """Gives the references of the rows that it is made of, its rules and their remote sides aside."""
        return tuple(sorted((ref(self.port), *(f"{SecurityGroup.kind}:{group.id}" for group in self.groups))))

    @cached_property
    def held(self) -> str:
        """Gives the ids of its groups, by which ports with the same ones are known; empty when it has none."""
        return " ".join(group.id for group in self.groups)

    @cached_property
    def egress(self) -> tuple[Permit, ...]:
        """Gives what it may send, each permit once, ascending."""
        return ascending(permit for group in self.groups for permit in group.egress)

    @cached_property
    def ingress(self) -> tuple[Permit, ...]:
        """Gives what it may receive, each permit once, ascending."""
        return ascending(permit for group in self.groups for permit in group.ingress)

    def addresses(self, ip_version: int) -> list[str]:
        """Gives the CIDRs of one family that it may send from, whatever the MAC; ascending as text."""
        return sorted({cidr for source in self.sources for cidr in source.of(ip_version)})


class Members(msgspec.Struct, frozen=True):
    """The addresses of one family that a remote side stands for; CIDRs, none within another, ascending."""

    name: str
    ip_version: int
    cidrs: tuple[str, ...]
    intent: tuple[str, ...]


class Firewall(msgspec.Struct, frozen=True, dict=True):
    """All of it on one host.

    guards  guarded ports, ascending by id
    open    ports without port security, ascending by id
    sets    ascending by name; those that a permit of a guard refers to
    """

    guards: tuple[Guard, ...]
    open: tuple[Port, ...]
    sets: tuple[Members, ...]
    diagnostics: tuple[Diagnostic, ...]

    @cached_property
    def parts(self) -> dict[str, str]:
        """Gives the names of what ports with the same groups share, by `Guard.held`."""
        found = numbers(guard.held for guard in self.guards)
        return {held: groups_part_name(number) for held, number in found.items()}


def firewall_of(place: Place) -> Firewall:
    """Gives the host's part of intent; of ports that it can wire only."""
    diagnostics: list[Diagnostic] = []
    groups: dict[str, Group | None] = {}
    guards, open_ports = [], []
    for port in place.ports:
        carried = place.carried.get(port.network_id)
        if carried is None or not _is_live(place, port, carried):
            continue
        if is_guarded(place, port):
            for group_id in port.security_group_ids:
                if group_id not in groups:
                    groups[group_id] = _group(place, group_id, diagnostics)
            guard, told = _guard(port, carried, *(groups[group_id] for group_id in port.security_group_ids))
            guards.append(guard)
            diagnostics += told
        else:
            open_ports.append(port)
    return Firewall(tuple(guards), tuple(open_ports), tuple(_sets(place, guards)), tuple(diagnostics))


def _is_live(place: Place, port: Port, carried: Carried) -> bool:
    """Says whether frames may pass through a guest's port at all, once something is plugged in there."""
    if is_service(port) or port.vnic_type != "normal" or not (port.admin_state_up and carried.network.admin_state_up):
        return False
    server = place.server_of(port)
    return server is None or not place.native or runs_here(place, server)


@remembered(PORTS)
def _guard(port: Port, carried: Carried, *groups: Group | None) -> tuple[Guard, tuple[Diagnostic, ...]]:
    """Gives a guard; `groups` are those of the port's ids, in their order, None where there is none."""
    held, told = [], []
    for group_id, group in zip(port.security_group_ids, groups, strict=True):
        if group is None:
            text = f"Port {port.id} has security group {group_id}, which is not there; it permits nothing."
            told.append(Diagnostic(code="missing-security-group", intent=(ref(port),), text=text))
        else:
            held.append(group)
    # Without tracking every packet needs a permit of its own, so that of both kinds the stricter one counts.
    stateful = all(group.stateful for group in held)
    return Guard(port, carried, tuple(_sources(port, told)), tuple(held), stateful), tuple(told)


# --- who a port may be


def _sources(port: Port, diagnostics: list[Diagnostic]) -> Iterator[Source]:
    by_mac: dict[str, list[str]] = {port.mac_address: [fixed.ip_address for fixed in port.fixed_ips]}
    for pair in port.allowed_address_pairs:
        by_mac.setdefault(pair.mac_address or port.mac_address, []).append(pair.ip_address)
    for mac, addresses in sorted(by_mac.items()):
        networks: set[IpNetwork] = set()
        for text in addresses:
            network = _network(text)
            if network is None:
                said = f"Port {port.id} may send from {text!r}, which is no address; it may not."
                diagnostics.append(Diagnostic(code="bad-address", intent=(ref(port),), text=said))
            else:
                networks.add(network)
        own = _link_local(mac)
        if own is None:
            said = f"Port {port.id} may send from MAC {mac!r}, which is none; it may not."
            diagnostics.append(Diagnostic(code="bad-mac", intent=(ref(port),), text=said))
            continue
        yield Source(mac, _least(map(_span, networks | {own})))


@lru_cache(maxsize=65536)
def _network(text: str) -> IpNetwork | None:
    try:
        return None if "%" in text else ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def _link_local(mac: str) -> IPv6Network | None:
    """Gives the address that a device of this MAC gives itself (RFC 4291, appendix A); None for text that is none."""
    parts = mac.split(":")
    if len(parts) != 6 or not all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts):
        return None
    octets = bytes.fromhex(mac.replace(":", ""))
    if octets[0] & 1:
        return None  # a group's: nobody sends from it
    interface = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return IPv6Network(IPv6Address(bytes.fromhex("fe80000000000000") + interface))


def _least(spans: Iterable[_Span]) -> tuple[str, ...]:
    """Gives CIDRs without those that lie within another, IPv4 first, ascending.

    Neighbours are left as they are, so that one more address is one more CIDR.
    """
    found = []
    last = (0, -1)  # version and last address of the last one taken
    for version, _, shrinking, cidr in sorted(set(spans)):
        if version != last[0] or -shrinking > last[1]:
            found.append(cidr)
            last = (version, -shrinking)
    return tuple(found)


def halved(cidrs: Iterable[str]) -> Iterator[str]:
    """Gives CIDRs with those of everybody in two halves, which both drivers need in a set."""
    for cidr in cidrs:
        if cidr == "0.0.0.0/0":
            yield from ("0.0.0.0/1", "128.0.0.0/1")
        elif cidr == "::/0":
            yield from ("::/1", "8000::/1")
        else:
            yield cidr


@lru_cache(maxsize=65536)
def _span(network: IpNetwork) -> _Span:
    version, first = network.version, int(network.network_address)
    return version, first, -int(network.broadcast_address), str(network)


@lru_cache(maxsize=65536)
def _span_of(text: str) -> _Span | None:
    """Gives the span of what a row says; None for what is no address."""
    network = _network(text)
    return None if network is None else _span(network)


# --- groups


def _group(place: Place, group_id: str, diagnostics: list[Diagnostic]) -> Group | None:
    row = place.snapshot.get(SecurityGroup, group_id)
    if row is None:
        return None
    rules: list[SecurityGroupRule] = place.snapshot.rows("security_group_rules_by_group", group_id)
    known: list[SecurityGroupRule] = []
    for rule in rules:
        if not _is_lost(place, rule):
            known.append(rule)
            continue
        named = rule.remote_group_id or rule.remote_address_group_id
        text = f"Rule {rule.id} of security group {row.name!r} ({row.id}) is about {named}, which is not there."
        diagnostics.append(Diagnostic(code="missing-remote", intent=(ref(rule), ref(row)), text=text))
    group, told = _group_of(row, *known)
    diagnostics += told
    return group


def _is_lost(place: Place, rule: SecurityGroupRule) -> bool:
    """Says whether a rule's remote side is not there."""
    remote = remote_of(rule)
    return remote is not None and (not is_word(remote.id) or place.snapshot.get(remote.row_type, remote.id) is None)


@remembered(GROUPS)
def _group_of(row: SecurityGroup, *rules: SecurityGroupRule) -> tuple[Group, tuple[Diagnostic, ...]]:
    permits: dict[str, set[Permit]] = {EGRESS: set(), INGRESS: set()}
    because: dict[tuple[str, Permit], tuple[str, ...]] = {}
    remotes: dict[str, Remote] = {}
    told = []
    for rule in rules:
        try:
            permit = permit_of(rule)
        except UnusableRule as error:
            text = f"Rule {rule.id} of security group {row.name!r} ({row.id}) {error}; it permits nothing."
            told.append(Diagnostic(code="bad-rule", intent=(ref(rule), ref(row)), text=text))
            continue
        permits[rule.direction].add(permit)
        because.setdefault((rule.direction, permit), refs_of(rule))
        remote = remote_of(rule)
        if remote is not None:
            remotes[permit.remote_set] = remote
    found = Group(row.id, row.stateful, ascending(permits[EGRESS]), ascending(permits[INGRESS]), because, remotes)
    return found, tuple(told)


# --- remote sides


def _sets(place: Place, guards: Iterable[Guard]) -> Iterator[Members]:
    groups = {group.id: group for guard in guards for group in guard.groups}.values()
    wanted = {name: remote for group in groups for name, remote in group.remotes.items()}
    for name, remote in sorted(wanted.items()):
        yield _members(name, remote, *_rows_of(place, remote))


def _rows_of(place: Place, remote: Remote) -> list[Port] | list[AddressGroup]:
    """Gives the rows whose addresses a remote side is."""
    if remote.row_type is AddressGroup:
        row = place.snapshot.get(AddressGroup, remote.id)
        return [] if row is None else [row]
    ports: list[Port] = place.snapshot.rows("ports_by_security_group", remote.id)
    return ports


@remembered(GROUPS)
def _members(name: str, remote: Remote, *rows: Port | AddressGroup) -> Members:
    version = 6 if name.startswith(address_set_name("", 6)) else 4
    spans = (span for row in rows for text in _addresses_of(row) if (span := _span_of(text)) and span[0] == version)
    return Members(name, version, _least(spans), (f"{remote.row_type.kind}:{remote.id}",))


def _addresses_of(row: Port | AddressGroup) -> Iterator[str]:
    if isinstance(row, AddressGroup):
        yield from row.addresses
        return
    for fixed in row.fixed_ips:
        yield fixed.ip_address
    for pair in row.allowed_address_pairs:
        yield pair.ip_address
