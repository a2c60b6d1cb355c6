"""What operators ask of the whole: which hosts there are, what one must look like, and whether it does.

    GET /netglass/v1/hosts                          every host with what it last reported
    PATCH /netglass/v1/hosts/{host}                 {"paused": true or false}: freeze or release its agent
    POST /netglass/v1/hosts/{host}/token             {"servers": [URL…]}: a token by which it may join, for an hour
    DELETE /netglass/v1/hosts/{host}/credential      shut it out until it joins again
    GET /netglass/v1/hosts/{host}/plan              its desired state, compiled from intent as it is now
    GET /netglass/v1/hosts/{host}/diff              what differs from it on the host, which is asked
    GET /netglass/v1/revision                       the newest revision
    GET /netglass/v1/wait?revision=N&host=H         waits until hosts have realised a revision
    GET /netglass/v1/healed?since=T&host=H          what was damaged on hosts and put right
    GET /netglass/v1/trace?source=S&destination=D   where a packet goes, and why

`wait`: ``revision`` is a number or ``latest`` (the default); ``host`` may be repeated, and without it all hosts that
are alive are meant; ``timeout`` in seconds, at most 300, 30 by default.

`healed`: the newest `HEALED_MOST` at most, oldest first; ``since`` is RFC 3339 in UTC, and ``limit`` asks for fewer.

`trace`: source and destination as in ``trace.names``; ``protocol`` is icmp (the default), tcp or udp, these two with
``port``, arp or dhcp; ``size`` is that of the packet in bytes, ``one_way`` is true where what is sent back does not
matter; ``evidence`` is model.  Projects may trace between their own ports.

All the rest is for administrators; everybody shows who they are by X-Auth-Token.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import endpoint, read_body, reply
from netglass.api.feed import Feed
from netglass.api.hosts import fault_shape, named_host
from netglass.api.services import Services
from netglass.base.errors import Forbidden, Invalid, NotFound, Unavailable
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.host_keys import decide_invite, decide_revoke, digest
from netglass.control.hosts import decide_pause_host
from netglass.control.visibility import owns, visible
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.protocol import Invitation, encode_invitation
from netglass.model.resources import Host, Network, Row
from netglass.model.snapshot import Snapshot

if TYPE_CHECKING:
    from netglass.trace.model import Wish

WAIT_DEFAULT_S = 30.0
WAIT_MOST_S = 300.0
TOKEN_LIFETIME = timedelta(hours=1)
HEALED_MOST = 1000


def routes(services: Services, feed: Feed) -> list[Route]:
    """Gives the operators' routes."""
    calls = _Operations(services, feed)
    wrap = endpoint(fault_shape, services.store.caught_up)
    return [
        Route("/netglass/v1/hosts", wrap(calls.hosts)),
        Route("/netglass/v1/hosts/{host}", wrap(calls.pause), methods=["PATCH"]),
        Route("/netglass/v1/hosts/{host}/token", wrap(calls.invite), methods=["POST"]),
        Route("/netglass/v1/hosts/{host}/credential", wrap(calls.revoke), methods=["DELETE"]),
        Route("/netglass/v1/hosts/{host}/plan", wrap(calls.plan)),
        Route("/netglass/v1/hosts/{host}/diff", wrap(calls.diff)),
        Route("/netglass/v1/revision", wrap(calls.revision)),
        Route("/netglass/v1/wait", wrap(calls.wait)),
        Route("/netglass/v1/healed", wrap(calls.healed)),
        Route("/netglass/v1/trace", wrap(calls.trace)),
    ]


class _Pause(msgspec.Struct, forbid_unknown_fields=True):
    paused: bool


class _Invite(msgspec.Struct, forbid_unknown_fields=True):
    servers: tuple[str, ...] = ()


