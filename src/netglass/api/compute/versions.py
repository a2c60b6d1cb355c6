"""Compute's version documents; they need no token."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Calls
from netglass.api.compute.microversion import NEWEST, OLDEST
from netglass.api.edge import reply


class Versions:
    """Answers which versions there are."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._version: dict[str, Any] = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": f"2.{NEWEST}",
            "min_version": f"2.{OLDEST}",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": calls.services.public_url + "/compute/v2.1/"}],
        }

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.open_route
        return [
            route("GET", "/", self.choices),
            route("GET", "/v2.1", self.version),
            route("GET", "/v2.1/", self.version),
        ]

    async def choices(self, request: Request) -> Response:
        """Answers GET /compute."""
        return reply({"versions": [self._version]})

    async def version(self, request: Request) -> Response:
        """Answers GET /compute/v2.1."""
        kind = "application/vnd.openstack.compute+json;version=2.1"
        return reply({"version": {**self._version, "media-types": [{"base": "application/json", "type": kind}]}})
