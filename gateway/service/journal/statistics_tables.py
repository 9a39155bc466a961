"""Running totals, written with the verdicts they count: nothing is ever counted by scanning."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from gateway.service.journal.columns import metadata

DIMENSIONS: Final = ("environment", "partner", "channel", "flow", "format", "profile")
"""What totals are kept by, beside the verdict; "" where it is not known."""


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=True)


totals = sa.Table(
    "totals",
    metadata,
    # "month" with periods like 2026-03, "day" with periods like 2026-03-01 (UTC, of receipt).
    _key("grain"),
    _key("period"),
    *(_key(name) for name in DIMENSIONS),
    _key("verdict"),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

rejection_causes = sa.Table(
    "rejection_causes",
    metadata,
    _key("grain"),
    _key("period"),
    *(_key(name) for name in DIMENSIONS),
    _key("rule"),
    # Documents that were rejected for it, perhaps among others.
    sa.Column("documents", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
