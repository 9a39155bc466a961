"""Which alerts are on, which were, and what is still to be told of them: one transaction each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa

from gateway.service.journal.alert_tables import ON, UNSENT, alert_messages, alerts

KEPT: dt.timedelta = dt.timedelta(days=400)
"""How long alerts that are over can still be looked up."""


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `since`: when it began to be so, `began_at`: when that was noticed."""

    id: str
    kind: str
    subject: str
    partner: str
    since: dt.datetime
    began_at: dt.datetime
    ended_at: dt.datetime | None = None
    what_en: str
    what_fr: str
    remedy_en: str
    remedy_fr: str


class ToldRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message about an alert, for one receiver: `body` is JSON."""

    id: int = 0
    alert_id: str
    about: str
    receiver: str
    body: bytes
    created_at: dt.datetime
    attempts: int = 0
    next_attempt_at: dt.datetime
    last_error: str | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """How far a message about an alert has come, for one receiver; `about`: "began" or "over".

    `closed_at` None: it is still to be sent. Closed, it was sent, or, with a `last_error`, given
    up.
    """

    alert_id: str
    about: str
    receiver: str
    created_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime
    last_error: str | None
    closed_at: dt.datetime | None


_ALERT = sa.select(*(alerts.c[name] for name in AlertRow.__struct_fields__))
_ON = _ALERT.where(ON).order_by(alerts.c.began_at, alerts.c.id)
_NEWEST = _ALERT.order_by(alerts.c.began_at.desc(), alerts.c.id.desc())
_NEXT = (
    sa.select(*(alert_messages.c[name] for name in ToldRow.__struct_fields__))
    .where(UNSENT, alert_messages.c.receiver == sa.bindparam("b_receiver"))
    .order_by(alert_messages.c.id)
    .limit(1)
)
_TOLD = sa.select(alert_messages.c.receiver).where(
    alert_messages.c.alert_id == sa.bindparam("b_alert"),
    alert_messages.c.about == "began",
    sa.or_(UNSENT, alert_messages.c.last_error.is_(None)),  # not given up
)
_TELLING = sa.select(*(alert_messages.c[name] for name in Telling.__struct_fields__)).order_by(
    alert_messages.c.id
)
_UNSENT = (
    sa.select(alert_messages.c.receiver, sa.func.count().label("number"))
    .where(UNSENT)
    .group_by(alert_messages.c.receiver)
)


def alerts_on(conn: sa.Connection) -> list[AlertRow]:
    """Those that are on, the oldest first."""
    return [AlertRow(**row._mapping) for row in conn.execute(_ON)]


def newest_alerts(conn: sa.Connection, limit: int) -> list[AlertRow]:
    """Those that are on and those that were, the newest first."""
    return [AlertRow(**row._mapping) for row in conn.execute(_NEWEST.limit(limit))]


def alerts_number(conn: sa.Connection) -> int:
    """How many are on."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(alerts).where(ON)).scalar_one())


def alerts_named(conn: sa.Connection, ids: Collection[str]) -> dict[str, AlertRow]:
    """Those of these ids."""
    rows = conn.execute(_ALERT.where(alerts.c.id.in_(ids)))
    return {row.id: AlertRow(**row._mapping) for row in rows}


def tellings_of(conn: sa.Connection, ids: Collection[str]) -> list[Telling]:
    """Every message about the alerts of these ids, the oldest first."""
    rows = conn.execute(_TELLING.where(alert_messages.c.alert_id.in_(ids)))
    return [Telling(**row._mapping) for row in rows]


def unsent_tellings(conn: sa.Connection, limit: int) -> list[Telling]:
    """Messages that no receiver has got yet, the oldest first."""
    rows = conn.execute(_TELLING.where(UNSENT).limit(limit))
    return [Telling(**row._mapping) for row in rows]


def begin_alert(conn: sa.Connection, row: AlertRow) -> None:
    """It is on."""
    conn.execute(sa.insert(alerts), msgspec.structs.asdict(row))


def end_alert(conn: sa.Connection, alert_id: str, now: dt.datetime) -> list[str]:
    """It is over; the receivers that were told, or are to be told, that it began.

    What was over long ago is forgotten with this.
    """
    conn.execute(sa.update(alerts).where(alerts.c.id == alert_id).values(ended_at=now))
    _forget(conn, now - KEPT)
    return [row.receiver for row in conn.execute(_TOLD, {"b_alert": alert_id})]


def _forget(conn: sa.Connection, before: dt.datetime) -> None:
    old = sa.select(alerts.c.id).where(alerts.c.ended_at < before)
    conn.execute(sa.delete(alert_messages).where(alert_messages.c.alert_id.in_(old)))
    conn.execute(sa.delete(alerts).where(alerts.c.ended_at < before))


def add_messages(conn: sa.Connection, rows: Sequence[ToldRow]) -> None:
    """Messages that are to be sent."""
    for row in rows:
        values = msgspec.structs.asdict(row)
        del values["id"]
        conn.execute(sa.insert(alert_messages), values)


def next_message(conn: sa.Connection, receiver: str) -> ToldRow | None:
    """The oldest that a receiver has not got; whether it is due, it says itself."""
    row = conn.execute(_NEXT, {"b_receiver": receiver}).first()
    return None if row is None else ToldRow(**row._mapping)


def close_message(
    conn: sa.Connection, message_id: int, now: dt.datetime, error: str | None = None
) -> None:
    """It was sent; or, with an error, it is not tried any more."""
    conn.execute(
        sa.update(alert_messages)
        .where(alert_messages.c.id == message_id)
        .values(closed_at=now, last_error=error, attempts=alert_messages.c.attempts + 1)
    )


def close_of_others(conn: sa.Connection, receivers: Collection[str], now: dt.datetime) -> int:
    """Give up what waits for receivers that are none of these; how many messages that is."""
    closing = (
        sa.update(alert_messages)
        .where(UNSENT, alert_messages.c.receiver.not_in(receivers))
        .values(closed_at=now, last_error="This receiver is not in the settings any more.")
    )
    return conn.execute(closing).rowcount


def put_off_message(
    conn: sa.Connection, message_id: int, next_attempt_at: dt.datetime, error: str
) -> None:
    """It did not arrive, and is tried again then."""
    conn.execute(
        sa.update(alert_messages)
        .where(alert_messages.c.id == message_id)
        .values(
            next_attempt_at=next_attempt_at,
            last_error=error,
            attempts=alert_messages.c.attempts + 1,
        )
    )


def unsent_messages(conn: sa.Connection) -> dict[str, int]:
    """How many wait, by receiver."""
    return {row.receiver: row.number for row in conn.execute(_UNSENT)}
