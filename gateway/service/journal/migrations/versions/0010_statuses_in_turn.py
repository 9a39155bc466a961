"""Who is owed statuses and for how long, and which late acknowledgements were told of.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give each debt its partner and its age, and add a table. The debts themselves stay."""
    op.execute(
        "CREATE TEMPORARY TABLE owed_before AS SELECT statuses_owed.*, interchanges.partner"
        " FROM statuses_owed JOIN interchanges ON interchanges.id = statuses_owed.interchange_id"
    )
    op.drop_table("statuses_owed")
    op.create_table(
        "statuses_owed",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_statuses_owed_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", name=op.f("pk_statuses_owed")),
    )
    op.execute(
        "INSERT INTO statuses_owed (interchange_id, partner, since, waiting_since, attempts,"
        " next_attempt_at, cause) SELECT interchange_id, partner, since, since, attempts,"
        " next_attempt_at, cause FROM owed_before"
    )
    op.execute("DROP TABLE owed_before")
    op.create_index("ix_statuses_owed_due", "statuses_owed", ["partner", "next_attempt_at"])
    op.create_table(
        "late_alerts",
        sa.Column("interchange_id", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interchange_id"],
            ["interchanges.id"],
            name=op.f("fk_late_alerts_interchange_id"),
        ),
        sa.PrimaryKeyConstraint("interchange_id", name=op.f("pk_late_alerts")),
    )
