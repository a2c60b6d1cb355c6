"""Agents: what Neutron calls the parts of a host that do its networking, seen through our hosts.

Netglass runs one process per host.  It is shown as Neutron's open vSwitch agent where the host has the role
hypervisor, and as Neutron's DHCP and L3 agents where it has the role network, so that people and tools find what they
know.
Ids follow from the host's name, so they outlive the agent and the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import msgspec

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Passes, Resource, View
from netglass.api.networking.resources.common import ID, TIME
from netglass.control.agents import decide_drop_role, decide_update_role
from netglass.control.decision import Decision
from netglass.model.caller import Caller
from netglass.model.resources import Host

_AGENTS = UUID("4f0e3bb8-1a52-5c2d-9a2b-7d7c4f1c5a10")  # namespace of agents' ids (RFC 9562, version 5)


@dataclass(frozen=True)
class Role:
    """What one of a host's roles is called as an agent."""

    name: str
    agent_type: str
    binary: str
    topic: str


L3 = "L3 agent"
DHCP = "DHCP agent"

ROLES = (
    Role("hypervisor", "Open vSwitch agent", "neutron-openvswitch-agent", "N/A"),
    Role("network", DHCP, "neutron-dhcp-agent", "dhcp_agent"),
    Role("network", L3, "neutron-l3-agent", "l3_agent"),
)


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One role of one host.

    alive       whether the host was heard of lately
    project_id  always empty: agents are the cloud's
    """

    id: str
    host: Host
    role: Role
    alive: bool
    project_id: str = ""


def agent_id(host: str, role: Role) -> str:
    """Gives the id of a host's agent."""
    return str(uuid5(_AGENTS, f"{role.binary}/{host}"))


def agents_of(host: Host, view: View) -> list[Agent]:
    """Gives a host's agents, one for each role that it has."""
    alive = view.reports.alive(host.id, view.now)
    return [
        Agent(id=agent_id(host.id, role), host=host, role=role, alive=alive)
        for role in ROLES
        if role.name in host.roles
    ]


def _rows(view: View, caller: Caller) -> Iterable[Agent]:
    return [agent for host in view.snapshot.all(Host) for agent in agents_of(host, view)]


def _of_hosts(view: View, names: list[str]) -> Iterable[Agent]:
    hosts = (view.snapshot.get(Host, name) for name in dict.fromkeys(names))
    return [agent for host in hosts if host is not None for agent in agents_of(host, view)]


def _find(view: View, row_id: str) -> Agent | None:
    return next(
        (agent for host in view.snapshot.all(Host) for agent in agents_of(host, view) if agent.id == row_id), None
    )


def _time(text: str) -> str:
    """Gives a time as agents show it: with a blank, and without a zone."""
    return text.replace("T", " ").removesuffix("Z")


def _heartbeat(agent: Agent, view: View) -> str | None:
    last = view.reports.get(agent.host.id)
    return None if last is None else _time(last.at)


def _started(agent: Agent, view: View) -> str | None:
    last = view.reports.get(agent.host.id)
    return None if last is None or last.report is None else _time(last.report.started_at)


def _configurations(agent: Agent, view: View) -> dict[str, Any]:
    """Gives what the agent itself reports, and of its settings what people look for, under Neutron's names."""
    last = view.reports.get(agent.host.id)
    reported = {} if last is None or last.report is None else last.report.configurations
    settings = agent.host.settings
    if agent.role.agent_type == L3:
        routers = view.snapshot.rows("routers_by_host", agent.host.id)
        floating = sum(len(view.snapshot.ids("floating_ips_by_router", router.id)) for router in routers)
        gateways = sum(bool(router.gateway_network_id) for router in routers)
        counted = {"routers": len(routers), "ex_gw_ports": gateways, "floating_ips": floating}
        return reported | {"agent_mode": "legacy", **counted}
    if agent.role.name == "network":
        served = len(view.snapshot.ids("dhcp_ports_by_host", agent.host.id))
        return reported | {"dhcp_driver": "dnsmasq", "networks": served}
    return reported | {
        "bridge_mappings": settings.bridge_mappings,
        "datapath_type": settings.datapath_type,
        "firewall_driver": settings.firewall_driver,
        "tunnel_types": list(settings.tunnel_types),
        "tunneling_ip": settings.local_ip,
        "l2_population": settings.l2_population,
        "devices": len(view.snapshot.ids("ports_by_host", agent.host.id)),
    }


