"""Replays of many interchanges: which they are, what each would change, how far they are.

Every step of one interchange is a transaction of its own, and what was done of it stands in it: so
whoever dies when, a replay goes on where it was, and nothing is judged again twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.replay_tables import ItemState, replay_items, replays
from gateway.service.journal.search_conditions import Criteria, Rejected, bounds_of, filters_of
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.tables import interchanges, purged

_KEY: Final = ["replay_id", "interchange_id"]
_ADD_ITEM: Final = {
    "sqlite": sqlite.insert(replay_items).inline().on_conflict_do_nothing(index_elements=_KEY),
    "postgresql": postgresql.insert(replay_items)
    .inline()
    .on_conflict_do_nothing(index_elements=_KEY),
}
_OF: Final = replay_items.c.replay_id == sa.bindparam("b_replay")
_IN_STATE: Final = (
    sa.select(replay_items.c.interchange_id)
    .where(_OF, replay_items.c.state == sa.bindparam("b_state", type_=replay_items.c.state.type))
    .order_by(replay_items.c.interchange_id)
    .limit(sa.bindparam("b_limit"))
)
_CHANGED: Final = _IN_STATE.where(replay_items.c.changed > 0)
_THE_ITEM: Final = sa.and_(_OF, replay_items.c.interchange_id == sa.bindparam("b_id"))
_MOVE: Final = (
    sa.update(replay_items)
    .where(
        _THE_ITEM,
        replay_items.c.state == sa.bindparam("b_old", type_=replay_items.c.state.type),
    )
    .values(
        state=sa.bindparam("b_new", type_=replay_items.c.state.type), said=sa.bindparam("b_said")
    )
)
_TRIED: Final = (
    sa.update(replay_items)
    .where(_THE_ITEM, replay_items.c.state == ItemState.WAITING)
    .values(
        state=ItemState.TRIED,
        documents=sa.bindparam("b_documents"),
        changed=sa.bindparam("b_changed"),
        changes=sa.bindparam("b_changes", type_=replay_items.c.changes.type),
    )
)


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `replays`."""

    id: str
    made_by: str
    made_at: dt.datetime
    chosen: str
    rules_on: dt.date | None


