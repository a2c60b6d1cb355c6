"""What hosts last said of themselves: kept in memory for readers, and on disk for the next start.

Outside of the change log, since a heartbeat is no change of intent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, insert, select, update

from netglass.base.errors import Unavailable
from netglass.model.protocol import Registration, Report
from netglass.store import dialect, schema
from netglass.store.notices import Notice, Reported, encode
from netglass.store.store import Store

_HOSTS_AT_ONCE = 100
"""Named in one notice, of at most 63 characters each: a notice is at most 8,000 bytes."""


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last that was heard of one host.

    at      when, RFC 3339 in UTC
    report  None between an agent's registration and its first report
    """

    host: str
    at: str
    registration: Registration
    report: Report | None = None


class _Unsaved(NamedTuple):
    """What is not on disk yet; `registers`: with what its agent said of it at its start."""

    heard: HostReport
    registers: bool


class Reports:
    """The last word of every host, whichever server heard it.  All methods may be called from any thread.

    What a server hears it has at once, and on disk a little later; then the others have it, too.
    """

    def __init__(self, store: Store, agent_down_s: int) -> None:
        self._store = store
        self._agent_down_s = agent_down_s
        self._by_host: dict[str, HostReport] = {r.host: r for r in store.read(_load)}
        self._unsaved: dict[str, _Unsaved] = {}
        self._is_saving = False
        self._lock = threading.Lock()
        self._news: Callable[[], None] = _nothing
        store.listen(self)

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
        return self._keep(HostReport(host=host, at=at, registration=registration), registers=True)

    def report(self, host: str, report: Report, at: str) -> HostReport | None:
        """Keeps a report; None, and nothing kept, when no server is known to have registered the host."""
        last = self._by_host.get(host)
        if last is None:
            return None
        return self._keep(HostReport(host=host, at=at, registration=last.registration, report=report), registers=False)

    def tell(self, news: Callable[[], None]) -> None:
        """Has `news` called, on a thread of the store's, when another server has heard of a host."""
        self._news = news

    def look_up(self, *hosts: str) -> None:
        """Reads what other servers have heard; of all hosts when none is named.  Raises Unavailable."""
        found = self._store.read(partial(_load, hosts=hosts))
        with self._lock:
            for heard in found:
                if heard.host not in self._unsaved:  # else ours is newer
                    self._by_host[heard.host] = heard
        self._news()

    def heard(self, notice: Notice) -> None:
        """Takes in that another server has heard of hosts."""
        if isinstance(notice, Reported):
            self.look_up(*notice.hosts)

    def found(self) -> None:
        """Takes in that it may have missed what other servers heard."""
        self.look_up()

    def _keep(self, heard: HostReport, *, registers: bool) -> HostReport:
        with self._lock:
            before = self._unsaved.get(heard.host)
            self._by_host[heard.host] = heard
            self._unsaved[heard.host] = _Unsaved(heard, registers or (before is not None and before.registers))
            is_saving, self._is_saving = self._is_saving, True
        if not is_saving:  # else a write is waiting already, and will take this one along
            try:
                self._store.write(self._save).add_done_callback(self._saved)
            except Unavailable:  # it stays unsaved, and goes with the next
                self._is_saving = False
        return heard

    def _save(self, connection: Connection) -> list[_Unsaved]:
        with self._lock:
            taken = [self._unsaved[host] for host in sorted(self._unsaved)]
            self._is_saving = False
        dialect.without_waiting(connection)
        for one in taken:
            _upsert(connection, one)
        hosts = [one.heard.host for one in taken]
        for start in range(0, len(hosts), _HOSTS_AT_ONCE):
            told = Reported(self._store.server_id, tuple(hosts[start : start + _HOSTS_AT_ONCE]))
            dialect.tell(connection, encode(told))
        return taken

    def _saved(self, saving: Future[list[_Unsaved]]) -> None:
        with self._lock:
            if saving.cancelled() or saving.exception() is not None:
                self._is_saving = False
                return
            for one in saving.result():
                if self._unsaved.get(one.heard.host) is one:
                    del self._unsaved[one.heard.host]


def _upsert(connection: Connection, unsaved: _Unsaved) -> None:
    heard, table = unsaved.heard, schema.reports
    values: dict[str, Any] = {
        "at": heard.at,
        "report": msgspec.json.encode(heard.report).decode() if heard.report is not None else None,
    }
    registration = {"registration": msgspec.json.encode(heard.registration).decode()}
    # Not over what another server heard later, and not over a registration that another server took.
    older = (table.c.host == heard.host) & (table.c.at <= heard.at)
    changed = values | registration if unsaved.registers else values
    if connection.execute(update(table).where(older).values(changed)).rowcount:
        return
    if connection.execute(select(table.c.host).where(table.c.host == heard.host)).first() is None:
        connection.execute(insert(table).values(host=heard.host, **values, **registration))


def _nothing() -> None:
    """Tells nobody."""


def _load(connection: Connection, hosts: Collection[str] = ()) -> list[HostReport]:
    query = select(schema.reports)
    found = connection.execute(query.where(schema.reports.c.host.in_(hosts)) if hosts else query).all()
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
