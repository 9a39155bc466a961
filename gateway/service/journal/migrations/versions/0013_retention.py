"""What must be kept whatever its age, and what was purged.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UNFREED = sa.text("freed_at IS NULL")


def upgrade() -> None:
    """Add two tables. Nothing was held or purged before."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "legal_holds",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("partner", "interchange_id", name=op.f("pk_legal_holds")),
    )
    op.create_table(
        "purged",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_by", sa.Text(), nullable=False),
        sa.Column("archive", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("position", number, server_default="0", nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("freed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_purged_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", name=op.f("pk_purged")),
    )
    op.create_index(
        "ix_purged_unfreed",
        "purged",
        ["interchange_id"],
        sqlite_where=UNFREED,
        postgresql_where=UNFREED,
    )
