"""The interchange report as JSON: what its objects hold, made from the facts of the XML one.

Every key is always there; one with nothing to tell is null. Values are those of the XML report,
letter by letter, so that whoever changes from one to the other finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateway.core.acknowledgement import report_words
from gateway.core.acknowledgement.flux_state import (
    FluxState,
    Qualification,
    ReportTotals,
    TechnicalError,
    flux_state,
)
from gateway.core.acknowledgement.refusal_codes import Nature
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    Outcome,
    ReportAttachment,
    ReportDocument,
    moment,
)
from gateway.core.acknowledgement.summary_words import interchange_summary
from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Layer, PackReference, Severity, VirusCheck


class InterchangeSaid(msgspec.Struct, frozen=True, kw_only=True):
    """The file as received. `received_at` is the date of its deposit, in UTC."""

    id: str
    revision: int
    provisional: bool
    partner: str
    flow: str | None
    file_name: str
    interface_code: str | None
    received_at: str
    size: int
    sha256: str
    antivirus: VirusCheck


class StateSaid(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file stands, since when, and whether it could be used."""

    code: FluxState
    date: str
    qualification: Qualification | None


class CountsSaid(msgspec.Struct, frozen=True, kw_only=True):
    """How many documents there are, and what became of them."""

    documents: int
    accepted: int
    rejected: int
    undetermined: int
    discarded: int


class TechnicalErrorSaid(msgspec.Struct, frozen=True, kw_only=True):
    """Why the file, or one of its documents, could not be read or routed.

    `document` is the ordinal of the document, `rule` our finding behind the code.
    """

    document: int | None
    code: str
    nature: Nature
    text: str
    rule: str | None


class RulePackSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A set of rules that judged: enough to repeat the judgement."""

    id: str
    name: str
    version: str
    sha256: str


class FindingSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a check has to say, as in `validate --json`."""

    rule: str
    layer: Layer
    pack: str | None
    severity: Severity
    location: str | None
    line: int | None
    column: int | None
    excerpt: str | None
    terms: tuple[str, ...]
    message: str
    explanation: str | None
    remedy: str | None


class DocumentSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One document: who it is from and for, its verdict, `text` in words, and every finding.

    `rule_packs` are ids of `rule_packs` of the report. `sha256` null: it could not be unpacked.
    """

    ordinal: int
    verdict: Outcome
    state: DocumentState
    rule_packs: tuple[str, ...]
    name: str
    number: str | None
    issue_date: str | None
    supplier_id: str | None
    recipient_id: str | None
    flow: str | None
    syntax: str | None
    type: str | None
    profile: str | None
    size: int
    sha256: str | None
    text: str
    findings: tuple[FindingSaid, ...]


class AttachmentSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A member of an archive that is no document. `beside` names the document it goes with."""

    role: Role
    beside: str | None
    name: str
    size: int
    sha256: str | None
    text: str


class HeadSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the lists. `format` is the namespace of the XML report."""

    format: Literal["urn:edi-gateway:interchange-report:1"]
    language: Language
    interchange: InterchangeSaid
    state: StateSaid
    summary: str
    counts: CountsSaid


class ReportSaid(HeadSaid, frozen=True, kw_only=True):
    """The whole report. It is written piece by piece; this is what the pieces add up to."""

    technical_errors: tuple[TechnicalErrorSaid, ...]
    rule_packs: tuple[RulePackSaid, ...]
    documents: tuple[DocumentSaid, ...]
    attachments: tuple[AttachmentSaid, ...]


def head(report: InterchangeReport, totals: ReportTotals, language: Language) -> HeadSaid:
    """The interchange, its state, and what its documents add up to."""
    provisional = report.provisional or bool(totals.undetermined)
    code, qualification = flux_state(totals, provisional=provisional)
    summary = interchange_summary(totals, provisional=provisional, revision=report.revision)
    return HeadSaid(
        format="urn:edi-gateway:interchange-report:1",
        language=language,
        interchange=InterchangeSaid(
            id=report.interchange_id,
            revision=report.revision,
            provisional=provisional,
            partner=report.partner,
            flow=report.flow,
            file_name=report.file_name,
            interface_code=report.interface_code,
            received_at=moment(report.received_at),
            size=report.size,
            sha256=report.sha256,
            antivirus=report.virus_check,
        ),
        state=StateSaid(code=code, date=moment(report.reported_at), qualification=qualification),
        summary=summary.to(language),
        counts=CountsSaid(
            documents=totals.documents,
            accepted=totals.accepted,
            rejected=totals.rejected,
            undetermined=totals.outcomes[Outcome.UNDETERMINED],
            discarded=totals.discarded,
        ),
    )


def technical_error(error: TechnicalError, language: Language) -> TechnicalErrorSaid:
    """Why a flux or a file could not be used."""
    return TechnicalErrorSaid(
        document=error.document,
        code=error.code,
        nature=error.nature,
        text=report_words.technical_text(error, language),
        rule=error.finding.rule if error.finding else None,
    )


def rule_packs(packs: dict[PackReference, str]) -> Iterable[RulePackSaid]:
    """The rule packs, each under the id that documents name."""
    for reference, key in packs.items():
        yield RulePackSaid(
            id=key, name=reference.pack, version=reference.version, sha256=reference.sha256
        )


def document(
    told: ReportDocument, packs: dict[PackReference, str], language: Language
) -> DocumentSaid:
    """One document with its findings."""
    return DocumentSaid(
        ordinal=told.ordinal,
        verdict=told.outcome,
        state=told.state,
        rule_packs=tuple(packs[reference] for reference in told.rules),
        name=told.name,
        number=told.invoice_number,
        issue_date=told.issue_date,
        supplier_id=told.seller_id,
        recipient_id=told.buyer_id,
        flow=told.flow,
        syntax=told.syntax,
        type=told.document_type,
        profile=told.profile,
        size=told.size,
        sha256=told.sha256 or None,
        text=report_words.document_text(told, language),
        findings=tuple(finding(each, language) for each in told.findings),
    )


def finding(told: Finding, language: Language) -> FindingSaid:
    """One finding in one language. Lines and columns begin at 1: 0 says nothing."""
    return FindingSaid(
        rule=told.rule,
        layer=told.layer,
        pack=told.pack,
        severity=told.severity,
        location=told.location,
        line=told.line or None,
        column=told.column or None,
        excerpt=told.excerpt,
        terms=told.terms,
        message=told.message,
        explanation=told.explanation.to(language) if told.explanation else None,
        remedy=told.remedy.to(language) if told.remedy else None,
    )


def attachment(told: ReportAttachment, language: Language) -> AttachmentSaid:
    """What lay beside the documents."""
    return AttachmentSaid(
        role=told.role,
        beside=told.beside,
        name=told.name,
        size=told.size,
        sha256=told.sha256 or None,
        text=report_words.attachment_text(told, language),
    )
