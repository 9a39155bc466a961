"""What pages show of replays of many: how far several are, and all that one would change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa

from gateway.service.journal.replay_tables import ItemState, replay_items
from gateway.service.journal.replays_records import Changes
from gateway.service.journal.tables import interchanges

_AT_ONCE = 500


def counts_of(conn: sa.Connection, replay_ids: Sequence[str]) -> dict[str, dict[ItemState, int]]:
    """By replay and state, how many interchanges."""
    item = replay_items.c
    query = (
        sa.select(item.replay_id, item.state, sa.func.count())
        .where(item.replay_id.in_(replay_ids))
        .group_by(item.replay_id, item.state)
    )
    found: dict[str, dict[ItemState, int]] = {id_: {} for id_ in replay_ids}
    for id_, state, number in conn.execute(query):
        found[id_][state] = number
    return found


def changes_in(
    conn: sa.Connection, replay_id: str
) -> Iterator[tuple[str, str, tuple[Changes, ...]]]:
    """Interchanges in which something would change, the oldest first: id, partner, what."""
    item = replay_items.c
    query = (
        sa.select(item.interchange_id, interchanges.c.partner, item.changes)
        .join(interchanges, interchanges.c.id == item.interchange_id)
        .where(item.replay_id == replay_id, item.changed > 0)
        .order_by(item.interchange_id)
    )
    with conn.execution_options(yield_per=_AT_ONCE).execute(query) as rows:
        for id_, partner, changes in rows:
            yield id_, partner, msgspec.convert(changes, tuple[Changes, ...])


def documents_by_partner(conn: sa.Connection, replay_id: str) -> dict[str, int]:
    """Whose documents were tried, and how many."""
    item = replay_items.c
    query = (
        sa.select(interchanges.c.partner, sa.func.sum(item.documents))
        .select_from(
            replay_items.join(interchanges, interchanges.c.id == replay_items.c.interchange_id)
        )
        .where(item.replay_id == replay_id, item.documents > 0)
        .group_by(interchanges.c.partner)
    )
    return {partner: int(number) for partner, number in conn.execute(query)}


def names_of(conn: sa.Connection, interchange_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Of interchanges: whose, and under which name they came."""
    query = sa.select(interchanges.c.id, interchanges.c.partner, interchanges.c.name).where(
        interchanges.c.id.in_(interchange_ids)
    )
    return {row.id: (row.partner, row.name) for row in conn.execute(query)}
