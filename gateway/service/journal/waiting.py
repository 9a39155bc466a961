"""What still has work to do, asked partner by partner. Reads only.

Both questions walk the index of unfinished interchanges, which holds nothing else: what they cost
depends neither on how much was ever received nor on how much another partner has waiting.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.service.journal.tables import UNFINISHED

# SQLite is told which index: by itself it prefers one that finds the states, and sorts all of
# them. PostgreSQL, which counts what its indexes hold, has no such words and needs none.
_FROM = "FROM interchanges INDEXED BY ix_interchanges_unfinished"

_NEXT_PARTNER = sa.text(
    f"SELECT partner {_FROM} WHERE {UNFINISHED} AND partner > :partner ORDER BY partner LIMIT 1"
)
_OF_PARTNER = sa.text(
    f"SELECT id {_FROM} WHERE {UNFINISHED} AND partner = :partner AND id > :after"
    " ORDER BY id LIMIT :limit"
)


def partners_with_work(conn: sa.Connection) -> list[str]:
    """Every partner with an unfinished interchange, by name.

    One step into the index per partner, over all its interchanges to the next one.
    """
    found: list[str] = []
    partner = ""
    while (row := conn.execute(_NEXT_PARTNER, {"partner": partner}).first()) is not None:
        partner = row.partner
        found.append(partner)
    return found


def unfinished_of(
    conn: sa.Connection, partner: str, *, after: str = "", limit: int = 100
) -> list[str]:
    """Ids of the partner's unfinished interchanges, oldest first, from above `after` on."""
    given = {"partner": partner, "after": after, "limit": limit}
    return [row.id for row in conn.execute(_OF_PARTNER, given)]
