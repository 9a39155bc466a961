"""The lifecycle of invoices, where verdicts are settled: what a message tells, what waited for one.

`Telling` goes with a lifecycle message into the transaction of its verdict; `said_of` says what an
accepted document, message or invoice, has everybody hear besides its result.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from gateway.core.cdar import told
from gateway.core.cdar.told import ToldMessage
from gateway.core.uniqueness import TEST_KEY, seller_key
from gateway.model.interchange import Interchange
from gateway.model.partner import Statuses
from gateway.model.publication import Publication
from gateway.model.verdict import Accepted, Judgement
from gateway.service import status_messages, statuses
from gateway.service.consequences import Subject
from gateway.service.journal import records
from gateway.service.journal.status_records import Invoice
from gateway.service.repeats import Claim
from gateway.service.statuses import Weighed


class Telling(msgspec.Struct, frozen=True):
    """What a message tells and how that stands. `zone`: of its times, which have none."""

    message: ToldMessage
    weighed: tuple[Weighed, ...]
    rights: Statuses
    zone: str

    def still_stands(self, conn: Connection, interchange: Interchange, ordinal: int) -> bool:
        """Whether it would be weighed the same now."""
        weighed = statuses.weigh(conn, interchange, ordinal, self.message, self.rights, self.zone)
        return weighed == self.weighed

    def record(
        self,
        conn: Connection,
        interchange: Interchange,
        ordinal: int,
        *,
        again: bool,
        now: dt.datetime,
    ) -> None:
        """Write it. `again`: the message was judged before."""
        statuses.record(
            conn,
            interchange,
            ordinal,
            self.message,
            self.weighed,
            self.rights,
            now,
            again=again,
        )

    def result(self, judgement: Judgement) -> Judgement:
        """The judgement as it is published: what the message tells, with what became of it."""
        verdict = judgement.verdict
        if not isinstance(verdict, Accepted):
            raise TypeError("only an accepted message tells anything")
        body = status_messages.body(self.message, self.weighed)
        verdict = msgspec.structs.replace(verdict, message=body)
        return msgspec.structs.replace(judgement, verdict=verdict)


def telling_of(
    conn: Connection,
    interchange: Interchange,
    subject: Subject,
    message: bytes,
    rights: Statuses,
    zone: str,
) -> Telling:
    """An accepted message (core.cdar.told, as JSON), weighed."""
    decoded = told.decode(message)
    weighed = statuses.weigh(conn, interchange, subject.ordinal, decoded, rights, zone)
    return Telling(decoded, weighed, rights, zone)


class Event(msgspec.Struct, frozen=True):
    """An event about a document of `interchange`."""

    interchange: Interchange
    ordinal: int
    publication: Publication


class Said(msgspec.Struct, frozen=True):
    """What there is to say beside a result. `linked`: statuses that waited for the invoice."""

    events: tuple[Event, ...] = ()
    linked: int = 0


def said_of(
    conn: Connection,
    interchange: Interchange,
    subject: Subject,
    judgement: Judgement,
    claim: Claim | None,
    telling: Telling | None,
    now: dt.datetime,
) -> Said:
    """Of a message: what somebody should look at. Of an invoice: the statuses that waited for it.

    Those are linked with it here.
    """
    if telling is not None:
        published = status_messages.events(
            interchange,
            subject.ordinal,
            judgement.flow,
            telling.weighed,
            revision=subject.revision,
            now=now,
        )
        return Said(tuple(Event(interchange, subject.ordinal, each) for each in published))
    if judgement.invoice_number is None or judgement.issue_date is None:
        return Said()
    return _linked(conn, interchange, subject, judgement, claim, now)


def _linked(
    conn: Connection,
    interchange: Interchange,
    subject: Subject,
    judgement: Judgement,
    claim: Claim | None,
    now: dt.datetime,
) -> Said:
    number, issued = judgement.invoice_number or "", judgement.issue_date or ""
    known = {seller_key(judgement.seller_id or "")}
    if claim is not None and claim.invoice is not None:
        known.add(claim.invoice.seller.removeprefix(TEST_KEY))
    sellers = sorted(each for each in known if each is not None)
    if not sellers:
        return Said()
    invoice = Invoice(
        interchange_id=interchange.id,
        ordinal=subject.ordinal,
        partner=interchange.envelope.partner,
        seller=sellers[0],
        buyer=seller_key(judgement.buyer_id or ""),
    )
    events = []
    linked = statuses.link(conn, invoice, sellers, number, issued, now, interchange.environment)
    place = f"{interchange.id}/{subject.ordinal}"
    for each in linked:
        source = records.interchange(conn, each.row.interchange_id or "")
        document = records.document(conn, each.row.interchange_id or "", each.row.ordinal)
        if source is not None and document is not None:
            teller = source.interchange()
            event = status_messages.linked_event(teller, document.flow, each, place, now)
            events.append(Event(teller, each.row.ordinal, event))
    return Said(tuple(events), len(linked))
