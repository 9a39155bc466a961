"""Tables of the people who use the gateway: who may log in, and what each of them did."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.columns import Number, UtcTime, metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    # Whose flux alone this login sees; "" for all of them.
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    # By which door: console, control (the socket), direct (no daemon ran).
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("peer", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    # Not a foreign key: what was asked of an interchange that does not exist is kept as well.
    sa.Column("interchange_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("ended_at", UtcTime),
    sa.Index("ix_audit_by", "by", "id"),
    sa.Index("ix_audit_interchange_id", "interchange_id"),
    sqlite_autoincrement=True,
)
