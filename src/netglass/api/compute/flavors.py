"""The calls under /flavors."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls
from netglass.api.compute.flavor_view import brief_flavor, whole_flavor
from netglass.api.compute.pages import cut, next_link
from netglass.api.edge import reply
from netglass.base.errors import Invalid
from netglass.control.flavors import decide_create_flavor, decide_delete_flavor, find_flavor
from netglass.model.resources import Flavor

_LARGEST = 2_147_483_647

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]+\Z")]
Id = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9. _-]*[a-zA-Z0-9._-]\Z")]
Size = Annotated[int, Meta(ge=0, le=_LARGEST)]
Positive = Annotated[int, Meta(ge=1, le=_LARGEST)]


class FlavorBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /flavors."""

    name: Name
    ram: Positive
    vcpus: Positive
    disk: Size = 0
    id: Id | None = None
    swap: int = 0
    ephemeral: int = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    rxtx_factor: float = 1.0
    is_public: bool = msgspec.field(name="os-flavor-access:is_public", default=True)
    description: Annotated[str, Meta(max_length=65535)] | None = None


class Flavors:
    """Answers the calls under /flavors."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/flavors", self.list),
            route("POST", "/flavors", self.create),
            route("GET", "/flavors/detail", self.detail),
            route("GET", "/flavors/{flavor}", self.show),
            route("DELETE", "/flavors/{flavor}", self.delete),
            route("GET", "/flavors/{flavor}/os-extra_specs", self.extra_specs),
        ]

    async def list(self, call: Call) -> Response:
        """Answers GET /flavors."""
        return self._listed(call, "/flavors", brief_flavor)

    async def detail(self, call: Call) -> Response:
        """Answers GET /flavors/detail."""
        return self._listed(call, "/flavors/detail", whole_flavor)

    def _listed(self, call: Call, path: str, shape: Any) -> Response:
        rows, more = cut(call.request, _found(call))
        answer: dict[str, Any] = {"flavors": [shape(call, row) for row in rows]}
        if more:
            answer["flavors_links"] = next_link(call.request, call.base + path, rows[-1].id)
        return reply(answer)

    async def create(self, call: Call) -> Response:
        """Answers POST /flavors."""
        call.require_admin("os-flavor-manage:create")
        body = await call.body("flavor", FlavorBody)
        if body.swap or body.ephemeral or body.rxtx_factor != 1.0:
            raise Invalid("Swap, ephemeral disks and rxtx_factor of flavors are not offered.")
        wanted = {
            "name": body.name,
            "id": None if body.id == "auto" else body.id,
            "vcpus": body.vcpus,
            "ram_mb": body.ram,
            "disk_gb": body.disk,
            "is_public": body.is_public,
            "description": body.description,
        }
        flavor, _ = await call.commit(lambda d: decide_create_flavor(d, wanted))
        return reply({"flavor": whole_flavor(call, flavor)})

    async def show(self, call: Call) -> Response:
        """Answers GET /flavors/{id}."""
        return reply({"flavor": whole_flavor(call, find_flavor(call.snapshot, call.caller, call.part("flavor")))})

    async def delete(self, call: Call) -> Response:
        """Answers DELETE /flavors/{id}."""
        await call.commit(lambda d: decide_delete_flavor(d, call.part("flavor")))
        return Response(status_code=202)

    async def extra_specs(self, call: Call) -> Response:
        """Answers GET /flavors/{id}/os-extra_specs."""
        return reply({"extra_specs": find_flavor(call.snapshot, call.caller, call.part("flavor")).extra_specs})


def _found(call: Call) -> list[Flavor]:
    """Gives the flavors that the query asks for, ascending by id; only admins may ask for those that are not public."""
    query = call.request.query_params
    public: bool | None = True
    if call.caller.is_admin and "is_public" in query:
        public = {"none": None, "true": True, "1": True}.get(query["is_public"].lower(), False)
    smallest = {name: _number(query.get(name, "0"), name) for name in ("minRam", "minDisk")}
    found = [
        flavor
        for flavor in call.snapshot.all(Flavor)
        if public in (None, flavor.is_public)
        and flavor.ram_mb >= smallest["minRam"]
        and flavor.disk_gb >= smallest["minDisk"]
    ]
    return sorted(found, key=lambda flavor: flavor.id)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"Invalid {name} filter [{text}]")
    return int(text)
