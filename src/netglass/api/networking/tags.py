"""Tags of a resource's objects: ``/v2.0/{collection}/{id}/tags`` and ``…/tags/{tag}``.

Whoever may see an object sees its tags; whoever may change it changes them.
Source: Networking API extensions ``standard-attr-tag`` and ``tag-creation``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation, Resource, Row
from netglass.api.networking.kinds import Wrong, text, unique_texts
from netglass.api.networking.listing import find_visible
from netglass.api.networking.policy import Target, require
from netglass.api.networking.precondition import read_precondition, require_revision
from netglass.control.decision import Decision
from netglass.control.faults import fault, invalid_input
from netglass.control.tags import decide_add_tag, decide_drop_tag, decide_set_tags

_TAG = text(blank=False)
_TAGS = unique_texts()
_BODY: schemas.Schema = {"type": "object", "properties": {"tags": _TAGS.schema}, "required": ["tags"]}

Change = Callable[[Decision, Row], Row]


def operations(resource: Resource) -> tuple[Operation, ...]:
    """Gives the operations on the tags of one resource; none when it has no tags."""
    if not resource.taggable:
        return ()
    path, title = f"{resource.root}/{{id}}/tags", resource.name
    one, tag = f"{path}/{{tag}}", resource.collection

    def operation(
        method: str, where: str, run: Callable[[Call], Awaitable[Response]], about: str, **more: Any
    ) -> Operation:
        return Operation(method=method, path=where, run=run, about=about, tag=tag, **more)

    return (
        operation("GET", path, _lists(resource), f"Lists the tags of a {title}.", answer=_BODY),
        operation("PUT", path, _replaces(resource), f"Replaces all tags of a {title}.", answer=_BODY, body=_BODY),
        operation("POST", path, _adds(resource), f"Adds tags to a {title}.", answer=_BODY, body=_BODY),
        operation("DELETE", path, _clears(resource), f"Takes all tags from a {title}.", status=204),
        operation("GET", one, _confirms(resource), f"Says whether a {title} has a tag.", status=204),
        operation("PUT", one, _adds_one(resource), f"Adds a tag to a {title}.", status=201),
        operation("DELETE", one, _drops_one(resource), f"Takes a tag from a {title}.", status=204),
    )


def _lists(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        return reply({"tags": find_visible(resource, call.part("id"), call.view(), call.caller).tags})

    return run


def _replaces(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        tags = await _read_tags(call)
        row = await _change(resource, call, lambda d, row: decide_set_tags(d, row, tags))
        return reply({"tags": row.tags})

    return run


def _adds(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        tags = await _read_tags(call)
        row = await _change(resource, call, lambda d, row: decide_set_tags(d, row, (*row.tags, *tags)))
        return reply({"tags": row.tags})

    return run


def _clears(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        await _change(resource, call, lambda d, row: decide_set_tags(d, row, ()))
        return Response(status_code=204)

    return run


def _confirms(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        tag = _read_tag(call)
        if tag not in find_visible(resource, call.part("id"), call.view(), call.caller).tags:
            raise fault("TagNotFound", tag=tag)
        return Response(status_code=204)

    return run


def _adds_one(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        tag = _read_tag(call)
        await _change(resource, call, lambda d, row: decide_add_tag(d, row, tag))
        return Response(status_code=201)

    return run


def _drops_one(resource: Resource) -> Callable[[Call], Awaitable[Response]]:
    async def run(call: Call) -> Response:
        tag = _read_tag(call)
        await _change(resource, call, lambda d, row: decide_drop_tag(d, row, tag))
        return Response(status_code=204)

    return run


async def _change(resource: Resource, call: Call, change: Change) -> Row:
    """Changes the tags of the object that the path names, and gives its new row."""
    revision = read_precondition(call.request)

    def decide(d: Decision) -> Row:
        row = find_visible(resource, call.part("id"), call.view(d.snapshot), call.caller)
        target = Target(row.project_id, getattr(row, "network_id", ""), row=row)
        require(resource.rule("update"), call.caller, target, d.snapshot)
        require_revision(revision, row)
        return change(d, row)

    return (await call.commit(decide)).result


def _read_tag(call: Call) -> str:
    try:
        found: str = _TAG.parse(call.part("tag"))
    except Wrong as wrong:
        raise invalid_input(str(wrong)) from None
    return found


async def _read_tags(call: Call) -> tuple[str, ...]:
    body = await call.body()
    if "tags" not in body:
        raise invalid_input("Invalid tags body")
    try:
        found: tuple[str, ...] = _TAGS.parse(body["tags"])
    except Wrong as wrong:
        raise invalid_input(str(wrong)) from None
    return found