def _update(d: Decision, agent: Agent, changes: Mapping[str, Any]) -> Agent:
    host = decide_update_role(d, agent.host, agent.role.name, changes)
    return msgspec.structs.replace(agent, host=host)


def _delete(d: Decision, agent: Agent) -> None:
    decide_drop_role(d, agent.host, agent.role.name, alive=agent.alive)


def _of_types(texts: list[str]) -> Passes:
    """Reads a filter by type.  Neutron's database takes upper and lower case for the same, and clients go by that."""
    wanted = {text.lower() for text in texts}
    return lambda agent: agent.role.agent_type.lower() in wanted


AGENT = Resource(
    name="agent",
    collection="agents",
    about="One role of a host, under the name that Neutron has for it.",
    missing="AgentNotFound",
    find=_find,
    rows=_rows,
    indexes={"host": _of_hosts},
    update=_update,
    delete=_delete,
    taggable=False,
    attributes=(
        ID,
        Attribute(
            name="agent_type",
            kind=kinds.text(),
            about="Neutron's name of the role.",
            show=lambda agent, view: agent.role.agent_type,
            sort=True,
            passes=_of_types,
        ),
        Attribute(
            name="binary",
            kind=kinds.text(),
            about="Program that Neutron has for the role.",
            show=lambda agent, view: agent.role.binary,
            sort=True,
        ),
        Attribute(
            name="topic",
            kind=kinds.text(),
            about="Neutron's message topic; nothing listens there.",
            show=lambda agent, view: agent.role.topic,
            sort=True,
        ),
        Attribute(
            name="host",
            kind=kinds.text(),
            about="Host name, as in binding:host_id.",
            show=lambda agent, view: agent.host.id,
            sort=True,
        ),
        Attribute(
            name="admin_state_up",
            kind=kinds.BOOLEAN,
            about="False: the host, with all its roles, takes nothing new; what runs there stays.",
            show=lambda agent, view: agent.host.enabled,
            put=True,
            sort=True,
        ),
        Attribute(
            name="alive",
            kind=kinds.BOOLEAN,
            about="Whether the host was heard of lately.",
            sort=True,
        ),
        Attribute(
            name="availability_zone",
            kind=kinds.nullable(kinds.text()),
            about="Zone of its DHCP servers; null for a role that zones do not apply to.",
            show=lambda agent, view: agent.host.availability_zone if agent.role.name == "network" else None,
            sort=True,
        ),
        Attribute(
            name="description",
            kind=kinds.text(),
            about="Words for people.",
            show=lambda agent, view: agent.host.descriptions.get(agent.role.name) or None,
            put=True,
            sort=True,
        ),
        Attribute(
            name="configurations",
            kind=kinds.mapping(),
            about="What the agent reports of itself, and its settings.",
            show=_configurations,
            filter=False,
        ),
        Attribute(
            name="created_at",
            kind=TIME,
            about="When the host first registered; UTC.",
            show=lambda agent, view: _time(agent.host.created_at),
            sort=True,
        ),
        Attribute(
            name="started_at",
            kind=TIME,
            about="When its agent was started; UTC, null before its first report.",
            show=_started,
            sort=True,
        ),
        Attribute(
            name="heartbeat_timestamp", kind=TIME, about="When it was last heard of; UTC.", show=_heartbeat, sort=True
        ),
    ),
)
