"""How an interchange ends: its last step, with its acknowledgement in all its forms.

One transaction, like each step in `settle`: the end and what tells the partner of it are there
together or not at all.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import InterchangeState
from gateway.model.publication import Publication
from gateway.service import messages, settle
from gateway.service.journal import given_records, records, uniqueness_records
from gateway.spool import StoredPayload


class FormSent(msgspec.Struct, frozen=True, kw_only=True):
    """An acknowledgement, as one form of a report. `stored`: in the spool, too large for a row."""

    publication: Publication
    filename: str
    stored: StoredPayload | None = None


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How an interchange ends, with its acknowledgement in all its forms, the XML first.

    `state` None: it does not end yet, its partner is told provisionally.
    """

    state: InterchangeState | None
    flow: str | None
    revision: int
    reports: tuple[FormSent, ...]
    cause: str | None
    owes_statuses: bool = False
    """Whether lifecycle messages are to follow (`status_sender`)."""


def close_interchange(
    conn: Connection,
    interchange: Interchange,
    closing: Closing,
    *,
    now: dt.datetime,
) -> bool:
    """Write the interchange's end and its acknowledgement, once; False if it was there already.

    With `closing.state` None only the provisional report is written: the work goes on.
    """
    row = settle.row_of(conn, interchange)
    if row.state != InterchangeState.OPENED:
        return False
    if records.next_revision(conn, interchange.id, 0) != closing.revision:
        raise JournalError(
            f"The report of interchange {interchange.id} was written by somebody else meanwhile."
        )
    if closing.state is not None and any(
        state in settle.WAITING for state in records.document_states(conn, interchange.id)
    ):
        raise JournalError(
            f"A document of interchange {interchange.id} was released while its report was made."
        )
    path = {
        None: [],
        InterchangeState.SETTLED: [InterchangeState.JUDGED, InterchangeState.SETTLED],
    }.get(closing.state, [closing.state])
    steps = [
        records.move_interchange(conn, interchange.id, state, cause=closing.cause, now=now)
        for state in path
        if state is not None
    ]
    if closing.revision > 1 and closing.state in settle.ANSWERED:
        uniqueness_records.drop_useless_flux(conn, interchange.id)
    outgoing = settle.events_of(interchange, steps, closing.flow)
    for form in closing.reports:
        outgoing += both_ways(conn, interchange, form, now)
    records.add_outbox_many(conn, outgoing)
    if closing.owes_statuses:
        given_records.owe(conn, interchange.id, interchange.envelope.partner, now)
    return True


def both_ways(
    conn: Connection,
    interchange: Interchange,
    form: FormSent,
    now: dt.datetime,
    *,
    kind: str = "report",
    ordinal: int = 0,
    to_partner: bool = True,
) -> list[records.Outgoing]:
    """One acknowledgement: to the broker, and to the partner by the channel it used."""
    channel = interchange.envelope.transport.value
    message = settle.inside_or_beside(conn, form.publication, form.stored, now)
    outgoing = [
        settle.outgoing_of(interchange, message, ordinal, kind, settle.BROKER, form.filename)
    ]
    if not to_partner:
        return outgoing
    back = messages.for_channel(form.publication, channel)
    payload = form.stored.sha256 if form.stored else None
    if payload is not None:
        back = msgspec.structs.replace(back, body=b"")
    outgoing.append(
        settle.outgoing_of(interchange, back, ordinal, kind, channel, form.filename, payload)
    )
    return outgoing
