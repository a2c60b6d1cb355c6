"""Where a packet goes, and why: traces for administrators between all ports, for projects between their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.operations.desk import Desk
from netglass.base.errors import Invalid
from netglass.control.visibility import owns, visible
from netglass.model.caller import Caller
from netglass.model.resources import Network, Row
from netglass.model.snapshot import Snapshot

if TYPE_CHECKING:
    from netglass.trace.model import Wish


class Traces:
    """``/netglass/v1/trace``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services

    async def trace(self, request: Request) -> Response:
        """Answers with a packet's way, and its answer's, by what all hosts must look like."""
        from netglass.trace.model import trace_model  # late: few servers are ever asked for a trace

        caller, query = self._services.caller(request), request.query_params
        snapshot = self._services.store.snapshot
        if query.get("evidence", "model") != "model":
            raise Invalid(f"'evidence' is {query['evidence']!r}; model is known.")
        wish = _wish(query)
        found = await asyncio.to_thread(trace_model, snapshot, wish, lambda row: _may_trace(caller, row, snapshot))
        return reply({"trace": found})


def _wish(query: Mapping[str, str]) -> Wish:
    from netglass.trace.model import Wish

    lacking = [name for name in ("source", "destination") if not query.get(name)]
    if lacking:
        raise Invalid(f"{' and '.join(repr(name) for name in lacking)} must be given.")
    one_way = query.get("one_way", "false")
    if one_way not in ("true", "false"):
        raise Invalid(f"'one_way' is {one_way!r}; true or false is wanted.")
    return Wish(
        source=query["source"],
        destination=query["destination"],
        protocol=query.get("protocol", ""),
        port=_number("port", query.get("port")),
        size=_number("size", query.get("size")) or 0,
        one_way=one_way == "true",
    )


def _number(name: str, text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(f"{name!r} is {text!r}; a number is wanted.")
    return int(text) if text is not None else None


def _may_trace(caller: Caller, row: Row, snapshot: Snapshot) -> bool:
    """Says whether somebody may trace from or to a row: a network that they see, else what is their project's own."""
    if caller.is_admin or isinstance(row, Network):
        return visible(caller, row, snapshot)
    return owns(caller, row)
