"""Delivery that an operator can stop, repeat and follow.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UNSETTLED = sa.text("kind = 'document' AND state <> 'delivered'")
DEAD = sa.text("state = 'dead'")
TO_PARTNERS = sa.text("destination <> 'broker'")


def upgrade() -> None:
    """Add three columns and four tables. Nothing is held, dead or under way before."""
    op.add_column(
        "outbox",
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
    )
    op.add_column("outbox", sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_outbox_filename",
        "outbox",
        ["partner", "filename"],
        sqlite_where=TO_PARTNERS,
        postgresql_where=TO_PARTNERS,
    )
    op.create_index(
        "ix_outbox_unsettled",
        "outbox",
        ["interchange_id", "kind"],
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.create_index(
        "ix_outbox_dead",
        "outbox",
        ["destination", "id"],
        sqlite_where=DEAD,
        postgresql_where=DEAD,
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "holds",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("partner", "flow", "destination", name=op.f("pk_holds")),
    )
    op.create_table(
        "interventions",
        sa.Column("id", number, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("interchange_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_interventions_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_interventions_interchange_id", "interventions", ["interchange_id"])
    op.create_table(
        "sendings",
        sa.Column("outbox_id", number, autoincrement=False, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox_id"],
            ["outbox.id"],
            name=op.f("fk_sendings_outbox_id"),
        ),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_sendings")),
    )
    op.create_table(
        "circuits",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_probe_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "partner", name=op.f("pk_circuits")),
    )
