"""What of intent a host's desired state can depend on: the feed sends just that, and ``compile`` may read just that.

Interest is in containers, never in rows:

    host H        its own Host row; its LocalVlan rows; the ports bound to it; the servers and routers on it
    server on H   its flavor and its image
    network on H  (H has a LocalVlan for it, or serves its DHCP): the network, its subnets, its DHCP ports, and what
                  routers have on it
    router on H   its floating IPs with their port forwardings, and the ports that hold their addresses
    DHCP on H     (a DHCP port of the network is bound to H): all ports of the network
    tunnels of H  (H has a LocalVlan for a network of a tunnel type): the LocalVlan rows of all hosts for it, and the
                  Host rows of those hosts; with l2_population, all ports of the network too
    groups on H   (a port bound to H has them): see ``compile.relevant_groups``

So a port that a server on H names, but that is bound elsewhere, is not there for H; nor is the network of a port that
is bound to H while H has no LocalVlan for it.  What is relevant for its security groups alone is told in short.

Three functions say the same in three ways, and laws hold them to each other: `relevant_rows` is the definition,
`relevant_row` answers it for one row, and `interested_hosts` with `relevant_changes` turn a commit into what each
host must be told at a cost of O(rows changed x hosts interested), however large the cloud and the hosts are.
Source: ARCHITECTURE.md, section 4 (feed).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto

from netglass.compile import relevant_groups
from netglass.model.changes import Change
from netglass.model.resources import (
    ROW_TYPE_BY_KIND,
    TUNNEL_TYPES,
    Flavor,
    FloatingIp,
    Host,
    Image,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Router,
    Row,
    Server,
    Subnet,
)
from netglass.model.snapshot import ROUTER_INTERFACES, Snapshot

Key = tuple[str, str]
"""A row's kind and id."""


DHCP_OWNER = "network:dhcp"
FLOATING_OWNER = "network:floatingip"


class _Form(Enum):
    """What a host is told of a row: all of it, what its security groups need of it, or nothing as it is irrelevant."""

    WHOLE = auto()
    SHORT = auto()
    NOTHING = auto()


def relevant_rows(snapshot: Snapshot, host: str) -> dict[Key, Row]:
    """Gives every row that the host's desired state can depend on, in no particular order."""
    keys = set(_own_keys(snapshot, host))
    for network_id in _networks_on(snapshot, host):
        keys.update(_network_keys(snapshot, network_id))
        if _is_tunnelled(snapshot, host, network_id):
            keys.update(_peer_keys(snapshot, network_id))
        if _serves_dhcp(snapshot, host, network_id) or _is_populated(snapshot, host, network_id):
            keys.update((Port.kind, port_id) for port_id in snapshot.ids("ports_by_network", network_id))
    found = {key: row for key in keys if (row := _get(snapshot, key)) is not None}
    for key in {*relevant_groups.keys_of_groups(snapshot, host)} - keys:
        if (row := _get(snapshot, key)) is not None:
            found[key] = relevant_groups.in_short(row)
    return found


def _get(snapshot: Snapshot, key: Key) -> Row | None:
    return snapshot.get(ROW_TYPE_BY_KIND[key[0]], key[1])


def relevant_row(snapshot: Snapshot, host: str, key: Key) -> Row | None:
    """Gives one row if the host's desired state can depend on it, else None."""
    row = _get(snapshot, key)
    return _told(row, _form(snapshot, host, row))


def interested_hosts(before: Snapshot, after: Snapshot, changes: Iterable[Change]) -> set[str]:
    """Gives the hosts whose relevant rows a commit may change; a few too many are allowed, one too few never."""
    hosts: set[str] = set()
    for change in changes:
        if relevant_groups.changes_in_short(change):
            for snapshot, row in ((before, change.before), (after, change.after)):
                hosts.update(relevant_groups.hosts_of(snapshot, row) if row is not None else ())
        if change.before is not None:
            hosts.update(_hosts_of(before, change.before))
        if change.after is not None:
            hosts.update(_hosts_of(after, change.after))
    return hosts


def relevant_changes(
    before: Snapshot, after: Snapshot, changes: Iterable[Change], host: str
) -> Mapping[Key, Row | None]:
    """Gives what a host that knows ``relevant_rows(before)`` must be told to know ``relevant_rows(after)``.

    A row's value is its new state, or None when the host no longer needs to know it.
    """
    told: dict[Key, Row | None] = {}
    for change in changes:
        for key in _keys_moved(before, after, change, host):
            if key not in told:
                old, new = _get(before, key), _get(after, key)
                was, becomes = _form(before, host, old), _form(after, host, new)
                if _differs((old, was), (new, becomes)):
                    told[key] = _told(new, becomes)
    return told


