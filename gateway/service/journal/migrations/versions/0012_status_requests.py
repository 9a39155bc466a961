"""Statuses that a back office asks for in messages, each taken once.

Revision 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table. Nothing could be asked for before."""
    op.create_table(
        "status_requests",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_status_requests_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_status_requests")),
    )
    op.create_index("ix_status_requests_interchange_id", "status_requests", ["interchange_id"])
