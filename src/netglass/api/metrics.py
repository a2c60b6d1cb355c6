"""What monitoring reads: ``GET /netglass/v1/metrics`` in Prometheus' text format.

They are told while the database is lost, too: as this server knew them last.
A host that was never heard of since it registered has no realised revision.  Who reads sends the value of the server's
``metrics.token`` (api.config): ``Authorization: Bearer <token>``, Prometheus' ``authorization`` setting.

Source of the format and of the names' style: Prometheus' exposition format and naming practices.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import at_once, endpoint
from netglass.api.hosts import fault_shape
from netglass.api.services import Services
from netglass.base.errors import Unauthorized
from netglass.model.resources import Host

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def routes(services: Services) -> list[Route]:
    """Gives the route that monitoring reads."""

    async def metrics(request: Request) -> Response:
        _require_token(services, request)
        # Late: most servers are never asked, and the client library weighs on their memory.
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_State(services))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/netglass/v1/metrics", endpoint(fault_shape, at_once)(metrics))]


def _require_token(services: Services, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    wanted = services.metrics_token
    if scheme.lower() != "bearer" or not wanted or not hmac.compare_digest(token.encode(), wanted.encode()):
        raise Unauthorized("Metrics are read with the server's metrics.token: Authorization: Bearer <token>.")


class _State:
    """The server's state, as a collector of the client library."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Gives all metrics, as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        snapshot, reports = self._services.store.snapshot, self._services.reports
        up = float(not self._services.store.lost)
        yield GaugeMetricFamily("netglass_database_up", "0: this server refuses requests, as it lost it.", value=up)
        yield GaugeMetricFamily("netglass_revision", "Newest revision of intent.", value=snapshot.revision)
        alive = GaugeMetricFamily("netglass_host_alive", "1: heard of lately; 0: away.", labels=["host"])
        paused = GaugeMetricFamily("netglass_host_paused", "1: frozen by an operator.", labels=["host"])
        realised = GaugeMetricFamily("netglass_host_realised_revision", "Revision that is in place.", labels=["host"])
        failing = GaugeMetricFamily("netglass_host_failing", "Objects that cannot be put right.", labels=["host"])
        unread = GaugeMetricFamily(
            "netglass_host_unread", "Rows that its agent is too old or new for.", labels=["host"]
        )
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for row in sorted(snapshot.all(Host), key=lambda row: row.id):
            heard = reports.get(row.id)
            alive.add_metric([row.id], float(reports.alive(row.id, now)))
            paused.add_metric([row.id], float(row.paused))
            if heard is not None and heard.report is not None:
                realised.add_metric([row.id], heard.report.realised_revision)
                failing.add_metric([row.id], heard.report.failing_count)
                unread.add_metric([row.id], len(heard.report.unread))
        yield from (alive, paused, realised, failing, unread)
        healed = CounterMetricFamily(
            "netglass_healed", "Objects that were damaged on a host and put right.", labels=["host", "kind"]
        )
        for (host, kind), count in sorted(self._services.healings.counts.items()):
            healed.add_metric([host, kind], count)
        yield healed
