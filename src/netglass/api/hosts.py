"""What agents call: register, watch, report, answer.  The wire is ``model.protocol``."""

from __future__ import annotations

import asyncio
import hmac
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import BODY_LIMIT, UNREADABLE, endpoint, read_body, reply
from netglass.api.feed import Feed, FeedResponse, Since
from netglass.api.services import Services
from netglass.base.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized, UserError
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.host_keys import decide_join, decide_rotate, may_speak
from netglass.control.hosts import decide_register_host, decide_report
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.protocol import (
    ANSWER_BYTES,
    PROTOCOL,
    PROTOCOL_HEADER,
    Answer,
    Healed,
    Join,
    NewCredential,
    Registration,
    Report,
    host_credential,
    skew,
)
from netglass.model.resources import Host, HostKey

S = TypeVar("S")

_LONGEST_REVISION = 18  # digits

_DIGEST = re.compile(r"[0-9a-f]{64}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def fault_shape(error: UserError, request_id: str) -> dict[str, Any]:
    """Gives a fault as agents and Netglass's own commands read it."""
    return {"error": {"type": error.fault, "message": error.message, "request_id": request_id}}


def routes(services: Services, feed: Feed) -> list[Route]:
    """Gives the agents' routes."""
    calls = _AgentCalls(services, feed)
    at = "/netglass/v1/hosts/{host}"
    wrap = endpoint(fault_shape, services.store.caught_up)
    return [
        Route(at, wrap(calls.register), methods=["PUT"]),
        Route(at + "/feed", wrap(calls.watch), methods=["GET"]),
        Route(at + "/report", wrap(calls.report), methods=["POST"]),
        Route(at + "/healed", wrap(calls.healed), methods=["POST"]),
        Route(at + "/join", wrap(calls.join), methods=["POST"]),
        Route(at + "/credential", wrap(calls.rotate), methods=["POST"]),
        Route("/netglass/v1/ca", wrap(calls.ca), methods=["GET"]),
        Route(at + "/answers/{question}", wrap(calls.answer), methods=["POST"]),
    ]


class _AgentCalls:
    def __init__(self, services: Services, feed: Feed) -> None:
        self._services = services
        self._feed = feed

    async def register(self, request: Request) -> Response:
        host = self._host(request)
        registration = await _read(request, Registration)

        def decide(draft: Draft, fresh: Fresh) -> Host:
            return decide_register_host(self._decision(draft, fresh, host, request), host, registration)

        if skew(registration.protocol) == "foreign":
            message = f"The agent of {host} speaks protocol {registration.protocol}, this server {PROTOCOL}."
            raise Conflict(message, fault="ProtocolUnknown")
        committed = await self._services.store.commit_async(decide, _agent(host, request))
        self._services.reports.register(host, registration, _now())
        self._feed.wake()
        answer = reply(committed.result)
        answer.headers[PROTOCOL_HEADER] = PROTOCOL
        return answer

    async def watch(self, request: Request) -> Response:
        host = self._host(request)
        since = request.query_params.get("since")
        if since is not None and not (since.isascii() and since.isdigit() and len(since) <= _LONGEST_REVISION):
            raise Invalid(f"'since' is {since!r}; a revision number is wanted.")
        store = request.query_params.get("store", "")
        return FeedResponse(self._feed, host, Since(int(since), store) if since is not None else None)

    async def report(self, request: Request) -> Response:
        host = self._host(request)
        report = await _read(request, Report)
        if self._services.store.shared and self._services.reports.get(host) is None:
            # It may have registered with another server, just now.
            await asyncio.to_thread(self._services.reports.look_up, host)
        if self._services.reports.report(host, report, _now()) is None:
            raise Conflict(f"Host {host} has not registered; register, then report.", fault="HostNotRegistered")
        if report.ports_realised or report.ports_lost or report.guests:  # else a heartbeat: there is nothing to decide
            await self._services.store.commit_async(
                partial(self._decide_report, host, report, request), _agent(host, request)
            )
        self._feed.wake()
        return Response(status_code=204)

    async def healed(self, request: Request) -> Response:
        host = self._host(request)
        healed = await _read(request, list[Healed])
        await asyncio.to_thread(self._services.healings.add, host, healed)
        return Response(status_code=204)

    async def join(self, request: Request) -> Response:
        host = named_host(request)
        wanted = await _read(request, Join)
        self._require_digest(wanted.digest)

        def decide(draft: Draft, fresh: Fresh) -> HostKey:
            return decide_join(self._decision(draft, fresh, host, request), host, wanted.token, wanted.digest)

        await self._services.store.commit_async(decide, _agent(host, request))
        return Response(status_code=204)

    async def rotate(self, request: Request) -> Response:
        host = self._host(request)
        wanted = await _read(request, NewCredential)
        self._require_digest(wanted.digest)

        def decide(draft: Draft, fresh: Fresh) -> HostKey:
            return decide_rotate(self._decision(draft, fresh, host, request), host, wanted.digest)

        await self._services.store.commit_async(decide, _agent(host, request))
        return Response(status_code=204)

    async def ca(self, _request: Request) -> Response:
        if self._services.tls is None:
            raise NotFound("This server speaks no TLS of its own.", fault="NoCertificateAuthority")
        return Response(self._services.tls.ca.read_bytes(), media_type="application/x-pem-file")

    def _require_digest(self, text: str) -> None:
        if not _DIGEST.fullmatch(text):
            raise Invalid("'digest' must be SHA-256 in hexadecimal: 64 characters of 0-9 and a-f.")

    async def answer(self, request: Request) -> Response:
        host = self._host(request)
        answer = await _read(request, Answer, ANSWER_BYTES)
        await self._services.questions.answer(host, request.path_params["question"], answer)
        return Response(status_code=204)

    def _decide_report(self, host: str, report: Report, request: Request, draft: Draft, fresh: Fresh) -> None:
        decide_report(self._decision(draft, fresh, host, request), host, report)

    def _decision(self, draft: Draft, fresh: Fresh, host: str, request: Request) -> Decision:
        return Decision(draft=draft, caller=_agent(host, request), settings=self._services.settings, fresh=fresh)

    def _host(self, request: Request) -> str:
        return calling_host(self._services, request)


def named_host(request: Request) -> str:
    """Gives the host in the request's path; raises Invalid for what cannot be a host's name."""
    host: str = request.path_params["host"]
    if not _HOST_NAME.fullmatch(host):
        raise Invalid(f"{host!r} is no host name: letters, digits, '.', '_' and '-' are allowed, 63 at most.")
    return host


def calling_host(services: Services, request: Request) -> str:
    """Gives the host that the request may speak for.

    Raises Invalid for what cannot be a host's name, Unauthorized without a credential, Forbidden with another's.
    """
    host = named_host(request)
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthorized("An agent must send its host credential: Authorization: Bearer <credential>.")
    if not _is_theirs(services, host, credential):
        raise Forbidden(f"The credential is not that of host {host}.", fault="HostCredentialRefused")
    return host


def _is_theirs(services: Services, host: str, credential: str) -> bool:
    key = services.store.snapshot.get(HostKey, host)
    if key is not None and (key.digests or key.revoked):  # it has joined, or is shut out
        return may_speak(key, credential)
    secret = services.agent_secret
    return bool(secret) and hmac.compare_digest(host_credential(secret, host).encode(), credential.encode())


def _agent(host: str, request: Request) -> Caller:
    """Gives an agent as the one who acts: it may do what its host's reports mean, whoever owns the objects."""
    return Caller(user_name=f"agent {host}", roles=("admin",), request_id=request.state.request_id)


async def _read(request: Request, wanted: type[S], limit: int = BODY_LIMIT) -> S:
    try:
        return msgspec.json.decode(await read_body(request, limit), type=wanted)
    except UNREADABLE as error:
        raise Invalid(f"Malformed request body: {error}.", fault="HTTPBadRequest") from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
