"""Tables of alerts: which are on, which were, and what is still to be told of them."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.columns import Number, UtcTime, metadata

ON = sa.text("ended_at IS NULL")
UNSENT = sa.text("closed_at IS NULL")

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    # What it is about, "" where the kind says it all; NULLs never meet in a key.
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("began_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
    sa.Column("what_en", sa.Text, nullable=False),
    sa.Column("what_fr", sa.Text, nullable=False),
    sa.Column("remedy_en", sa.Text, nullable=False),
    sa.Column("remedy_fr", sa.Text, nullable=False),
    sa.Index(
        "uq_alerts_on",
        "kind",
        "subject",
        "partner",
        unique=True,
        sqlite_where=ON,
        postgresql_where=ON,
    ),
    sa.Index("ix_alerts_ended_at", "ended_at"),
)

alert_messages = sa.Table(
    "alert_messages",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("alert_id", sa.Text, sa.ForeignKey("alerts.id"), nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("last_error", sa.Text),
    # Sent, or given up: `last_error` is NULL in the first case.
    sa.Column("closed_at", UtcTime),
    sa.Index("ix_alert_messages_alert_id", "alert_id"),
    sa.Index(
        "ix_alert_messages_unsent",
        "receiver",
        "id",
        sqlite_where=UNSENT,
        postgresql_where=UNSENT,
    ),
    sqlite_autoincrement=True,
)
