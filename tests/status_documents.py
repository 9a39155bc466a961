"""Lifecycle messages about the invoices that `bench.invoices` makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from gateway.core.cdar.message_writer import write
from gateway.core.cdar.sending import assembled
from gateway.core.cdar.statuses import STATUSES
from tests.cdar_documents import invoice, sending

ISSUED = dt.date(2026, 4, 26)
SENT = dt.datetime(2026, 5, 1, 9, 0, tzinfo=dt.UTC)


def message(
    code: str,
    numbers: str | Sequence[str] = "FA-1",
    *,
    day: int = 0,
    id_: str = "",
    issued: dt.date = ISSUED,
) -> bytes:
    """The message that gives invoices this status, so many days after the first of May."""
    status = STATUSES[code]
    listed = [numbers] if isinstance(numbers, str) else numbers
    said = [
        msgspec.structs.replace(invoice(status, number), issued=issued)
        if not status.of_flux
        else invoice(status, number)
        for number in listed
    ]
    at = SENT + dt.timedelta(days=day)
    sent = msgspec.structs.replace(sending(status), id=id_ or f"CDV-{code}-{day}", at=at)
    return write(assembled(status, said, sent))
