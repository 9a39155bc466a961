"""From what was judged to the status a partner is told: 200 deposited, 213 rejected, 501 refused.

A document that is not decided has no status yet, and one nobody can name (no number, no date, no
seller could be read) cannot have one: the interchange report tells of it. What a rejection says is
bounded: the reasons in the order their first error was found, and of each the first causes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.core.acknowledgement.flux_state import TechnicalError
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.core.cdar.reasons import reasons
from gateway.core.cdar.statuses import DEPOSITED, INADMISSIBLE, REJECTED, Role, Status
from gateway.core.cdar.values import Detail, DocumentStatus, Identifier, Party
from gateway.core.uniqueness import seller_key
from gateway.model.interchange import DocumentType
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Language,
    Rejected,
    Severity,
    Undetermined,
)

MAX_NOTES: Final = 3
"""Causes told for one reason. The others are in the interchange report."""

MAX_NOTE: Final = 500
"""Characters of one note."""

_MORE: Final = {
    Language.EN: "And {count} more: see the report on the file.",
    Language.FR: "Et {count} de plus : voir le compte rendu du fichier.",
}
_LINE: Final = {Language.EN: "line {line}", Language.FR: "ligne {line}"}
_SCHEMES: Final = {"siren": "0002", "vat": "0223"}


class _TypeCode(msgspec.Struct, frozen=True):
    """As much of the canonical invoice as a status repeats beside number, date and seller."""

    invoice_type_code: str | None = None


def status_for(document: Judgement | ReportDocument) -> Status | None:
    """The status that follows from a verdict; None: none does, or not yet."""
    if isinstance(document, ReportDocument):
        outcomes = {Outcome.ACCEPTED: DEPOSITED, Outcome.REJECTED: REJECTED}
        return outcomes.get(document.outcome)
    if document.document_type == DocumentType.STATUS:
        return None  # a status has none of its own
    match document.verdict:
        case Accepted():
            return DEPOSITED
        case Rejected():
            return REJECTED
        case Undetermined():
            return None


def document_status(
    document: Judgement | ReportDocument, *, received: dt.datetime, language: Language
) -> DocumentStatus | None:
    """What a message says of one invoice; `sending.assembled` makes a message of one or several.

    None when nothing follows from its verdict, or when number, date or seller were not read.
    """
    status = status_for(document)
    number = (document.invoice_number or "").strip()
    issued = _day(document.issue_date or "")
    seller = _seller(document.seller_id or "")
    if status is None or not number or issued is None or seller is None:
        return None
    return DocumentStatus(
        number=number,
        type_code=_type_code(document),
        issued=issued,
        received=received,
        issuer=Party(role=Role.SELLER, ids=(seller,)),
        details=_rejection(document.findings, language) if status is REJECTED else (),
    )


def by_status(
    documents: Iterable[Judgement | ReportDocument], *, received: dt.datetime, language: Language
) -> dict[Status, tuple[DocumentStatus, ...]]:
    """All of an interchange that can be told, by the status it has: a grouped message for each."""
    told: dict[Status, list[DocumentStatus]] = {}
    for document in documents:
        status = status_for(document)
        said = document_status(document, received=received, language=language)
        if status is not None and said is not None:
            told.setdefault(status, []).append(said)
    return {status: tuple(each) for status, each in told.items()}


def refused_flux(
    file_name: str,
    errors: Sequence[TechnicalError],
    *,
    received: dt.datetime,
    language: Language,
) -> DocumentStatus | None:
    """What a message says of a file that could not be used (501).

    None when CDAR knows none of its codes: IRR_UNCITE and others are for the report alone.
    """
    causes: dict[str, list[Finding]] = {}
    for error in errors:
        if error.code in INADMISSIBLE.reasons:
            found = causes.setdefault(error.code, [])
            found.extend(filter(None, (error.finding,)))
    if not causes or not file_name:
        return None
    return DocumentStatus(number=file_name, received=received, details=_details(causes, language))


def _rejection(findings: Iterable[Finding], language: Language) -> tuple[Detail, ...]:
    table = reasons()
    causes: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity is Severity.ERROR:
            causes.setdefault(table.code(finding), []).append(finding)
    return _details(causes or {table.fallback: []}, language)


def _details(causes: dict[str, list[Finding]], language: Language) -> tuple[Detail, ...]:
    named = reasons().codes
    return tuple(
        Detail(
            reason=code,
            reason_text=named[code].to(language),
            action=named[code].action,
            notes=tuple(_notes(found, language)),
        )
        for code, found in causes.items()
    )


def _notes(found: Sequence[Finding], language: Language) -> list[str]:
    """One sentence or two for the first finding of each rule."""
    first = {finding.rule: finding for finding in reversed(found)}
    chosen = [finding for finding in found if first[finding.rule] is finding][:MAX_NOTES]
    notes = [_note(finding, language) for finding in chosen]
    more = len(found) - len(chosen)
    return [*notes, _MORE[language].format(count=more)] if more else notes


def _note(finding: Finding, language: Language) -> str:
    line = f" ({_LINE[language].format(line=finding.line)})" if finding.line is not None else ""
    colon = " :" if language is Language.FR else ":"
    said = finding.explanation.to(language) if finding.explanation else finding.message
    remedy = finding.remedy.to(language) if finding.remedy else ""
    text = " ".join(f"{finding.rule}{line}{colon} {said} {remedy}".split())
    return text if len(text) <= MAX_NOTE else text[: MAX_NOTE - 1].rstrip() + "…"


def _seller(text: str) -> Identifier | None:
    key = seller_key(text)
    if key is not None:
        kind, _, value = key.partition(":")
        return Identifier(value, _SCHEMES[kind])
    return Identifier(text.strip()) if text.strip() else None


def _day(text: str) -> dt.date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _type_code(document: Judgement | ReportDocument) -> str | None:
    """BT-3, which only an accepted invoice is known to have."""
    if isinstance(document, Judgement) and isinstance(document.verdict, Accepted):
        return msgspec.json.decode(document.verdict.invoice, type=_TypeCode).invoice_type_code
    return None
