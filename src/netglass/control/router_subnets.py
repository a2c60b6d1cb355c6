"""What a router is joined to: the subnets of its ports, and what may be joined beside them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import ROUTER_GATEWAY, ROUTER_INTERFACES
from netglass.control.router_scheduling import router_ports
from netglass.control.spaces import space
from netglass.model.resources import FixedIp, Port, Router, Subnet
from netglass.model.snapshot import Snapshot


def joined(snapshot: Snapshot, router_id: str) -> list[tuple[Port, FixedIp, Subnet]]:
    """Gives each address of the router with its port and subnet."""
    found = []
    for port in router_ports(snapshot, router_id):
        for fixed in port.fixed_ips:
            subnet = snapshot.get(Subnet, fixed.subnet_id)
            if subnet is not None:
                found.append((port, fixed, subnet))
    return found


def refuse_overlap(d: Decision, router: Router, new: Iterable[Subnet], without: str = "") -> None:
    """Raises BadRequest when a router has a port on one of the subnets already, or on one that overlaps.

    Of an external network every subnet counts: the router reaches them all.

    without  id of a port that does not count, as it is about to change
    """
    there = [subnet for port, _, subnet in joined(d.snapshot, router.id) if port.id != without]
    outside = {p.network_id for p in router_ports(d.snapshot, router.id) if _is_gateway(p) and p.id != without}
    there += [subnet for network_id in outside for subnet in d.snapshot.rows("subnets_by_network", network_id)]
    for subnet in new:
        for other in there:
            if other.id == subnet.id:
                raise bad_router(f"Router already has a port on subnet {subnet.id}")
            if _overlap(other, subnet):
                raise bad_router(
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other.cidr} of subnet {other.id}"
                )


def _is_gateway(port: Port) -> bool:
    return port.device_owner == ROUTER_GATEWAY


def reaches(subnets: Iterable[Subnet], address: str) -> bool:
    """Says whether an address lies in one of the subnets."""
    hop = ip_address(address)
    return any(space(subnet.cidr).holds(hop.version, int(hop)) for subnet in subnets)


def router_between(snapshot: Snapshot, external_network_id: str, subnet_id: str) -> str | None:
    """Gives the router that joins a subnet to an external network, its gateway before others; None for none."""
    subnet = snapshot.get(Subnet, subnet_id)
    found: list[tuple[bool, str]] = []
    for inside in snapshot.rows("ports_by_subnet", subnet_id):
        router = snapshot.get(Router, inside.device_id) if inside.device_owner in ROUTER_INTERFACES else None
        if router is not None and router.gateway_network_id == external_network_id:
            is_gateway = subnet is not None and any(fixed.ip_address == subnet.gateway_ip for fixed in inside.fixed_ips)
            found.append((not is_gateway, router.id))
    return min(found)[1] if found else None


def bad_router(message: str) -> Exception:
    """Gives Neutron's fault for a request on routers that contradicts what is there (400)."""
    return fault("BadRequest", resource="router", msg=message)


def _overlap(one: Subnet, other: Subnet) -> bool:
    a, b = space(one.cidr), space(other.cidr)
    return a.version == b.version and a.first <= b.last and b.first <= a.last
