"""Brings a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from netglass.base.errors import Invalid
from netglass.store.dialect import take_turn_to_migrate, writing
from netglass.store.schema import HEAD


def migrate(engine: Engine) -> None:
    """Runs the migrations that the database lacks; an empty one gets them all.

    Of several servers that start at once, one does it and the others wait.
    Raises Invalid when the schema is of a version of Netglass that this one does not know.
    """
    with writing(engine).begin() as connection:
        take_turn_to_migrate(connection)
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
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    there = _current(connection)
    if there and there not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
        message = f"The database has schema {there}, which this version of Netglass does not know (it knows {HEAD})"
        raise Invalid(f"{message}: a newer one has been at work on it; run that one.", fault="InvalidConfiguration")
    command.upgrade(config, "head")
