"""Which instance an address on a network belongs to, for whoever must answer it without asking who it is.

Only the place where a packet came in and its source address count, never what the packet says (CVE-2013-6419).
Anything that leaves a doubt is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from netglass.base.eui64 import mac_of
from netglass.control.owners import ROUTER_INTERFACES
from netglass.model.protocol import Instance
from netglass.model.resources import Port, Server
from netglass.model.snapshot import Snapshot

_GUESTS = "compute:"


def find_instance(
    snapshot: Snapshot, host: str, address: str, *, network_id: str = "", router_id: str = ""
) -> Instance | None:
    """Gives the instance that has `address` on the network, or on one of the router's networks; None for no or several.

    host  who wants to know: a network that it does not serve (DHCP), or a router that it does not run, is not its
          business
    Raises ValueError unless just one of network and router is named.

    Cost: O(subnets of the networks).
    """
    if bool(network_id) == bool(router_id):
        raise ValueError("an address is looked for either on a network or on a router's networks")
    networks = _served(snapshot, host, network_id) if network_id else _joined(snapshot, host, router_id)
    ports = {port.id: port for network in networks for port in _holders(snapshot, network, address)}
    found = [_instance(snapshot, port) for port in ports.values() if port.device_owner.startswith(_GUESTS)]
    return found[0] if len(found) == 1 else None


def _served(snapshot: Snapshot, host: str, network_id: str) -> set[str]:
    servers: list[Port] = snapshot.rows("dhcp_ports_by_network", network_id)
    return {network_id} if any(port.host_id == host for port in servers) else set()


def _joined(snapshot: Snapshot, host: str, router_id: str) -> set[str]:
    ports: list[Port] = snapshot.rows("ports_by_device", router_id)
    return {p.network_id for p in ports if p.device_owner in ROUTER_INTERFACES and p.host_id == host}


def _holders(snapshot: Snapshot, network_id: str, text: str) -> Iterable[Port]:
    try:
        address = ip_address(text)
    except ValueError:
        return []
    if isinstance(address, IPv6Address) and address.is_link_local:
        mac = mac_of(address)
        found: list[Port] = snapshot.rows("ports_by_mac", (network_id, mac)) if mac else []
        return found
    subnets = snapshot.ids("subnets_by_network", network_id)
    return [port for subnet in subnets for port in snapshot.rows("ports_by_address", (subnet, str(address)))]


def _instance(snapshot: Snapshot, port: Port) -> Instance | None:
    server = snapshot.get(Server, port.device_id)
    if server is None:
        # An outside compute service's: its metadata API holds the project against the instance's own.
        return Instance(id=port.device_id, project_id=port.project_id) if port.device_id else None
    # Whoever may make a port may name any device on it; only the server's own word counts.
    return Instance(id=server.id, project_id=server.project_id) if port.id in server.port_ids else None
