"""What every HTTP service of Netglass shares: bodies in, JSON out, faults in each service's own shape.

A service is a list of Starlette routes whose endpoints are wrapped by `endpoint` with that service's fault shape.
Every request is answered out of a snapshot that is no older than the request, however many servers there are.
Source: the fault shapes are what unmodified clients parse (shared by Neutron, Keystone, Nova, Glance).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from netglass.base.errors import Invalid, UserError

BODY_LIMIT = 1_048_575
"""Largest request body that is read from clients, in bytes: one less than 1 MiB."""

Endpoint = Callable[[Request], Awaitable[Response]]
FaultShape = Callable[[UserError, str], dict[str, Any]]
Ready = Callable[[], Awaitable[None]]
"""Waits until a request can be answered; raises UserError when it cannot (``Store.caught_up``)."""

_log = logging.getLogger("netglass.api")


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a body may raise, for bytes that are no UTF-8 and for thousands of brackets in one another too."""


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Gives `value` (msgspec-encodable) as a JSON response."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


async def read_json(request: Request) -> dict[str, Any]:
    """Reads the body as one JSON object.

    Raises Invalid for a body that is too large (413), of another content type (415), no JSON, or no object (400).
    """
    body = await read_body(request)
    content_type = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType(f"Unsupported Content-Type {content_type!r}: send application/json.")
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise Invalid(f"Malformed request body: {error}.", fault="HTTPBadRequest") from error
    if not isinstance(value, dict):
        raise Invalid("Malformed request body: a JSON object is wanted.", fault="HTTPBadRequest")
    return value


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """Reads the body whole; raises BodyTooLarge past `limit` bytes, without reading further."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"Request body is larger than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


class BodyTooLarge(Invalid):
    """The body is larger than the server reads (HTTP 413)."""

    status = 413

    def __init__(self, message: str) -> None:
        super().__init__(message, fault="HTTPRequestEntityTooLarge")


class UnsupportedMediaType(Invalid):
    """The body's content type is not one that this call takes (HTTP 415)."""

    status = 415

    def __init__(self, message: str) -> None:
        super().__init__(message, fault="HTTPUnsupportedMediaType")


async def at_once() -> None:
    """Waits for nothing: for what is answered with or without a database."""


def endpoint(shape: FaultShape, ready: Ready) -> Callable[[Endpoint], Endpoint]:
    """Wraps an endpoint so that what it raises is answered in `shape`, and every answer carries its request id.

    ready  is waited for first

    An error that is not a UserError is logged with its traceback and answered with 500; nothing of it is shown.
    """

    def wrap(function: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            request_id = "req-" + _uuid_text(secrets.token_hex(16))
            request.state.request_id = request_id
            try:
                await ready()
                response = await function(request)
            except UserError as error:
                response = reply(shape(error, request_id), error.status)
                if error.status == 401:
                    response.headers["WWW-Authenticate"] = 'Keystone uri="/identity/v3"'
            except Exception:
                _log.exception("%s: %s %s failed", request_id, request.method, request.url.path)
                fault = InternalError(f"The server failed; its log says why under {request_id}.")
                response = reply(shape(fault, request_id), 500)
            response.headers["X-Openstack-Request-Id"] = request_id
            return response

        return answer

    return wrap


class InternalError(UserError):
    """Something in the server failed (HTTP 500); what failed stands in its log."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message, fault="HTTPInternalServerError")


def _uuid_text(hexadecimal: str) -> str:
    h = hexadecimal
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
