"""The schema, its migrations, and its way to PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from netglass.store import migrations, rows, schema
from netglass.store.dialect import open_engine
from netglass.store.migrate import migrate


def test_migrations_end_in_the_declared_schema(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate(engine)

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_newest_migration_is_the_one_that_the_store_looks_for() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert scripts.get_current_head() == schema.HEAD


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    engine = open_engine(database_url)
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
    assert "object.body" in str(select(schema.objects).compile(dialect=dialect))


def test_json_is_text_to_python_whatever_the_engine_makes_of_it(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate(engine)
    text_ = '{"a": [1, "\\u00e9"], "b": null}'
    values = {"id": "q", "host": "h", "at": "", "question": text_, "answer": None}
    with engine.begin() as connection:
        connection.execute(insert(schema.questions).values(values))
        found = connection.execute(select(schema.questions)).one()

    assert isinstance(found.question, str)
    assert json.loads(found.question) == {"a": [1, "\u00e9"], "b": None}
    assert found.answer is None
    engine.dispose()


def test_nul_that_a_host_tells_of_does_not_keep_the_rest_from_being_kept(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate(engine)
    told = {"evidence": "a\0b", "path": "C:\\u0000", "both": "\\\0"}
    with engine.begin() as connection:
        values = {"id": "q", "host": "h", "at": "", "question": json.dumps(told), "answer": None}
        connection.execute(insert(schema.questions).values(values))
        found = json.loads(connection.execute(select(schema.questions.c.question)).scalar_one())

    assert found["path"] == told["path"]
    assert [found[key].replace("\ufffd", "\0") for key in ("evidence", "both")] == [told["evidence"], told["both"]]
    engine.dispose()


def test_missing_document_is_null_to_the_database(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate(engine)
    with engine.begin() as connection:
        values = {"id": "q", "host": "h", "at": "", "question": "{}", "answer": None}
        connection.execute(insert(schema.questions).values(values))
        query = select(schema.questions.c.id).where(schema.questions.c.answer.is_(None))
        assert connection.execute(query).scalar() == "q"
    engine.dispose()
