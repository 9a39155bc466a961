"""Which status each document was given, and which interchanges are owed some.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables. No status was given before, and what is over is not told of any more."""
    op.create_table(
        "statuses_given",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_statuses_given_interchange_id"),
        ),
        sa.PrimaryKeyConstraint(
            "interchange_id", "ordinal", "recipient", name=op.f("pk_statuses_given")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "statuses_owed",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_statuses_owed_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", name=op.f("pk_statuses_owed")),
    )
    op.create_index("ix_statuses_owed_next_attempt_at", "statuses_owed", ["next_attempt_at"])
