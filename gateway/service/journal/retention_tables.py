"""Tables of what is kept and what is not: legal holds, and what was purged."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.columns import Number, UtcTime, metadata

UNFREED = sa.text("freed_at IS NULL")
"""What a purge began with and did not finish: the next one goes on with it."""

legal_holds = sa.Table(
    "legal_holds",
    metadata,
    # Of a partner or of one interchange, the other being "": NULLs never meet in a key.
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("interchange_id", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", UtcTime, nullable=False),
)

purged = sa.Table(
    "purged",
    metadata,
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("purged_at", UtcTime, nullable=False),
    sa.Column("purged_by", sa.Text, nullable=False),
    # The folder with everything that went; NULL when the operator wanted none.
    sa.Column("archive", sa.Text),
    # How far it came: what is freed is freed page by page, each counted once.
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("position", Number, nullable=False, server_default="0"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("freed_at", UtcTime),
    sa.Index("ix_purged_unfreed", "interchange_id", sqlite_where=UNFREED, postgresql_where=UNFREED),
)