class _Operations:
    def __init__(self, services: Services, feed: Feed) -> None:
        self._services = services
        self._feed = feed

    async def hosts(self, request: Request) -> Response:
        self._require_admin(request)
        snapshot = self._services.store.snapshot
        rows = sorted(snapshot.all(Host), key=lambda row: row.id)
        return reply({"revision": snapshot.revision, "hosts": [self._host(row) for row in rows]})

    async def pause(self, request: Request) -> Response:
        caller = self._require_admin(request)
        host = self._known(request.path_params["host"])
        try:
            wanted = msgspec.json.decode(await read_body(request), type=_Pause, strict=True)
        except msgspec.MsgspecError as error:
            raise Invalid(f'The body must be {{"paused": true}} or {{"paused": false}}: {error}.') from None

        def decide(draft: Draft, fresh: Fresh) -> Host:
            d = Decision(draft=draft, caller=caller, settings=self._services.settings, fresh=fresh)
            return decide_pause_host(d, host, paused=wanted.paused)

        committed = await self._services.store.commit_async(decide, caller)
        return reply({"revision": committed.revision, "host": self._host(committed.result)})

    async def invite(self, request: Request) -> Response:
        caller, host = self._require_admin(request), named_host(request)
        try:
            wanted = msgspec.json.decode(await read_body(request), type=_Invite, strict=True)
        except msgspec.MsgspecError as error:
            raise Invalid(f"The body must be an object with servers, a list of URLs: {error}.") from None
        token = secrets.token_urlsafe(24)
        expires_at = (datetime.now(UTC) + TOKEN_LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._services.commit(caller, lambda d: decide_invite(d, host, digest(token), expires_at))
        tls = self._services.tls
        invitation = Invitation(
            host=host,
            server=wanted.servers or (self._services.public_url,),
            ca=tls.fingerprint if tls is not None else "",
            token=token,
        )
        return reply({"host": host, "token": encode_invitation(invitation), "expires_at": expires_at}, 201)

    async def revoke(self, request: Request) -> Response:
        caller, host = self._require_admin(request), named_host(request)
        await self._services.commit(caller, lambda d: decide_revoke(d, host))
        return Response(status_code=204)

    async def plan(self, request: Request) -> Response:
        self._require_admin(request)
        from netglass.compile.compiler import compile_host  # late: most servers are never asked for a plan

        snapshot = self._services.store.snapshot
        host = self._known(request.path_params["host"])
        state = await asyncio.to_thread(compile_host, snapshot, host)
        return reply({"revision": snapshot.revision, "plan": state})

    async def diff(self, request: Request) -> Response:
        self._require_admin(request)
        host = self._known(request.path_params["host"])
        answer = await self._services.questions.ask(host, "diff", {})
        if not answer.ok:
            raise Unavailable(f"Host {host} could not tell what differs: {answer.error}.", fault="HostUnavailable")
        return reply({"host": host, "diff": answer.value})

    async def revision(self, request: Request) -> Response:
        self._require_admin(request)
        return reply({"revision": self._services.store.snapshot.revision})

    async def wait(self, request: Request) -> Response:
        self._require_admin(request)
        query = request.query_params
        revision = _revision(query.get("revision", "latest"), self._services.store.snapshot.revision)
        timeout_s = _timeout(query.get("timeout"))
        named = [self._known(host) for host in query.getlist("host")]
        try:
            async with asyncio.timeout(timeout_s):
                while behind := self._behind(named or self._alive(), revision):
                    await self._feed.news()
        except TimeoutError:
            told = "; ".join(self._where(host) for host in behind)
            message = f"Revision {revision} is not realised after {timeout_s:g} seconds by: {told}."
            raise Unavailable(message, fault="NotRealised") from None
        return reply({"revision": revision, "hosts": named or self._alive()})

    async def healed(self, request: Request) -> Response:
        self._require_admin(request)
        query = request.query_params
        host = self._known(query["host"]) if query.get("host") else ""
        most, since = _limit(query.get("limit")), _since(query.get("since"))
        found = await asyncio.to_thread(self._services.healings.newest, most, host, since)
        return reply({"healed": [{"host": name} | msgspec.to_builtins(one) for name, one in found]})

    async def trace(self, request: Request) -> Response:
        from netglass.trace.model import trace_model  # late, as above

        caller, query = self._services.caller(request), request.query_params
        snapshot = self._services.store.snapshot
        if query.get("evidence", "model") != "model":
            raise Invalid(f"'evidence' is {query['evidence']!r}; model is known.")
        wish = _wish(query)
        found = await asyncio.to_thread(trace_model, snapshot, wish, lambda row: _may_trace(caller, row, snapshot))
        return reply({"trace": found})

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
        return f"{host} (at {report.realised_revision}, heard at {heard.at}{more})"

    def _host(self, row: Host) -> dict[str, Any]:
        heard = self._services.reports.get(row.id)
        report = heard.report if heard is not None else None
        alive = self._services.reports.alive(row.id, _now())
        return {
            "name": row.id,
            "roles": row.roles,
            "availability_zone": row.availability_zone,
            "enabled": row.enabled,
            "paused": row.paused,
            "address": row.address,
            "alive": alive,
            "connected": self._feed.is_connected(row.id) or (self._services.store.shared and alive),
            "heard_at": heard.at if heard is not None else None,
            "relevant_revision": self._feed.relevant_revision(row.id),
            "realised_revision": report.realised_revision if report is not None else None,
            "oldest_failing_revision": report.oldest_failing_revision if report is not None else None,
            "failing_count": report.failing_count if report is not None else 0,
            "failing": report.failing if report is not None else (),
        }

    def _alive(self) -> list[str]:
        now = _now()
        names = sorted(row.id for row in self._services.store.snapshot.all(Host))
        return [name for name in names if self._services.reports.alive(name, now)]

    def _known(self, host: str) -> str:
        if self._services.store.snapshot.get(Host, host) is None:
            names = ", ".join(sorted(row.id for row in self._services.store.snapshot.all(Host))) or "none"
            raise NotFound(f"There is no host {host!r}; registered are: {names}.", fault="HostNotFound")
        return host

    def _require_admin(self, request: Request) -> Caller:
        caller = self._services.caller(request)
        if not caller.is_admin:
            raise Forbidden("Only administrators may look at hosts.")
        return caller


def _revision(text: str, newest: int) -> int:
    if text == "latest":
        return newest
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"'revision' is {text!r}; a number or 'latest' is wanted.")
    return int(text)


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


def _timeout(text: str | None) -> float:
    try:
        timeout_s = WAIT_DEFAULT_S if text is None else float(text)
    except ValueError:
        timeout_s = -1.0
    if not 0 <= timeout_s <= WAIT_MOST_S:
        raise Invalid(f"'timeout' is {text!r}; seconds from 0 to {WAIT_MOST_S:g} are wanted.")
    return timeout_s


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
