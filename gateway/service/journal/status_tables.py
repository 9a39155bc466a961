"""Tables of lifecycle statuses: told to us, given by us, still to be given, asked of us."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.columns import Number, UtcTime, metadata

UNKNOWN = sa.text("standing = 'unknown-invoice'")
"""Statuses of invoices that are not here: these wait for them."""

OF_IMPORTED = sa.text(
    "invoice_interchange_id IS NULL AND standing IN ('imported-invoice', 'not-believed')"
)
"""Statuses of invoices that another system accepted: they belong to a number, to no document."""

invoice_statuses = sa.Table(
    "invoice_statuses",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    # The message as it came; of a status we gave, there is none.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("issued", sa.Text),
    sa.Column("seller", sa.Text),
    sa.Column("invoice_interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("invoice_ordinal", sa.Integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("said_at", UtcTime),
    sa.Column("issuer", sa.JSON, nullable=False),
    sa.Column("standing", sa.Text, nullable=False),
    sa.Column("order", sa.Text),
    sa.Column("rights", sa.JSON, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("linked_at", UtcTime),
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    sa.Column("repeated_at", UtcTime),
    sa.Index("uq_invoice_statuses_key", "partner", "direction", "key", unique=True),
    sa.Index("ix_invoice_statuses_interchange_id", "interchange_id", "ordinal"),
    sa.Index("ix_invoice_statuses_invoice", "invoice_interchange_id", "invoice_ordinal"),
    sa.Index(
        "ix_invoice_statuses_unknown",
        "number",
        sqlite_where=UNKNOWN,
        postgresql_where=UNKNOWN,
    ),
    sa.Index(
        "ix_invoice_statuses_imported",
        "number",
        sqlite_where=OF_IMPORTED,
        postgresql_where=OF_IMPORTED,
    ),
    sqlite_autoincrement=True,
)

statuses_given = sa.Table(
    "statuses_given",
    metadata,
    # The last status told of a document, 0 for the whole file; `times` counts the messages.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("given_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

statuses_owed = sa.Table(
    "statuses_owed",
    metadata,
    # Written with a report, gone when every status it means is in the outbox. `since` is that
    # report; `waiting_since` the first whose statuses are not all told, however many followed.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("waiting_since", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("cause", sa.Text),
    sa.Index("ix_statuses_owed_due", "partner", "next_attempt_at"),
)

status_requests = sa.Table(
    "status_requests",
    metadata,
    # What a back office asked for, by the id of its message: a message that comes again finds it.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index("ix_status_requests_interchange_id", "interchange_id"),
)
