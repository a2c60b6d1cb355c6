"""The store's tables.  Migrations make them (``store.migrations``); a test holds both to each other.

object   intent as it is now, one document for each row (decision 0001)
claim    what no two objects may hold at the same time; its primary key is what makes addresses and segments unique
change   the log: what each commit did, in order
counter  one row: the newest revision, and the newest one whose changes are compacted away
report   what hosts last said of themselves; outside of the log
healing  what was damaged on hosts and put right, the newest of it; outside of the log
constant what is chosen once for all servers: the store's id, and by which marks their shared secrets are known
question what one server asks a host that another server may be connected to; outside of the log, and short-lived
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table

from netglass.store.dialect import JsonText

metadata = MetaData()

objects = Table(
    "object",
    metadata,
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("body", JsonText, nullable=False),
)

claims = Table(
    "claim",
    metadata,
    Column("scope", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False),
)

log = Table(
    "change",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("user", String, nullable=False),
    Column("project", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False),
    Column("op", String, nullable=False),
    Column("before", JsonText),
    Column("after", JsonText),
    Index("change_by_object", "kind", "id"),
)

counter = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("compacted", BigInteger, nullable=False),
)

reports = Table(
    "report",
    metadata,
    Column("host", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("registration", JsonText),
    Column("report", JsonText),
)

healings = Table(
    "healing",
    metadata,
    Column("at", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("told", JsonText, nullable=False),
)

constants = Table(
    "constant",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

questions = Table(
    "question",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("at", String, nullable=False),
    Column("question", JsonText, nullable=False),
    Column("answer", JsonText),
)

HEAD = "0003"
"""Name of the newest migration."""