class Fallen(msgspec.Struct, frozen=True, kw_only=True):
    """So many documents that one rule would reject; `first`: the ordinal of the first of them."""

    documents: int
    first: int


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """So many documents whose verdict would change, or its rules, from and to what, by which packs.

    `packs`: name and version of those whose rules object otherwise; none: what objects is no pack.
    `rejecting`: by rule, those that would be rejected for it and are not now.
    """

    before: str
    after: str
    packs: tuple[str, ...] = ()
    documents: int = 1
    rejecting: dict[str, Fallen] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One interchange of a replay."""

    interchange: str
    state: ItemState
    documents: int
    changed: int
    changes: tuple[Changes, ...]
    said: str | None


def choose(conn: sa.Connection, wanted: Criteria, limit: int) -> list[str]:
    """Interchanges that came to their end, are not purged, and hold a document of this kind.

    The oldest first, at most so many. Only what `search_conditions.filters_of` knows counts, with
    days of receipt and partner.
    """
    since, until = bounds_of(wanted)
    conditions = filters_of(wanted)
    if wanted.rule is not None or wanted.verdict == "rejected":
        conditions.append(Rejected(wanted.rule).indexed())
    if wanted.partner is not None:
        conditions.append(searchable.c.partner == wanted.partner)
    if since is not None:
        conditions.append(searchable.c.received >= since)
    if until is not None:
        conditions.append(searchable.c.received < until)
    query = (
        sa.select(searchable.c.interchange_id)
        .join(interchanges, interchanges.c.id == searchable.c.interchange_id)
        .where(
            interchanges.c.state == InterchangeState.ACKNOWLEDGED,
            ~sa.exists().where(purged.c.interchange_id == searchable.c.interchange_id),
            *conditions,
        )
        .distinct()
        .order_by(searchable.c.interchange_id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def add_replay(conn: sa.Connection, row: ReplayRow) -> None:
    """Note that there is one; nothing is chosen yet."""
    conn.execute(sa.insert(replays), msgspec.structs.asdict(row))


def add_items(conn: sa.Connection, replay_id: str, ids: Sequence[str]) -> None:
    """Add interchanges; those that are there already stay as they are."""
    rows = [
        {"replay_id": replay_id, "interchange_id": id_, "state": ItemState.WAITING, "changes": []}
        for id_ in ids
    ]
    if rows:
        conn.execute(_ADD_ITEM[conn.dialect.name], rows)


def replay_of(conn: sa.Connection, replay_id: str) -> ReplayRow | None:
    """One of them, or None."""
    row = conn.execute(sa.select(replays).where(replays.c.id == replay_id)).first()
    return None if row is None else ReplayRow(**row._mapping)


def newest_replays(conn: sa.Connection, limit: int = 50) -> list[ReplayRow]:
    """The last ones."""
    query = sa.select(replays).order_by(replays.c.made_at.desc(), replays.c.id).limit(limit)
    return [ReplayRow(**row._mapping) for row in conn.execute(query)]


def in_state(
    conn: sa.Connection, replay_id: str, state: ItemState, limit: int, *, changed: bool = False
) -> list[str]:
    """The next interchanges in this state; `changed`: only those in which something would."""
    values = {"b_replay": replay_id, "b_state": state, "b_limit": limit}
    return list(conn.execute(_CHANGED if changed else _IN_STATE, values).scalars())


def tried(
    conn: sa.Connection, replay_id: str, id_: str, documents: int, changes: Sequence[Changes]
) -> None:
    """Keep what would change in one interchange."""
    values = {
        "b_replay": replay_id,
        "b_id": id_,
        "b_documents": documents,
        "b_changed": sum(each.documents for each in changes),
        "b_changes": msgspec.to_builtins(list(changes)),
    }
    conn.execute(_TRIED, values)


def move_item(
    conn: sa.Connection,
    replay_id: str,
    id_: str,
    old: ItemState,
    new: ItemState,
    said: str | None = None,
) -> bool:
    """Take a step with one interchange; False when it was taken before."""
    values = {"b_replay": replay_id, "b_id": id_, "b_old": old, "b_new": new, "b_said": said}
    return conn.execute(_MOVE, values).rowcount > 0


def try_again(conn: sa.Connection, replay_id: str) -> None:
    """Have what could not be tried wait for it once more."""
    conn.execute(
        sa.update(replay_items)
        .where(replay_items.c.replay_id == replay_id, replay_items.c.state == ItemState.FAILED)
        .values(state=ItemState.WAITING, said=None)
    )


def standing(conn: sa.Connection, replay_id: str) -> dict[ItemState, tuple[int, int, int]]:
    """By state: how many interchanges, documents in them, and documents that would change."""
    item = replay_items.c
    query = (
        sa.select(
            item.state, sa.func.count(), sa.func.sum(item.documents), sa.func.sum(item.changed)
        )
        .where(_OF)
        .group_by(item.state)
    )
    rows = conn.execute(query, {"b_replay": replay_id})
    return {row[0]: (row[1], int(row[2]), int(row[3])) for row in rows}


def number_left(conn: sa.Connection, replay_id: str) -> int:
    """Interchanges in which something would change and that are not committed yet."""
    query = sa.select(sa.func.count()).where(
        _OF, replay_items.c.state == ItemState.TRIED, replay_items.c.changed > 0
    )
    return int(conn.execute(query, {"b_replay": replay_id}).scalar_one())


def items_changed(
    conn: sa.Connection, replay_id: str, *, after: str = "", limit: int = 200
) -> list[Item]:
    """The next interchanges in which something would change, or of which something must be said."""
    item = replay_items.c
    query = (
        sa.select(
            item.interchange_id, item.state, item.documents, item.changed, item.changes, item.said
        )
        .where(
            item.replay_id == replay_id,
            item.interchange_id > after,
            sa.or_(item.changed > 0, item.said.is_not(None)),
        )
        .order_by(item.interchange_id)
        .limit(limit)
    )
    return [_item(row) for row in conn.execute(query)]


def _item(row: Any) -> Item:
    return Item(
        interchange=row.interchange_id,
        state=row.state,
        documents=row.documents,
        changed=row.changed,
        changes=msgspec.convert(row.changes, tuple[Changes, ...]),
        said=row.said,
    )
