"""Which host carries which router and serves which network: what agents have, and who has it.

    /v2.0/agents/{id}/l3-routers       /v2.0/routers/{id}/l3-agents       at most one agent for a router
    /v2.0/agents/{id}/dhcp-networks    /v2.0/networks/{id}/dhcp-agents    as many as are wanted for a network

For administrators, to move things by hand: a router is taken from one agent and then given to another; a network may
be given to the next one first.
Source: Networking API extensions ``l3_agent_scheduler`` and ``dhcp_agent_scheduler``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation, Resource, Row, View
from netglass.api.networking.kinds import Wrong, parse_uuid
from netglass.api.networking.listing import find_visible
from netglass.api.networking.policy import Target, require
from netglass.api.networking.render import renderer
from netglass.api.networking.resources import AGENT, NETWORK, ROUTER
from netglass.api.networking.resources.agents import DHCP, L3, Agent, agents_of
from netglass.base.errors import NotFound
from netglass.control.decision import Decision
from netglass.control.dhcp import decide_host_network, decide_unhost_network
from netglass.control.router_scheduling import decide_host_router, decide_unhost_router
from netglass.model.resources import Host, Network, Router
from netglass.model.snapshot import Snapshot

_NOBODYS = Target("")

Run = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Scheduling:
    """What one kind of agent is given.

    thing, agents  names in paths and policy rules, such as l3-router and l3-agents
    does           what an agent does with it, for the reference
    given          the ids of what a host has
    havers         the ids of the hosts that have one
    host, unhost   the decisions
    """

    resource: Resource
    agent_type: str
    thing: str
    agents: str
    does: str
    given: Callable[[Snapshot, str], Iterable[str]]
    havers: Callable[[Snapshot, Any], Iterable[str]]
    host: Callable[[Decision, Any, Agent], object]
    unhost: Callable[[Decision, Any, Agent], object]


def _networks_of(snapshot: Snapshot, host: str) -> list[str]:
    return sorted({port.network_id for port in snapshot.rows("dhcp_ports_by_host", host)})


def _servers_of(snapshot: Snapshot, network: Network) -> list[str]:
    return sorted({port.host_id for port in snapshot.rows("dhcp_ports_by_network", network.id)})


def _carriers_of(snapshot: Snapshot, router: Router) -> list[str]:
    return [router.host_id]


ROUTERS = Scheduling(
    resource=ROUTER,
    agent_type=L3,
    thing="l3-router",
    agents="l3-agents",
    does="carries",
    given=lambda snapshot, host: snapshot.ids("routers_by_host", host),
    havers=_carriers_of,
    host=lambda d, router, agent: decide_host_router(d, router, agent.host),
    unhost=lambda d, router, agent: decide_unhost_router(d, router, agent.host),
)

NETWORKS = Scheduling(
    resource=NETWORK,
    agent_type=DHCP,
    thing="dhcp-network",
    agents="dhcp-agents",
    does="serves",
    given=_networks_of,
    havers=_servers_of,
    host=lambda d, network, agent: decide_host_network(d, network, agent.host, agent.id),
    unhost=lambda d, network, agent: decide_unhost_network(d, network, agent.host, agent.id),
)


def _agent(scheduling: Scheduling, call: Call, view: View) -> Agent:
    """Gives the agent of the path; raises NotFound when there is none of that id and type."""
    found: Agent = find_visible(AGENT, call.part("id"), view, call.caller)
    if found.role.agent_type != scheduling.agent_type:
        raise NotFound(f"Agent {found.id} could not be found.", fault=AGENT.missing)
    return found


def _lists(scheduling: Scheduling) -> Run:
    async def run(call: Call) -> Response:
        view = call.view()
        require(f"get_{scheduling.thing}s", call.caller, _NOBODYS, view.snapshot)
        resource = scheduling.resource
        render = renderer(resource, call.caller, view.snapshot)
        ids = sorted(scheduling.given(view.snapshot, _agent(scheduling, call, view).host.id))
        found = (resource.find(view, row_id) for row_id in ids)
        return reply({resource.collection: [render(row, view) for row in found if row is not None]})

    return run


def _lists_agents(scheduling: Scheduling) -> Run:
    async def run(call: Call) -> Response:
        view = call.view()
        require(f"get_{scheduling.agents}", call.caller, _NOBODYS, view.snapshot)
        row = find_visible(scheduling.resource, call.part("id"), view, call.caller)
        hosts = (view.snapshot.get(Host, name) for name in scheduling.havers(view.snapshot, row))
        agents = [agent for host in hosts if host is not None for agent in agents_of(host, view)]
        render = renderer(AGENT, call.caller, view.snapshot)
        return reply({"agents": [render(a, view) for a in agents if a.role.agent_type == scheduling.agent_type]})

    return run


def _adds(scheduling: Scheduling) -> Run:
    key = f"{scheduling.resource.name}_id"

    async def run(call: Call) -> Response:
        body = await call.body()
        try:
            row_id = parse_uuid(body.get(key))
        except Wrong as wrong:
            raise bad_request(f"Invalid input for {key}. Reason: {wrong}.") from None
        await call.commit(lambda d: _decide(scheduling, call, d, ("create", row_id)))
        return reply(None, 201)

    return run


def _removes(scheduling: Scheduling) -> Run:
    async def run(call: Call) -> Response:
        row_id = call.part(scheduling.resource.name)
        await call.commit(lambda d: _decide(scheduling, call, d, ("delete", row_id)))
        return Response(status_code=204)

    return run


def _decide(scheduling: Scheduling, call: Call, d: Decision, what: tuple[str, str]) -> None:
    verb, row_id = what
    require(f"{verb}_{scheduling.thing}", call.caller, _NOBODYS, d.snapshot)
    view = call.view(d.snapshot)
    row: Row = find_visible(scheduling.resource, row_id, view, call.caller)
    decide = scheduling.host if verb == "create" else scheduling.unhost
    decide(d, row, _agent(scheduling, call, view))


def _operations(scheduling: Scheduling) -> tuple[Operation, ...]:
    resource, does = scheduling.resource, scheduling.does
    path, key = f"/v2.0/agents/{{id}}/{scheduling.thing}s", f"{resource.name}_id"
    kind, name = scheduling.agent_type, resource.name

    def operation(method: str, where: str, run: Run, about: str, **more: Any) -> Operation:
        return Operation(method=method, path=where, run=run, about=about, tag="agents", **more)

    body = {"type": "object", "properties": {key: schemas.TEXT}, "required": [key]}
    one = f"{path}/{{{name}}}"
    listed, agents = f"Lists the {name}s that a {kind} {does}.", f"Lists the {kind}s of a {name}."
    return (
        operation("GET", path, _lists(scheduling), listed, answer=_listed(resource)),
        operation(
            "POST",
            path,
            _adds(scheduling),
            f"Gives a {name} to a {kind}.",
            status=201,
            body=body,
            answer={"type": "null"},
        ),
        operation("DELETE", one, _removes(scheduling), f"Takes a {name} from a {kind}.", status=204),
        operation(
            "GET",
            f"{resource.root}/{{id}}/{scheduling.agents}",
            _lists_agents(scheduling),
            agents,
            answer=_listed(AGENT),
        ),
    )


def _listed(resource: Resource) -> schemas.Schema:
    return {
        "type": "object",
        "properties": {resource.collection: {"type": "array", "items": schemas.reference(resource)}},
    }


OPERATIONS: tuple[Operation, ...] = (*_operations(ROUTERS), *_operations(NETWORKS))
