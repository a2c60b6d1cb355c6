"""The calls under /v3/projects."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import reply
from netglass.api.identity.calls import Calls, given, listing, passes, read_body, wanted_names
from netglass.api.identity.texts import Description, Id, Tag, require_default_domain
from netglass.base.errors import Invalid
from netglass.control.identity import (
    decide_create_project,
    decide_delete_project,
    decide_update_project,
    find_project,
    project_by_name,
    visible_projects,
)

ProjectName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]+\Z")]

_FILTERS = ("id", "domain_id", "enabled", "is_domain", "parent_id")


class ProjectBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a project may be given, all of it optional; what is not kept must be what every project has."""

    name: ProjectName | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    is_domain: bool | UnsetType = UNSET
    options: dict[str, Any] | UnsetType = UNSET


class Projects:
    """Answers the calls under /v3/projects."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._services = calls.services
        self._shapes = calls.shapes

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/v3/projects", self.list),
            route("POST", "/v3/projects", self.create),
            route("GET", "/v3/projects/{project}", self.show),
            route("PATCH", "/v3/projects/{project}", self.update),
            route("DELETE", "/v3/projects/{project}", self.delete),
        ]

    async def list(self, request: Request) -> Response:
        """Answers GET /v3/projects: all for an admin, the caller's own for anybody else."""
        caller, snapshot = self._services.caller(request), self._services.store.snapshot
        names = wanted_names(request)
        if names is None:
            rows = sorted(visible_projects(snapshot, caller), key=lambda row: row.name)
        else:
            named = [project_by_name(snapshot, name) for name in sorted(names)]
            seen = {row.id for row in visible_projects(snapshot, caller)} if not caller.is_admin else None
            rows = [row for row in named if row is not None and (seen is None or row.id in seen)]
        shown = (self._shapes.project(row) for row in rows)
        return listing(request, self._shapes, "projects", (p for p in shown if passes(request, p, _FILTERS)))

    async def create(self, request: Request) -> Response:
        """Answers POST /v3/projects."""
        caller = self._services.caller(request)
        wanted = _values(await read_body(request, "project", ProjectBody))
        if "name" not in wanted:
            raise Invalid("'name' is a required property", fault="ValidationError")
        committed = await self._services.commit(caller, lambda d: decide_create_project(d, wanted))
        return reply({"project": self._shapes.project(committed.result)}, 201)

    async def show(self, request: Request) -> Response:
        """Answers GET /v3/projects/{id}."""
        caller = self._services.caller(request)
        row = find_project(self._services.store.snapshot, caller, request.path_params["project"])
        return reply({"project": self._shapes.project(row)})

    async def update(self, request: Request) -> Response:
        """Answers PATCH /v3/projects/{id}."""
        caller = self._services.caller(request)
        changes = _values(await read_body(request, "project", ProjectBody))
        project_id = request.path_params["project"]
        committed = await self._services.commit(caller, lambda d: decide_update_project(d, project_id, changes))
        return reply({"project": self._shapes.project(committed.result)})

    async def delete(self, request: Request) -> Response:
        """Answers DELETE /v3/projects/{id}."""
        caller = self._services.caller(request)
        await self._services.commit(caller, partial(decide_delete_project, project_id=request.path_params["project"]))
        return Response(status_code=204)


def _values(body: ProjectBody) -> dict[str, Any]:
    """Gives what is kept of a body; raises Invalid for what this cloud does not have."""
    values = given(body)
    require_default_domain(values.pop("domain_id", None))
    require_default_domain(values.pop("parent_id", None))
    if values.pop("is_domain", False) or values.pop("options", {}):
        raise Invalid("Projects that act as domains, and options, are not offered.", fault="ValidationError")
    if "description" in values:
        values["description"] = values["description"] or ""
    if "tags" in values:
        values["tags"] = tuple(sorted(set(values["tags"])))
    return values
