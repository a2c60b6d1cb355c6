"""The calls under /servers/{id}/tags (2.26 and later)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls, read_as
from netglass.api.compute.server_bodies import Tag
from netglass.api.edge import reply
from netglass.base.errors import Invalid, NotFound
from netglass.control.decision import Decision
from netglass.control.servers import decide_update_server, find_server
from netglass.model.resources import Server

_SINCE = 26  # microversion 2.<minor>
_MOST = 50

Tags = Annotated[list[Tag], Meta(max_length=_MOST)]


class ServerTags:
    """Answers the calls on a server's tags."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route, every = self._calls.route, "/servers/{server}/tags"
        return [
            route("GET", every, self.list),
            route("PUT", every, self.replace),
            route("DELETE", every, self.clear),
            route("GET", every + "/{tag}", self.show),
            route("PUT", every + "/{tag}", self.add),
            route("DELETE", every + "/{tag}", self.drop),
        ]

    async def list(self, call: Call) -> Response:
        """Answers GET /servers/{id}/tags."""
        return reply({"tags": _server(call).tags})

    async def show(self, call: Call) -> Response:
        """Answers GET /servers/{id}/tags/{tag}: whether it is there."""
        _require(_server(call), call.part("tag"))
        return Response(status_code=204)

    async def replace(self, call: Call) -> Response:
        """Answers PUT /servers/{id}/tags."""
        _require_version(call)
        wanted = await call.body("tags", Tags)
        return reply({"tags": (await _set(call, lambda server: set(wanted))).tags})

    async def clear(self, call: Call) -> Response:
        """Answers DELETE /servers/{id}/tags."""
        _require_version(call)
        await _set(call, lambda server: set())
        return Response(status_code=204)

    async def add(self, call: Call) -> Response:
        """Answers PUT /servers/{id}/tags/{tag}: 201 for a new one, 204 for one that was there."""
        known = _server(call).tags
        tag = read_as(call.part("tag"), Tag, "tag")
        await _set(call, lambda server: {*server.tags, tag})
        where = f"{call.base}/servers/{call.part('server')}/tags/{tag}"
        return Response(status_code=204) if tag in known else Response(status_code=201, headers={"Location": where})

    async def drop(self, call: Call) -> Response:
        """Answers DELETE /servers/{id}/tags/{tag}."""
        _require_version(call)
        tag = call.part("tag")

        def without(server: Server) -> set[str]:
            _require(server, tag)
            return set(server.tags) - {tag}

        await _set(call, without)
        return Response(status_code=204)


async def _set(call: Call, tags_of: Callable[[Server], set[str]]) -> Server:
    server_id = call.part("server")

    def decide(d: Decision) -> Server:
        tags = tags_of(find_server(d.snapshot, d.caller, server_id))
        if len(tags) > _MOST:
            raise Invalid(f"The number of tags exceeded the per-server limit {_MOST}.")
        return decide_update_server(d, server_id, {"tags": tuple(sorted(tags))})

    return (await call.commit(decide))[0]


def _server(call: Call) -> Server:
    _require_version(call)
    return find_server(call.snapshot, call.caller, call.part("server"))


def _require(server: Server, tag: str) -> None:
    if tag not in server.tags:
        raise NotFound(f"Server {server.id} has no tag '{tag}'")


def _require_version(call: Call) -> None:
    if call.minor < _SINCE:
        raise NotFound(f"Tags of servers are there from microversion 2.{_SINCE} on; asked for was 2.{call.minor}.")
