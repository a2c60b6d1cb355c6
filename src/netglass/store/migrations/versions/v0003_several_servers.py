"""What several servers over one database share besides intent: the store's id, and questions to hosts."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from netglass.store.dialect import JsonText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes both tables, and gives the store its id."""
    constant = op.create_table(
        "constant",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.bulk_insert(constant, [{"name": "store_id", "value": str(uuid4())}])
    op.create_table(
        "question",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("question", JsonText, nullable=False),
        sa.Column("answer", JsonText),
    )


def downgrade() -> None:
    """Drops both."""
    op.drop_table("question")
    op.drop_table("constant")
