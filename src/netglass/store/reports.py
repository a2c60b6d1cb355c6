"""What hosts last said of themselves: kept in memory for readers, and on disk for the next start.

Outside of the change log, since a heartbeat is no change of intent.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from netglass.model.protocol import Registration, Report
from netglass.store import schema
from netglass.store.store import Store


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last that was heard of one host.

    at      when, RFC 3339 in UTC
    report  None between an agent's registration and its first report
    """

    host: str
    at: str
    registration: Registration
    report: Report | None = None


class Reports:
    """The last word of every host.  All methods may be called from any thread."""

    def __init__(self, store: Store, agent_down_s: int) -> None:
        self._store = store
        self._agent_down_s = agent_down_s
        self._by_host: dict[str, HostReport] = {r.host: r for r in store.read(_load)}
        self._dirty: set[str] = set()
        self._lock = threading.Lock()

    def all(self) -> list[HostReport]:
        """Gives every host's last report, ascending by host."""
        return [report for _, report in sorted(self._by_host.items())]

    def get(self, host: str) -> HostReport | None:
        """Gives a host's last report; None for one that never registered."""
        return self._by_host.get(host)

    def alive(self, host: str, now: str) -> bool:
        """Says whether the host was heard of lately (``agent_down_s``); `now` is RFC 3339 in UTC."""
        last = self._by_host.get(host)
        return last is not None and _seconds(now) - _seconds(last.at) <= self._agent_down_s

    def register(self, host: str, registration: Registration, at: str) -> HostReport:
        """Keeps what a host's agent says of it at its start; what it reported before is forgotten."""
        return self._keep(HostReport(host=host, at=at, registration=registration))

    def report(self, host: str, report: Report, at: str) -> HostReport | None:
        """Keeps a report; None, and nothing kept, when the host has not registered."""
        last = self._by_host.get(host)
        if last is None:
            return None
        return self._keep(HostReport(host=host, at=at, registration=last.registration, report=report))

    def _keep(self, heard: HostReport) -> HostReport:
        with self._lock:
            self._by_host[heard.host] = heard
            first = not self._dirty
            self._dirty.add(heard.host)
        if first:  # else a write is waiting already, and will take this one along
            self._store.write(self._save)
        return heard

    def _save(self, connection: Connection) -> None:
        with self._lock:
            taken = [self._by_host[host] for host in sorted(self._dirty)]
            self._dirty.clear()
        for heard in taken:
            _upsert(connection, heard)


def _upsert(connection: Connection, heard: HostReport) -> None:
    values: dict[str, Any] = {
        "at": heard.at,
        "registration": msgspec.json.encode(heard.registration).decode(),
        "report": msgspec.json.encode(heard.report).decode() if heard.report is not None else None,
    }
    table = schema.reports
    if connection.execute(update(table).where(table.c.host == heard.host).values(values)).rowcount == 0:
        connection.execute(insert(table).values(host=heard.host, **values))


def _load(connection: Connection) -> list[HostReport]:
    found = connection.execute(select(schema.reports)).all()
    return [
        HostReport(
            host=row.host,
            at=row.at,
            registration=msgspec.json.decode(row.registration, type=Registration),
            report=msgspec.json.decode(row.report, type=Report) if row.report is not None else None,
        )
        for row in found
    ]


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).astimezone(UTC).timestamp()