def _differs(old: tuple[Row | None, _Form], new: tuple[Row | None, _Form]) -> bool:
    """Says whether a host is told something else of a row; what goes or comes is not put in short to know it."""
    (row, form), (new_row, new_form) = old, new
    if _Form.NOTHING in (form, new_form):
        return form is not new_form
    return not (row is new_row and form is new_form) and _told(row, form) != _told(new_row, new_form)


def difference(old: Mapping[Key, Row], new: Mapping[Key, Row]) -> dict[Key, Row | None]:
    """Gives what turns one set of relevant rows into another; None for rows that are no longer in it."""
    told: dict[Key, Row | None] = {key: None for key in old if key not in new}
    told.update((key, row) for key, row in new.items() if old.get(key) != row)
    return told


def _own_keys(snapshot: Snapshot, host: str) -> Iterator[Key]:
    yield Host.kind, host
    yield from ((LocalVlan.kind, row_id) for row_id in snapshot.ids("local_vlans_by_host", host))
    yield from ((Port.kind, row_id) for row_id in snapshot.ids("ports_by_host", host))
    for server in snapshot.rows("servers_by_host", host):
        yield Server.kind, server.id
        yield Flavor.kind, server.flavor_id
        yield Image.kind, server.image_id
    for router_id in snapshot.ids("routers_by_host", host):
        yield Router.kind, router_id
        yield from _router_keys(snapshot, router_id)


def _router_keys(snapshot: Snapshot, router_id: str) -> Iterator[Key]:
    for floating in snapshot.rows("floating_ips_by_router", router_id):
        yield FloatingIp.kind, floating.id
        yield from _forwarding_keys(snapshot, floating.id)
        port = snapshot.get(Port, floating.floating_port_id)
        if port is not None and port.device_owner == FLOATING_OWNER and port.device_id == floating.id:
            yield Port.kind, port.id


def _forwarding_keys(snapshot: Snapshot, floating_id: str) -> Iterator[Key]:
    yield from (
        (PortForwarding.kind, row_id) for row_id in snapshot.ids("port_forwardings_by_floating_ip", floating_id)
    )


def _networks_on(snapshot: Snapshot, host: str) -> set[str]:
    present = {row.network_id for row in snapshot.rows("local_vlans_by_host", host)}
    return present | {port.network_id for port in snapshot.rows("dhcp_ports_by_host", host)}


def _network_keys(snapshot: Snapshot, network_id: str) -> Iterator[Key]:
    yield Network.kind, network_id
    yield from ((Subnet.kind, row_id) for row_id in snapshot.ids("subnets_by_network", network_id))
    yield from ((Port.kind, row_id) for row_id in snapshot.ids("dhcp_ports_by_network", network_id))
    yield from ((Port.kind, row_id) for row_id in snapshot.ids("router_ports_by_network", network_id))


def _peer_keys(snapshot: Snapshot, network_id: str) -> Iterator[Key]:
    for row in snapshot.rows("local_vlans_by_network", network_id):
        yield LocalVlan.kind, row.id
        yield Host.kind, row.host


def _is_tunnelled(snapshot: Snapshot, host: str, network_id: str) -> bool:
    """Says whether the host has the network, and it is one in tunnels."""
    network = snapshot.get(Network, network_id)
    in_tunnels = network is not None and network.network_type in TUNNEL_TYPES
    return in_tunnels and snapshot.get(LocalVlan, f"{host}/{network_id}") is not None


def _is_populated(snapshot: Snapshot, host: str, network_id: str) -> bool:
    """Says whether the host's tunnels are told where the network's ports are."""
    return _populates(snapshot, host) and _is_tunnelled(snapshot, host, network_id)


def _populates(snapshot: Snapshot, host: str) -> bool:
    row = snapshot.get(Host, host)
    return row is not None and row.settings.l2_population


