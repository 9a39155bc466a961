"""What one attempt at a message means for it: plain functions on one transaction.

arrived                     delivered, and its document or interchange moves on
failed                      due again later: a pause that doubles, spread by half
refused, too often          dead: visible, until an operator sends it again
waits for a receipt         due again when that is overdue; the attempt is counted
goes on by itself, put off  nothing is counted: the attempt is not over, or there was none
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import (
    BrokerUnavailable,
    DeliveryAwaited,
    DeliveryPutOff,
    DeliveryRefused,
    DeliveryUnderWay,
    DestinationAway,
    GatewayError,
    MessageReturned,
    PublicationImpossible,
)
from gateway.service import settle
from gateway.service.breaker import Pauses
from gateway.service.journal import records
from gateway.service.journal.delivery_records import end_sending

Outcome = tuple[records.OutboxRow, GatewayError | None]

AWAY = (BrokerUnavailable, DestinationAway)
"""The destination is not there: the message is left as it is, due as before."""

_OF_THE_MESSAGE = (MessageReturned, PublicationImpossible, DeliveryRefused)
_NO_ATTEMPT = (DeliveryUnderWay, DeliveryPutOff)


def is_dead(row: records.OutboxRow, error: GatewayError, settings: OutboxSettings) -> bool:
    """Whether that was the last time: only what is said of the message itself counts."""
    limit = settings.dead_after_refusals
    return bool(limit) and isinstance(error, _OF_THE_MESSAGE) and row.refusals + 1 >= limit


def write_outcomes(
    conn: Connection,
    outcomes: Sequence[Outcome],
    *,
    settings: OutboxSettings,
    pauses: Pauses,
    now: dt.datetime,
) -> int:
    """Write what became of these messages; how many new ones (events) that caused."""
    for row, error in outcomes:
        if error is not None and not isinstance(error, AWAY):
            _failed(conn, row, error, settings, pauses, now)
    going_on = [row.id for row, error in outcomes if isinstance(error, DeliveryUnderWay)]
    end_sending(conn, [row.id for row, _ in outcomes if row.id not in going_on])
    arrived = [row for row, error in outcomes if error is None]
    return settle.delivered(conn, arrived, now) if arrived else 0


def refuse_afterwards(
    conn: Connection,
    row: records.OutboxRow,
    error: GatewayError,
    *,
    settings: OutboxSettings,
    pauses: Pauses,
    now: dt.datetime,
) -> bool:
    """The no came after the attempt was counted; True if the message is dead now."""
    dead = is_dead(row, error, settings)
    records.mark_failed(
        conn,
        row.id,
        error=str(error),
        next_attempt_at=now + pauses.after(row.attempts),
        attempted=False,
        refused=True,
        dead=dead,
    )
    return dead


def _failed(
    conn: Connection,
    row: records.OutboxRow,
    error: GatewayError,
    settings: OutboxSettings,
    pauses: Pauses,
    now: dt.datetime,
) -> None:
    pause = pauses.after(row.attempts)
    if isinstance(error, DeliveryAwaited):
        pause = dt.timedelta(seconds=error.seconds)
    records.mark_failed(
        conn,
        row.id,
        error=str(error),
        next_attempt_at=now + pause,
        attempted=not isinstance(error, _NO_ATTEMPT),
        refused=isinstance(error, _OF_THE_MESSAGE),
        dead=is_dead(row, error, settings),
    )
