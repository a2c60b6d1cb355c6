"""Decisions on hosts: that one registers, and what its reports mean for intent.

An agent speaks for its own host only.  So a report counts for a port that is bound to the host, or whose network's
DHCP the host serves, or that holds a floating IP of a router on the host, and for nothing else; what else it names is
left alone, as the port may have moved on since.
"""

from __future__ import annotations

from msgspec.structs import replace

from netglass.base.errors import Invalid, NotFound
from netglass.control.binding import rebind_host
from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.owners import FLOATING
from netglass.control.router_scheduling import place_routers_of
from netglass.control.servers import decide_guest_report
from netglass.control.status import status_of
from netglass.model.protocol import Registration, Report
from netglass.model.resources import FloatingIp, Host, Network, Port, Router

ROLES = ("hypervisor", "network")
"""What a host may be, alone or together."""


def decide_register_host(d: Decision, host: str, registration: Registration) -> Host:
    """Makes or changes a host's row as its agent describes it; whether it is enabled stays as it was.

    A host that changed has its ports' tags looked at again, and, where it serves or served DHCP, the DHCP of every
    network is scheduled anew: any of them may lack a server.
    Raises Invalid for a role that there is not.
    """
    unknown = sorted(set(registration.roles) - set(ROLES))
    if unknown:
        raise Invalid(f"Host {host} has unknown roles {', '.join(unknown)}; known are {', '.join(ROLES)}.")
    old = d.snapshot.get(Host, host)
    row = _put_host(d, host, old, registration)
    if row == old:
        return row
    rebind_host(d, host)
    if "network" in row.roles or (old is not None and "network" in old.roles):
        # The one walk over all networks; a network host comes, goes or changes seldom.
        for network_id in sorted(network.id for network in d.snapshot.all(Network)):
            schedule_dhcp(d, network_id)
        place_routers_of(d, host)
    return row


def _put_host(d: Decision, host: str, old: Host | None, registration: Registration) -> Host:
    values = {
        "roles": tuple(sorted(set(registration.roles))),
        "availability_zone": registration.availability_zone,
        "settings": registration.settings,
        "vcpus": registration.vcpus,
        "memory_mb": registration.memory_mb,
        "disk_gb": registration.disk_gb,
        "address": registration.address,
    }
    if old is None:
        return d.draft.put(Host(id=host, created_at=d.now, updated_at=d.now, **values))  # type: ignore[arg-type]
    return d.draft.update(old, d.now, **values)


def decide_pause_host(d: Decision, host: str, *, paused: bool) -> Host:
    """Has a host's agent change nothing any more, or change things again; NotFound for a host that there is not.

    Intent goes on: servers and routers that are there stay its own, and a paused host still takes new ones.
    """
    row = d.snapshot.get(Host, host)
    if row is None:
        raise NotFound(f"There is no host {host!r}.", fault="HostNotFound")
    return d.draft.update(row, d.now, paused=paused)


def decide_report(d: Decision, host: str, report: Report) -> None:
    """Takes up what a report says of the host's ports and guests; changes nothing that is so already."""
    for port_id in report.ports_realised:
        _set_realised(d, host, port_id, realised=True)
    for port_id in report.ports_lost:
        _set_realised(d, host, port_id, realised=False)
    for guest in report.guests:
        decide_guest_report(d, host, guest)


def _set_realised(d: Decision, host: str, port_id: str, *, realised: bool) -> None:
    port = d.snapshot.get(Port, port_id)
    if port is None or not _concerns(d, host, port):
        return
    others = set(port.realised_on) - {host}
    realised_on = tuple(sorted(others | {host} if realised else others))
    if realised_on == port.realised_on:
        return
    # Readers of the port see its status alone, so that alone raises its revision number.
    told = d.draft.put(replace(port, realised_on=realised_on))
    d.draft.update(told, d.now, status=status_of(d.snapshot, told))


def _translates(d: Decision, host: str, port: Port) -> bool:
    floating = d.snapshot.get(FloatingIp, port.device_id)
    router = d.snapshot.get(Router, floating.router_id) if floating is not None else None
    return router is not None and router.host_id == host


def _concerns(d: Decision, host: str, port: Port) -> bool:
    if port.host_id == host:
        return True
    if port.device_owner == FLOATING:
        return _translates(d, host, port)
    servers = d.snapshot.rows("dhcp_ports_by_network", port.network_id)
    return any(server.host_id == host for server in servers)
