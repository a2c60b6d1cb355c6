"""What a cloud has and nobody changes: the domain, the roles, the region, services and endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import Endpoint, reply
from netglass.api.identity.calls import Calls, listing, passes
from netglass.base.errors import Forbidden, NotFound
from netglass.control.identity import ROLES

_FILTERS = ("id", "name", "type", "enabled", "interface", "service_id", "region_id", "domain_id", "parent_region_id")

_WHY = {
    "domains": "This cloud has one domain, 'default'",
    "roles": "This cloud has three roles: admin, member and reader",
    "regions": "This cloud has one region",
    "services": "The services of this cloud are those that its server offers",
    "endpoints": "The endpoints of this cloud follow from its server's public_url",
    "groups": "This cloud has no groups: give roles to users",
}


class Fixed:
    """Answers the calls on domains, roles, regions, services, endpoints and groups."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._services = calls.services
        self._shapes = calls.shapes

    def routes(self) -> list[Route]:
        """Gives the routes."""
        shapes = self._shapes
        found = [self._calls.route("GET", "/v3/role_inferences", self.inferences)]
        found += self._collection("domains", "domain", lambda: [shapes.domain()])
        found += self._collection("roles", "role", lambda: [shapes.role(role) for role in ROLES])
        found += self._collection("regions", "region", lambda: shapes.catalog.regions)
        found += self._collection("services", "service", lambda: shapes.catalog.services)
        found += self._collection("endpoints", "endpoint", lambda: shapes.catalog.endpoints)
        found += self._collection("groups", "group", list)
        return found

    async def inferences(self, request: Request) -> Response:
        """Answers GET /v3/role_inferences: which role implies which."""
        self._services.caller(request)
        shown = [
            {"prior_role": self._brief(i), "implies": [self._brief(j) for j in range(i + 1, len(ROLES))]}
            for i in range(len(ROLES) - 1)
        ]
        return reply({"role_inferences": shown, "links": {"self": self._shapes.url("/role_inferences")}})

    def _brief(self, place: int) -> dict[str, Any]:
        role = self._shapes.role(ROLES[place])
        return {"id": role["id"], "name": role["name"], "description": role["description"], "links": role["links"]}

    def _collection(self, plural: str, singular: str, rows: Callable[[], list[dict[str, Any]]]) -> list[Route]:
        async def show_list(request: Request) -> Response:
            self._services.caller(request)
            return listing(request, self._shapes, plural, (r for r in rows() if passes(request, r, _FILTERS)))

        async def show(request: Request) -> Response:
            self._services.caller(request)
            wanted = request.path_params["id"]
            for row in rows():
                if row["id"] == wanted:
                    return reply({singular: row})
            raise NotFound(f"Could not find {singular}: {wanted}.")

        route, one = self._calls.route, f"/v3/{plural}/{{id}}"
        refuse = self._refuse(plural)
        return [
            route("GET", f"/v3/{plural}", show_list),
            route("GET", one, show),
            route("POST", f"/v3/{plural}", refuse),
            *(route(method, one, refuse) for method in ("PUT", "PATCH", "DELETE")),
        ]

    def _refuse(self, plural: str) -> Endpoint:
        async def refuse(request: Request) -> Response:
            self._services.caller(request)
            raise Forbidden(f"{_WHY[plural]}; that cannot be changed.")

        return refuse
