"""The fabric around two ports: which hosts are compiled, what is plugged into which wire, and what guests are like.

Called by trace.model only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network

from netglass.base.ids import qvo_name, tap_name
from netglass.compile.advertising import advertised
from netglass.compile.compiler import compile_host
from netglass.control.visibility import is_external
from netglass.desired.state import HostState
from netglass.model.resources import Host, Network, Port, Server, Subnet, ref
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric, GuestRoute, Outsider, Station, Wire
from netglass.trace.result import End
from netglass.trace.stack import end_of

_ROUTERS = "network:router"  # the beginning of the owner of every router's port


def fabric_around(snapshot: Snapshot, ports: Iterable[Port], beyond: str = "", network: str = "") -> Fabric:
    """Gives all that a packet between the ports can meet: the hosts that have one of their networks, or of those that
    routers join with them, and who is thought to be outside on external networks among these.

    beyond   an address that the packet is for; somebody has it, if it is of an external subnet
    network  where the packet comes from, when no port of ours sends it

    Cost: compiles each of these hosts.
    """
    known = list(ports)
    known += _behind(snapshot, beyond)
    networks = _joined(snapshot, {port.network_id for port in known} | ({network} if network else set()))
    hosts = {port.host_id for port in known if port.host_id}
    for network in networks:
        hosts.update(row.host for row in snapshot.rows("local_vlans_by_network", network))
        hosts.update(port.host_id for port in snapshot.rows("dhcp_ports_by_network", network) if port.host_id)
    rows = sorted((row for h in hosts if (row := snapshot.get(Host, h)) is not None), key=lambda row: row.id)
    states = [compile_host(snapshot, row.id) for row in rows]
    stations = [station for state in states for station in _stations(snapshot, state)]
    wires = _wires(rows)
    return Fabric.of(states, [wire for _, wire in wires], stations, _outsiders(snapshot, networks, wires, beyond))


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


def _behind(snapshot: Snapshot, address: str) -> list[Port]:
    """Gives the ports of routers that hold a floating address."""
    floating = snapshot.rows("floating_ips_by_address", address) if address else []
    return [port for one in floating if one.router_id for port in snapshot.rows("ports_by_device", one.router_id)]


def _stations(snapshot: Snapshot, state: HostState) -> Iterator[Station]:
    ports = {port.id: port for port in snapshot.rows("ports_by_host", state.host)}
    taps = {tap_name(port_id): port for port_id, port in ports.items()}
    plugged = taps | {qvo_name(port_id): port for port_id, port in ports.items()}
    for guest in state.guests:
        for nic in guest.nics:
            if nic.tap in taps:
                yield _station(snapshot, taps[nic.tap], state.host, nic.tap)
    for switch_port in state.switch_ports:
        if switch_port.awaited and switch_port.name in plugged:
            yield _station(snapshot, plugged[switch_port.name], state.host, switch_port.name)


def _station(snapshot: Snapshot, port: Port, host: str, device: str) -> Station:
    end = End(
        host=host,
        device=device,
        mac=port.mac_address,
        ref=ref(port),
        name=label(snapshot, port),
        guest=True,
    )
    routes: list[GuestRoute] = []
    for fixed in port.fixed_ips:
        subnet = snapshot.get(Subnet, fixed.subnet_id)
        if subnet is not None:
            routes += _guest_routes(subnet, _gateway(snapshot, subnet))
    return Station(end, tuple(fixed.ip_address for fixed in port.fixed_ips), tuple(routes))


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


def _guest_routes(subnet: Subnet, gateway: str) -> Iterator[GuestRoute]:
    """Gives what DHCP, or a router, tells a guest on a subnet; what cannot be read, no guest is told."""
    # DHCPv6 tells no routes.
    own = subnet.host_routes if subnet.ip_version == 4 else ()
    wanted = [(subnet.cidr, ""), *((route.destination, route.nexthop) for route in own)]
    if gateway:
        wanted.append(("0.0.0.0/0" if subnet.ip_version == 4 else "::/0", gateway))
    for destination, via in wanted:
        try:
            networks = {ip_network(destination).version, *([ip_address(via).version] if via else [])}
        except ValueError:
            continue
        if len(networks) == 1:
            yield GuestRoute(destination, via, (ref(subnet),))


OUTSIDE_MACS = "00:00:5e:00:53:{:02x}"
"""In place of the MACs of those outside, which no intent tells; the block is for documentation, RFC 7042."""


def _outsiders(
    snapshot: Snapshot, networks: Iterable[str], wires: list[tuple[list[str], Wire]], beyond: str
) -> Iterator[Outsider]:
    """Gives who is outside on external networks: the provider's routers, and whoever has the address `beyond`."""
    for network in (snapshot.get(Network, network_id) for network_id in sorted(networks)):
        wire = next((wire for names, wire in wires if network and network.physical_network in names), None)
        if network is None or wire is None or not is_external(snapshot, network):
            continue
        for subnet in snapshot.rows("subnets_by_network", network.id):
            found = dict.fromkeys([subnet.gateway_ip or "", beyond])
            for number, address in enumerate(one for one in found if _is_outside(snapshot, subnet, one)):
                mac = OUTSIDE_MACS.format(number)
                end = End(mac=mac, device=wire.name, name=f"{address} outside", address=address)
                yield Outsider(end, wire.name, network.segmentation_id)


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
