"""What became of invoices: the statuses that lifecycle messages give them.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table. Nothing was recorded before."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "invoice_statuses",
        sa.Column("id", number, nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued", sa.Text(), nullable=True),
        sa.Column("seller", sa.Text(), nullable=True),
        sa.Column("invoice_interchange_id", sa.Text(), nullable=True),
        sa.Column("invoice_ordinal", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issuer", sa.JSON(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("order", sa.Text(), nullable=True),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("repeats", sa.Integer(), server_default="0", nullable=False),
        sa.Column("repeated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_invoice_statuses_interchange_id"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_invoice_statuses_invoice_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_statuses")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_invoice_statuses_key",
        "invoice_statuses",
        ["partner", "direction", "key"],
        unique=True,
    )
    op.create_index(
        "ix_invoice_statuses_interchange_id", "invoice_statuses", ["interchange_id", "ordinal"]
    )
    op.create_index(
        "ix_invoice_statuses_invoice",
        "invoice_statuses",
        ["invoice_interchange_id", "invoice_ordinal"],
    )
    op.create_index(
        "ix_invoice_statuses_unknown",
        "invoice_statuses",
        ["number"],
        sqlite_where=sa.text("standing = 'unknown-invoice'"),
        postgresql_where=sa.text("standing = 'unknown-invoice'"),
    )
