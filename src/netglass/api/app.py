"""All services as one ASGI application on one port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from netglass.api import compute, hosts, identity, image, metadata, metrics, networking, operations
from netglass.api.edge import reply
from netglass.api.feed import Feed
from netglass.api.presence import watch_presence
from netglass.api.services import Services
from netglass.base.errors import Unavailable

log = logging.getLogger("netglass.api")

LOG_KEPT = 100_000
"""How many revisions of the change log are kept."""

_COMPACT_EVERY_S = 60.0


def create_app(services: Services) -> Starlette:
    """Assembles the application; its `state.feed` is the feed, to be ended before connections are waited for."""
    feed = Feed(services.store)

    def is_alive(host: str) -> bool:
        return services.reports.alive(host, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    services.questions.carry_by(feed.ask, is_alive)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        feed.start()
        services.questions.start()
        services.reports.tell(feed.wake_soon)
        tasks = [asyncio.create_task(_compact(services)), asyncio.create_task(watch_presence(services, feed))]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        feed.end()

    app = Starlette(
        # Routes are tried in this order: the busiest first.
        routes=[
            *networking.routes(services),
            *hosts.routes(services, feed),
            *identity.routes(services),
            *compute.routes(services),
            *image.routes(services),
            *metadata.routes(services),
            *operations.routes(services, feed),
            *metrics.routes(services),
        ],
        exception_handlers={404: _no_such_path, 405: _no_such_method},
        lifespan=lifespan,
    )
    app.state.feed = feed
    return app


async def _compact(services: Services) -> None:
    while True:
        await asyncio.sleep(_COMPACT_EVERY_S)
        try:
            await asyncio.to_thread(services.store.compact, LOG_KEPT)
            await asyncio.to_thread(services.questions.forget_old)
        except Unavailable:
            continue  # the next time will do
        except Exception:  # it must not end: the log would grow for ever
            log.exception("the change log was not compacted")


async def _no_such_path(request: Request, _error: Exception) -> Response:
    return _fault(404, "HTTPNotFound", f"There is nothing at {request.url.path}.")


async def _no_such_method(request: Request, _error: Exception) -> Response:
    return _fault(405, "HTTPMethodNotAllowed", f"{request.method} is not possible on {request.url.path}.")


def _fault(status: int, kind: str, message: str) -> Response:
    # In Neutron's shape, as Networking is what lies at the root.
    return reply({"NeutronError": {"type": kind, "message": message, "detail": ""}}, status)
