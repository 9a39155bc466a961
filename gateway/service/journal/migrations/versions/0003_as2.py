"""AS2 messages in both directions, with their receipts.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table; what is there stays as it is."""
    op.create_table(
        "as2_messages",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("as2_from", sa.Text(), nullable=False),
        sa.Column("as2_to", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("raw_sha256", sa.Text(), nullable=False),
        sa.Column("raw_size", sa.BigInteger(), nullable=False),
        sa.Column("mic", sa.Text(), nullable=True),
        sa.Column("security", sa.JSON(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("outbox_message_id", sa.Text(), nullable=True),
        sa.Column("mdn_mode", sa.Text(), nullable=False),
        sa.Column("mdn_url", sa.Text(), nullable=True),
        sa.Column("mdn_headers", sa.JSON(), nullable=True),
        sa.Column("mdn_body", sa.LargeBinary(), nullable=True),
        sa.Column("mdn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_as2_messages_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_as2_messages")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_as2_messages_interchange_id", "as2_messages", ["interchange_id"])
    op.create_index(
        "uq_as2_messages_message_id",
        "as2_messages",
        ["partner", "direction", "message_id", "content_sha256"],
        unique=True,
    )
    op.create_index("ix_as2_messages_outbox_message_id", "as2_messages", ["outbox_message_id"])
    op.create_index("ix_as2_messages_partner", "as2_messages", ["partner", "direction", "id"])
