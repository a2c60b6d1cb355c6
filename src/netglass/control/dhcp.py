"""DHCP scheduling: which hosts serve DHCP for a network, as ports that Netglass makes itself.

`schedule_dhcp` makes the network's DHCP ports what they should be, whatever they are now; calling it once more
changes nothing.  It never fails: where a subnet is full or no host can serve, there is less DHCP, and the next call
tries again.  An administrator may add and take away servers beside it.

Source: DATAPLANE.md, "DHCP"; device ids are Neutron's, so that an operator can tell the host from a port.
"""

from __future__ import annotations

from collections.abc import Set
from uuid import NAMESPACE_DNS, uuid5

from netglass.base.errors import UserError
from netglass.base.numbers import holds_number
from netglass.control.addresses import Picks, lowest_free
from netglass.control.binding import can_carry, hold_tag, release_tag
from netglass.control.decision import Decision
from netglass.control.faults import fault, invalid_input
from netglass.control.macs import pick_mac
from netglass.control.owners import DHCP
from netglass.control.spaces import eui64, is_auto, space_of
from netglass.control.status import raise_statuses
from netglass.model.resources import FixedIp, Host, Network, Port, Subnet
from netglass.model.snapshot import Snapshot

_PREFIX = len("dhcp") + 36 + len("-")  # characters before the network's id: a UUID stands for the host


def dhcp_device_id(host_id: str, network_id: str) -> str:
    """Gives the device id of the DHCP port that a host has on a network."""
    return f"dhcp{uuid5(NAMESPACE_DNS, host_id)}-{network_id}"


def is_dhcp_server(port: Port) -> bool:
    """Says whether a port is one of ours, by its owner and the form of its device id.

    A port that says so is ours wherever it is bound: one that was moved by hand is damage, and is made anew.
    """
    return (
        port.device_owner == DHCP
        and port.device_id.startswith("dhcp")
        and port.device_id.endswith("-" + port.network_id)
        and len(port.device_id) == _PREFIX + len(port.network_id)
    )


def schedule_dhcp(d: Decision, network_id: str, stopped: Set[str] = frozenset()) -> None:
    """Makes, changes and drops a network's DHCP ports as its subnets and the hosts ask for.

    stopped  ids of ports of servers that work no longer, as their hosts are away

    A network with a subnet that has DHCP gets ``dhcp_agents_per_network`` of them, as far as there are enabled hosts
    with the role network that reach it (in the network's zones, if it names some), least loaded first; each has
    one address on every such subnet.  A server that runs stays where it is as long as its host can carry it, also
    beyond that number: an administrator may have added it.  One whose host is away goes as soon as another can take
    its place.
    """
    network = d.snapshot.get(Network, network_id)
    if network is None:
        return
    servers = [p for p in d.snapshot.rows("dhcp_ports_by_network", network_id) if is_dhcp_server(p)]
    subnets = _dhcp_subnets(d.snapshot, network)
    staying = _staying(d.snapshot, network, servers) if subnets else []
    lacking = _lacking(d, staying) if subnets else 0
    fresh = _least_loaded(d.snapshot, network, {p.host_id for p in staying})[:lacking]
    irreplaceable = [port for port in staying if port.id in stopped][: lacking - len(fresh)]
    kept = [port for port in staying if port.id not in stopped or port in irreplaceable]
    for port in servers:
        if port not in kept:
            _drop(d, port)
    for port in kept:
        _keep(d, port, subnets)
    for host in fresh:
        _serve(d, network, host, subnets)
    raise_statuses(d, network_id)


def step_back(d: Decision, network_id: str, host_id: str) -> None:
    """Takes a network's DHCP from a host that was away and is back, where others have stood in for it."""
    servers: list[Port] = [p for p in d.snapshot.rows("dhcp_ports_by_network", network_id) if is_dhcp_server(p)]
    if _lacking(d, [port for port in servers if port.host_id != host_id]):
        return
    for port in servers:
        if port.host_id == host_id:
            _drop(d, port)
    raise_statuses(d, network_id)


def decide_host_network(d: Decision, network: Network, host: Host, agent_id: str) -> None:
    """Has a host serve a network's DHCP, beside those that do.

    agent_id  what the host's DHCP agent is called in faults

    Raises NetworkHostedByDHCPAgent when it does already, InvalidDHCPAgent for a host that is out of service or does
    not reach the network, InvalidInput when there is nothing to serve (no subnet with DHCP, or none with an address
    left): then, unlike Neutron, nothing could be remembered.
    """
    if _server_on(d.snapshot, network, host) is not None:
        raise fault("NetworkHostedByDHCPAgent", network_id=network.id, agent_id=agent_id)
    if not host.enabled or not _can_serve(host, network):
        raise fault("InvalidDHCPAgent", id=agent_id)
    before = d.snapshot
    _serve(d, network, host, _dhcp_subnets(d.snapshot, network))
    if d.snapshot is before:
        raise invalid_input(f"Network {network.id} has no subnet with DHCP enabled and an address left for a server")


