"""Documents out of archives, what lies beside them, and documents that cost a judge.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('judged', 'opened', 'received')")


def upgrade() -> None:
    """Add columns, a table and an index; what is there stays as it is."""
    op.add_column("documents", sa.Column("position", sa.Integer(), nullable=True))
    op.add_column(
        "documents", sa.Column("lethal", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("outbox", sa.Column("payload", sa.Text(), nullable=True))
    op.create_table(
        "attachments",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("beside", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_attachments_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", "position", name=op.f("pk_attachments")),
    )
    op.create_index(
        "ix_interchanges_unfinished",
        "interchanges",
        ["partner", "id"],
        unique=False,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
