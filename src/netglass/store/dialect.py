"""Everything in which one SQL engine differs from another; the rest of the store is the same for all.

SQLite serves one server process; PostgreSQL is for when one machine is not enough.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Engine, Text, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.types import TypeDecorator, TypeEngine

from netglass.base.errors import Invalid

BUSY_S = 30.0
"""How long a SQLite transaction waits for another process's before it fails, in seconds."""


class JsonText(TypeDecorator[str]):
    """A JSON document that Python holds as text: JSONB where the engine has it, else plain text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Chooses the column's type."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Gives what the driver is handed."""
        if value is None or dialect.name != "postgresql":
            return value
        return msgspec.json.decode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Gives back text."""
        if value is None or dialect.name != "postgresql":
            return value  # type: ignore[no-any-return]  # a text column gives text
        return msgspec.json.encode(value).decode()


def open_engine(url: str) -> Engine:
    """Gives an engine whose commits are durable: what was answered survives a crash of the machine.

    url  SQLAlchemy's, such as ``sqlite:////var/lib/netglass/netglass.db``

    Raises Invalid for a SQLite database in memory: several threads could not share it.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if not parsed.database or parsed.database == ":memory:":
        raise Invalid(f"The database {url!r} is in memory; the store needs a file.", fault="InvalidConfiguration")
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S, "check_same_thread": False})
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    # WAL lets readers read while the writer writes; FULL makes each commit wait for the disk (sqlite.org/pragma.html).
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
