"""What people search documents by: one narrow row for each judged document, normalised.

    month, value, received, id, partner

Every value has an index of this shape. The month stands first, so that what is written today goes
into few pages, however old the journal is; and a search goes from the newest month to the oldest,
each of which holds a bounded share of a broad search. The rest of the index is what a page of
results is sorted and scoped by, so that nothing else is read for it.

A row also says as what its document counts in the running totals (`statistics_tables`): when it is
judged again, it stops counting as that and counts as what it is now.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from gateway.service.journal.columns import Number, metadata

VALUES: Final = (
    *("number", "seller_id", "seller_name", "buyer_id", "buyer_name"),
    *("file", "issued", "amount"),
)
"""Columns that have an index of their own."""
RENAMED = sa.text("name IS NOT NULL")
"""Documents that are not called as the file they came in: members of archives."""
REJECTED = sa.text("verdict = 'rejected'")
"""One document in twenty or so: a rule that is seldom broken is looked for among them alone."""

searchable = sa.Table(
    "searchable",
    metadata,
    sa.Column("id", Number, primary_key=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    # Microseconds since 1970, and months since the year 0: what results are sorted and cut by.
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("month", sa.Integer, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("seller_id", sa.Text),
    sa.Column("seller_name", sa.Text),
    sa.Column("buyer_id", sa.Text),
    sa.Column("buyer_name", sa.Text),
    sa.Column("issued", sa.Text),
    # Hundredths of whatever the currency is.
    sa.Column("amount", sa.BigInteger),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("flow", sa.Text),
    sa.Column("format", sa.Text),
    sa.Column("profile", sa.Text),
    # None: it has no verdict that stands, and is not counted.
    sa.Column("verdict", sa.Text),
    # Codes of the rules it was rejected for, each once, between spaces.
    sa.Column("rules", sa.Text),
    sa.Index("uq_searchable_document", "interchange_id", "ordinal", unique=True),
    sa.Index("ix_searchable_received", "received", "id"),
    sa.Index("ix_searchable_partner", "partner", "received", "id"),
    sa.Index(
        "ix_searchable_rejected",
        *("received", "id", "partner", "rules"),
        sqlite_where=REJECTED,
        postgresql_where=REJECTED,
    ),
    *(
        sa.Index(f"ix_searchable_{value}", "month", value, "received", "id", "partner")
        for value in VALUES
    ),
    sa.Index(
        "ix_searchable_name",
        *("month", "name", "received", "id", "partner"),
        sqlite_where=RENAMED,
        postgresql_where=RENAMED,
    ),
)
