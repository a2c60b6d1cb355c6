"""The calls that do something to a server: POST /servers/{id}/action, and consoles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls, read_as
from netglass.api.compute.server_bodies import GroupBody
from netglass.api.edge import read_json, reply
from netglass.base.errors import Conflict, Invalid
from netglass.control.decision import Decision
from netglass.control.guest_groups import decide_add_guest_group, decide_remove_guest_group
from netglass.control.servers import (
    decide_reboot_server,
    decide_start_server,
    decide_stop_server,
    find_server,
    writable_server,
)
from netglass.model.resources import Server

WHOLE_CONSOLE = -1
"""Lines asked for when all are wanted."""


class RebootBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The action ``reboot``."""

    type: Annotated[str, Meta(pattern=r"^(SOFT|HARD|Soft|Hard|soft|hard)\Z")]


class ConsoleBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The action ``os-getConsoleOutput``; `length` in lines, all without it."""

    length: Annotated[int, Meta(ge=-1)] | Annotated[str, Meta(pattern=r"^(-1|[0-9]{1,9})\Z")] | None = None


class Actions:
    """Answers POST /servers/{id}/action."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._actions: dict[str, Callable[[Call, Any], Awaitable[Response]]] = {
            "os-start": self._start,
            "os-stop": self._stop,
            "reboot": self._reboot,
            "os-getConsoleOutput": self._console,
            "addSecurityGroup": self._add_group,
            "removeSecurityGroup": self._remove_group,
        }

    def routes(self) -> list[Route]:
        """Gives the routes."""
        return [
            self._calls.route("POST", "/servers/{server}/action", self.act),
            self._calls.route("POST", "/servers/{server}/remote-consoles", self.remote_console),
        ]

    async def act(self, call: Call) -> Response:
        """Does the one action that the body names."""
        body = await read_json(call.request)
        find_server(call.snapshot, call.caller, call.part("server"))
        if len(body) != 1:
            raise Invalid(f"The body must name one action; it names {len(body)}.")
        name, value = next(iter(body.items()))
        if name not in self._actions:
            raise Invalid(f"There is no such action: {name}; there are {', '.join(self._actions)}.")
        return await self._actions[name](call, value)

    async def remote_console(self, call: Call) -> Response:
        """Answers POST /servers/{id}/remote-consoles: guests have no screen, only a log."""
        find_server(call.snapshot, call.caller, call.part("server"))
        raise Invalid("Unavailable console type: guests have a console log only.", fault="ConsoleTypeUnavailable")

    async def _start(self, call: Call, _: Any) -> Response:
        await call.commit(lambda d: decide_start_server(d, call.part("server")))
        return Response(status_code=202)

    async def _stop(self, call: Call, _: Any) -> Response:
        await call.commit(lambda d: decide_stop_server(d, call.part("server")))
        return Response(status_code=202)

    async def _reboot(self, call: Call, value: Any) -> Response:
        hard = read_as(value, RebootBody, "reboot").type.upper() == "HARD"
        await call.commit(lambda d: decide_reboot_server(d, call.part("server"), hard=hard))
        return Response(status_code=202)

    async def _add_group(self, call: Call, value: Any) -> Response:
        name = read_as(value, GroupBody, "addSecurityGroup").name
        await call.commit(lambda d: decide_add_guest_group(d, _changeable(d, call), name))
        return Response(status_code=202)

    async def _remove_group(self, call: Call, value: Any) -> Response:
        name = read_as(value, GroupBody, "removeSecurityGroup").name
        await call.commit(lambda d: decide_remove_guest_group(d, _changeable(d, call), name))
        return Response(status_code=202)

    async def _console(self, call: Call, value: Any) -> Response:
        length = read_as(value or {}, ConsoleBody, "os-getConsoleOutput").length
        server = find_server(call.snapshot, call.caller, call.part("server"))
        if not server.host:
            raise Conflict(f"Instance {server.id} is on no host, so it has no console.", fault="InstanceNotReady")
        lines = WHOLE_CONSOLE if length is None else int(length)
        arguments = {"server_id": server.id, "length": str(lines)}
        answer = await call.services.questions.ask(server.host, "console", arguments)
        if not answer.ok:
            message = f"Host {server.host} could not read the console of instance {server.id}: {answer.error}"
            raise Conflict(message, fault="InstanceNotReady")
        return reply({"output": str(answer.value or "")})


def _changeable(d: Decision, call: Call) -> Server:
    return writable_server(d, call.part("server"), "security_groups")
