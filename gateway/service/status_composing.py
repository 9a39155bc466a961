"""Which lifecycle messages a page of judged documents calls for. Pure: rows in, messages out.

    accepted ─▶ 200 deposited      rejected ─▶ 213 with its reasons      refused file ─▶ 501

What was told before is not told again: a message follows only where the status is another one. The
portal is told of each invoice by itself; a partner as its file says. A refused file concerns nobody
but its sender.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.core.acknowledgement.flux_state import TechnicalError
from gateway.core.acknowledgement.report import document_of
from gateway.core.cdar import names
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.sending import ADDRESS_SCHEME, Sending, assembled
from gateway.core.cdar.statuses import INADMISSIBLE, Status
from gateway.core.cdar.values import DocumentStatus, Identifier, Message, Party
from gateway.core.cdar.verdicts import document_status, refused_flux, status_for
from gateway.model.interchange import Interchange, Syntax
from gateway.model.legal import LegalIdentity
from gateway.model.lifecycle import DocumentState
from gateway.model.partner import Partner
from gateway.service.journal.given_records import Given
from gateway.service.journal.judgement_records import load_judgement
from gateway.service.journal.rows import DocumentRow

PARTNER: Final = "partner"
PORTAL: Final = "portal"

_DECIDED: Final = frozenset(
    {DocumentState.ACCEPTED, DocumentState.REJECTED, DocumentState.PUBLISHED}
)
Before = Mapping[tuple[int, str], Given]
"""What was told, by ordinal and recipient."""


class Told(msgspec.Struct, frozen=True):
    """One status of a message, of document `ordinal` as it stands in `row`; the file's has none."""

    given: Given
    status: DocumentStatus
    row: DocumentRow | None = None


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready to be checked. `ordinal`: of its first document."""

    recipient: str
    ordinal: int
    message: Message
    filename: str
    body: bytes
    told: tuple[Told, ...]


class Composer(msgspec.Struct, frozen=True, kw_only=True):
    """What every message about one interchange has in common. `at`: when its report was made."""

    interchange: Interchange
    partner: Partner
    we: LegalIdentity
    at: dt.datetime

    def messages(self, rows: Iterable[DocumentRow], before: Before) -> list[Composed]:
        """The messages about a page of documents."""
        decided = [(row, *said) for row in rows if (said := self._said(row)) is not None]
        composed: list[Composed] = []
        for recipient in self._recipients():
            due: dict[str, tuple[Status, list[Told]]] = {}
            for row, status, told in decided:
                given = _next(before, row.ordinal, recipient, status)
                if given is not None:
                    each = due.setdefault(status.code, (status, []))[1]
                    each.append(Told(given, told, row))
            one_each = recipient == PORTAL or self.partner.acknowledgements.cdar == "single"
            for status, several in due.values():
                groups = [[each] for each in several] if one_each else [several]
                composed += [self._composed(recipient, status, group) for group in groups]
        return composed

    def refusal(self, errors: Sequence[TechnicalError], before: Before) -> list[Composed]:
        """The message about a file that could not be used; none where CDAR knows no reason."""
        name = self.interchange.envelope.name
        told = refused_flux(name, errors, received=self._received, language=self.partner.language)
        given = _next(before, 0, PARTNER, INADMISSIBLE)
        if told is None or given is None or PARTNER not in self._recipients():
            return []
        return [self._composed(PARTNER, INADMISSIBLE, [Told(given, told)])]

    @property
    def _received(self) -> dt.datetime:
        return self.interchange.envelope.received_at

    def _recipients(self) -> tuple[str, ...]:
        wanted = self.partner.acknowledgements
        both = ((PARTNER, wanted.cdar != "off"), (PORTAL, wanted.portal))
        return tuple(name for name, is_wanted in both if is_wanted)

    def _said(self, row: DocumentRow) -> tuple[Status, DocumentStatus] | None:
        """What there is to tell of a document. Lifecycle messages are no invoices: nothing."""
        if row.state not in _DECIDED or row.syntax == Syntax.CDAR or row.judgement is None:
            return None
        document = document_of(load_judgement(row), row.ordinal, row.state)
        status = status_for(document)
        told = document_status(document, received=self._received, language=self.partner.language)
        return None if status is None or told is None else (status, told)

    def _composed(self, recipient: str, status: Status, told: Sequence[Told]) -> Composed:
        first = told[0].given
        to_portal = recipient == PORTAL
        sending = Sending(
            id=names.status_id(
                self.interchange.id, first.ordinal, status, first.times, to_portal=to_portal
            ),
            at=self.at,
            we=self.we,
            recipients=() if to_portal else (self._party(),),
        )
        message = assembled(status, [each.status for each in told], sending)
        return Composed(
            recipient=recipient,
            ordinal=first.ordinal,
            message=message,
            filename=names.file_name(message, self.we),
            body=write(message),
            told=tuple(told),
        )

    def _party(self) -> Party:
        """The partner as a recipient."""
        wanted = self.partner.acknowledgements
        address = Identifier(wanted.address, ADDRESS_SCHEME) if wanted.address else None
        return Party(role=wanted.role, address=address)


def _next(before: Before, ordinal: int, recipient: str, status: Status) -> Given | None:
    """The status as it would be given now; None when it is the one that was given last."""
    last = before.get((ordinal, recipient))
    if last is None:
        return Given(ordinal, recipient, status.code, 1)
    if last.status == status.code:
        return None
    return Given(ordinal, recipient, status.code, last.times + 1)
