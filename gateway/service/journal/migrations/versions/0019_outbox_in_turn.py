"""What waits for a destination is found partner by partner.

Revision 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the partner before the number, in the index of what waits."""
    op.drop_index("ix_outbox_pending_destination", table_name="outbox")
    op.create_index(
        "ix_outbox_pending_partner",
        "outbox",
        ["destination", "partner", "id", "next_attempt_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
