"""What a request for a status writes, in one transaction: message, lifecycle, its being taken.

All of it is there or nothing is; so a request that comes again, whenever we died, makes nothing
twice.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.core.cdar.values import DocumentStatus, Message
from gateway.core.explain import own_finding
from gateway.errors import JournalError
from gateway.model.interchange import Interchange
from gateway.model.partner import Partner
from gateway.model.verdict import Finding
from gateway.service import answering, messages
from gateway.service.journal import records, request_records
from gateway.service.journal.request_records import Taken
from gateway.service.portal import ways_to_portal
from gateway.service.status_composing import PORTAL
from gateway.service.status_request_finding import About, find
from gateway.service.statuses import record_sent
from gateway.spool import StoredPayload


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is ready to be written. `id`: of its publication, which follows from `key`.

    `about` is what was found before the message was checked; `answer` what is said when it is
    taken; `portal` the partner that is the portal, where there is one; `zone` that of the times in
    the message.
    """

    key: str
    sha256: str
    id: str
    to: str
    message: Message
    filename: str
    body: bytes
    stored: StoredPayload | None
    about: tuple[About, ...]
    answer: dict[str, Any]
    portal: Partner | None
    zone: str


class TakenBefore(msgspec.Struct, frozen=True):
    """A message with this id brought a request before: nothing was written now."""

    taken: Taken


class Overtaken(msgspec.Struct, frozen=True):
    """The journal says something else than when the message was composed: begin anew."""


class SentBeforeError(Exception):
    """The lifecycle has this status by a message of this number: nothing of the request is kept."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def give(conn: Connection, order: Order, now: dt.datetime) -> Taken | TakenBefore | Overtaken:
    """Write the message, what it tells, and that the request was taken, unless it was before.

    Raises `SentBeforeError`.
    """
    before = request_records.taken(conn, order.key)
    if before is not None:
        return TakenBefore(before)
    first = order.about[0]
    row = records.interchange(conn, first.interchange_id)
    if row is None or find(conn, order.message) != order.about:
        return Overtaken()
    interchange = row.interchange()
    outgoing = _outgoing(conn, interchange, row.flow, order, now)
    if records.add_outbox_many(conn, outgoing) != len(outgoing):
        raise JournalError(f"The message of request {order.key} is in the outbox already.")
    for document, about in zip(order.message.documents, order.about, strict=True):
        _record(conn, order, document, about, now)
    taken = Taken(
        key=order.key,
        sha256=order.sha256,
        interchange_id=interchange.id,
        answer=order.answer,
        taken_at=now,
    )
    request_records.take(conn, taken)
    return taken


def _outgoing(
    conn: Connection, interchange: Interchange, flow: str | None, order: Order, now: dt.datetime
) -> list[records.Outgoing]:
    """To the broker, and to the partner or the portal by the channels it has."""
    to_portal = order.to == PORTAL
    ordinal = order.about[0].ordinal
    publication = messages.cdar_publication(
        interchange,
        order.body,
        id_=order.id,
        ordinal=0 if len(order.about) > 1 else ordinal,
        filename=order.filename,
        flow=flow,
        to_portal=to_portal,
        now=now,
    )
    form = answering.FormSent(publication=publication, filename=order.filename, stored=order.stored)
    outgoing = answering.both_ways(
        conn, interchange, form, now, kind="cdar", ordinal=ordinal, to_partner=not to_portal
    )
    if to_portal:
        outgoing += ways_to_portal(interchange, form, order.portal, ordinal)
    return outgoing


def _record(
    conn: Connection, order: Order, document: DocumentStatus, about: About, now: dt.datetime
) -> None:
    """Put the status into the lifecycle of its invoice; a file has none."""
    if about.invoice is None or document.issued is None:
        return
    message = order.message
    id_ = message.id or ""
    given = record_sent(
        conn,
        invoice=about.invoice,
        number=document.number or "",
        issued=document.issued.isoformat(),
        partner=PORTAL if order.to == PORTAL else about.partner,
        message_id=id_,
        status=document.status or "",
        reasons=[detail.reason for detail in document.details if detail.reason],
        said_at=_said_at(message, order.zone) or now,
        issuer=msgspec.to_builtins(message.issuer) or {},
        now=now,
    )
    if not given:
        raise SentBeforeError(own_finding("REQUEST-SENT", id=id_))


def _said_at(message: Message, zone: str) -> dt.datetime | None:
    """When the status was given: times in messages have no zone of their own."""
    if message.issued is None:
        return None
    return message.issued.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