def _is_peer(snapshot: Snapshot, host: str, other: str) -> bool:
    """Says whether two hosts share a network in tunnels; costs as many look-ups as the one with fewer networks has."""
    few, many = sorted((host, other), key=lambda one: len(snapshot.ids("local_vlans_by_host", one)))
    networks = (row.network_id for row in snapshot.rows("local_vlans_by_host", few))
    return any(_is_tunnelled(snapshot, few, network) and _is_tunnelled(snapshot, many, network) for network in networks)


def _serves_dhcp(snapshot: Snapshot, host: str, network_id: str) -> bool:
    return snapshot.has_tallied("dhcp_hosts", network_id, host)


def _is_on(snapshot: Snapshot, host: str, network_id: str) -> bool:
    # By id and not by index: a network may be on a thousand hosts.
    present = snapshot.get(LocalVlan, f"{host}/{network_id}") is not None
    return present or _serves_dhcp(snapshot, host, network_id)


def _form(snapshot: Snapshot, host: str, row: Row | None) -> _Form:
    """Gives in what form a host is told of a row."""
    if row is None:
        return _Form.NOTHING
    if isinstance(row, Port):
        if _is_whole_port(snapshot, host, row):
            return _Form.WHOLE
        relevant = relevant_groups.is_needed(snapshot, host, row)
    else:
        relevant = _is_relevant(snapshot, host, row)
    return _Form.SHORT if relevant else _Form.NOTHING


def _told(row: Row | None, form: _Form) -> Row | None:
    """Gives what a host is told of a row."""
    if row is None or form is _Form.NOTHING:
        return None
    return row if form is _Form.WHOLE else relevant_groups.in_short(row)


def _is_whole_port(snapshot: Snapshot, host: str, port: Port) -> bool:
    """Says whether a port is relevant to a host for more than its security groups."""
    if port.host_id == host or _serves_dhcp(snapshot, host, port.network_id):
        return True
    if _is_populated(snapshot, host, port.network_id):
        return True
    if port.device_owner == FLOATING_OWNER:
        return _router_host_of_port(snapshot, port) == host
    return _concerns_network(port) and _is_on(snapshot, host, port.network_id)


def _concerns_network(port: Port) -> bool:
    """Says whether every host that has the network must know of the port."""
    return port.device_owner == DHCP_OWNER or port.device_owner in ROUTER_INTERFACES


def _is_relevant(snapshot: Snapshot, host: str, row: Row) -> bool:
    """Says whether a row that is no port is relevant to a host."""
    if isinstance(row, Network):
        return _is_on(snapshot, host, row.id)
    if isinstance(row, Subnet):
        return _is_on(snapshot, host, row.network_id)
    if isinstance(row, LocalVlan):
        return row.host == host or _is_tunnelled(snapshot, host, row.network_id)
    if isinstance(row, Server):
        return row.host == host
    if isinstance(row, Router):
        return row.host_id == host
    if isinstance(row, FloatingIp):
        return _router_host(snapshot, row) == host
    if isinstance(row, PortForwarding):
        return _router_host(snapshot, snapshot.get(FloatingIp, row.floating_ip_id)) == host
    if isinstance(row, Host):
        return row.id == host or _is_peer(snapshot, host, row.id)
    if isinstance(row, Flavor):
        return any(server.flavor_id == row.id for server in snapshot.rows("servers_by_host", host))
    if isinstance(row, Image):
        return any(server.image_id == row.id for server in snapshot.rows("servers_by_host", host))
    return relevant_groups.is_needed(snapshot, host, row)


def _router_host(snapshot: Snapshot, floating: FloatingIp | None) -> str | None:
    """Gives the host of the router that translates a floating IP; None when there is none."""
    router = snapshot.get(Router, floating.router_id) if floating is not None and floating.router_id else None
    return router.host_id or None if router is not None else None


def _router_host_of_port(snapshot: Snapshot, port: Port) -> str | None:
    floating = snapshot.get(FloatingIp, port.device_id)
    own = floating is not None and floating.floating_port_id == port.id
    return _router_host(snapshot, floating) if own else None


def _hosts_on(snapshot: Snapshot, network_id: str) -> set[str]:
    present = {row.host for row in snapshot.rows("local_vlans_by_network", network_id)}
    return present | _dhcp_hosts(snapshot, network_id)


def _tunnel_hosts(snapshot: Snapshot, network_id: str) -> set[str]:
    """Gives the hosts that have a network in tunnels; none for another network."""
    network = snapshot.get(Network, network_id)
    if network is None or network.network_type not in TUNNEL_TYPES:
        return set()
    return {row.host for row in snapshot.rows("local_vlans_by_network", network_id)}


