"""Quotas: ``/v2.0/quotas``, the limits of projects on what they may have.

A project's quotas always exist, so this is no collection of rows: showing gives the cloud's defaults where a project
has no limits of its own, and deleting goes back to them.
Source: Networking API extensions ``quotas``, ``quota_details`` and ``quota-check-limit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation
from netglass.api.networking.kinds import BOOLEAN, Wrong, integer
from netglass.api.networking.policy import Target, require
from netglass.control.decision import Decision
from netglass.control.quotas import UNLIMITED, decide_delete_quota, decide_update_quota, limits, usage
from netglass.model.caller import CloudSettings
from netglass.model.resources import Quota

_LIMIT = integer(UNLIMITED)
_SWITCHES = ("force", "check_limit")  # of the check against what is used already
_OWNER = ("project_id", "tenant_id")
_LIMITED = tuple(CloudSettings().default_quotas)  # for the reference only; what counts is the operator's setting


async def _list(call: Call) -> Response:
    require("update_quota", call.caller, Target(""), call.view().snapshot)
    quotas = sorted(call.view().snapshot.all(Quota), key=lambda quota: quota.id)
    return reply({"quotas": [_shown(call, quota.id) for quota in quotas]})


async def _show(call: Call) -> Response:
    name = call.part("project")
    # What the old command line asked to learn its own project; Neutron answers it still.
    if name in ("tenant", "project"):
        return reply({name: dict.fromkeys(_OWNER, call.caller.project_id)})
    _require_reader(call, name)
    return reply({"quota": _shown(call, name)})


async def _default(call: Call) -> Response:
    _require_reader(call, call.part("project"))
    return reply({"quota": call.services.settings.default_quotas})


async def _details(call: Call) -> Response:
    project_id = call.part("project")
    _require_reader(call, project_id)
    snapshot = call.view().snapshot
    used = usage(snapshot, project_id)
    allowed = limits(snapshot, call.services.settings, project_id)
    # Nothing is reserved: an object is counted from the commit that makes it.
    detail = {name: {"limit": limit, "used": used.get(name, 0), "reserved": 0} for name, limit in allowed.items()}
    return reply({"quota": detail})


async def _update(call: Call) -> Response:
    project_id = call.part("project")
    wanted = _read(await call.body(), call.services.settings)

    def decide(d: Decision) -> None:
        require("update_quota", call.caller, Target(project_id), d.snapshot)
        decide_update_quota(d, project_id, wanted)

    await call.commit(decide)
    return reply({"quota": _shown(call, project_id)})


async def _delete(call: Call) -> Response:
    project_id = call.part("project")

    def decide(d: Decision) -> None:
        require("delete_quota", call.caller, Target(project_id), d.snapshot)
        decide_delete_quota(d, project_id)

    await call.commit(decide)
    return Response(status_code=204)


def _require_reader(call: Call, project_id: str) -> None:
    require("get_quota", call.caller, Target(project_id), call.view().snapshot)


def _shown(call: Call, project_id: str) -> dict[str, Any]:
    found = limits(call.services.store.snapshot, call.services.settings, project_id)
    return {**found, **dict.fromkeys(_OWNER, project_id)}


def _read(body: Mapping[str, Any], settings: CloudSettings) -> dict[str, int | bool]:
    """Reads the body of an update; raises Invalid in the words that every resource has."""
    given = body.get("quota")
    if given is None:
        raise bad_request("Unable to find 'quota' in request body" if body else "Resource body required")
    if not isinstance(given, dict):
        raise bad_request("Body contains invalid data")
    unknown = sorted(given.keys() - {*settings.default_quotas, *_SWITCHES, *_OWNER})
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    wanted: dict[str, int | bool] = {}
    for name, value in given.items():
        if name in _OWNER:
            raise bad_request(f"Cannot update read-only attribute {name}")
        try:
            wanted[name] = (BOOLEAN if name in _SWITCHES else _LIMIT).parse(value)
        except Wrong as wrong:
            raise bad_request(f"Invalid input for {name}. Reason: {wrong}.") from None
    return wanted


_ONE: schemas.Schema = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": UNLIMITED} for name in _LIMITED}
    | dict.fromkeys(_OWNER, schemas.TEXT),
}
_SHOWN: schemas.Schema = {"type": "object", "properties": {"quota": _ONE}, "required": ["quota"]}
_LISTED: schemas.Schema = {"type": "object", "properties": {"quotas": {"type": "array", "items": _ONE}}}
_USED: schemas.Schema = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("limit", "used", "reserved")},
}
_DETAILED: schemas.Schema = {
    "type": "object",
    "properties": {"quota": {"type": "object", "properties": dict.fromkeys(_LIMITED, _USED)}},
}

_PATH, _PROJECT = "/v2.0/quotas", "/v2.0/quotas/{project}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_PATH,
        run=_list,
        tag="quotas",
        answer=_LISTED,
        about="Lists the projects that have limits of their own.",
    ),
    Operation(method="GET", path=_PROJECT, run=_show, tag="quotas", answer=_SHOWN, about="Shows a project's limits."),
    Operation(
        method="PUT",
        path=_PROJECT,
        run=_update,
        tag="quotas",
        answer=_SHOWN,
        body=_SHOWN,
        about="Sets some of a project's limits; -1 is without limit.",
    ),
    Operation(
        method="DELETE",
        path=_PROJECT,
        run=_delete,
        tag="quotas",
        status=204,
        about="Puts a project back to the cloud's defaults.",
    ),
    Operation(
        method="GET",
        path=f"{_PROJECT}/default",
        run=_default,
        tag="quotas",
        answer=_SHOWN,
        about="Shows the cloud's defaults.",
    ),
    Operation(
        method="GET",
        path=f"{_PROJECT}/details",
        run=_details,
        tag="quotas",
        answer=_DETAILED,
        about="Shows a project's limits, and how much of each is used.",
    ),
    Operation(
        method="GET",
        path=f"{_PROJECT}/details.json",
        run=_details,
        tag="quotas",
        answer=_DETAILED,
        about="The same under the name that older clients use.",
    ),
)
