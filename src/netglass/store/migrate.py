"""Brings a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from netglass.store.schema import HEAD


def migrate(engine: Engine) -> None:
    """Runs the migrations that the database lacks; an empty one gets them all.

    Safe to be called by several servers at the same time only where the engine's DDL is transactional; start one first.
    """
    with engine.begin() as connection:
        if _current(connection) == HEAD:
            return  # Alembic is not even imported: it weighs 15 MB that the server would keep.
        _upgrade(connection)


def _current(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
