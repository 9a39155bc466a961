"""Files that wait to be judged: no search finds their documents yet, but people look for them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.rows import InterchangeRow
from gateway.service.journal.search_conditions import (
    BEGINNING,
    Criteria,
    bounds_of,
    interchanges_of_message,
)
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.search_words import microseconds, plain
from gateway.service.journal.tables import interchanges

LOOKED_AT: Final = 1000
"""The newest of each state: of a longer queue the list of interchanges tells."""
_WAITING: Final = (InterchangeState.RECEIVED, InterchangeState.OPENED)
_OTHERS: Final = (
    *("number", "seller", "buyer", "amount_from", "amount_to", "issued_since", "issued_until"),
    *("verdict", "flow", "format", "rule"),
)
"""What nobody knows of a file before it is judged."""
_NEWEST: Final = (
    sa.select(*(interchanges.c[name] for name in InterchangeRow.__struct_fields__))
    .where(
        interchanges.c.state == sa.bindparam("b_state", type_=interchanges.c.state.type),
        ~sa.exists().where(searchable.c.interchange_id == interchanges.c.id),
    )
    .order_by(interchanges.c.id.desc())
    .limit(LOOKED_AT)
)


def waiting_like(conn: sa.Connection, wanted: Criteria, *, limit: int = 10) -> list[InterchangeRow]:
    """The newest files of which no document has a verdict, and that this may be about.

    By name, id, Message-ID, partner, channel and day of receipt; none when anything else is asked.
    """
    if any(getattr(wanted, name) is not None for name in _OTHERS):
        return []
    rows = [
        InterchangeRow(*row)
        for state in _WAITING
        for row in conn.execute(_NEWEST, {"b_state": state})
    ]
    rows.sort(key=lambda row: row.id, reverse=True)
    named: set[str] = set()
    for text in (wanted.message_id, wanted.text):
        if rows and text:
            named.update(interchanges_of_message(conn, text))
    return [row for row in rows if _fits(row, wanted, named)][:limit]


def _fits(row: InterchangeRow, wanted: Criteria, named: set[str]) -> bool:
    since, until = bounds_of(wanted)
    at = microseconds(row.received_at)
    return (
        wanted.partner in (None, row.partner)
        and wanted.environment in (None, row.environment)
        and wanted.channel in (None, row.transport)
        and (since is None or at >= since)
        and (until is None or at < until)
        and (not wanted.message_id or row.id in named)
        and (not wanted.file or _begins(row.name, wanted.file, exact=wanted.exact))
        and (
            not wanted.text
            or row.id in named
            or row.id.startswith(wanted.text.strip().lower())
            or _begins(row.name, wanted.text, exact=wanted.exact)
        )
    )


def _begins(name: str, text: str, *, exact: bool) -> bool:
    folded, value = plain(name) or "", plain(text) or ""
    return folded == value if exact or len(value) < BEGINNING else folded.startswith(value)
