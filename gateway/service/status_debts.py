"""How an attempt to tell statuses ends in the journal, with the word for whoever watches.

One event when it is found that statuses cannot be sent, whatever the number of attempts, and one
when that is over; each in the transaction that says so in the journal.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection

from gateway.service import settle
from gateway.service.alerts import Alert, alert_event
from gateway.service.journal import given_records, records
from gateway.service.journal.given_records import Owed


def not_sent(
    conn: Connection, owed: Owed, cause: str, *, again: dt.datetime, now: dt.datetime
) -> bool:
    """Some statuses stay owed, to be attempted `again` then; whether an event says so."""
    stands = given_records.still_owed(conn, owed)
    if stands is None:
        return False
    given_records.owed_later(conn, owed, cause, again)
    if stands.cause is not None:
        return False
    _tell(conn, stands, Alert.STATUSES_NOT_SENT, cause, now)
    return True


def settled(conn: Connection, owed: Owed, *, given_up: bool, now: dt.datetime) -> bool:
    """Nothing is owed any more; whether an event says so."""
    stands = given_records.still_owed(conn, owed)
    if stands is None:
        return False
    given_records.paid(conn, owed)
    if stands.cause is None:
        return False
    word = Alert.STATUSES_GIVEN_UP if given_up else Alert.STATUSES_SENT
    _tell(conn, stands, word, None, now)
    return True


def _tell(conn: Connection, owed: Owed, word: Alert, cause: str | None, now: dt.datetime) -> None:
    row = records.interchange(conn, owed.interchange_id)
    if row is None:
        raise LookupError(f"interchange {owed.interchange_id} is not in the journal")
    event = alert_event(
        row.interchange(),
        row.flow,
        word,
        cause,
        since=owed.waiting_since,
        key=owed.since.isoformat(),
        now=now,
    )
    outgoing = settle.outgoing_of(row.interchange(), event, 0, "event", settle.BROKER)
    records.add_outbox_many(conn, [outgoing])
