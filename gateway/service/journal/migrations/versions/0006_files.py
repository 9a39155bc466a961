"""The files that came inside invoices and lie in the spool.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table. What was accepted before left its files in the documents they came in."""
    op.create_table(
        "files",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_files_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", "ordinal", "sha256", name=op.f("pk_files")),
    )
