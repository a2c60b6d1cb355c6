"""Signs of life: how others can tell that a host from which no server hears still does its work.

A host may be silent because it is dead, because its agent is, or because its way to the servers is cut: in the latter
cases its routers and DHCP servers work on, and would be there twice if another host took them over.  So hosts that
share a network with it are asked for what of it answers there: the address at which its tunnels begin, and the IPv4
addresses of its routers' and DHCP servers' own ports on physical networks.

Source: decision 0017.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from ipaddress import IPv4Address
from typing import NamedTuple

from netglass.control.dhcp import is_dhcp_server
from netglass.control.router_scheduling import router_ports
from netglass.model.protocol import Sign
from netglass.model.resources import TUNNEL_TYPES, Host, Network, Port
from netglass.model.snapshot import Snapshot

_MOST_WITNESSES = 3


class Told(NamedTuple):
    """What one host says of another's signs; those in neither it cannot tell."""

    seen: Set[Sign]
    missed: Set[Sign]


def held_by(snapshot: Snapshot, host: Host) -> dict[str, tuple[Sign, ...]]:
    """Gives what a host carries that another could take over, and the signs of each; no sign where there is none.

    Keys are the ids of routers, and of DHCP servers' ports.
    """
    found = {router_id: router_ports(snapshot, router_id) for router_id in snapshot.ids("routers_by_host", host.id)}
    port: Port
    for port in snapshot.rows("dhcp_ports_by_host", host.id):
        if is_dhcp_server(port):
            found[port.id] = [port]
    return {held: tuple(dict.fromkeys(_signs(snapshot, host, ports))) for held, ports in sorted(found.items())}


def witnesses(snapshot: Snapshot, host: Host, signs: Iterable[Sign], heard: Set[str]) -> dict[str, list[Sign]]:
    """Gives who should look for a host's signs, and for which: at most three, first those that would take over.

    heard  ids of the hosts that were heard of lately
    """
    wanted = list(signs)
    others: list[Host] = [other for other in snapshot.all(Host) if other.id in heard and other.id != host.id]
    found: dict[str, list[Sign]] = {}
    for other in sorted(others, key=lambda other: ("network" not in other.roles, other.id)):
        able = [sign for sign in wanted if _can_tell(other, host, sign)]
        if able and len(found) < _MOST_WITNESSES:
            found[other.id] = able
    return found


def stopped(held: Mapping[str, tuple[Sign, ...]], told: Iterable[Told]) -> frozenset[str]:
    """Gives the ids of what nobody says works: of each sign that anybody can tell, somebody must have seen it.

    Where nobody can tell of any, it counts as stopped.
    """
    seen: set[Sign] = set()
    missed: set[Sign] = set()
    for one in told:
        seen |= one.seen
        missed |= one.missed
    missed -= seen
    return frozenset(id for id, signs in held.items() if seen.isdisjoint(signs) or not missed.isdisjoint(signs))


def _signs(snapshot: Snapshot, host: Host, ports: Iterable[Port]) -> Iterator[Sign]:
    for port in ports:
        network = snapshot.get(Network, port.network_id)
        if network is None or not port.admin_state_up:
            continue
        if network.network_type in TUNNEL_TYPES:
            if host.settings.local_ip:
                yield Sign(address=host.settings.local_ip)
        elif address := _ipv4(port):
            vlan = network.segmentation_id or 0
            yield Sign(address=address, physical_network=network.physical_network, vlan=vlan, mac=port.mac_address)


def _ipv4(port: Port) -> str:
    """Gives a port's first IPv4 address; empty where it has none."""
    for fixed in port.fixed_ips:
        try:
            return str(IPv4Address(fixed.ip_address))
        except ValueError:
            continue
    return ""


def _can_tell(other: Host, host: Host, sign: Sign) -> bool:
    there = other.settings
    if not sign.physical_network:
        return bool(there.local_ip) and not set(there.tunnel_types).isdisjoint(host.settings.tunnel_types)
    return bool(there.bridge_nics.get(there.bridge_mappings.get(sign.physical_network, "")))
