"""Writes an interchange report piece by piece: memory stays that of one document.

Each piece is built and indented by itself and copied into the stream, so the report of twenty
thousand documents is made like that of one.

Names, numbers and excerpts in it are the partner's own words: whatever they hold, the report is
well-formed XML 1.0 and valid.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

from lxml import etree

from gateway.core.acknowledgement import report_words
from gateway.core.acknowledgement.flux_state import (
    NOTHING_SENT,
    ReportTotals,
    TechnicalError,
    flux_state,
    technical_errors,
)
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    Outcome,
    ReportAttachment,
    ReportDocument,
    clean,
    moment,
)
from gateway.core.acknowledgement.summary_words import interchange_summary
from gateway.model.verdict import Finding, Language, PackReference

NAMESPACE: Final = "urn:edi-gateway:interchange-report:1"

# lxml takes None for the default namespace; its type stubs do not know.
_NSMAP: Final[Any] = {None: NAMESPACE}


class ReportWriter:
    """One report, written to `sink` in the order of its schema.

    The caller goes through the same documents three times, in pages: once for `totals`, which the
    head needs, once for `technical_errors`, once for `documents`; then through what lay beside
    them (`attachments`). `close` ends the report; the sink stays open.
    """

    def __init__(
        self, report: InterchangeReport, totals: ReportTotals, language: Language, sink: BinaryIO
    ) -> None:
        self._report = report
        self._totals = totals
        self._language = language
        self._packs = {pack: f"pack{number}" for number, pack in enumerate(totals.packs, 1)}
        self._section: str | None = None
        self._written = 0
        self._open = contextlib.ExitStack()
        self._in_section = contextlib.ExitStack()
        self._xml: Any = self._open.enter_context(etree.xmlfile(sink, encoding="UTF-8"))
        self._xml.write_declaration()
        self._open.enter_context(
            self._xml.element(_q("InterchangeReport"), language=language.value, nsmap=_NSMAP)
        )
        for element in _head(report, totals, language):
            self._write(element, 1)
        if not totals.documents and not report.provisional:
            self._begin("TechnicalErrors")
            self._write(_technical_error(NOTHING_SENT, language), 2)

    def technical_errors(self, documents: Iterable[ReportDocument]) -> None:
        """List what made these documents unusable, if anything."""
        for document in documents:
            for error in technical_errors(self._totals.as_counted(document), self._report.sha256):
                self._begin("TechnicalErrors")
                self._write(_technical_error(error, self._language), 2)

    def documents(self, documents: Iterable[ReportDocument]) -> None:
        """Write these documents, with their findings."""
        self._begin_documents()
        for document in documents:
            element = _document(self._totals.as_counted(document), self._packs, self._language)
            self._write(element, 2)
            self._written += 1

    def attachments(self, attachments: Iterable[ReportAttachment]) -> None:
        """List what lay beside the documents; after the last of them."""
        for attachment in attachments:
            self._begin_documents()
            self._begin("Attachments")
            self._write(_attachment(attachment, self._language), 2)

    def close(self) -> None:
        """End the report. Raises `ValueError` when it lacks documents its head has counted."""
        self._begin_documents()
        if self._written != self._totals.documents:
            raise ValueError(
                f"{self._totals.documents} documents were counted, {self._written} written"
            )
        self._end_section()
        self._xml.write("\n")
        self._open.close()

    def _begin_documents(self) -> None:
        if self._section in ("Documents", "Attachments"):
            return
        self._end_section()
        if self._packs:
            self._write(_rule_packs(self._packs), 1)
        self._begin("Documents")

    def _begin(self, section: str) -> None:
        if self._section == section:
            return
        self._end_section()
        self._xml.write("\n  ")
        self._in_section.enter_context(self._xml.element(_q(section)))
        self._section = section

    def _end_section(self) -> None:
        if self._section is not None:
            self._xml.write("\n  ")
            self._in_section.close()
            self._section = None

    def _write(self, element: etree._Element, level: int) -> None:
        # Pieces are in no namespace of their own: written inside the root, they are in its
        # default one, and its declaration is not repeated on each.
        etree.indent(element, level=level)
        self._xml.write("\n" + "  " * level)
        self._xml.write(element)


# ---- pieces of the report


def _head(
    report: InterchangeReport, totals: ReportTotals, language: Language
) -> Iterable[etree._Element]:
    provisional = report.provisional or bool(totals.undetermined)
    interchange = etree.Element("Interchange")
    _text(interchange, "Id", report.interchange_id)
    _text(interchange, "Revision", str(report.revision))
    _text(interchange, "Provisional", "true" if provisional else "false")
    _text(interchange, "Partner", report.partner)
    _text(interchange, "Flow", report.flow)
    _text(interchange, "FileName", report.file_name)
    _text(interchange, "InterfaceCode", report.interface_code)
    _text(interchange, "ReceivedAt", moment(report.received_at))
    _text(interchange, "Size", str(report.size))
    _text(interchange, "Sha256", report.sha256)
    _text(interchange, "Antivirus", report.virus_check.value)
    yield interchange

    code, qualification = flux_state(totals, provisional=provisional)
    state = etree.Element("State")
    _text(state, "Code", code.value)
    _text(state, "Date", moment(report.reported_at))
    _text(state, "Qualification", qualification.value if qualification else None)
    yield state

    words = interchange_summary(totals, provisional=provisional, revision=report.revision)
    summary = etree.Element("Summary")
    summary.text = words.to(language)
    yield summary

    counts = etree.Element("Counts", documents=str(totals.documents))
    for outcome in Outcome:
        counts.set(outcome.value, str(totals.outcomes[outcome]))
    yield counts


def _technical_error(error: TechnicalError, language: Language) -> etree._Element:
    element = etree.Element("TechnicalError")
    if error.document is not None:
        element.set("document", str(error.document))
    _text(element, "Code", error.code)
    _text(element, "Nature", error.nature)
    _text(element, "Text", report_words.technical_text(error, language))
    _text(element, "Rule", error.finding.rule if error.finding else None)
    return element


def _rule_packs(packs: dict[PackReference, str]) -> etree._Element:
    listed = etree.Element("RulePacks")
    for reference, key in packs.items():
        pack = etree.SubElement(listed, "RulePack")
        pack.set("id", key)
        pack.set("name", clean(reference.pack))
        pack.set("version", clean(reference.version))
        pack.set("sha256", reference.sha256)
    return listed


def _document(
    document: ReportDocument, packs: dict[PackReference, str], language: Language
) -> etree._Element:
    element = etree.Element("Document")
    element.set("ordinal", str(document.ordinal))
    element.set("verdict", document.outcome.value)
    element.set("state", document.state.value)
    if document.rules:
        element.set("rulePacks", " ".join(packs[reference] for reference in document.rules))
    _text(element, "Name", document.name)
    _text(element, "Number", document.invoice_number)
    _text(element, "IssueDate", document.issue_date)
    _text(element, "SupplierId", document.seller_id)
    _text(element, "RecipientId", document.buyer_id)
    _text(element, "Flow", document.flow)
    _text(element, "Syntax", document.syntax)
    _text(element, "Type", document.document_type)
    _text(element, "Profile", document.profile)
    _text(element, "Size", str(document.size))
    _text(element, "Sha256", document.sha256 or None)
    _text(element, "Text", report_words.document_text(document, language))
    for finding in document.findings:
        _add_finding(element, finding, language)
    return element


def _add_finding(parent: etree._Element, finding: Finding, language: Language) -> None:
    element = etree.SubElement(parent, "Finding")
    element.set("rule", clean(finding.rule))
    element.set("layer", finding.layer.value)
    element.set("severity", finding.severity.value)
    if finding.pack is not None:
        element.set("pack", clean(finding.pack))
    _text(element, "Location", finding.location)
    _text(element, "Line", str(finding.line) if finding.line else None)
    _text(element, "Column", str(finding.column) if finding.column else None)
    _text(element, "Excerpt", finding.excerpt)
    for term in finding.terms:
        _text(element, "Term", term)
    _text(element, "Message", finding.message)
    for tag, words in (("Explanation", finding.explanation), ("Remedy", finding.remedy)):
        _text(element, tag, words.to(language) if words else None)


def _attachment(attachment: ReportAttachment, language: Language) -> etree._Element:
    element = etree.Element("Attachment", role=attachment.role.value)
    if attachment.beside is not None:
        element.set("beside", clean(attachment.beside))
    _text(element, "Name", attachment.name)
    _text(element, "Size", str(attachment.size))
    _text(element, "Sha256", attachment.sha256 or None)
    _text(element, "Text", report_words.attachment_text(attachment, language))
    return element


def _q(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: etree._Element, name: str, text: str | None) -> None:
    """Add an element with this text; nothing when there is none to tell."""
    if text is not None:
        etree.SubElement(parent, name).text = clean(text)
