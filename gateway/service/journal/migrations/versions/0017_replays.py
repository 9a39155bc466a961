"""Replays of many interchanges: what each would change, and how far they are committed.

Revision 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables. Only one interchange was replayed at a time before."""
    op.create_table(
        "replays",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("rules_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_table(
        "replay_items",
        sa.Column("replay_id", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("said", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["replays.id"], name=op.f("fk_replay_items_replay_id")
        ),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_replay_items_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("replay_id", "interchange_id", name=op.f("pk_replay_items")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_replay_items_state", "replay_items", ["replay_id", "state", "interchange_id"]
    )
