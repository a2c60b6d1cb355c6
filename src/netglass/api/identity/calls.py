"""What Identity's endpoints share: reading bodies, faults, routes, lists."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import Endpoint, endpoint, read_json, reply
from netglass.api.identity.passwords import Passwords
from netglass.api.identity.shapes import Shapes
from netglass.api.services import Services
from netglass.base.errors import Invalid, NotFound, UserError

B = TypeVar("B")

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def fault_shape(error: UserError, request_id: str) -> dict[str, Any]:
    """Gives a fault as Keystone's clients read it."""
    return {"error": {"code": error.status, "message": error.message, "title": HTTPStatus(error.status).phrase}}


class Calls:
    """What every part of Identity is made with."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.passwords = Passwords()
        self.shapes = Shapes(services.public_url)

    def route(self, method: str, path: str, function: Endpoint) -> Route:
        """Gives one route, with faults in Identity's shape; a GET answers HEAD too."""
        return Route(path, endpoint(fault_shape, self.services.store.caught_up)(function), methods=[method])

    def dead_end(self) -> list[Route]:
        """Gives the routes that answer whatever no other one does."""
        return [
            Route("/{rest:path}", endpoint(fault_shape, self.services.store.caught_up)(_nothing_here), methods=_METHODS)
        ]


async def _nothing_here(request: Request) -> Response:
    raise NotFound(f"(http://{request.url.netloc}{request.url.path}): {request.method} is not possible there.")


async def read_body(request: Request, name: str, wanted: type[B]) -> B:
    """Reads what the body has under `name`; raises Invalid, which says what is wrong where."""
    body = await read_json(request)
    if name not in body:
        raise Invalid(f"'{name}' is a required property", fault="ValidationError")
    try:
        return msgspec.convert(body[name], wanted)
    except msgspec.ValidationError as error:
        where = str(error).replace("`$", f"`{name}")
        raise Invalid(f"Invalid input for {name}: {where}.", fault="ValidationError") from None


def given(body: msgspec.Struct) -> dict[str, Any]:
    """Gives the fields of a body that were sent."""
    found = {field: getattr(body, field) for field in body.__struct_fields__}
    return {field: value for field, value in found.items() if value is not msgspec.UNSET}


def wanted_names(request: Request) -> set[str] | None:
    """Gives the names that a list is asked for with ``?name=``; None for any."""
    names = request.query_params.getlist("name")
    return set(names) if names else None


def passes(request: Request, shown: dict[str, Any], filters: Iterable[str]) -> bool:
    """Says whether an object as shown is what the query asks for; only `filters` are looked at.

    Booleans are asked for as Keystone takes them: ``false``, ``0``, ``no`` mean no, anything else yes.
    """
    for name in filters:
        for wanted in request.query_params.getlist(name):
            have = shown.get(name)
            if isinstance(have, bool):
                if have is (wanted.lower() in ("false", "0", "no", "off", "f", "n")):
                    return False
            elif wanted != ("" if have is None else str(have)):
                return False
    return True


def listing(request: Request, shapes: Shapes, name: str, shown: Iterable[dict[str, Any]]) -> Response:
    """Gives a list's answer; Identity's lists are whole, so there are no further pages."""
    path = request.url.path.partition("/v3")[2]
    return reply({name: list(shown), "links": {"next": None, "self": shapes.url(path), "previous": None}})
