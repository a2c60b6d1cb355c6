"""Everything in which one SQL engine differs from another; the rest of the store is the same for all.

SQLite serves one server process.  PostgreSQL serves any number of them, on any number of machines, which wake one
another by NOTIFY.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Text, create_engine, event, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.types import TypeDecorator, TypeEngine

from netglass.base.errors import Invalid

BUSY_S = 30.0
"""How long a SQLite transaction waits for another process's before it fails, in seconds."""

CHANNEL = "netglass"
"""Channel of PostgreSQL's NOTIFY over which servers wake one another."""

_CONNECT_S = 2
_WRITES = "netglass_writes"

# For each connection.  A server that stands still in the middle of a commit (stopped, or cut off) holds up all others:
# its transaction is ended for it.  Others wait a little longer than that.  What was answered is on the disk, even where
# the database's own configuration trades that away.
_SETTINGS = """
SET idle_in_transaction_session_timeout = '3s';
SET lock_timeout = '6s';
SET client_min_messages = 'warning';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""

# A peer that is gone without a word is noticed within about 5 s, on either side (libpq; PostgreSQL's own settings).
_LIBPQ = {
    "connect_timeout": str(_CONNECT_S),
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "application_name": "netglass",
}
_SERVER_TCP = """
SET tcp_keepalives_idle = 2;
SET tcp_keepalives_interval = 1;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 5000;
"""

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # escaped in JSON; a backslash before it may be escaped itself

_READ_ONLY = "25006"  # read_only_sql_transaction: the server behind the address is no longer the primary one


class JsonText(TypeDecorator[str]):
    """A JSON document that Python holds as text: JSONB where the engine has it, else plain text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Chooses the column's type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Gives what the driver is handed.

        PostgreSQL keeps no NUL character; the API lets none in, and where a host tells of one it becomes U+FFFD.
        """
        if value is None or dialect.name != "postgresql" or "\\u0000" not in value:
            return value
        return _NUL.sub(r"\1\\ufffd", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Gives back text."""
        return value


def open_engine(url: str) -> Engine:
    """Gives an engine whose commits are durable: what was answered survives a crash of the machine.

    url  SQLAlchemy's, such as ``sqlite:////var/lib/netglass/netglass.db`` or ``postgresql://netglass@db/netglass``

    Raises Invalid for a URL that names no such database, and for a SQLite database in memory: several threads could
    not share it.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Invalid("The database's URL cannot be read; it may hold a password, so it is not shown.") from None
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed)
    if parsed.get_backend_name() != "sqlite":
        name = parsed.get_backend_name()
        raise Invalid(f"The database is {name}; wanted is sqlite or postgresql.", fault="InvalidConfiguration")
    if not parsed.database or parsed.database == ":memory:":
        raise Invalid(f"The database {url!r} is in memory; the store needs a file.", fault="InvalidConfiguration")
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_postgresql(url: URL) -> Engine:
    wanted = {name: value for name, value in _LIBPQ.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=wanted,
        # Documents are text on our side of the driver: neither it nor SQLAlchemy needs to look inside.
        json_serializer=_as_it_is,
        json_deserializer=_as_text,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _as_it_is(text: str) -> str:
    return text


def _as_text(document: Any) -> str:
    return document if isinstance(document, str) else bytes(document).decode()


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver's own idea of when a transaction begins is not ours (SQLAlchemy's documentation, "pysqlite").
    connection.isolation_level = None
    # WAL lets readers read while the writer writes; FULL makes each commit wait for the disk (sqlite.org/pragma.html).
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: DBAPIConnection, _record: object) -> None:
    connection.autocommit = True  # else what is set would end with the transaction
    over_tcp = not str(connection.info.host).startswith("/")
    connection.execute(_SETTINGS + (_SERVER_TCP if over_tcp else ""))
    connection.autocommit = False


def is_shared(engine: Engine) -> bool:
    """Says whether several servers may be at work on the database."""
    return engine.dialect.name == "postgresql"


def name_of(engine: Engine) -> str:
    """Gives what people call the database; without user and password."""
    url = engine.url
    if not is_shared(engine):
        return f"The database {url.database}"
    host = url.host or url.query.get("host", "the local socket")
    port = f" port {url.port}" if url.port else ""
    return f"The PostgreSQL database {url.database} at {host}{port}"


def writing(engine: Engine) -> Engine:
    """Gives the engine for transactions that write: none of them begins while another one is at work (SQLite)."""
    return engine.execution_options(**{_WRITES: True})


def reading(engine: Engine) -> Engine:
    """Gives the engine for transactions that read: all they read is of one moment."""
    return engine.execution_options(isolation_level="REPEATABLE READ") if is_shared(engine) else engine


def tell(connection: Connection, message: str) -> None:
    """Tells all servers something once this transaction is committed; nothing where there is one server only.

    message  at most 8,000 bytes (PostgreSQL's NOTIFY)
    """
    for telling_it in telling(connection, message):
        connection.execute(select(telling_it))


def telling(connection: Connection, message: str) -> tuple[ColumnElement[Any], ...]:
    """Gives what a statement must return besides for it to `tell`; nothing where there is one server only."""
    return (func.pg_notify(CHANNEL, message),) if connection.dialect.name == "postgresql" else ()


def without_waiting(connection: Connection) -> None:
    """Lets this transaction's commit be answered before it is on the disk: for what is told again soon."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def take_turn_to_migrate(connection: Connection) -> None:
    """Keeps other servers from changing the schema until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # Alembic takes long to import
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("netglass schema"))))


def was_lost(error: DBAPIError) -> bool:
    """Says whether a statement failed because the connection is gone, or leads to where nothing can be written."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", "") == _READ_ONLY


def words_of(error: Exception) -> str:
    """Gives the driver's own words on one line, with nothing of a statement's values: those may be secret."""
    told = getattr(error, "orig", None) or error
    primary = getattr(getattr(told, "diag", None), "message_primary", None)
    text = str(primary or told) if isinstance(error, DBAPIError) else type(error).__name__
    return " ".join(text.split())
