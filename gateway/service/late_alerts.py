"""Tells `edi.events` of what is late: once when that begins, once when it is over.

The journal remembers which ones were told of, so a restart tells nothing twice. Each look tells
of so many at most; the next one goes on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from gateway.model.lifecycle import UNFINISHED_INTERCHANGE, InterchangeState
from gateway.service import settle
from gateway.service.alerts import Alert, alert_event
from gateway.service.journal import late_records, queue_records, records
from gateway.service.journal.queue_records import Late

AT_ONCE: Final = 500
"""Beginnings, and ends, that are told of in one transaction."""


class Untold(msgspec.Struct, frozen=True):
    """What `edi.events` does not know yet."""

    began: Sequence[Late] = ()
    over: Sequence[str] = ()


def untold(conn: Connection, late: Sequence[Late], *, complete: bool) -> Untold:
    """What began or ended since it was told. `complete`: nothing else is late."""
    on = late_records.alerts_on(conn)
    began = [each for each in late if each.interchange not in on]
    over = ended(on, late, complete=complete)
    return Untold(began[:AT_ONCE], over[:AT_ONCE])


def ended(known: Collection[str], late: Sequence[Late], *, complete: bool) -> list[str]:
    """Which of the known are late no more. Beyond the last of an incomplete list nobody knows."""
    now = {each.interchange for each in late}
    last = late[-1].interchange if late else ""
    return sorted(id_ for id_ in known if id_ not in now and (complete or id_ < last))


def tell(conn: Connection, what: Untold, now: dt.datetime) -> None:
    """Write the events, and that they were written."""
    on = late_records.alerts_on(conn)
    for late in what.began:
        if late.interchange not in on:
            late_records.begin_alert(conn, late.interchange, now)
            _tell(conn, late.interchange, Alert.LATE, why_late(conn, late), now, now)
    for id_ in what.over:
        if id_ in on:
            late_records.end_alert(conn, id_)
            _tell(conn, id_, Alert.LATE_OVER, None, on[id_], now)


def _tell(
    conn: Connection,
    id_: str,
    word: Alert,
    cause: str | None,
    since: dt.datetime,
    now: dt.datetime,
) -> None:
    row = records.interchange(conn, id_)
    if row is None:
        raise LookupError(f"interchange {id_} is not in the journal")
    about = row.interchange()
    key = since.isoformat()
    event = alert_event(about, row.flow, word, cause, since=since, key=key, now=now)
    outgoing = settle.outgoing_of(about, event, 0, "event", settle.BROKER)
    records.add_outbox_many(conn, [outgoing])


def why_late(conn: Connection, late: Late) -> str:
    """What keeps an acknowledgement, in words."""
    if late.state is InterchangeState.QUARANTINED:
        return f"it is in quarantine: {late.cause or 'no cause was given'}"
    if late.state in UNFINISHED_INTERCHANGE:
        return "it is not judged to the end yet"
    return queue_records.why_waiting(conn, late.interchange) or "its last message is being marked"
