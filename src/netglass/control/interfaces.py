"""Interfaces of routers: their ports inside, one for each subnet that they join.

By subnet, a port with the subnet's gateway address is made and goes with the interface; by port, one that somebody
made becomes the router's.  A router has one port for all IPv6 subnets of a network, since it advertises them together:
each further one is an address of that port.
Source: Networking API v2.0, ``add_router_interface`` and ``remove_router_interface``.
"""

from __future__ import annotations

from ipaddress import ip_address

import msgspec

from netglass.control.addresses import Claimant, pick_addresses
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import ROUTER_INTERFACE, ROUTER_INTERFACES
from netglass.control.port_security import Protection
from netglass.control.router_scheduling import place_router, router_ports
from netglass.control.router_subnets import bad_router, reaches, refuse_overlap
from netglass.control.service_ports import Service, drop_port, make_port
from netglass.control.visibility import find_port, find_subnet, is_shared, may_update, require_update
from netglass.model.resources import Network, Port, Router, Subnet


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """What was added or removed."""

    router: Router
    port: Port
    subnet_ids: tuple[str, ...]  # the one it is about first


def decide_add_interface(d: Decision, router: Router, subnet_id: str, port_id: str) -> Interface:
    """Joins a router to a subnet, or takes a port for it; exactly one of the two ids is not empty.

    Raises RouterNotFound or PolicyNotAuthorized (another's router), BadRequest (both ids or none, no gateway address,
    a subnet joined already or overlapping), SubnetNotFound, PortNotFound, PortInUse, and what `pick_addresses` raises.
    """
    require_update(d, router)
    if bool(subnet_id) == bool(port_id):
        raise bad_router(
            "Cannot specify both subnet-id and port-id"
            if subnet_id
            else "Either subnet_id or port_id must be specified"
        )
    port = _by_subnet(d, router, subnet_id) if subnet_id else _by_port(d, router, port_id)
    place_router(d, router)
    port = d.snapshot.get(Port, port.id) or port
    ids = [subnet_id] if subnet_id else [fixed.subnet_id for fixed in port.fixed_ips]
    return Interface(router=router, port=port, subnet_ids=tuple(ids))


def decide_remove_interface(d: Decision, router: Router, subnet_id: str, port_id: str) -> Interface:
    """Parts a router from a subnet; its port there is deleted, or loses its address where it has others too.

    Raises RouterNotFound or PolicyNotAuthorized (another's router), BadRequest (no id), RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet, SubnetMismatchForPort, RouterInterfaceInUseByFloatingIP,
    RouterInterfaceInUseByRoute.
    """
    require_update(d, router)
    if not subnet_id and not port_id:
        raise bad_router("Either subnet_id or port_id must be specified")
    port = _interface(d, router, subnet_id, port_id)
    rest = tuple(fixed for fixed in port.fixed_ips if fixed.subnet_id != subnet_id)
    leaving = rest == () or bool(port_id)
    gone = port.fixed_ips if leaving else [fixed for fixed in port.fixed_ips if fixed not in rest]
    subnets = [s for fixed in gone if (s := d.snapshot.get(Subnet, fixed.subnet_id)) is not None]
    for subnet in subnets:
        _refuse_in_use(d, router, subnet)
    if leaving:
        drop_port(d, port)
    else:
        d.draft.update(port, d.now, fixed_ips=rest)
    ids = [subnet.id for subnet in subnets]
    ids.sort(key=lambda found: found != subnet_id)
    return Interface(router=router, port=port, subnet_ids=tuple(ids))


def _by_subnet(d: Decision, router: Router, subnet_id: str) -> Port:
    subnet = find_subnet(d, subnet_id)
    network = d.snapshot.get(Network, subnet.network_id)
    if network is None or not _may_join(d, network, subnet):
        raise fault("SubnetNotFound", subnet_id=subnet_id)
    if subnet.gateway_ip is None:
        raise bad_router("Subnet for router interface must have a gateway IP")
    if subnet.ip_version == 6 and subnet.ipv6_ra_mode is None and subnet.ipv6_address_mode is not None:
        raise bad_router(
            f"IPv6 subnet {subnet.id} configured to receive RAs from an external router cannot be added to Neutron"
            " Router."
        )
    refuse_overlap(d, router, [subnet])
    wish = {"subnet_id": subnet.id}
    if not ip_address(subnet.gateway_ip).is_link_local:  # one that is, is the device's, beside an address of the subnet
        wish["ip_address"] = subnet.gateway_ip
    port = _ipv6_port(d, router, network.id) if subnet.ip_version == 6 else None
    if port is None:
        service = Service(ROUTER_INTERFACE, router.id, router.project_id, router.host_id)
        return make_port(d, network, service, [wish])
    claimant = Claimant(network.id, port.mac_address, port.device_owner)
    return d.draft.update(port, d.now, fixed_ips=(*port.fixed_ips, *pick_addresses(d, claimant, [wish])))


