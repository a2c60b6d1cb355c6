"""Version discovery: ``GET /`` and ``GET /v2.0/``, which need no token."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation
from netglass.api.networking.resources import RESOURCES

_LINKS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "properties": {"rel": schemas.TEXT, "href": schemas.TEXT}},
}


async def _versions(call: Call) -> Response:
    links = [{"rel": "self", "href": call.url("/v2.0/")}]
    return reply({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


async def _collections(call: Call) -> Response:
    found = [
        {
            "name": resource.name,
            "collection": resource.collection,
            "links": [{"rel": "self", "href": call.url(resource.root)}],
        }
        for resource in RESOURCES
        if resource.above is None
    ]
    return reply({"resources": found})


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/",
        run=_versions,
        tag="versions",
        about="Lists the versions of this API.",
        anonymous=True,
        answer={
            "type": "object",
            "properties": {
                "versions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"id": schemas.TEXT, "status": schemas.TEXT, "links": _LINKS},
                    },
                }
            },
        },
    ),
    Operation(
        method="GET",
        path="/v2.0/",
        run=_collections,
        tag="versions",
        about="Lists the collections of version 2.0.",
        anonymous=True,
        answer={
            "type": "object",
            "properties": {
                "resources": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": schemas.TEXT, "collection": schemas.TEXT, "links": _LINKS},
                    },
                }
            },
        },
    ),
)
