"""The calls that give roles, take them away, and list who has which."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.identity.calls import Calls, listing
from netglass.base.errors import NotFound
from netglass.control.identity import (
    ROLE_BY_ID,
    ROLES,
    SYSTEM,
    assignment_id,
    decide_grant_role,
    decide_withdraw_role,
    find_project,
    find_role,
    find_user,
    require_admin,
)
from netglass.model.caller import Caller
from netglass.model.resources import RoleAssignment
from netglass.model.snapshot import Snapshot

_IN_PROJECT = "/v3/projects/{project}/users/{user}/roles"
_IN_SYSTEM = "/v3/system/users/{user}/roles"


class Assignments:
    """Answers the calls on roles of users."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._services = calls.services
        self._shapes = calls.shapes

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        found = [route("GET", "/v3/role_assignments", self.list)]
        for place in (_IN_PROJECT, _IN_SYSTEM):
            found += [
                route("GET", place, self.list_roles),
                route("PUT", place + "/{role}", self.grant),
                route("GET", place + "/{role}", self.check),
                route("DELETE", place + "/{role}", self.withdraw),
            ]
        return found

    async def grant(self, request: Request) -> Response:
        """Answers PUT …/users/{user}/roles/{role}."""
        caller = self._services.caller(request)
        user_id, target = _ends(request)
        role_id = request.path_params["role"]
        await self._services.commit(caller, lambda d: decide_grant_role(d, user_id, target, role_id))
        return Response(status_code=204)

    async def withdraw(self, request: Request) -> Response:
        """Answers DELETE …/users/{user}/roles/{role}."""
        caller = self._services.caller(request)
        user_id, target = _ends(request)
        role_id = request.path_params["role"]
        await self._services.commit(caller, lambda d: decide_withdraw_role(d, user_id, target, role_id))
        return Response(status_code=204)

    async def check(self, request: Request) -> Response:
        """Answers GET and HEAD …/users/{user}/roles/{role}."""
        snapshot = self._may_look(request, "check_grant")
        user_id, target = _ends(request)
        role = find_role(request.path_params["role"])
        if snapshot.get(RoleAssignment, assignment_id(user_id, target, role.id)) is None:
            raise NotFound(f"Could not find role assignment of role {role.name} to user {user_id} on {target}.")
        return Response(status_code=204)

    async def list_roles(self, request: Request) -> Response:
        """Answers GET …/users/{user}/roles: those given, without what they imply."""
        snapshot = self._may_look(request, "list_grants")
        user_id, target = _ends(request)
        found = [r for r in ROLES if snapshot.get(RoleAssignment, assignment_id(user_id, target, r.id)) is not None]
        return listing(request, self._shapes, "roles", map(self._shapes.role, found))

    async def list(self, request: Request) -> Response:
        """Answers GET /v3/role_assignments: all for an admin, one's own for anybody else."""
        caller, snapshot = self._services.caller(request), self._services.store.snapshot
        query = request.query_params
        names = _is_set(request, "include_names")
        rows = sorted(_looked_up(snapshot, request, caller), key=lambda row: row.id)
        shown = []
        for row in rows:
            given = ROLE_BY_ID[row.role_id]
            for role in ROLES[ROLES.index(given) :] if _is_set(request, "effective") else (given,):
                if query.get("role.id", role.id) == role.id:
                    shown.append(self._shapes.assignment(row, role, snapshot, names=names))
        return listing(request, self._shapes, "role_assignments", shown)

    def _may_look(self, request: Request, action: str) -> Snapshot:
        caller, snapshot = self._services.caller(request), self._services.store.snapshot
        user_id, target = _ends(request)
        find_user(snapshot, caller, user_id)
        if target != SYSTEM:
            find_project(snapshot, caller, target)
        if user_id != caller.user_id:
            require_admin(caller, action)
        return snapshot


def _ends(request: Request) -> tuple[str, str]:
    """Gives the user, and the project or system, that the path names."""
    return request.path_params["user"], request.path_params.get("project", SYSTEM)


def _looked_up(snapshot: Snapshot, request: Request, caller: Caller) -> Iterator[RoleAssignment]:
    """Gives the assignments that the query asks for and the caller may know of, but for the role."""
    query = request.query_params
    user_id = query.get("user.id")
    target = query.get("scope.project.id") or (SYSTEM if "scope.system" in query else None)
    if "group.id" in query or "scope.domain.id" in query:
        return  # there are no groups, and no roles in domains
    if not caller.is_admin:
        user_id = caller.user_id if user_id in (None, caller.user_id) else ""
    if user_id is not None:
        rows = iter(snapshot.rows("roles_by_user", user_id))
    elif target is not None:
        rows = iter(snapshot.rows("roles_by_target", target))
    else:
        rows = snapshot.all(RoleAssignment)
    yield from (row for row in rows if target is None or row.target == target)


def _is_set(request: Request, name: str) -> bool:
    """Says whether a query's switch is on: there, and not 0 or false."""
    return name in request.query_params and request.query_params[name].lower() not in ("0", "false")
