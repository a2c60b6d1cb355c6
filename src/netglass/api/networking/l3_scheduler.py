"""Which host carries which router: ``/v2.0/agents/{id}/l3-routers`` and ``/v2.0/routers/{id}/l3-agents``.

For administrators, to move a router by hand: taken from one agent, then given to another.
Source: Networking API extension ``l3_agent_scheduler``.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation, View
from netglass.api.networking.kinds import Wrong, parse_uuid
from netglass.api.networking.listing import find_visible
from netglass.api.networking.policy import Target, require
from netglass.api.networking.render import renderer
from netglass.api.networking.resources import AGENT, ROUTER
from netglass.api.networking.resources.agents import L3, Agent, agents_of
from netglass.base.errors import NotFound
from netglass.control.decision import Decision
from netglass.control.router_scheduling import decide_host_router, decide_unhost_router
from netglass.model.resources import Host, Router

_NOBODYS = Target("")


def _agent(call: Call, view: View) -> Agent:
    """Gives the L3 agent of the path; raises NotFound when there is none of that id."""
    found: Agent = find_visible(AGENT, call.part("id"), view, call.caller)
    if found.role.agent_type != L3:
        raise NotFound(f"Agent {found.id} could not be found.", fault=AGENT.missing)
    return found


async def _routers(call: Call) -> Response:
    view = call.view()
    require("get_l3-routers", call.caller, _NOBODYS, view.snapshot)
    render = renderer(ROUTER, call.caller, view.snapshot)
    rows = view.snapshot.rows("routers_by_host", _agent(call, view).host.id)
    return reply({"routers": [render(row, view) for row in rows]})


async def _agents(call: Call) -> Response:
    view = call.view()
    require("get_l3-agents", call.caller, _NOBODYS, view.snapshot)
    router: Router = find_visible(ROUTER, call.part("id"), view, call.caller)
    host = view.snapshot.get(Host, router.host_id)
    found = [agent for agent in agents_of(host, view) if agent.role.agent_type == L3] if host is not None else []
    render = renderer(AGENT, call.caller, view.snapshot)
    return reply({"agents": [render(agent, view) for agent in found]})


async def _add(call: Call) -> Response:
    body = await call.body()
    try:
        router_id = parse_uuid(body.get("router_id"))
    except Wrong as wrong:
        raise bad_request(f"Invalid input for router_id. Reason: {wrong}.") from None

    def decide(d: Decision) -> None:
        require("create_l3-router", call.caller, _NOBODYS, d.snapshot)
        view = call.view(d.snapshot)
        decide_host_router(d, find_visible(ROUTER, router_id, view, call.caller), _agent(call, view).host)

    await call.commit(decide)
    return reply(None, 201)


async def _remove(call: Call) -> Response:
    def decide(d: Decision) -> None:
        require("delete_l3-router", call.caller, _NOBODYS, d.snapshot)
        view = call.view(d.snapshot)
        decide_unhost_router(d, find_visible(ROUTER, call.part("router"), view, call.caller), _agent(call, view).host)

    await call.commit(decide)
    return Response(status_code=204)


def _listed(resource: Any) -> schemas.Schema:
    return {
        "type": "object",
        "properties": {resource.collection: {"type": "array", "items": schemas.reference(resource)}},
    }


_PATH = "/v2.0/agents/{id}/l3-routers"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_PATH,
        run=_routers,
        tag="agents",
        about="Lists the routers that an L3 agent carries.",
        answer=_listed(ROUTER),
    ),
    Operation(
        method="POST",
        path=_PATH,
        run=_add,
        tag="agents",
        about="Has an L3 agent carry a router that none carries.",
        status=201,
        body={"type": "object", "properties": {"router_id": schemas.TEXT}, "required": ["router_id"]},
        answer={"type": "null"},
    ),
    Operation(
        method="DELETE",
        path=_PATH + "/{router}",
        run=_remove,
        tag="agents",
        about="Takes a router from an L3 agent.",
        status=204,
    ),
    Operation(
        method="GET",
        path="/v2.0/routers/{id}/l3-agents",
        run=_agents,
        tag="routers",
        about="Lists the L3 agent that carries a router.",
        answer=_listed(AGENT),
    ),
)