def _dhcp_hosts(snapshot: Snapshot, network_id: str) -> set[str]:
    return set(snapshot.tallied("dhcp_hosts", network_id))


def _hosts_of(snapshot: Snapshot, row: Row) -> set[str]:
    if isinstance(row, Port):
        hosts = (_hosts_on if _concerns_network(row) else _dhcp_hosts)(snapshot, row.network_id)
        hosts |= {host for host in _tunnel_hosts(snapshot, row.network_id) if _populates(snapshot, host)}
        if row.device_owner == FLOATING_OWNER and (translating := _router_host_of_port(snapshot, row)):
            hosts |= {translating}
        return hosts | {row.host_id} if row.host_id else hosts
    if isinstance(row, Network):
        return _hosts_on(snapshot, row.id)
    if isinstance(row, Subnet):
        return _hosts_on(snapshot, row.network_id)
    if isinstance(row, LocalVlan):
        return {row.host} | _tunnel_hosts(snapshot, row.network_id)
    if isinstance(row, Server):
        return {row.host} if row.host else set()
    if isinstance(row, Router):
        return {row.host_id} if row.host_id else set()
    if isinstance(row, FloatingIp | PortForwarding):
        floating = row if isinstance(row, FloatingIp) else snapshot.get(FloatingIp, row.floating_ip_id)
        return {host} if (host := _router_host(snapshot, floating)) else set()
    if isinstance(row, Host):
        vlans = snapshot.rows("local_vlans_by_host", row.id)
        return {row.id}.union(*(_tunnel_hosts(snapshot, vlan.network_id) for vlan in vlans))
    if isinstance(row, Flavor | Image):
        index = "servers_by_flavor" if isinstance(row, Flavor) else "servers_by_image"
        return {server.host for server in snapshot.rows(index, row.id) if server.host}
    return set()


def _keys_moved(before: Snapshot, after: Snapshot, change: Change, host: str) -> Iterator[Key]:
    """Gives the rows whose relevance to the host the change may touch: itself, and what a container holds."""
    yield change.kind, change.id
    yield from relevant_groups.keys_moved(before, after, change, host)
    for snapshot, row in ((before, change.before), (after, change.after)):
        if isinstance(row, Server) and row.host == host:
            yield Flavor.kind, row.flavor_id
            yield Image.kind, row.image_id
        if isinstance(row, Router) and row.host_id == host:
            yield from _router_keys(before, row.id)
            yield from _router_keys(after, row.id)
        if isinstance(row, FloatingIp):
            yield Port.kind, row.floating_port_id
            yield from _forwarding_keys(snapshot, row.id)
        if isinstance(row, LocalVlan):
            yield Host.kind, row.host
            if row.host == host:
                yield from _container_keys(before, after, row.network_id)
                yield from _tunnel_keys(before, after, host, row.network_id)
        if isinstance(row, Network):
            yield from _tunnel_keys(before, after, host, row.id)
        if isinstance(row, Host) and row.id == host and _populates(before, host) != _populates(after, host):
            for vlan in snapshot.rows("local_vlans_by_host", host):
                yield from _tunnel_keys(before, after, host, vlan.network_id)
        if isinstance(row, Port) and row.device_owner == DHCP_OWNER and row.host_id == host:
            yield from _container_keys(before, after, row.network_id)
            if _serves_dhcp(before, host, row.network_id) != _serves_dhcp(after, host, row.network_id):
                yield from ((Port.kind, port_id) for port_id in snapshot.ids("ports_by_network", row.network_id))


def _tunnel_keys(before: Snapshot, after: Snapshot, host: str, network_id: str) -> Iterator[Key]:
    """Gives what of a network a host's tunnels need in just one of two states; nothing when that is the same."""
    if _is_tunnelled(before, host, network_id) != _is_tunnelled(after, host, network_id):
        yield from _peer_keys(before, network_id)
        yield from _peer_keys(after, network_id)
    if _is_populated(before, host, network_id) != _is_populated(after, host, network_id):
        for snapshot in (before, after):
            yield from ((Port.kind, port_id) for port_id in snapshot.ids("ports_by_network", network_id))


def _container_keys(before: Snapshot, after: Snapshot, network_id: str) -> Iterator[Key]:
    if before is not after:
        yield from _network_keys(before, network_id)
    yield from _network_keys(after, network_id)
