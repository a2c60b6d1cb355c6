"""The calls under /os-quota-sets and /os-quota-class-sets: Compute's limits, which are the same for everybody.

Compute counts nothing against a limit that an operator could set: what it offers is without limit, what it does not
offer has a limit of 0, and the rest is fixed.  So a limit can be set only to what it is, and taken back always; the
limits that can be set are Networking's (``/v2.0/quotas``).

Source: Compute API v2.1, "Quota sets" and "Quota class sets".
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls, read_as
from netglass.api.edge import reply
from netglass.base.errors import Forbidden, Invalid, NotFound
from netglass.model.resources import Flavor, Project, Server
from netglass.model.snapshot import Snapshot

UNLIMITED: Final = -1

LIMITS: Final = {
    "instances": UNLIMITED,
    "cores": UNLIMITED,
    "ram": UNLIMITED,
    "key_pairs": UNLIMITED,
    "metadata_items": 128,
    "server_groups": 0,
    "server_group_members": 0,
}
"""What is in force for every project; server_bodies refuses more metadata, and there are no server groups."""

_NETWORKS_OWN: Final = dict.fromkeys(
    ("fixed_ips", "floating_ips", "security_groups", "security_group_rules"), UNLIMITED
)
_INJECTED: Final = dict.fromkeys(("injected_files", "injected_file_content_bytes", "injected_file_path_bytes"), 0)
_NETWORKS_OWN_UNTIL = 36  # the microversions that show them no longer
_INJECTED_UNTIL = 57
_GROUPS_IN_CLASS_FROM = 50
_DEFAULT_CLASS = "default"

Limit = Annotated[int, Meta(ge=UNLIMITED, le=2_147_483_647)]


def used(snapshot: Snapshot, project_id: str) -> dict[str, int]:
    """Gives how much of each of `LIMITS` a project uses."""
    servers: list[Server] = snapshot.rows("servers_by_project", project_id)
    found = [snapshot.get(Flavor, server.flavor_id) for server in servers]
    flavors = [flavor for flavor in found if flavor is not None]
    count = {
        "instances": len(servers),
        "cores": sum(flavor.vcpus for flavor in flavors),
        "ram": sum(flavor.ram_mb for flavor in flavors),
    }
    return dict.fromkeys(LIMITS, 0) | count


class QuotaSets:
    """Answers the calls on Compute's limits."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/os-quota-sets/{project}", self.show),
            route("GET", "/os-quota-sets/{project}/defaults", self.show),
            route("GET", "/os-quota-sets/{project}/detail", self.detail),
            route("PUT", "/os-quota-sets/{project}", self.update),
            route("DELETE", "/os-quota-sets/{project}", self.delete),
            route("GET", "/os-quota-class-sets/{name}", self.show_class),
            route("PUT", "/os-quota-class-sets/{name}", self.update_class),
        ]

    async def show(self, call: Call) -> Response:
        """Answers GET /os-quota-sets/{project}, and the same with /defaults, since the defaults are in force."""
        project_id = _readable(call, "show")
        return reply({"quota_set": {"id": project_id, **_limits(call.minor)}})

    async def detail(self, call: Call) -> Response:
        """Answers GET /os-quota-sets/{project}/detail: limits and use; nothing is reserved ahead of its use."""
        project_id = _readable(call, "detail")
        use = used(call.snapshot, project_id)
        told = {
            name: {"limit": limit, "in_use": use.get(name, 0), "reserved": 0}
            for name, limit in _limits(call.minor).items()
        }
        return reply({"quota_set": {"id": project_id, **told}})

    async def update(self, call: Call) -> Response:
        """Answers PUT /os-quota-sets/{project}: takes what is in force already, and refuses everything else."""
        call.require_admin("os-quota-sets:update")
        _known(call)
        limits = _limits(call.minor)
        _check(await call.body("quota_set", dict[str, Any]), limits)
        return reply({"quota_set": limits})

    async def delete(self, call: Call) -> Response:
        """Answers DELETE /os-quota-sets/{project}: the defaults are in force, as they were."""
        call.require_admin("os-quota-sets:delete")
        _known(call)
        return Response(status_code=202)

    async def show_class(self, call: Call) -> Response:
        """Answers GET /os-quota-class-sets/{name}."""
        call.require_admin("os-quota-class-sets:show")
        return reply({"quota_class_set": {"id": _class(call), **_class_limits(call.minor)}})

    async def update_class(self, call: Call) -> Response:
        """Answers PUT /os-quota-class-sets/{name}, as for a project."""
        call.require_admin("os-quota-class-sets:update")
        _class(call)
        limits = _class_limits(call.minor)
        _check(await call.body("quota_class_set", dict[str, Any]), limits, switches=frozenset())
        return reply({"quota_class_set": limits})


def _limits(minor: int) -> dict[str, int]:
    networks_own = _NETWORKS_OWN if minor < _NETWORKS_OWN_UNTIL else {}
    return {**LIMITS, **networks_own, **(_INJECTED if minor < _INJECTED_UNTIL else {})}


def _class_limits(minor: int) -> dict[str, int]:
    found = _limits(minor)
    if minor < _GROUPS_IN_CLASS_FROM:
        del found["server_groups"], found["server_group_members"]
    return found


def _known(call: Call) -> str:
    project_id = call.part("project")
    if call.snapshot.get(Project, project_id) is None:
        raise Invalid(f"Project ID {project_id} is not a valid project.")
    return project_id


def _readable(call: Call, action: str) -> str:
    """Gives the project whose limits are asked for; its own users and admins may ask."""
    if call.part("project") != call.caller.project_id and not call.caller.is_admin:
        raise Forbidden(f"Policy doesn't allow os_compute_api:os-quota-sets:{action} to be performed.")
    return _known(call)


def _class(call: Call) -> str:
    name = call.part("name")
    if name != _DEFAULT_CLASS:
        raise NotFound(f"Quota class {name} could not be found: there is only '{_DEFAULT_CLASS}'.")
    return name


def _check(wanted: dict[str, Any], limits: dict[str, int], switches: frozenset[str] = frozenset({"force"})) -> None:
    """Raises Invalid for what is no limit, and for a limit that would not be kept."""
    unknown = sorted(wanted.keys() - limits.keys() - switches)
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        raise Invalid(f"Additional properties are not allowed ({names} unexpected)", fault="ValidationError")
    for name, value in wanted.items():
        if name in switches:
            read_as(value, bool, name)
            continue
        limit = _limit(value, name)
        if limit != limits[name]:
            raise Invalid(
                f"Quota '{name}' cannot be set to {limit}: Compute enforces no limits of projects, and would not keep "
                f"it; the only value taken is the one in force, {limits[name]}."
            )


def _limit(value: Any, name: str) -> int:
    try:
        return msgspec.convert(value, Limit, strict=False)  # digits in a string are taken too, as in Nova
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid input for {name}: {error}.", fault="ValidationError") from None
