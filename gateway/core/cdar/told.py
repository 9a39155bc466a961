"""What a lifecycle message that came in tells: one status after the other, each of one invoice.

    ParsedXml ─ message_reader ─▶ Message ─ here ─▶ ToldMessage ─▶ JSON: journal, RabbitMQ

A value that cannot be read is an error, and so is one that says which invoice is meant and is not
there: neither schema nor official rules ask for all of these. One that is said twice is remarked
on, and the first counts. What has no place here is counted. Attached files are named with their
size; their bytes stay in the message, in the spool.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from gateway.core.cdar.message_reader import MessageRead, Unread, Why, read_parsed
from gateway.core.cdar.statuses import STATUSES
from gateway.core.cdar.values import (
    Acknowledgement,
    Detail,
    DocumentStatus,
    Identifier,
    Message,
    Party,
)
from gateway.core.explain import own_finding
from gateway.core.xml import ParsedXml
from gateway.model.verdict import Finding

MAX_STATUSES: Final = 5000
"""Of one message: they are written in one transaction, for which everybody else waits."""


class ToldFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with a status (MDT-96); `size` in bytes."""

    filename: str | None
    mime_code: str | None
    size: int


class ToldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One status of one invoice; of 500 and 501, `number` is the name of a file.

    `number` (MDT-87), `issued` (MDG-35), `seller` (MDT-129) and `type_code` (MDT-91) say which
    invoice; `status` is 200 … 501 (MDT-105), `name` its words (MDT-106), `phase` 305 or 23
    (MDT-77), `said_at` when it was given (MDT-78, else MDT-8): without zone, as messages have none.
    """

    number: str | None
    issued: dt.date | None
    type_code: str | None
    seller: Identifier | None
    status: str
    name: str | None
    phase: str | None
    said_at: dt.datetime | None
    details: tuple[Detail, ...] = ()
    files: tuple[ToldFile, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of its reasons (MDT-113)."""
        return tuple(each.reason for each in self.details if each.reason is not None)

    @property
    def of_flux(self) -> bool:
        """Whether it is about a file rather than an invoice."""
        known = STATUSES.get(self.status)
        return known is not None and known.of_flux


class ToldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message and what it tells; the other fields are those of `values.Message`."""

    id: str
    name: str | None
    process: str | None
    guideline: str | None
    issued: dt.datetime | None
    sender: Party | None
    issuer: Party | None
    recipients: tuple[Party, ...]
    statuses: tuple[ToldStatus, ...]


class Told(msgspec.Struct, frozen=True):
    """What came of reading a message. `left`: how many of its values have no place."""

    message: ToldMessage
    findings: tuple[Finding, ...]
    left: int


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(ToldMessage).decode


def tell(parsed: ParsedXml) -> Told | Finding:
    """What the message tells, with what is to be said of it; or the finding that it is none."""
    read = read_parsed(parsed)
    if isinstance(read, Finding):
        return read
    message = _told(read.message)
    findings = [*_objections(read), *_nameless(message)]
    if len(message.statuses) > MAX_STATUSES:
        count = len(message.statuses)
        findings.append(own_finding("MAP-STATUS-MANY", count=count, limit=MAX_STATUSES))
    left = sum(each.why is Why.UNKNOWN for each in read.unread)
    return Told(message, tuple(findings), left)


def _told(message: Message) -> ToldMessage:
    return ToldMessage(
        id=message.id or "",
        name=message.name,
        process=message.process,
        guideline=message.guideline,
        issued=message.issued,
        sender=message.sender,
        issuer=message.issuer,
        recipients=message.recipients,
        statuses=tuple(
            _status(document, group, message)
            for group in message.acknowledgements
            for document in group.documents
        ),
    )


def _status(document: DocumentStatus, group: Acknowledgement, message: Message) -> ToldStatus:
    issuer = document.issuer
    return ToldStatus(
        number=document.number,
        issued=document.issued,
        type_code=document.type_code,
        seller=issuer.ids[0] if issuer is not None and issuer.ids else None,
        status=document.status or "",
        name=document.status_text,
        phase=group.type_code,
        said_at=group.issued or message.issued,
        details=document.details,
        files=tuple(
            ToldFile(filename=file.filename, mime_code=file.mime_code, size=len(file.content))
            for file in document.attachments
        ),
    )


def _nameless(message: ToldMessage) -> list[Finding]:
    """Statuses of nobody knows what: schema and official rules let a missing number pass."""
    missing: dict[str, list[str]] = {}
    for count, told in enumerate(message.statuses, start=1):
        needed: dict[str, object] = {"MDT-105": told.status, "MDT-87": told.number}
        if not told.of_flux:
            needed |= {"MDG-35": told.issued, "MDT-129": told.seller}
        for name, value in needed.items():
            if not value:
                missing.setdefault(name, []).append(str(count))
    if not message.id:
        missing["MDT-4"] = ["—"]
    return [
        own_finding("MAP-STATUS-MISSING", what=name, statuses=counted)
        for name, counted in missing.items()
    ]


_RULES: Final = {Why.UNREADABLE: "MAP-STATUS-UNREADABLE", Why.REPEATED: "MAP-STATUS-REPEATED"}


def _objections(read: MessageRead) -> list[Finding]:
    return [_finding(each, _RULES[each.why]) for each in read.unread if each.why in _RULES]


def _finding(unread: Unread, rule: str) -> Finding:
    return own_finding(
        rule,
        location=unread.location,
        line=unread.line,
        value=unread.text or "—",
        path=unread.location,
    )
