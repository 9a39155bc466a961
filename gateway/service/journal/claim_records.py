"""What a delivery is known again by, and whose interchange it is."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import sqlalchemy as sa

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.ready import Ready
from gateway.service.journal.tables import claims, interchanges

_THE_CLAIM = sa.and_(
    claims.c.transport == sa.bindparam("b_transport"),
    claims.c.partner == sa.bindparam("b_partner"),
    claims.c.key == sa.bindparam("b_key"),
    claims.c.sha256 == sa.bindparam("b_sha256"),
)
_FIND = Ready(sa.select(claims.c.interchange_id, claims.c.claimed_at).where(_THE_CLAIM))
_MOVE = (
    sa.update(claims)
    .where(_THE_CLAIM)
    .values(interchange_id=sa.bindparam("b_id"), claimed_at=sa.bindparam("b_now"))
)
_ADD = Ready(sa.insert(claims).inline(), claims.c.keys())
_STATE = sa.select(interchanges.c.state).where(interchanges.c.id == sa.bindparam("b_id"))


class Delivery(NamedTuple):
    """What makes two deliveries one. `key`: the file's name, or the Message-ID over AS2."""

    transport: str
    partner: str
    key: str
    sha256: str


class Claimed(NamedTuple):
    """The interchange a delivery made, and when."""

    interchange_id: str
    claimed_at: dt.datetime


def claimed(conn: sa.Connection, delivery: Delivery) -> Claimed | None:
    """What this delivery made before."""
    named = _named(delivery)
    if _FIND.first(conn, named) is None:  # nearly always
        return None
    found = conn.execute(_FIND.statement, named).first()
    return None if found is None else Claimed(*found)


def is_over(conn: sa.Connection, known: Claimed, anew_before: dt.datetime | None) -> bool:
    """Whether a claim is too old to be resent, and its interchange has come to its end."""
    if anew_before is None or known.claimed_at >= anew_before:
        return False
    state = conn.execute(_STATE, {"b_id": known.interchange_id}).scalar()
    return state is InterchangeState.ACKNOWLEDGED


def add_claim(
    conn: sa.Connection, delivery: Delivery, interchange_id: str, now: dt.datetime
) -> None:
    """Let the next such delivery find this interchange."""
    row = {**delivery._asdict(), "interchange_id": interchange_id, "claimed_at": now}
    _ADD.run(conn, row)


def move_claim(
    conn: sa.Connection, delivery: Delivery, interchange_id: str, now: dt.datetime
) -> None:
    """Let it find another interchange than before."""
    conn.execute(_MOVE, {**_named(delivery), "b_id": interchange_id, "b_now": now})


def _named(delivery: Delivery) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in delivery._asdict().items()}
