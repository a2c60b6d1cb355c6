"""The schema, its migrations, and its way to PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from netglass.store import migrations, rows, schema
from netglass.store.dialect import JsonText, open_engine
from netglass.store.migrate import migrate


def test_migrations_end_in_the_declared_schema(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/intent.db")
    migrate(engine)

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_newest_migration_is_the_one_that_the_store_looks_for() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert scripts.get_current_head() == schema.HEAD


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/intent.db")
    migrate(engine)
    migrate(engine)

    with engine.connect() as connection:
        assert rows.newest_revision(connection) == 0


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/intent.db")

    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL


def test_postgresql_takes_the_schema_with_documents_as_jsonb() -> None:
    dialect = postgresql.dialect()
    made = {name: str(CreateTable(table).compile(dialect=dialect)) for name, table in schema.metadata.tables.items()}

    assert "body JSONB NOT NULL" in made["object"]
    assert '"user" VARCHAR NOT NULL' in made["change"]
    assert "RETURNING counter.revision" in str(rows._TAKE_REVISION.compile(dialect=dialect))
    assert "object.body" in str(select(schema.objects).compile(dialect=dialect))


def test_json_is_text_to_python_whatever_the_engine_makes_of_it() -> None:
    dialect = postgresql.dialect()
    column = JsonText()

    bound = column.process_bind_param('{"a":[1]}', dialect)

    assert bound == {"a": [1]}
    assert column.process_result_value(bound, dialect) == '{"a":[1]}'
