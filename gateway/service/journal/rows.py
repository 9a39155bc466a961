"""What the journal gives back: one frozen struct per table, columns in the order they are read.

Times are aware and in UTC; `ordinal` is a document's number in its interchange, from 1, and 0
where the interchange itself is meant.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from gateway.model.container import Role
from gateway.model.interchange import Envelope, Environment, Interchange, Transport
from gateway.model.lifecycle import DocumentState, InterchangeState, State
from gateway.model.publication import Exchange, Publication
from gateway.service.journal.tables import OutboxState


class Receipt(msgspec.Struct, frozen=True):
    """The interchange that holds a delivery, and the first step of its life.

    `new` is False when it was there before; no step was taken then.
    """

    interchange_id: str
    new: bool
    step: Transition | None = None


class Transition(msgspec.Struct, frozen=True):
    """One step of an interchange (`ordinal` 0) or a document.

    `id` numbers all steps ever taken and is never used twice: it can name the event that tells
    of the step.
    """

    interchange_id: str
    ordinal: int
    old: State | None
    new: State
    at: dt.datetime
    cause: str | None
    id: int


class InterchangeRow(msgspec.Struct, frozen=True):
    """One row of `interchanges`.

    `rules_on`: the day whose rules judge it, where that is not the day of its receipt.
    """

    id: str
    partner: str
    name: str
    transport: str
    interface_code: str | None
    received_at: dt.datetime
    sha256: str
    size: int
    state: InterchangeState
    flow: str | None
    cause: str | None
    documents_total: int
    documents_open: int
    report_revision: int
    updated_at: dt.datetime
    rules_on: dt.date | None = None
    environment: Environment = Environment.PRODUCTION

    def interchange(self) -> Interchange:
        """The value that arrived."""
        return Interchange(
            id=self.id,
            envelope=Envelope(
                partner=self.partner,
                name=self.name,
                transport=Transport(self.transport),
                received_at=self.received_at,
            ),
            sha256=self.sha256,
            size=self.size,
            rules_on=self.rules_on,
            environment=self.environment,
        )


class DocumentRow(msgspec.Struct, frozen=True):
    """One row of `documents`. `judgement`: see `records.load_judgement`.

    `position` is its place in the archive it came out of, from 1; None for a payload that is the
    document itself. `lethal` counts how often it cost the judge that worked on it.
    """

    interchange_id: str
    ordinal: int
    name: str
    sha256: str
    size: int
    state: DocumentState
    flow: str | None
    syntax: str | None
    document_type: str | None
    profile: str | None
    invoice_number: str | None
    issue_date: str | None
    seller_id: str | None
    buyer_id: str | None
    verdict: str | None
    cause: str | None
    attempts: int
    next_attempt_at: dt.datetime | None
    revision: int
    judgement: bytes | None
    position: int | None = None
    lethal: int = 0


class AttachmentRow(msgspec.Struct, frozen=True):
    """One row of `attachments`: a member of an archive that is no document."""

    interchange_id: str
    position: int
    name: str
    role: Role
    size: int
    sha256: str
    beside: str | None


class OutboxRow(msgspec.Struct, frozen=True):
    """One row of `outbox`: a message, where it must go and how often that was tried.

    `payload`: the file for the partner is this one of the spool, not `body`. `refusals`: how
    often its destination, which answered, said no to this very message. `fetched_at`, `expired_at`:
    when its partner read the file in `out/` to its end, and when it was removed from there by age.
    """

    id: int
    message_id: str
    interchange_id: str
    ordinal: int
    kind: str
    destination: str
    partner: str
    filename: str | None
    exchange: str
    routing_key: str
    content_type: str
    type: str
    headers: dict[str, str | int]
    mandatory: bool
    created_at: dt.datetime
    state: OutboxState
    attempts: int
    next_attempt_at: dt.datetime
    delivered_at: dt.datetime | None
    last_error: str | None
    body: bytes
    payload: str | None = None
    refusals: int = 0
    fetched_at: dt.datetime | None = None
    expired_at: dt.datetime | None = None

    def publication(self) -> Publication:
        """The message, the same at every attempt."""
        return Publication(
            message_id=self.message_id,
            exchange=Exchange(self.exchange),
            routing_key=self.routing_key,
            content_type=self.content_type,
            type=self.type,
            correlation_id=self.interchange_id,
            timestamp=self.created_at,
            headers=self.headers,
            body=self.body,
            mandatory=self.mandatory,
        )


class Waiting(msgspec.Struct, frozen=True):
    """What waits in the outbox for one destination."""

    pending: int
    oldest: dt.datetime


class Counts(msgspec.Struct, frozen=True):
    """How much stands where. States and destinations with nothing in them are absent."""

    interchanges: dict[InterchangeState, int]
    documents: dict[DocumentState, int]
    outbox: dict[str, Waiting]
