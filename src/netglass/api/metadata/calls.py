"""The calls of metadata agents: who has this address, and what is the metadata of this instance.

Source: nova-api's metadata service for header names and what is refused how.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import endpoint, reply
from netglass.api.hosts import calling_host, fault_shape
from netglass.api.metadata.documents import Subject
from netglass.api.metadata.tree import look_up
from netglass.api.services import Services
from netglass.base.errors import Invalid, NotFound, Unavailable
from netglass.control.instances import find_instance
from netglass.model.protocol import instance_signature
from netglass.model.resources import Server

_TEXT = "text/plain; charset=utf-8"


class MetadataCalls:
    """Answers metadata agents."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Gives the routes."""
        wrap = endpoint(fault_shape, self._services.store.caught_up)
        return [
            Route("/netglass/v1/hosts/{host}/instance", wrap(self.instance), methods=["GET"]),
            Route("/metadata", self.metadata, methods=["GET"]),
            Route("/metadata/{path:path}", self.metadata, methods=["GET"]),
        ]

    async def instance(self, request: Request) -> Response:
        """Answers GET …/instance: who has an address on a network that the host serves."""
        host = calling_host(self._services, request)
        asked = request.query_params
        place = {name: asked[name] for name in ("network_id", "router_id") if asked.get(name)}
        address = asked.get("address", "")
        if len(place) != 1 or not address or len(asked.multi_items()) != len(asked):
            raise Invalid("An 'address' is wanted, and one of 'network_id' and 'router_id', each once.")
        found = find_instance(self._services.store.snapshot, host, address, **place)
        if found is None:
            on = " ".join(f"{name} {value}" for name, value in place.items())
            raise NotFound(f"No single instance has {address} on {on}, as far as host {host} serves it.")
        return reply(found)

    async def metadata(self, request: Request) -> Response:
        """Answers GET /metadata/…: what is there for the instance that the headers name."""
        try:
            await self._services.store.caught_up()
        except Unavailable:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE)
        server = self._signed_for(request)
        if isinstance(server, HTTPStatus):
            return _refusal(server)
        settings = self._services.settings
        subject = Subject(server, self._services.store.snapshot, settings.dns_domain)
        found = look_up(subject, request.path_params.get("path", ""))
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        if isinstance(found, str):
            return Response(found, media_type=_TEXT)
        if isinstance(found, bytes):
            return Response(found, media_type="application/octet-stream")
        return Response(msgspec.json.encode(found), media_type="application/json")

    def _signed_for(self, request: Request) -> Server | HTTPStatus:
        named = [request.headers.getlist(name) for name in ("x-instance-id", "x-tenant-id", "x-instance-id-signature")]
        if any(len(values) != 1 or not values[0] for values in named):
            return HTTPStatus.BAD_REQUEST
        instance_id, project_id, signature = (values[0] for values in named)
        secret = self._services.metadata_secret
        if not secret or not hmac.compare_digest(instance_signature(secret, instance_id).encode(), signature.encode()):
            return HTTPStatus.FORBIDDEN
        server = self._services.store.snapshot.get(Server, instance_id)
        if server is None or server.project_id != project_id:
            return HTTPStatus.NOT_FOUND
        return server


def _refusal(status: HTTPStatus) -> Response:
    return Response(f"{status.value} {status.phrase}\n", status.value, media_type=_TEXT)
