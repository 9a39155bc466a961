"""What people search documents by, and running totals.

Revision 0016, after 0015. Nothing is entered for what was judged before: that is a long way
through the journal, which the daemon goes in small steps (service.statistics).
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

RENAMED = sa.text("name IS NOT NULL")
REJECTED = sa.text("verdict = 'rejected'")
VALUES = (
    *("number", "seller_id", "seller_name", "buyer_id", "buyer_name"),
    *("file", "issued", "amount"),
)
DIMENSIONS = ("environment", "partner", "channel", "flow", "format", "profile")


def upgrade() -> None:
    """Add three tables, and an index that finds AS2 messages whoever sent them."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "searchable",
        sa.Column("id", number, nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("seller_name", sa.Text(), nullable=True),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("buyer_name", sa.Text(), nullable=True),
        sa.Column("issued", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_searchable_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_searchable")),
    )
    op.create_index(
        "uq_searchable_document", "searchable", ["interchange_id", "ordinal"], unique=True
    )
    op.create_index("ix_searchable_received", "searchable", ["received", "id"])
    op.create_index("ix_searchable_partner", "searchable", ["partner", "received", "id"])
    op.create_index(
        "ix_searchable_rejected",
        "searchable",
        ["received", "id", "partner", "rules"],
        sqlite_where=REJECTED,
        postgresql_where=REJECTED,
    )
    for value in VALUES:
        op.create_index(
            f"ix_searchable_{value}",
            "searchable",
            ["month", value, "received", "id", "partner"],
        )
    op.create_index(
        "ix_searchable_name",
        "searchable",
        ["month", "name", "received", "id", "partner"],
        sqlite_where=RENAMED,
        postgresql_where=RENAMED,
    )
    _count_by("totals", "verdict")
    _count_by("rejection_causes", "rule")
    op.create_index("ix_as2_messages_message_id", "as2_messages", ["message_id"])


def _count_by(table: str, last: str) -> None:
    key = ("grain", "period", *DIMENSIONS, last)
    op.create_table(
        table,
        *(sa.Column(name, sa.Text(), nullable=False) for name in key),
        sa.Column("documents", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
