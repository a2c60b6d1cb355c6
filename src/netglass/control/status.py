"""Status of ports: what hosts have reported, against what a port needs."""

from __future__ import annotations

from netglass.control.decision import Decision
from netglass.control.owners import is_privileged
from netglass.model.resources import Port, Subnet
from netglass.model.snapshot import Snapshot


def status_of(snapshot: Snapshot, port: Port) -> str:
    """Gives ACTIVE or DOWN.

    ACTIVE: the port is up by intent, its own host has realised it, and, where one of its subnets has DHCP and the
    network has DHCP servers, a host of one of them has realised it too.  A network that no host can serve DHCP on
    does not hold its ports back, nor does DHCP hold back ports of the network's own services (Neutron does so too).
    """
    if not port.admin_state_up or not port.host_id or port.host_id not in port.realised_on:
        return "DOWN"
    if is_privileged(port.device_owner) or not _has_dhcp(snapshot, port):
        return "ACTIVE"
    servers = {p.host_id for p in snapshot.rows("dhcp_ports_by_network", port.network_id) if p.host_id}
    return "ACTIVE" if not servers or not servers.isdisjoint(port.realised_on) else "DOWN"


def _has_dhcp(snapshot: Snapshot, port: Port) -> bool:
    for fixed in port.fixed_ips:
        subnet = snapshot.get(Subnet, fixed.subnet_id)
        if subnet is not None and subnet.enable_dhcp:
            return True
    return False


def raise_statuses(d: Decision, network_id: str) -> None:
    """Turns the network's ports ACTIVE that waited only for a DHCP server that will not come.

    Never turns one DOWN: a guest keeps its address while DHCP moves to another host.
    Called when DHCP of a network changes; cost O(ports of the network).
    """
    for port in d.snapshot.rows("ports_by_network", network_id):
        if port.status == "DOWN" and port.realised_on and status_of(d.snapshot, port) == "ACTIVE":
            d.draft.update(port, d.now, status="ACTIVE")
