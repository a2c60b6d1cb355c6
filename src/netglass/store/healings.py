"""What was damaged on hosts and put right: the newest of it on disk, and how much there was since the server started.

Outside of the change log, since nobody's intent changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, select

from netglass.model.protocol import Healed
from netglass.store import schema
from netglass.store.store import Store

KEPT = 10_000
"""How many are kept, of all hosts together."""

_TABLE = schema.healings


class Healings:
    """What hosts told of what they healed.  All methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()  # by host and kind, since the server started
        self._store = store

    def add(self, host: str, healed: Sequence[Healed]) -> None:
        """Keeps what a host tells, and returns once that is durable; what it told before is kept once."""
        new: list[Healed] = self._store.write(lambda connection: _add(connection, host, healed)).result()
        self.counts.update((host, one.kind) for one in new)

    def newest(self, most: int, host: str = "", since: str = "") -> list[tuple[str, Healed]]:
        """Gives the newest, as (host, what it told), oldest first.

        host   only this one's; empty: all
        since  only what was found at that time or later, RFC 3339 in UTC; empty: from ever
        """
        wanted = select(_TABLE.c.host, _TABLE.c.told).order_by(_TABLE.c.at.desc()).limit(most)
        if host:
            wanted = wanted.where(_TABLE.c.host == host)
        if since:
            wanted = wanted.where(_TABLE.c.at >= since)
        found = self._store.read(lambda connection: [(row.host, row.told) for row in connection.execute(wanted)])
        return [(told_by, msgspec.json.decode(told, type=Healed)) for told_by, told in reversed(found)]


def _add(connection: Connection, host: str, healed: Sequence[Healed]) -> list[Healed]:
    told = {(one.at, one.kind, one.key): one for one in healed}
    known = connection.execute(
        select(_TABLE.c.at, _TABLE.c.kind, _TABLE.c.key).where(
            _TABLE.c.host == host, _TABLE.c.at.in_({at for at, _, _ in told})
        )
    )
    for row in known:
        told.pop((row.at, row.kind, row.key), None)
    for one in told.values():
        text = msgspec.json.encode(one).decode()
        connection.execute(insert(_TABLE).values(at=one.at, host=host, kind=one.kind, key=one.key, told=text))
    oldest = connection.execute(select(_TABLE.c.at).order_by(_TABLE.c.at.desc()).offset(KEPT).limit(1)).scalar()
    if oldest is not None:
        connection.execute(delete(_TABLE).where(_TABLE.c.at <= oldest))
    return list(told.values())
