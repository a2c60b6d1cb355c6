"""The calls under /v3/auth: issuing, validating and revoking tokens, and what somebody may get one for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import reply
from netglass.api.identity.calls import Calls, listing, read_body
from netglass.api.identity.login import AuthBody, authenticate, choose_target
from netglass.api.tokens import Holder
from netglass.base.errors import Forbidden, NotFound, Unauthorized
from netglass.control.identity import SYSTEM, decide_revoke_token, effective_roles, projects_of

_VARY = {"Vary": "X-Auth-Token"}


class Sessions:
    """Answers the calls under /v3/auth."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._services = calls.services
        self._shapes = calls.shapes

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("POST", "/v3/auth/tokens", self.issue),
            route("GET", "/v3/auth/tokens", self.validate),
            route("DELETE", "/v3/auth/tokens", self.revoke),
            route("GET", "/v3/auth/catalog", self.catalog),
            route("GET", "/v3/auth/projects", self.projects),
            route("GET", "/v3/auth/domains", self.domains),
            route("GET", "/v3/auth/system", self.system),
        ]

    async def issue(self, request: Request) -> Response:
        """Answers POST /v3/auth/tokens."""
        body = await read_body(request, "auth", AuthBody)
        tokens = self._services.tokens
        shown = await authenticate(body.identity, self._services.store.snapshot, self._calls.passwords, tokens)
        # Looked up anew: checking the password took its time.
        target = choose_target(body.scope, shown.user, self._services.store.snapshot)
        token, _ = tokens.issue(shown.user, target, shown.methods, shown.token)
        return self._token(request, tokens.holder(token), token, 201)

    async def validate(self, request: Request) -> Response:
        """Answers GET and HEAD /v3/auth/tokens, for the token in X-Subject-Token."""
        subject, token = self._subject(request, "validate_token")
        return self._token(request, subject, token, 200)

    async def revoke(self, request: Request) -> Response:
        """Answers DELETE /v3/auth/tokens."""
        subject, _ = self._subject(request, "revoke_token")
        expires_at = datetime.fromtimestamp(subject.payload.expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._services.commit(
            self._services.caller(request),
            lambda d: decide_revoke_token(d, subject.payload.audit_id, expires_at),
        )
        return Response(status_code=204)

    async def catalog(self, request: Request) -> Response:
        """Answers GET /v3/auth/catalog."""
        if not self._holder(request).payload.target:
            raise Forbidden("An unscoped token has no catalog; ask for a token for a project or the system.")
        return reply({"catalog": self._shapes.catalog.entries, "links": {"self": self._shapes.url("/auth/catalog")}})

    async def projects(self, request: Request) -> Response:
        """Answers GET /v3/auth/projects: those the caller could get a token for."""
        found = projects_of(self._services.store.snapshot, self._holder(request).user.id)
        return listing(request, self._shapes, "projects", (self._shapes.project(p) for p in found if p.enabled))

    async def domains(self, request: Request) -> Response:
        """Answers GET /v3/auth/domains: none, as roles are given in projects and in the system only."""
        self._holder(request)
        return listing(request, self._shapes, "domains", ())

    async def system(self, request: Request) -> Response:
        """Answers GET /v3/auth/system."""
        roles = effective_roles(self._services.store.snapshot, self._holder(request).user.id, SYSTEM)
        return listing(request, self._shapes, "system", [{"all": True}] if roles else [])

    def _holder(self, request: Request) -> Holder:
        return self._services.tokens.holder(request.headers.get("x-auth-token", ""))

    def _subject(self, request: Request, action: str) -> tuple[Holder, str]:
        """Gives who holds the token that the call is about; the caller must hold the same, or be admin."""
        caller = self._services.caller(request)
        token = request.headers.get("x-subject-token", "")
        try:
            holder = self._services.tokens.holder(token)
        except Unauthorized:
            raise NotFound("Failed to validate token") from None
        if holder.user.id != caller.user_id and not caller.is_admin:
            raise Forbidden(f"You are not authorized to perform the requested action: identity:{action}.")
        return holder, token

    def _token(self, request: Request, holder: Holder, token: str, status: int) -> Response:
        shown: dict[str, Any] = self._shapes.token(holder, catalog="nocatalog" not in request.query_params)
        return reply({"token": shown}, status, {"X-Subject-Token": token, **_VARY})
