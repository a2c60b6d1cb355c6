"""What was damaged on hosts and put right, as operators ask for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.operations.desk import Desk
from netglass.base.errors import Invalid

HEALED_MOST = 1000


class Past:
    """``/netglass/v1/healed``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services

    async def healed(self, request: Request) -> Response:
        """Answers with what was damaged and put right, oldest first."""
        self._desk.require_admin(request)
        query = request.query_params
        host = self._desk.known(query["host"]) if query.get("host") else ""
        most, since = _limit(query.get("limit")), _since(query.get("since"))
        found = await asyncio.to_thread(self._services.healings.newest, most, host, since)
        return reply({"healed": [{"host": name} | msgspec.to_builtins(one) for name, one in found]})


def _limit(text: str | None) -> int:
    if text is None:
        return HEALED_MOST
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HEALED_MOST):
        raise Invalid(f"'limit' is {text!r}; a number from 1 to {HEALED_MOST} is wanted.")
    return int(text)


def _since(text: str | None) -> str:
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"'since' is {text!r}; a time as 2026-11-21T12:00:00Z is wanted.") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
