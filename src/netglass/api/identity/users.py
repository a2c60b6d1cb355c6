"""The calls under /v3/users."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import reply
from netglass.api.identity.calls import Calls, given, listing, passes, read_body, wanted_names
from netglass.api.identity.texts import Description, Id, Name, Password, require_default_domain
from netglass.base.errors import Invalid, Unauthorized
from netglass.control.identity import (
    decide_change_password,
    decide_create_user,
    decide_delete_user,
    decide_update_user,
    find_user,
    projects_of,
    require_admin,
    user_by_name,
    visible_users,
)

_FILTERS = ("id", "domain_id", "enabled")


class UserBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may be given, all of it optional."""

    name: Name | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    email: Description | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    default_project_id: Id | UnsetType | None = UNSET
    domain_id: Id | UnsetType | None = UNSET
    options: dict[str, Any] | UnsetType = UNSET


class PasswordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of password by the user."""

    original_password: Password
    password: Password


class Users:
    """Answers the calls under /v3/users, but for those on roles."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._services = calls.services
        self._shapes = calls.shapes

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/v3/users", self.list),
            route("POST", "/v3/users", self.create),
            route("GET", "/v3/users/{user}", self.show),
            route("PATCH", "/v3/users/{user}", self.update),
            route("DELETE", "/v3/users/{user}", self.delete),
            route("POST", "/v3/users/{user}/password", self.change_password),
            route("GET", "/v3/users/{user}/projects", self.projects),
            route("GET", "/v3/users/{user}/groups", self.groups),
        ]

    async def list(self, request: Request) -> Response:
        """Answers GET /v3/users: all for an admin, oneself for anybody else."""
        caller, snapshot = self._services.caller(request), self._services.store.snapshot
        names = wanted_names(request)
        if names is None:
            rows = sorted(visible_users(snapshot, caller), key=lambda row: row.name)
        else:
            named = [user_by_name(snapshot, name) for name in sorted(names)]
            rows = [row for row in named if row is not None and (caller.is_admin or row.id == caller.user_id)]
        shown = (self._shapes.user(row) for row in rows)
        return listing(request, self._shapes, "users", (u for u in shown if passes(request, u, _FILTERS)))

    async def create(self, request: Request) -> Response:
        """Answers POST /v3/users."""
        caller = self._services.caller(request)
        require_admin(caller, "create_user")  # before the password is hashed: that costs
        body = await read_body(request, "user", UserBody)
        wanted = await self._values(body)
        if "name" not in wanted:
            raise Invalid("'name' is a required property", fault="ValidationError")
        committed = await self._services.commit(caller, lambda d: decide_create_user(d, wanted))
        if isinstance(body.password, str):
            self._calls.passwords.remember(committed.result, body.password)
        return reply({"user": self._shapes.user(committed.result)}, 201)

    async def show(self, request: Request) -> Response:
        """Answers GET /v3/users/{id}."""
        caller = self._services.caller(request)
        row = find_user(self._services.store.snapshot, caller, request.path_params["user"])
        return reply({"user": self._shapes.user(row)})

    async def update(self, request: Request) -> Response:
        """Answers PATCH /v3/users/{id}."""
        caller = self._services.caller(request)
        user_id = request.path_params["user"]
        find_user(self._services.store.snapshot, caller, user_id)
        require_admin(caller, "update_user")
        body = await read_body(request, "user", UserBody)
        changes = await self._values(body)
        committed = await self._services.commit(caller, lambda d: decide_update_user(d, user_id, changes))
        if isinstance(body.password, str):
            self._calls.passwords.remember(committed.result, body.password)
        return reply({"user": self._shapes.user(committed.result)})

    async def delete(self, request: Request) -> Response:
        """Answers DELETE /v3/users/{id}."""
        caller = self._services.caller(request)
        await self._services.commit(caller, partial(decide_delete_user, user_id=request.path_params["user"]))
        return Response(status_code=204)

    async def change_password(self, request: Request) -> Response:
        """Answers POST /v3/users/{id}/password: users change their own, showing the old one."""
        caller = self._services.caller(request)
        user = find_user(self._services.store.snapshot, caller, request.path_params["user"])
        body = await read_body(request, "user", PasswordBody)
        if not await self._calls.passwords.fits(user, body.original_password):
            raise Unauthorized
        hashed = await self._calls.passwords.hash(body.password)
        committed = await self._services.commit(
            caller, lambda d: decide_change_password(d, user.id, user.password_hash, hashed)
        )
        self._calls.passwords.remember(committed.result, body.password)
        return Response(status_code=204)

    async def projects(self, request: Request) -> Response:
        """Answers GET /v3/users/{id}/projects."""
        caller, snapshot = self._services.caller(request), self._services.store.snapshot
        user = find_user(snapshot, caller, request.path_params["user"])
        shown = (self._shapes.project(row) for row in projects_of(snapshot, user.id))
        return listing(request, self._shapes, "projects", (p for p in shown if passes(request, p, ("name", "enabled"))))

    async def groups(self, request: Request) -> Response:
        """Answers GET /v3/users/{id}/groups: none, as there are no groups."""
        caller = self._services.caller(request)
        find_user(self._services.store.snapshot, caller, request.path_params["user"])
        return listing(request, self._shapes, "groups", ())

    async def _values(self, body: UserBody) -> dict[str, Any]:
        """Gives what is kept of a body, the password hashed; raises Invalid for what this cloud does not have."""
        values = given(body)
        require_default_domain(values.pop("domain_id", None))
        if values.pop("options", {}):
            raise Invalid("Options of users are not offered.", fault="ValidationError")
        for text in ("description", "email"):
            if text in values:
                values[text] = values[text] or ""
        if "password" in values:
            password = values.pop("password")
            values["password_hash"] = await self._calls.passwords.hash(password) if password is not None else ""
        return values
