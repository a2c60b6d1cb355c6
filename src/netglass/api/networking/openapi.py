"""The OpenAPI document of the Networking API, written out of the same declarations that answer requests.

``openapi_document`` is pure, so that tools can write the reference from it.
Source: OpenAPI 3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from netglass import __version__
from netglass.api.networking import schemas
from netglass.api.networking.declare import Operation, Resource

_FAULT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "NeutronError": {
            "type": "object",
            "properties": {"type": schemas.TEXT, "message": schemas.TEXT, "detail": schemas.TEXT},
            "required": ["type", "message", "detail"],
        }
    },
    "required": ["NeutronError"],
}


def openapi_document(operations: Iterable[Operation], resources: Iterable[Resource]) -> dict[str, Any]:
    """Gives the document as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Netglass Networking API",
            "version": __version__,
            "description": "Networking v2.0, as far as Netglass has it. Errors have Neutron's shape and wording.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {resource.name: schemas.shown(resource) for resource in resources} | {"fault": _FAULT},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
        "security": [{"token": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _identifier(operation),
        "summary": operation.about,
        "tags": [operation.tag],
        "responses": {
            str(operation.status): {"description": "Done."} | _content(operation.answer),
            "default": {"description": "What was wrong."} | _content({"$ref": "#/components/schemas/fault"}),
        },
    }
    if parameters := _parameters(operation):
        found["parameters"] = parameters
    if operation.body is not None:
        found["requestBody"] = {"required": True} | _content(operation.body)
    if operation.anonymous:
        found["security"] = []
    return found


def _identifier(operation: Operation) -> str:
    words = re.findall(r"[a-z]\w*", operation.path)
    return "_".join([operation.method.lower(), *(words or ["root"])])


def _content(schema: schemas.Schema | None) -> dict[str, Any]:
    return {} if schema is None else {"content": {"application/json": {"schema": schema}}}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    named = re.findall(r"\{(\w+)\}", operation.path)
    found = [{"name": name, "in": "path", "required": True, "schema": schemas.TEXT} for name in named]
    return found + [{"name": name, "in": "query", "schema": schema} for name, schema in operation.parameters.items()]
