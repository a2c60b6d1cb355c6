"""What is chosen once for all servers over one database."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, Engine, select, update

from netglass.store import schema
from netglass.store.rows import STORE_ID


def store_id(connection: Connection) -> str:
    """Reads the id of the history that revisions count in."""
    table = schema.constants
    return str(connection.execute(select(table.c.value).where(table.c.name == STORE_ID)).scalar_one())


def change_store_id(engine: Engine, old: str) -> str:
    """Gives the store another id, in a transaction of its own; gives the id that it has then.

    old  only this one is replaced, so that of several servers that notice the same one alone does it
    """
    table = schema.constants
    with engine.begin() as connection:
        mine = (table.c.name == STORE_ID) & (table.c.value == old)
        connection.execute(update(table).where(mine).values(value=str(uuid4())))
        return store_id(connection)
