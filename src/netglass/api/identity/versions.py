"""Identity's version documents; they need no token."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import reply
from netglass.api.identity.calls import Calls

_MEDIA_TYPES = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]


class Versions:
    """Answers which versions there are."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._version: dict[str, Any] = {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": calls.shapes.url("/")}],
            "media-types": _MEDIA_TYPES,
        }

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/", self.choices),
            route("GET", "/v3", self.version),
            route("GET", "/v3/", self.version),
        ]

    async def choices(self, request: Request) -> Response:
        """Answers GET /identity."""
        return reply({"versions": {"values": [self._version]}}, 300)

    async def version(self, request: Request) -> Response:
        """Answers GET /identity/v3."""
        return reply({"version": self._version})
