"""Tables of what must leave: the outbox, and what keeps its messages or was done to them."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.columns import Number, OutboxState, UtcTime, Word, metadata

PENDING = sa.text("state = 'pending'")
DEAD = sa.text("state = 'dead'")
TO_PARTNERS = sa.text("destination <> 'broker'")
UNSETTLED = sa.text("kind = 'document' AND state <> 'delivered'")
"""Results that their destination has not confirmed: acknowledgements wait for them."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("filename", sa.Text),
    sa.Column("exchange", sa.Text, nullable=False),
    sa.Column("routing_key", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("mandatory", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("state", Word(OutboxState), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("delivered_at", UtcTime),
    sa.Column("last_error", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("payload", sa.Text),
    sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fetched_at", UtcTime),
    sa.Column("expired_at", UtcTime),
    sa.Index("ix_outbox_interchange_id", "interchange_id"),
    # Partial: they hold what waits, not the millions already delivered.
    sa.Index("ix_outbox_pending", "id", sqlite_where=PENDING, postgresql_where=PENDING),
    sa.Index(
        "ix_outbox_pending_partner",
        "destination",
        "partner",
        "id",
        "next_attempt_at",
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    ),
    # With the kind, which is the same in all of it: by two columns SQLite prefers it to the first.
    sa.Index(
        "ix_outbox_unsettled",
        "interchange_id",
        "kind",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    ),
    sa.Index("ix_outbox_dead", "destination", "id", sqlite_where=DEAD, postgresql_where=DEAD),
    sa.Index(
        "ix_outbox_filename",
        "partner",
        "filename",
        sqlite_where=TO_PARTNERS,
        postgresql_where=TO_PARTNERS,
    ),
    sqlite_autoincrement=True,
)

sendings = sa.Table(
    "sendings",
    metadata,
    sa.Column(
        "outbox_id", Number, sa.ForeignKey("outbox.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begun_at", UtcTime, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    # "" stands for any: NULLs never meet in a key.
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("flow", sa.Text, primary_key=True),
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", UtcTime, nullable=False),
)

circuits = sa.Table(
    "circuits",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("next_probe_at", UtcTime, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)

interventions = sa.Table(
    "interventions",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_interventions_interchange_id", "interchange_id"),
    sqlite_autoincrement=True,
)

late_alerts = sa.Table(
    "late_alerts",
    metadata,
    # Interchanges whose acknowledgement is late, and that an event said so of.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("began_at", UtcTime, nullable=False),
)
