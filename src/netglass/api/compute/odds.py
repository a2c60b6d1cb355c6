"""Small calls that clients make beside: limits, and collections that are empty here."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls
from netglass.api.edge import reply
from netglass.base.errors import NotFound
from netglass.model.resources import Flavor, Server

_UNLIMITED = -1


class Odds:
    """Answers the small calls."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/limits", self.limits),
            route("GET", "/os-server-groups", self.server_groups),
            route("GET", "/os-aggregates", self.aggregates),
            route("GET", "/os-keypairs", self.keypairs),
            route("GET", "/os-keypairs/{name}", self.keypair),
        ]

    async def limits(self, call: Call) -> Response:
        """Answers GET /limits: what the project uses; only Networking has limits of its own."""
        project_id = call.caller.project_id
        wanted = call.request.query_params.get("tenant_id", project_id)
        if wanted != project_id:
            call.require_admin("os-used-limits")
        servers: list[Server] = call.snapshot.rows("servers_by_project", wanted)
        found = [call.snapshot.get(Flavor, server.flavor_id) for server in servers]
        flavors = [flavor for flavor in found if flavor is not None]
        absolute = {
            "maxTotalInstances": _UNLIMITED,
            "maxTotalCores": _UNLIMITED,
            "maxTotalRAMSize": _UNLIMITED,
            "maxTotalKeypairs": _UNLIMITED,
            "maxServerMeta": 128,
            "maxServerGroups": 0,
            "maxServerGroupMembers": 0,
            "totalInstancesUsed": len(servers),
            "totalCoresUsed": sum(f.vcpus for f in flavors),
            "totalRAMUsed": sum(f.ram_mb for f in flavors),
            "totalServerGroupsUsed": 0,
        }
        return reply({"limits": {"rate": [], "absolute": absolute}})

    async def server_groups(self, call: Call) -> Response:
        """Answers GET /os-server-groups: none."""
        return reply({"server_groups": []})

    async def aggregates(self, call: Call) -> Response:
        """Answers GET /os-aggregates: none."""
        call.require_admin("os-aggregates:index")
        return reply({"aggregates": []})

    async def keypairs(self, call: Call) -> Response:
        """Answers GET /os-keypairs: none, as guests take no keys yet."""
        return reply({"keypairs": []})

    async def keypair(self, call: Call) -> Response:
        """Answers GET /os-keypairs/{name}."""
        raise NotFound(f"Keypair {call.part('name')} not found for user {call.caller.user_id}")
