"""Decisions on a host's roles, which the Networking API shows as agents: out of service, described, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.base.errors import Conflict
from netglass.control.binding import rebind_host
from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.router_scheduling import place_routers_of
from netglass.model.resources import Host, Port


def decide_update_role(d: Decision, host: Host, role: str, changes: Mapping[str, Any]) -> Host:
    """Changes a host as one of its roles.

    changes  ``admin_state_up``: whether the host, with all its roles, takes new ports, servers and DHCP servers; what
             runs there stays.  ``description``: an operator's words on this role
    """
    values: dict[str, Any] = {}
    if "admin_state_up" in changes:
        values["enabled"] = changes["admin_state_up"]
    if "description" in changes:
        values["descriptions"] = host.descriptions | {role: changes["description"]}
    return d.draft.update(host, d.now, **values)


def decide_drop_role(d: Decision, host: Host, role: str, *, alive: bool) -> None:
    """Forgets a role of a host that is gone for good, and with the last role the host; its DHCP servers and
    routers move.

    alive  whether the host was heard of lately: it would only register again

    Raises Conflict (AgentInUse) when it is alive, or a hypervisor that still has ports bound to it.
    """
    if alive:
        raise _in_use(host, role, "its agent is alive and would register again; stop the agent first")
    if role == "hypervisor" and (bound := _bound_guests(d, host)):
        raise _in_use(host, role, f"{bound} ports are bound to it; delete or move their devices first")
    roles = tuple(r for r in host.roles if r != role)
    served = [port.network_id for port in d.snapshot.rows("dhcp_ports_by_host", host.id)] if role == "network" else []
    if roles:
        d.draft.update(host, d.now, roles=roles)
    else:
        d.draft.drop(host)
    rebind_host(d, host.id)
    for network_id in sorted(set(served)):
        schedule_dhcp(d, network_id)
    if role == "network":
        place_routers_of(d, host.id)


def _bound_guests(d: Decision, host: Host) -> int:
    ports: list[Port] = d.snapshot.rows("ports_by_host", host.id)
    return sum(not port.device_owner.startswith("network:") for port in ports)


def _in_use(host: Host, role: str, reason: str) -> Conflict:
    return Conflict(f"Host {host.id} cannot be forgotten as a {role} host: {reason}.", fault="AgentInUse")
