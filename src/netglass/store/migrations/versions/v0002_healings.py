"""What was damaged on hosts and put right."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from netglass.store.dialect import JsonText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "healing",
        sa.Column("at", sa.String, primary_key=True),
        sa.Column("host", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("told", JsonText, nullable=False),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("healing")
