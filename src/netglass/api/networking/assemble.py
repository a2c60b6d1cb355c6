"""All operations of the Networking API, and the routes that follow from them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import Endpoint, endpoint, reply
from netglass.api.networking import actions, extensions, members, quotas, schedulers, tags, versions
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation
from netglass.api.networking.faults import MethodNotAllowed, nothing_here, shape
from netglass.api.networking.openapi import openapi_document
from netglass.api.networking.policy import check_policy
from netglass.api.networking.resources import RESOURCES
from netglass.api.services import Services
from netglass.model.caller import Caller

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_NOBODY = Caller()


async def _document(call: Call) -> Response:
    return reply(openapi_document(OPERATIONS, RESOURCES))


OPERATIONS: tuple[Operation, ...] = (
    *(
        operation
        for resource in RESOURCES
        for operation in (*members.operations(resource), *actions.operations(resource), *tags.operations(resource))
    ),
    *schedulers.OPERATIONS,
    *quotas.OPERATIONS,
    *extensions.OPERATIONS,
    *versions.OPERATIONS,
    Operation(
        method="GET",
        path="/v2.0/openapi.json",
        run=_document,
        tag="versions",
        about="This document.",
        anonymous=True,
        answer={"type": "object"},
    ),
)


def routes(services: Services) -> list[Route]:
    """Gives the routes of the Networking API, with the root and all below ``/v2.0``.

    Raises Bug when a resource, verb or attribute has no policy rule.
    """
    check_policy(RESOURCES)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    # Without its slash the version is the same document; Starlette would redirect.
    by_path["/v2.0"] = by_path["/v2.0/"]
    found = [Route(path, _endpoint(services, at), methods=list(_METHODS)) for path, at in by_path.items()]
    return [*found, Route("/v2.0/{rest:path}", _endpoint(services, {}), methods=list(_METHODS))]


def _endpoint(services: Services, by_method: Mapping[str, Operation]) -> Endpoint:
    """Gives what answers one path; whether a path or method exists is told only to those with a token."""

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = by_method.get(method)
        anonymous = any(at.anonymous for at in by_method.values())
        caller = _NOBODY if anonymous else services.caller(request)
        if operation is None:
            raise MethodNotAllowed(request.method) if by_method else nothing_here()
        return await operation.run(Call(request, services, caller))

    return endpoint(shape, services.store.caught_up)(answer)
