"""Hosts as operators see them: which there are, freezing, joining, shutting out, their plans and differences."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from netglass.api.edge import UNREADABLE, read_body, reply
from netglass.api.hosts import named_host
from netglass.api.operations.desk import Desk, now
from netglass.base.errors import Conflict, Invalid, Unavailable
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.host_keys import decide_invite, decide_revoke, digest
from netglass.control.hosts import decide_pause_host
from netglass.model.draft import Draft
from netglass.model.protocol import PROTOCOL, Invitation, encode_invitation, skew
from netglass.model.resources import Host

TOKEN_LIFETIME = timedelta(hours=1)


class _Pause(msgspec.Struct, forbid_unknown_fields=True):
    paused: bool


class _Invite(msgspec.Struct, forbid_unknown_fields=True):
    servers: tuple[str, ...] = ()


class Hosts:
    """The calls under ``/netglass/v1/hosts``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services
        self._feed = desk.feed

    async def hosts(self, request: Request) -> Response:
        """Answers with every host and what it last reported."""
        self._desk.require_admin(request)
        snapshot = self._services.store.snapshot
        rows = sorted(snapshot.all(Host), key=lambda row: row.id)
        return reply({"revision": snapshot.revision, "protocol": PROTOCOL, "hosts": [self._host(row) for row in rows]})

    async def pause(self, request: Request) -> Response:
        """Freezes or releases a host's agent."""
        caller = self._desk.require_admin(request)
        host = self._desk.known(request.path_params["host"])
        try:
            wanted = msgspec.json.decode(await read_body(request), type=_Pause, strict=True)
        except UNREADABLE as error:
            raise Invalid(f'The body must be {{"paused": true}} or {{"paused": false}}: {error}.') from None

        def decide(draft: Draft, fresh: Fresh) -> Host:
            d = Decision(draft=draft, caller=caller, settings=self._services.settings, fresh=fresh)
            return decide_pause_host(d, host, paused=wanted.paused)

        committed = await self._services.store.commit_async(decide, caller)
        return reply({"revision": committed.revision, "host": self._host(committed.result)})

    async def invite(self, request: Request) -> Response:
        """Answers with a token by which a host may join, for `TOKEN_LIFETIME`."""
        caller, host = self._desk.require_admin(request), named_host(request)
        try:
            wanted = msgspec.json.decode(await read_body(request), type=_Invite, strict=True)
        except UNREADABLE as error:
            raise Invalid(f"The body must be an object with servers, a list of URLs: {error}.") from None
        servers = wanted.servers or (self._services.public_url,)
        if unreachable := next((url for url in servers if _is_any(url)), ""):
            remedy = "name one with --server, or set public_url and tls_names in this server's configuration"
            raise Conflict(f"No other host reaches a server by {unreachable}: {remedy}.", fault="ServerUnnamed")
        token = secrets.token_urlsafe(24)
        expires_at = (datetime.now(UTC) + TOKEN_LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._services.commit(caller, lambda d: decide_invite(d, host, digest(token), expires_at))
        tls = self._services.tls
        invitation = Invitation(
            host=host,
            server=servers,
            ca=tls.fingerprint if tls is not None else "",
            token=token,
        )
        return reply({"host": host, "token": encode_invitation(invitation), "expires_at": expires_at}, 201)

    async def revoke(self, request: Request) -> Response:
        """Shuts a host out until it joins again."""
        caller, host = self._desk.require_admin(request), named_host(request)
        await self._services.commit(caller, lambda d: decide_revoke(d, host))
        return Response(status_code=204)

    async def plan(self, request: Request) -> Response:
        """Answers with a host's desired state, compiled from intent as it is now."""
        self._desk.require_admin(request)
        from netglass.compile.compiler import compile_host  # late: most servers are never asked for a plan

        snapshot = self._services.store.snapshot
        host = self._desk.known(request.path_params["host"])
        state = await asyncio.to_thread(compile_host, snapshot, host)
        return reply({"revision": snapshot.revision, "plan": state})

    async def diff(self, request: Request) -> Response:
        """Asks a host what differs on it, and answers with that; raises Unavailable when it cannot tell."""
        self._desk.require_admin(request)
        host = self._desk.known(request.path_params["host"])
        answer = await self._services.questions.ask(host, "diff", {})
        if not answer.ok:
            raise Unavailable(f"Host {host} could not tell what differs: {answer.error}.", fault="HostUnavailable")
        return reply({"host": host, "diff": answer.value})

    def _host(self, row: Host) -> dict[str, Any]:
        heard = self._services.reports.get(row.id)
        report = heard.report if heard is not None else None
        protocol = heard.registration.protocol if heard is not None else None
        alive = self._services.reports.alive(row.id, now())
        return {
            "name": row.id,
            "roles": row.roles,
            "availability_zone": row.availability_zone,
            "enabled": row.enabled,
            "paused": row.paused,
            "address": row.address,
            "alive": alive,
            "version": report.version if report is not None else None,
            "protocol": protocol,
            "protocol_skew": skew(protocol) if protocol is not None else "",
            "connected": self._feed.is_connected(row.id) or (self._services.store.shared and alive),
            "heard_at": heard.at if heard is not None else None,
            "relevant_revision": self._feed.relevant_revision(row.id),
            "realised_revision": report.realised_revision if report is not None else None,
            "oldest_failing_revision": report.oldest_failing_revision if report is not None else None,
            "failing_count": report.failing_count if report is not None else 0,
            "failing": report.failing if report is not None else (),
            "unread": report.unread if report is not None else (),
        }


def _is_any(url: str) -> bool:
    """Says whether a URL names no host but every address, as that of a server that listens on 0.0.0.0 does."""
    try:
        return ip_address(urlsplit(url).hostname or "").is_unspecified
    except ValueError:
        return False