def decide_unhost_network(d: Decision, network: Network, host: Host, agent_id: str) -> None:
    """Takes a network's DHCP from a host; where too few hosts are left, the network's next change brings another.

    Raises NetworkNotHostedByDhcpAgent when the host does not serve it.
    """
    port = _server_on(d.snapshot, network, host)
    if port is None:
        raise fault("NetworkNotHostedByDhcpAgent", network_id=network.id, agent_id=agent_id)
    _drop(d, port)
    raise_statuses(d, network.id)


def _server_on(snapshot: Snapshot, network: Network, host: Host) -> Port | None:
    servers: list[Port] = snapshot.rows("dhcp_ports_by_network", network.id)
    return next((port for port in servers if is_dhcp_server(port) and port.host_id == host.id), None)


def _staying(snapshot: Snapshot, network: Network, servers: list[Port]) -> list[Port]:
    """Gives the servers that are as they should be, one a host, the oldest first."""
    found: dict[str, Port] = {}
    for port in sorted(servers, key=lambda p: (p.created_at, p.id)):
        in_place = port.host_id != "" and port.device_id == dhcp_device_id(port.host_id, network.id)
        if in_place and _can_serve(snapshot.get(Host, port.host_id), network):
            found.setdefault(port.host_id, port)
    return list(found.values())


def _lacking(d: Decision, servers: list[Port]) -> int:
    """Gives how many more servers a network with these should have, on hosts that are there."""
    there = sum(not _is_away(d.snapshot, port.host_id) for port in servers)
    return max(d.settings.dhcp_agents_per_network - there, 0)


def _dhcp_subnets(snapshot: Snapshot, network: Network) -> list[Subnet]:
    if not network.admin_state_up:
        return []
    subnets: list[Subnet] = snapshot.rows("subnets_by_network", network.id)
    return sorted((s for s in subnets if s.enable_dhcp), key=lambda s: (s.created_at, s.id))


def _can_serve(host: Host | None, network: Network) -> bool:
    return host is not None and "network" in host.roles and can_carry(host, network)


def _is_away(snapshot: Snapshot, host_id: str) -> bool:
    host = snapshot.get(Host, host_id)
    return host is not None and host.away


def _least_loaded(snapshot: Snapshot, network: Network, without: set[str]) -> list[Host]:
    """Gives the hosts that may serve the network, those with the fewest DHCP servers first."""
    hosts: list[Host] = snapshot.rows("hosts_by_role", "network")
    zones = network.availability_zone_hints
    able = [
        h
        for h in hosts
        if h.enabled
        and not h.away
        and h.id not in without
        and _can_serve(h, network)
        and (not zones or h.availability_zone in zones)
    ]
    return sorted(able, key=lambda h: (len(snapshot.ids("dhcp_ports_by_host", h.id)), h.id))


def _serve(d: Decision, network: Network, host: Host, subnets: list[Subnet]) -> None:
    try:
        mac = pick_mac(d, network.id, None)
    except UserError:
        return  # No MAC is free; nobody asked for this port, so nobody is told here.
    fixed_ips = _addresses(d.snapshot, mac, (), subnets)
    if not fixed_ips:
        return
    port = d.draft.put(
        Port(
            id=d.fresh.uuid(),
            project_id=network.project_id,
            network_id=network.id,
            mac_address=mac,
            device_id=dhcp_device_id(host.id, network.id),
            device_owner=DHCP,
            fixed_ips=fixed_ips,
            port_security_enabled=False,
            host_id=host.id,
            created_at=d.now,
            updated_at=d.now,
        )
    )
    hold_tag(d, port)


def _keep(d: Decision, port: Port, subnets: list[Subnet]) -> None:
    fixed_ips = _addresses(d.snapshot, port.mac_address, port.fixed_ips, subnets)
    if not fixed_ips:
        _drop(d, port)
        return
    hold_tag(d, d.draft.update(port, d.now, fixed_ips=fixed_ips))


def _drop(d: Decision, port: Port) -> None:
    d.draft.drop(port)
    release_tag(d, port.host_id, port.network_id)


def _addresses(snapshot: Snapshot, mac: str, held: tuple[FixedIp, ...], subnets: list[Subnet]) -> tuple[FixedIp, ...]:
    """Gives one address on each subnet: the held one, else the lowest free; none on a subnet that is full."""
    by_subnet = {f.subnet_id: f for f in held}
    picks = Picks(snapshot)
    found: list[FixedIp] = []
    for subnet in subnets:
        fixed = by_subnet.get(subnet.id) or _new_address(picks, mac, subnet)
        if fixed is not None:
            found.append(fixed)
    return tuple(found)


def _new_address(picks: Picks, mac: str, subnet: Subnet) -> FixedIp | None:
    if not is_auto(subnet):
        return lowest_free(picks, [subnet])
    number = eui64(subnet, mac)
    free = space_of(subnet).prefix == 64 and not holds_number(picks.used(subnet.id), number)
    return picks.take(subnet, number) if free else None