def _ipv6_port(d: Decision, router: Router, network_id: str) -> Port | None:
    """Gives the port that a router has for the IPv6 subnets of a network."""
    for port in router_ports(d.snapshot, router.id):
        inside = port.device_owner in ROUTER_INTERFACES and port.network_id == network_id
        if inside and any(ip_address(fixed.ip_address).version == 6 for fixed in port.fixed_ips):
            return port
    return None


def _may_join(d: Decision, network: Network, subnet: Subnet) -> bool:
    return is_shared(d.snapshot, network, d.caller.project_id) or may_update(d.caller, subnet, d.snapshot)


def _by_port(d: Decision, router: Router, port_id: str) -> Port:
    port = find_port(d, port_id)
    if port.device_id or port.device_owner:
        raise fault("PortInUse", net_id=port.network_id, port_id=port.id, device_id=port.device_id)
    if not may_update(d.caller, port, d.snapshot):
        raise fault("PortNotFound", port_id=port.id)
    subnets = [s for fixed in port.fixed_ips if (s := d.snapshot.get(Subnet, fixed.subnet_id)) is not None]
    if not subnets:
        raise bad_router("Router port must have at least one fixed IP")
    if sum(subnet.ip_version == 4 for subnet in subnets) > 1:
        raise bad_router("Cannot have multiple IPv4 subnets on router port")
    there = _ipv6_port(d, router, port.network_id) if any(subnet.ip_version == 6 for subnet in subnets) else None
    if there is not None:
        raise bad_router(
            f"Cannot add interface: Router already contains IPv6 port {there.id} belonging to network id"
            f" {port.network_id}. Only one IPv6 port from the same network subnet can be connected to a router."
        )
    refuse_overlap(d, router, subnets)
    open_port = Protection(port_security_enabled=False, security_group_ids=(), allowed_address_pairs=())
    return d.draft.update(port, d.now, device_id=router.id, device_owner=ROUTER_INTERFACE, **open_port.fields())


def _interface(d: Decision, router: Router, subnet_id: str, port_id: str) -> Port:
    ports = [port for port in router_ports(d.snapshot, router.id) if port.device_owner in ROUTER_INTERFACES]
    if not port_id:
        found = [port for port in ports if any(fixed.subnet_id == subnet_id for fixed in port.fixed_ips)]
        if not found:
            raise fault("RouterInterfaceNotFoundForSubnet", router_id=router.id, subnet_id=subnet_id)
        return found[0]
    port = next((port for port in ports if port.id == port_id), None)
    if port is None:
        raise fault("RouterInterfaceNotFound", router_id=router.id, port_id=port_id)
    if subnet_id and all(fixed.subnet_id != subnet_id for fixed in port.fixed_ips):
        raise fault("SubnetMismatchForPort", port_id=port.id, subnet_id=subnet_id)
    return port


def _refuse_in_use(d: Decision, router: Router, subnet: Subnet) -> None:
    for floating in d.snapshot.rows("floating_ips_by_router", router.id):
        forwardings = d.snapshot.rows("port_forwardings_by_floating_ip", floating.id)
        inside = {one.internal_ip_address for one in forwardings} | {floating.fixed_ip_address} - {""}
        if any(reaches([subnet], address) for address in inside):
            raise fault("RouterInterfaceInUseByFloatingIP", router_id=router.id, subnet_id=subnet.id)
    if any(reaches([subnet], route.nexthop) for route in router.routes):
        raise fault("RouterInterfaceInUseByRoute", router_id=router.id, subnet_id=subnet.id)
