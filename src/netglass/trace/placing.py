"""The fabric around two ports: which hosts are compiled, what is plugged into which wire, and what guests are like.

Called by trace.model only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network

from netglass.base.ids import qvo_name, tap_name
from netglass.compile.advertising import advertised
from netglass.compile.compiler import compile_host
from netglass.compile.firewall.reasons import reasons_of
from netglass.control.visibility import is_external
from netglass.desired.state import HostState
from netglass.model.resources import Host, Network, Port, Server, Subnet, ref
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric, GuestRoute, Outsider, Station, Wire
from netglass.trace.result import End
from netglass.trace.stack import end_of
from netglass.trace.told import Told

_ROUTERS = "network:router"  # the beginning of the owner of every router's port


@dataclass(frozen=True)
class Around:
    """What a fabric is wanted for.

    ports      that a packet goes between
    addresses  that it goes between, where these are no port's
    network    where it comes from, when no port of ours sends it
    """

    ports: tuple[Port, ...]
    addresses: tuple[str, ...] = ()
    network: str = ""


def fabric_around(snapshot: Snapshot, around: Around) -> Fabric:
    """Gives all that a packet can meet: the hosts that have one of the networks concerned, or of those that routers
    join with them, and who is thought to be outside on external networks among these.

    Cost: compiles each of these hosts.
    """
    known = [*around.ports, *(port for address in around.addresses for port in _behind(snapshot, address))]
    networks = _joined(snapshot, {port.network_id for port in known} | ({around.network} if around.network else set()))
    hosts = {port.host_id for port in known if port.host_id}
    for network in networks:
        hosts.update(row.host for row in snapshot.rows("local_vlans_by_network", network))
        hosts.update(port.host_id for port in snapshot.rows("dhcp_ports_by_network", network) if port.host_id)
    rows = sorted((row for h in hosts if (row := snapshot.get(Host, h)) is not None), key=lambda row: row.id)
    states = [compile_host(snapshot, row.id) for row in rows]
    told = Told.of(states)
    stations = [station for state in states for station in _stations(snapshot, state, told)]
    wires = _wires(snapshot.all(Host))  # whoever is plugged in, looked at or not
    outsiders = _outsiders(snapshot, networks, wires, around.addresses)
    return Fabric.of(states, [wire for _, wire in wires], stations, outsiders, partial(reasons_of, snapshot))


def end_at(fabric: Fabric, port: Port, name: str, address: str) -> End | None:
    """Gives where a port is, by the state of its host; None when nothing of it is there."""
    machine = fabric.machines.get(port.host_id)
    if machine is None:
        return None
    for device in (tap_name(port.id), qvo_name(port.id)):
        station = fabric.stations.get((port.host_id, device))
        if station is not None and station.end.ref == ref(port):
            return _with_address(station.end, address)
    for switch_port in machine.ports.values():
        if switch_port.type == "internal" and switch_port.external_ids.get("iface-id") == port.id:
            link = machine.link(switch_port.name)
            if link is not None:
                return _with_address(end_of(machine, link.netns, link.name), address, name)
    return None


def label(snapshot: Snapshot, port: Port) -> str:
    """Gives what people call the holder of a port."""
    server = snapshot.get(Server, port.device_id) if port.device_id else None
    if server is not None:
        return server.name
    return port.name or f"port {port.id[:8]}"


def _with_address(end: End, address: str, name: str = "") -> End:
    return End(
        host=end.host,
        netns=end.netns,
        device=end.device,
        mac=end.mac,
        ref=end.ref,
        name=name or end.name,
        address=address,
        guest=end.guest,
    )


def _joined(snapshot: Snapshot, networks: set[str]) -> set[str]:
    """Gives the networks, and those that routers join with them; not all that an external network joins, which would
    be all there are.
    """
    found, new = set(networks), list(networks)
    while new:
        network_id = new.pop()
        network = snapshot.get(Network, network_id)
        if network is not None and is_external(snapshot, network):
            continue
        for port in snapshot.rows("ports_by_network", network_id):
            if not port.device_owner.startswith(_ROUTERS) or not port.device_id:
                continue
            for other in snapshot.rows("ports_by_device", port.device_id):
                if other.network_id not in found:
                    found.add(other.network_id)
                    new.append(other.network_id)
    return found


def _behind(snapshot: Snapshot, address: str) -> Iterator[Port]:
    """Gives the ports that a packet for an address may come to from outside: the holder's on an external network, and
    all of the router that translates it.
    """
    for floating in snapshot.rows("floating_ips_by_address", address):
        if floating.router_id:
            yield from snapshot.rows("ports_by_device", floating.router_id)
    for network in snapshot.rows("networks_external", True):
        for subnet in snapshot.rows("subnets_by_network", network.id):
            for port in snapshot.rows("ports_by_address", (subnet.id, address)):
                yield port
                if port.device_owner.startswith(_ROUTERS):
                    yield from snapshot.rows("ports_by_device", port.device_id)


def _stations(snapshot: Snapshot, state: HostState, told: Told) -> Iterator[Station]:
    ports = {port.id: port for port in snapshot.rows("ports_by_host", state.host)}
    taps = {tap_name(port_id): port for port_id, port in ports.items()}
    plugged = taps | {qvo_name(port_id): port for port_id, port in ports.items()}
    for guest in state.guests:
        for nic in guest.nics:
            if nic.tap in taps:
                yield _station(snapshot, taps[nic.tap], (state.host, nic.tap, nic.mtu), told)
    for switch_port in state.switch_ports:
        if switch_port.awaited and switch_port.name in plugged:
            port = plugged[switch_port.name]
            network = snapshot.get(Network, port.network_id)
            mtu = network.mtu if network is not None else 0
            yield _station(snapshot, port, (state.host, switch_port.name, mtu), told)


def _station(snapshot: Snapshot, port: Port, at: tuple[str, str, int], told: Told) -> Station:
    host, device, mtu = at
    name = label(snapshot, port)
    end = End(host=host, device=device, mac=port.mac_address, ref=ref(port), name=name, guest=True)
    routes: list[GuestRoute] = []
    untold: list[str] = []
    for fixed in port.fixed_ips:
        subnet = snapshot.get(Subnet, fixed.subnet_id)
        if subnet is None:
            continue
        given = told.gives(port, fixed.ip_address)
        if not given and not _made(subnet):
            untold.append(fixed.ip_address)
        routes += told.routes(port, subnet) if given and subnet.ip_version == 4 else _by_intent(snapshot, subnet)
    addresses = tuple(fixed.ip_address for fixed in port.fixed_ips)
    return Station(end, addresses, tuple(_readable(routes)), mtu, tuple(untold))


def _made(subnet: Subnet) -> bool:
    """Says whether guests make their addresses on a subnet themselves."""
    return subnet.ipv6_address_mode in ("slaac", "dhcpv6-stateless")


def _by_intent(snapshot: Snapshot, subnet: Subnet) -> Iterator[GuestRoute]:
    """Gives the routes of a guest that was set up by hand, or by routers, as the subnet says."""
    # DHCPv6 tells no routes.
    own = subnet.host_routes if subnet.ip_version == 4 else ()
    wanted = [(subnet.cidr, ""), *((route.destination, route.nexthop) for route in own)]
    gateway = _gateway(snapshot, subnet)
    if gateway:
        wanted.append(("0.0.0.0/0" if subnet.ip_version == 4 else "::/0", gateway))
    yield from (GuestRoute(destination, via, (ref(subnet),)) for destination, via in wanted)


def _gateway(snapshot: Snapshot, subnet: Subnet) -> str:
    """Gives what guests on a subnet take for their gateway: in IPv6, the address that the oldest router advertises."""
    if subnet.ip_version == 6:
        rows: list[Port] = snapshot.rows("router_ports_by_network", subnet.network_id)
        for port in sorted(rows, key=lambda one: (one.created_at, one.id)):
            joined = [snapshot.get(Subnet, fixed.subnet_id) for fixed in port.fixed_ips]
            told = advertised(port, "", [one for one in joined if one is not None], 0)
            if told is not None and subnet in told.subnets:
                return told.own[0].partition("/")[0]
    return subnet.gateway_ip or ""


def _readable(routes: Iterable[GuestRoute]) -> Iterator[GuestRoute]:
    """Leaves out what cannot be read: no guest could take it."""
    for route in routes:
        try:
            versions = {ip_network(route.destination).version}
            versions |= {ip_address(route.via).version} if route.via else set()
        except ValueError:
            continue
        if len(versions) == 1:
            yield route


OUTSIDE_MACS = "00:00:5e:00:53:{:02x}"
"""In place of the MACs of those outside, which no intent tells; the block is for documentation, RFC 7042."""


def _outsiders(
    snapshot: Snapshot, networks: Iterable[str], wires: list[tuple[list[str], Wire]], beyond: Iterable[str]
) -> Iterator[Outsider]:
    """Gives who is outside on external networks: the provider's routers, and whoever has one of the addresses there."""
    for network in (snapshot.get(Network, network_id) for network_id in sorted(networks)):
        wire = next((wire for names, wire in wires if network and network.physical_network in names), None)
        if network is None or wire is None or not is_external(snapshot, network):
            continue
        subnets = snapshot.rows("subnets_by_network", network.id)
        cidrs = tuple(subnet.cidr for subnet in subnets if _is_network(subnet.cidr))
        wanted = [(subnet, one) for subnet in subnets for one in dict.fromkeys([subnet.gateway_ip or "", *beyond])]
        for number, (_, address) in enumerate(one for one in wanted if _is_outside(snapshot, *one)):
            end = End(mac=OUTSIDE_MACS.format(number), device=wire.name, name=f"{address} outside", address=address)
            yield Outsider(end, wire.name, network.segmentation_id, network.id, cidrs)


