"""How far intent has got: the newest revision, and waiting until hosts have realised one."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.operations.desk import Desk
from netglass.base.errors import Invalid, Unavailable
from netglass.model.resources import Host

WAIT_DEFAULT_S = 30.0
WAIT_MOST_S = 300.0


class Realised:
    """``/netglass/v1/revision`` and ``/netglass/v1/wait``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services
        self._feed = desk.feed

    async def revision(self, request: Request) -> Response:
        """Answers with the newest revision."""
        self._desk.require_admin(request)
        return reply({"revision": self._services.store.snapshot.revision})

    async def wait(self, request: Request) -> Response:
        """Answers once hosts have realised a revision; raises Unavailable, which names those that have not in time."""
        self._desk.require_admin(request)
        query = request.query_params
        revision = _revision(query.get("revision", "latest"), self._services.store.snapshot.revision)
        timeout_s = _timeout(query.get("timeout"))
        named = [self._desk.known(host) for host in query.getlist("host")]
        try:
            async with asyncio.timeout(timeout_s):
                while behind := self._behind(named or self._desk.alive(), revision):
                    await self._feed.news()
        except TimeoutError:
            told = "; ".join(self._where(host) for host in behind)
            message = f"Revision {revision} is not realised after {timeout_s:g} seconds by: {told}."
            raise Unavailable(message, fault="NotRealised") from None
        return reply({"revision": revision, "hosts": named or self._desk.alive()})

    def _behind(self, hosts: list[str], revision: int) -> list[str]:
        if self._feed.snapshot.revision < revision:
            return hosts or ["the server itself"]
        return [host for host in hosts if not self._has_realised(host, revision)]

    def _has_realised(self, host: str, revision: int) -> bool:
        heard = self._services.reports.get(host)
        if heard is None or heard.report is None:
            return False
        # What came after and means nothing to the host, it need not have seen.
        return heard.report.realised_revision >= min(revision, self._feed.relevant_revision(host))

    def _where(self, host: str) -> str:
        heard = self._services.reports.get(host)
        if heard is None or heard.report is None:
            return f"{host} (has not reported)"
        report = heard.report
        failing = "; ".join(f"{f.kind} {f.key}: {f.evidence}" for f in report.failing[:3])
        more = f", failing {failing}" if failing else ""
        more += f", does not understand {'; '.join(report.unread[:3])}" if report.unread else ""
        row = self._services.store.snapshot.get(Host, host)
        paused = "paused, " if row is not None and row.paused else ""
        return f"{host} ({paused}at {report.realised_revision}, heard at {heard.at}{more})"


def _revision(text: str, newest: int) -> int:
    if text == "latest":
        return newest
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"'revision' is {text!r}; a number or 'latest' is wanted.")
    return int(text)


def _timeout(text: str | None) -> float:
    try:
        timeout_s = WAIT_DEFAULT_S if text is None else float(text)
    except ValueError:
        timeout_s = -1.0
    if not 0 <= timeout_s <= WAIT_MOST_S:
        raise Invalid(f"'timeout' is {text!r}; seconds from 0 to {WAIT_MOST_S:g} are wanted.")
    return timeout_s
