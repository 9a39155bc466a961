"""A receipt that is asked for when the message comes again, and was not when it came first.

A sender may find out only later that it needs one, or have lost the header on the way. The message
was opened and verified anew to be known again, and the receipt was made on the way: it is kept, as
if it had been asked for at once, and from then on it is the one that every resend gets.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from gateway.core.as2 import As2Request
from gateway.model.as2 import Opened
from gateway.model.crypto import OpenAnswer
from gateway.service.as2 import receipts
from gateway.service.journal import records


def vouched(
    conn: Connection,
    row: records.As2Row,
    request: As2Request,
    answer: OpenAnswer,
    now: dt.datetime,
) -> records.As2Row:
    """The message taken before, with its receipt; `answer` is what opening it again gave.

    `row` as it is, if it has a receipt or none is asked for now. Otherwise the new receipt is
    written beside it and into the outbox, with the MIC it carries: part of the transaction of
    `conn`, so that of two resends at once one makes it and the other finds it.
    """
    mdn, outcome = answer.mdn, answer.outcome
    if row.mdn is not None or mdn is None or not isinstance(outcome, Opened):
        return row
    known = records.interchange(conn, row.interchange_id)
    if known is None:
        raise LookupError(f"interchange {row.interchange_id} is not in the journal")
    row = msgspec.structs.replace(
        row,
        mdn=mdn,
        mdn_at=now,
        mdn_mode=request.mdn.mode.value,
        mdn_url=request.mdn.url,
        mic=str(outcome.mic) if outcome.mic else row.mic,
    )
    records.as2_vouched(conn, row)
    published = msgspec.structs.replace(row, at=now)  # when the receipt was made
    receipts.publish(conn, known.interchange(), row.interchange_id, published, mdn)
    return row
