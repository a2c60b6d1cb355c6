"""What is chosen once for all servers over one database."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, Engine, select, update

from netglass.store import schema

_STORE_ID = "store_id"


def store_id(connection: Connection) -> str:
    """Reads the id of the history that revisions count in."""
    return str(_read(connection, _STORE_ID))


def place(connection: Connection) -> tuple[int, str]:
    """Reads the newest revision, and the id of the history that it counts in."""
    held = select(schema.constants.c.value).where(schema.constants.c.name == _STORE_ID).scalar_subquery()
    revision, found = connection.execute(select(schema.counter.c.revision, held)).one()
    return int(revision), str(found)


def change_store_id(engine: Engine, old: str) -> str:
    """Gives the store another id, in a transaction of its own; gives the id that it has then.

    old  only this one is replaced, so that of several servers that notice the same one alone does it
    """
    table = schema.constants
    with engine.begin() as connection:
        mine = (table.c.name == _STORE_ID) & (table.c.value == old)
        connection.execute(update(table).where(mine).values(value=str(uuid4())))
        return store_id(connection)


def _read(connection: Connection, name: str) -> str | None:
    query = select(schema.constants.c.value).where(schema.constants.c.name == name)
    value: str | None = connection.execute(query).scalar()
    return value
