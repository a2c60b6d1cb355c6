"""Actions of declared resources: ``PUT /v2.0/<collection>/<id>/<action>``.

As in ``members``, policy is checked inside of the decision, on the very state that it changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Action, Operation, Resource
from netglass.api.networking.listing import find_visible
from netglass.api.networking.policy import Target, require
from netglass.api.networking.precondition import read_precondition, require_revision
from netglass.api.networking.render import renderer
from netglass.control.decision import Decision


def operations(resource: Resource) -> tuple[Operation, ...]:
    """Gives one operation for each action of a resource."""
    return tuple(
        Operation(
            method="PUT",
            path=f"{resource.root}/{{id}}/{action.name}",
            run=_runs(resource, action),
            about=action.about,
            tag=resource.collection,
            body=action.body,
            answer=action.answer,
        )
        for action in resource.actions
    )


def _runs(resource: Resource, action: Action) -> Callable[[Call], Awaitable[Response]]:
    def decide(call: Call, d: Decision, wanted: Any, revision: int | None) -> Any:
        row = find_visible(resource, call.part("id"), call.view(d.snapshot), call.caller)
        require(action.name, call.caller, Target(row.project_id, row=row), d.snapshot)
        require_revision(revision, row)
        return action.decide(d, row, wanted)

    async def run(call: Call) -> Response:
        revision = read_precondition(call.request)
        wanted = action.read(await call.body())
        committed = await call.commit(lambda d: decide(call, d, wanted, revision))
        view = call.view(committed.snapshot)
        render = renderer(resource, call.caller, view.snapshot)
        return reply(action.show(committed.result, view, lambda row: render(row, view)))

    return run
