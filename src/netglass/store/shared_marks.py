"""By which marks servers recognise the secrets that all of them must have."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from netglass.store import rows, schema

_PREFIX = "secret:"


def read(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Reads the marks by the secret's name; empty before the first server has kept its own."""
    table = schema.constants
    found = connection.execute(select(table).where(table.c.name.startswith(_PREFIX)))
    return {row.name.removeprefix(_PREFIX): tuple(row.value.split()) for row in found}


def keep(connection: Connection, marks: Mapping[str, tuple[str, ...]], *, replaced: bool) -> dict[str, tuple[str, ...]]:
    """Keeps marks where there are none yet, or where some of them are known; gives what is held afterwards.

    replaced  they are kept whatever was known
    """
    rows.take_turn(connection)  # of several servers that start for the first time, one comes first
    held = read(connection)
    table = schema.constants
    for name, mine in marks.items():
        values = {"name": _PREFIX + name, "value": " ".join(mine)}
        if name not in held:
            connection.execute(insert(table).values(values))
        elif replaced or set(mine) & set(held[name]):
            connection.execute(update(table).where(table.c.name == values["name"]).values(values))
        else:
            continue
        held[name] = mine
    return held
