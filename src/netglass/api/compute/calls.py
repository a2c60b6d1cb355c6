"""What Compute's endpoints share: who asks and in which form, bodies, faults, routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.microversion import OLDEST, read_minor, version_headers
from netglass.api.edge import Endpoint, Ready, endpoint, read_json
from netglass.api.services import Services
from netglass.base.errors import Forbidden, Invalid, NotFound, UserError
from netglass.control.decision import Decision
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot

B = TypeVar("B")
T = TypeVar("T")

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

_FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def fault_shape(error: UserError, request_id: str) -> dict[str, Any]:
    """Gives a fault as Nova's clients read it."""
    name = _FAULT_NAMES.get(error.status, "computeFault")
    return {name: {"code": error.status, "message": error.message}}


@dataclass(frozen=True)
class Call:
    """One request under way.

    minor     the microversion: 2.<minor>
    snapshot  intent when the request came; what is read, is read from here
    """

    request: Request
    services: Services
    caller: Caller
    minor: int
    snapshot: Snapshot

    def part(self, name: str) -> str:
        """Gives what stands in the path for ``{name}``."""
        found: str = self.request.path_params[name]
        return found

    async def body(self, name: str, wanted: type[B]) -> B:
        """Reads what the body has under `name`; raises Invalid, which says what is wrong where."""
        body = await read_json(self.request)
        if name not in body:
            raise Invalid(f"Invalid input received: '{name}' is a required property")
        return read_as(body[name], wanted, name)

    async def body_whole(self, wanted: type[B]) -> B:
        """Reads the body as a whole; raises Invalid."""
        return read_as(await read_json(self.request), wanted, "body")

    async def commit(self, decide: Callable[[Decision], T]) -> tuple[T, Snapshot]:
        """Takes a decision and makes it durable; gives its result, and intent right after it."""
        committed = await self.services.commit(self.caller, decide)
        return committed.result, committed.snapshot

    def require_admin(self, action: str) -> None:
        """Raises Forbidden when the caller is no admin; `action` is Nova's name of the rule."""
        if not self.caller.is_admin:
            raise Forbidden(f"Policy doesn't allow os_compute_api:{action} to be performed.")

    def alive(self, host: str) -> bool:
        """Says whether a host was heard of lately."""
        return self.services.reports.alive(host, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def base(self) -> str:
        """Gives the URL under which Compute's collections lie."""
        return self.services.public_url + "/compute/v2.1"


def read_as(value: Any, wanted: type[B], name: str) -> B:
    """Gives JSON as the type wanted; raises Invalid, which says what is wrong where."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        where = str(error).replace("`$", f"`{name}")
        raise Invalid(f"Invalid input for {name}: {where}.", fault="ValidationError") from None


class Calls:
    """What every part of Compute is made with."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def route(self, method: str, path: str, function: Callable[[Call], Awaitable[Response]]) -> Route:
        """Gives the route of one call under ``/compute/v2.1``, which needs a token."""

        async def call(request: Request) -> Response:
            minor = request.state.minor = read_minor(request.headers)
            caller = self.services.caller(request)
            return await function(Call(request, self.services, caller, minor, self.services.store.snapshot))

        return Route("/v2.1" + path, _versioned(call, self.services.store.caught_up), methods=[method])

    def open_route(self, method: str, path: str, function: Endpoint) -> Route:
        """Gives the route of one call that needs no token."""
        return Route(path, _versioned(function, self.services.store.caught_up), methods=[method])

    def dead_end(self) -> list[Route]:
        """Gives the routes that answer whatever no other one does."""
        return [Route("/{rest:path}", _versioned(_nothing_here, self.services.store.caught_up), methods=_METHODS)]


def _versioned(function: Endpoint, ready: Ready) -> Endpoint:
    """Gives the endpoint with faults in Compute's shape, and every answer saying in which form it is."""
    answered = endpoint(fault_shape, ready)(function)

    async def answer(request: Request) -> Response:
        request.state.minor = OLDEST
        response = await answered(request)
        response.headers.update(version_headers(request.state.minor))
        return response

    return answer


async def _nothing_here(request: Request) -> Response:
    raise NotFound(f"The resource could not be found: {request.method} {request.url.path} is not offered.")
