"""Small calls that clients make beside: limits, and collections that are empty here."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls
from netglass.api.compute.quota_sets import LIMITS, used
from netglass.api.edge import reply
from netglass.base.errors import NotFound


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
        use = used(call.snapshot, wanted)
        absolute = {
            "maxTotalInstances": LIMITS["instances"],
            "maxTotalCores": LIMITS["cores"],
            "maxTotalRAMSize": LIMITS["ram"],
            "maxTotalKeypairs": LIMITS["key_pairs"],
            "maxServerMeta": LIMITS["metadata_items"],
            "maxServerGroups": LIMITS["server_groups"],
            "maxServerGroupMembers": LIMITS["server_group_members"],
            "totalInstancesUsed": use["instances"],
            "totalCoresUsed": use["cores"],
            "totalRAMUsed": use["ram"],
            "totalServerGroupsUsed": use["server_groups"],
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
