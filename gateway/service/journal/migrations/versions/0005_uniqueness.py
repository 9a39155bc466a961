"""Which interchange holds a file name, a payload, an invoice: nobody else may send it again.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables. What was accepted before holds nothing: import its invoice numbers."""
    op.create_table(
        "flux_keys",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_flux_keys_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", name=op.f("pk_flux_keys")),
    )
    op.create_index("uq_flux_keys_name", "flux_keys", ["partner", "name"], unique=True)
    op.create_index("uq_flux_keys_sha256", "flux_keys", ["partner", "sha256"], unique=True)
    op.create_table(
        "invoice_keys",
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_invoice_keys_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("seller", "year", "number", name=op.f("pk_invoice_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_invoice_keys_document", "invoice_keys", ["interchange_id", "ordinal"])
