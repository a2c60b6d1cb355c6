"""The operations of a declared resource: list, show, create (one or many), update, delete.

Reads answer from one snapshot.  Writes check policy inside of the decision, on the very state that they change, so
that nothing can come between the check and the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import bodies, schemas
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation, Resource, Row, View
from netglass.api.networking.listing import Listed, find_visible, list_rows, missing
from netglass.api.networking.policy import Target, require
from netglass.api.networking.precondition import read_precondition, require_revision
from netglass.api.networking.query import read_fields, read_query
from netglass.api.networking.render import hidden_from, renderer
from netglass.base.errors import Bug
from netglass.control.decision import Decision

Run = Callable[[Call], Awaitable[Response]]


def operations(resource: Resource) -> tuple[Operation, ...]:
    """Gives the operations that a resource's declaration offers."""
    title = resource.name.replace("_", " ")
    found = [_operation(resource, "GET", _lists(resource), f"Lists {resource.collection.replace('_', ' ')}.")]
    found[0] = replace(found[0], answer=schemas.listed(resource), parameters=schemas.list_parameters(resource))
    if resource.shown:
        shows = _operation(resource, "GET", _shows(resource), f"Shows one {title}.", one=True)
        found.append(replace(shows, parameters={"fields": schemas.TEXTS}))
    if resource.create is not None:
        about = f"Makes a {title}" + (", or several at once." if resource.bulk else ".")
        creates = _operation(resource, "POST", _creates(resource), about)
        found.append(replace(creates, status=201, body=schemas.creation(resource)))
    if resource.update is not None:
        updates = _operation(resource, "PUT", _updates(resource), f"Changes a {title}.", one=True)
        found.append(replace(updates, body=schemas.change(resource)))
    if resource.delete is not None:
        deletes = _operation(resource, "DELETE", _deletes(resource), f"Deletes a {title}.", one=True)
        found.append(replace(deletes, status=204, answer=None))
    return tuple(found)


def _operation(resource: Resource, method: str, run: Run, about: str, *, one: bool = False) -> Operation:
    """Gives an operation on the collection, or on one of its members, that answers with one object."""
    path = resource.root + ("/{id}" if one else "")
    answer = schemas.wrapped(resource)
    return Operation(method=method, path=path, run=run, about=about, tag=resource.collection, answer=answer)


def _above(resource: Resource, call: Call, view: View) -> Row:
    """Gives the parent that the path leads through; None for a path of the collection's own."""
    above = resource.above
    if above is None:
        return None
    return find_visible(above.resource, call.part(above.resource.name), view, call.caller)


def _find(resource: Resource, call: Call, view: View) -> Row:
    """Gives the row that the path names; one that lies elsewhere than the path says is not there."""
    parent = _above(resource, call, view)
    row = find_visible(resource, call.part("id"), view, call.caller)
    if resource.above is not None and getattr(row, resource.above.field) != parent.id:
        raise missing(resource, row.id)
    return row


def _lists(resource: Resource) -> Run:
    async def run(call: Call) -> Response:
        view = call.view()
        parent = _above(resource, call, view)
        within = view.snapshot.rows(resource.above.children, parent.id) if resource.above is not None else None
        hidden = hidden_from(resource, call.caller, view.snapshot)
        query = read_query(resource, call.request.query_params, hidden)
        listed = list_rows(resource, query, view, call.caller, within)
        render = renderer(resource, call.caller, view.snapshot, query.fields)
        answer: dict[str, Any] = {resource.collection: [render(row, view) for row in listed.rows]}
        if links := _links(call, listed):
            answer[f"{resource.collection}_links"] = links
        return reply(answer)

    return run


def _shows(resource: Resource) -> Run:
    async def run(call: Call) -> Response:
        fields = read_fields(resource, call.request.query_params)
        view = call.view()
        row = _find(resource, call, view)
        return reply({resource.name: renderer(resource, call.caller, view.snapshot, fields)(row, view)})

    return run


