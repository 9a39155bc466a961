"""Invoices that another system accepted: from which table they came, and what was told of them.

Revision 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OF_IMPORTED = sa.text(
    "invoice_interchange_id IS NULL AND standing IN ('imported-invoice', 'not-believed')"
)


def upgrade() -> None:
    """Add a column and an index. The table that earlier imports came from was not kept."""
    op.add_column("invoice_keys", sa.Column("source", sa.Text(), nullable=True))
    op.create_index(
        "ix_invoice_statuses_imported",
        "invoice_statuses",
        ["number"],
        sqlite_where=OF_IMPORTED,
        postgresql_where=OF_IMPORTED,
    )
