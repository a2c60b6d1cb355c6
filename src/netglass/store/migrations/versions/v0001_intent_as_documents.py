"""Intent as documents, their claims, the change log, the counter and hosts' reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from netglass.store.dialect import JsonText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the five tables, and the counter's one row."""
    op.create_table(
        "object",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("project_id", sa.String, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("body", JsonText, nullable=False),
    )
    op.create_table(
        "claim",
        sa.Column("scope", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
    )
    _create_change()
    counter = op.create_table(
        "counter",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("compacted", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "revision": 0, "compacted": 0}])
    op.create_table(
        "report",
        sa.Column("host", sa.String, primary_key=True),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("registration", JsonText),
        sa.Column("report", JsonText),
    )


def _create_change() -> None:
    op.create_table(
        "change",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("op", sa.String, nullable=False),
        sa.Column("before", JsonText),
        sa.Column("after", JsonText),
    )
    op.create_index("change_by_object", "change", ["kind", "id"])


def downgrade() -> None:
    """Drops everything."""
    for name in ("report", "counter", "change", "claim", "object"):
        op.drop_table(name)
