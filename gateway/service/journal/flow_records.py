"""How each flow of each partner goes: what waits, what came of late, verdicts by day. Reads only.

Verdicts come from the running totals; the rest is read from indexes of what waits, or of the last
hour, and never more than so many rows of them.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import new_interchange_id
from gateway.model.lifecycle import DocumentState
from gateway.service.journal.statistics_read import Extent, volumes
from gateway.service.journal.statistics_records import DAY
from gateway.service.journal.tables import (
    DEAD,
    PENDING,
    UNFINISHED,
    documents,
    interchanges,
    outbox,
)

DAYS: Final = 14
_MOST: Final = 20_000
_LOOKED_AT: Final = 5_000
_UNDETERMINED: Final = (DocumentState.QUARANTINED, DocumentState.UNDETERMINED)


class FlowLine(msgspec.Struct, kw_only=True):
    """A flow of a partner. `waiting`: interchanges without a verdict; `oldest`: since when.

    `last_hour`: files that came in it. `days`: documents with a verdict by day of receipt, today
    last; `accepted` and `rejected` are those of today. `undetermined`: those there are now.
    """

    partner: str
    flow: str
    waiting: int = 0
    oldest: dt.datetime | None = None
    last_hour: int = 0
    days: list[int]
    accepted: int = 0
    rejected: int = 0
    undetermined: int = 0


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What the menu shows: interchanges in quarantine, and messages that are dead or failed."""

    quarantine: int
    stuck: int


def flow_lines(conn: sa.Connection, now: dt.datetime, *, partner: str = "") -> list[FlowLine]:
    """Every flow of every partner with something in the last days, or waiting; busiest first."""
    lines: dict[tuple[str, str], FlowLine] = {}

    def line(whose: str, flow: str | None) -> FlowLine:
        key = (whose, flow or "")
        if key not in lines:
            lines[key] = FlowLine(partner=whose, flow=flow or "", days=[0] * DAYS)
        return lines[key]

    today = now.astimezone(dt.UTC).date()
    days = [(today - dt.timedelta(days=back)).isoformat() for back in range(DAYS - 1, -1, -1)]
    extent = Extent(since=today - dt.timedelta(days=DAYS - 1), until=today, partner=partner or None)
    for volume in volumes(conn, (DAY, "partner", "flow"), extent):
        day, whose, flow = volume.values
        found = line(whose, flow)
        found.days[days.index(day)] += volume.documents
        if day == days[-1]:
            found.accepted, found.rejected = volume.accepted, volume.rejected
    for row in conn.execute(_undetermined(partner)):
        line(row.partner, row.flow).undetermined = row.number
    for waits in conn.execute(_waiting(partner)):
        found = line(waits.partner, waits.flow)
        found.waiting, found.oldest = waits.number, waits.oldest
    for came in conn.execute(_came_since(now - dt.timedelta(hours=1), partner)):
        line(came.partner, came.flow).last_hour = came.number
    return sorted(
        lines.values(), key=lambda each: (-each.waiting, -sum(each.days), each.partner, each.flow)
    )


def numbers(conn: sa.Connection) -> Numbers:
    """For the menu."""
    waiting = sa.select(outbox.c.id).where(PENDING).order_by(outbox.c.id).limit(_LOOKED_AT)
    failed = sa.select(sa.func.count()).where(
        outbox.c.id.in_(waiting.scalar_subquery()), outbox.c.last_error.is_not(None)
    )
    dead = sa.select(sa.func.count()).select_from(outbox).where(DEAD)
    held = sa.select(sa.func.count()).where(interchanges.c.state == "quarantined")
    return Numbers(
        quarantine=conn.execute(held).scalar_one(),
        stuck=conn.execute(failed).scalar_one() + conn.execute(dead).scalar_one(),
    )


def _undetermined(partner: str) -> sa.Select[tuple[str, str | None, int]]:
    some = (
        sa.select(documents.c.interchange_id, documents.c.flow)
        .where(documents.c.state.in_(_UNDETERMINED))
        .limit(_LOOKED_AT)
        .subquery()
    )
    flow = sa.func.coalesce(some.c.flow, interchanges.c.flow)
    query = (
        sa.select(interchanges.c.partner, flow.label("flow"), sa.func.count().label("number"))
        .join(interchanges, interchanges.c.id == some.c.interchange_id)
        .group_by(interchanges.c.partner, flow)
    )
    return query.where(interchanges.c.partner == partner) if partner else query


def _waiting(partner: str) -> sa.Select[tuple[str, str | None, int, dt.datetime]]:
    some = (
        sa.select(interchanges.c.partner, interchanges.c.flow, interchanges.c.received_at)
        .where(UNFINISHED)
        .limit(_MOST)
    )
    if partner:
        some = some.where(interchanges.c.partner == partner)
    each = some.subquery()
    return sa.select(
        each.c.partner,
        each.c.flow,
        sa.func.count().label("number"),
        sa.func.min(each.c.received_at, type_=interchanges.c.received_at.type).label("oldest"),
    ).group_by(each.c.partner, each.c.flow)


def _came_since(since: dt.datetime, partner: str) -> sa.Select[tuple[str, str | None, int]]:
    # Ids sort by time, so the primary key finds what came since then.
    first = new_interchange_id(int(since.timestamp() * 1000), bytes(10))
    some = (
        sa.select(interchanges.c.partner, interchanges.c.flow)
        .where(interchanges.c.id >= first)
        .limit(_MOST)
    )
    if partner:
        some = some.where(interchanges.c.partner == partner)
    each = some.subquery()
    return sa.select(each.c.partner, each.c.flow, sa.func.count().label("number")).group_by(
        each.c.partner, each.c.flow
    )