def _creates(resource: Resource) -> Run:
    def create(call: Call, d: Decision, wanted: Mapping[str, Any]) -> Row:
        if resource.create is None:
            raise Bug(f"{resource.name} cannot be made")
        view = call.view(d.snapshot)
        parent = _above(resource, call, view)
        if resource.above is not None:
            # What lies beneath another object is that one's owner's.
            wanted = {**wanted, resource.above.field: parent.id, "project_id": parent.project_id}
        elif resource.parent is not None:
            find_visible(resource.parent.resource, wanted[resource.parent.field], view, call.caller)
        target = Target(project_id=wanted["project_id"], network_id=wanted.get("network_id", ""), wanted=wanted)
        require(resource.rule("create"), call.caller, target, d.snapshot)
        given = [a for a in resource.attributes if "create" in a.guards and wanted.get(a.key, a.default) != a.default]
        for attribute in given:
            require(resource.rule("create", attribute.name), call.caller, target, d.snapshot)
        return resource.create(d, wanted)

    async def run(call: Call) -> Response:
        many, each = bodies.read_created(resource, await call.body(), call.caller)
        if resource.together is not None:
            resource.together(each)
        committed = await call.commit(lambda d: [create(call, d, wanted) for wanted in each])
        view = call.view(committed.snapshot)
        render = renderer(resource, call.caller, view.snapshot)
        # A later step of the same decision may have changed what an earlier one made.
        shown = [render(resource.find(view, row.id), view) for row in committed.result]
        return reply({resource.collection: shown} if many else {resource.name: shown[0]}, 201)

    return run


def _updates(resource: Resource) -> Run:
    def update(call: Call, d: Decision, changes: Mapping[str, Any], revision: int | None) -> Row:
        if resource.update is None:
            raise Bug(f"{resource.name} cannot be changed")
        row = _find(resource, call, call.view(d.snapshot))
        target = _target(row, changes)
        require(resource.rule("update"), call.caller, target, d.snapshot)
        for attribute in resource.attributes:
            # Also a value that would change nothing: a right is not had by guessing (CVE 2014-6414).
            if "update" in attribute.guards and attribute.key in changes:
                require(resource.rule("update", attribute.name), call.caller, target, d.snapshot)
        require_revision(revision, row)
        return resource.update(d, row, changes)

    async def run(call: Call) -> Response:
        revision = read_precondition(call.request)
        changes = bodies.read_updated(resource, await call.body())
        committed = await call.commit(lambda d: update(call, d, changes, revision))
        view = call.view(committed.snapshot)
        row = resource.find(view, committed.result.id)
        return reply({resource.name: renderer(resource, call.caller, view.snapshot)(row, view)})

    return run


def _deletes(resource: Resource) -> Run:
    def delete(call: Call, d: Decision, revision: int | None) -> None:
        if resource.delete is None:
            raise Bug(f"{resource.name} cannot be deleted")
        row = _find(resource, call, call.view(d.snapshot))
        require(resource.rule("delete"), call.caller, _target(row, {}), d.snapshot)
        require_revision(revision, row)
        resource.delete(d, row)

    async def run(call: Call) -> Response:
        revision = read_precondition(call.request)
        await call.commit(lambda d: delete(call, d, revision))
        return Response(status_code=204)

    return run


def _target(row: Row, changes: Mapping[str, Any]) -> Target:
    return Target(row.project_id, getattr(row, "network_id", ""), changes, row)


def _links(call: Call, listed: Listed) -> list[dict[str, str]]:
    """Gives the links to a page's neighbours, each with the query as it was asked but for its marker."""
    asked = [(k, v) for k, v in call.request.query_params.multi_items() if k not in ("marker", "page_reverse")]
    base = call.url(call.request.url.path)
    links = []
    if listed.next:
        links.append({"rel": "next", "href": f"{base}?{urlencode([*asked, ('marker', listed.next)])}"})
    if listed.previous:
        query = urlencode([*asked, ("marker", listed.previous), ("page_reverse", "True")])
        links.append({"rel": "previous", "href": f"{base}?{query}"})
    return links
