"""The day whose rules judge an interchange that is judged again.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; what is there keeps the day of its receipt."""
    op.add_column("interchanges", sa.Column("rules_on", sa.Date(), nullable=True))