def _is_network(cidr: str) -> bool:
    try:
        ip_network(cidr)
    except ValueError:
        return False
    return True


def _is_outside(snapshot: Snapshot, subnet: Subnet, address: str) -> bool:
    """Says whether an address is of a subnet, and no port of the cloud has it."""
    try:
        held = bool(address) and ip_address(address) in ip_network(subnet.cidr)
    except ValueError:
        return False
    return held and not snapshot.ids("ports_by_address", (subnet.id, address))


def _wires(hosts: Iterable[Host]) -> list[tuple[list[str], Wire]]:
    """Gives the physical networks with their names: NICs that one of these leads to, on any host; those with a NIC in
    common are one wire.
    """
    plugs: dict[str, set[tuple[str, str]]] = {}
    for host in hosts:
        for physical, bridge in host.settings.bridge_mappings.items():
            nic = host.settings.bridge_nics.get(bridge)
            if nic:
                plugs.setdefault(physical, set()).add((host.id, nic))
    merged: list[tuple[list[str], set[tuple[str, str]]]] = []
    for physical in sorted(plugs):
        names, ends = [physical], set(plugs[physical])
        for other in [one for one in merged if one[1] & ends]:
            merged.remove(other)
            names, ends = other[0] + names, other[1] | ends
        merged.append((names, ends))
    return [(names, Wire(" and ".join(names), tuple(sorted(ends)))) for names, ends in merged]
