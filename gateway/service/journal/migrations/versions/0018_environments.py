"""Whether an interchange is a test.

Revision 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; what is there was no test."""
    op.add_column(
        "interchanges",
        sa.Column("environment", sa.Text(), nullable=False, server_default="production"),
    )
