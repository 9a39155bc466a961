"""The interchange report: one XML file that tells a partner what became of one file it sent.

Its schema is schemas/interchange-report.xsd. It says what the platforms' own reports say (state
of the flux, technical errors, document errors), and beyond that, for each document, every
finding with its place, an explanation and a remedy, in the partner's language.

Names, numbers and excerpts in it are the partner's own words: whatever they hold, the report is
well-formed XML 1.0 and valid.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter
from typing import Any, Final

import msgspec
from lxml import etree

from gateway.core.acknowledgement import report_words
from gateway.core.acknowledgement.flux_state import (
    EMPTY_FLUX,
    Outcome,
    ReportDocument,
    flux_state,
    technical_errors,
)
from gateway.core.naming import envelope_name
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Judgement, Language, PackReference, verdict_name

NAMESPACE: Final = "urn:edi-gateway:interchange-report:1"

MAX_FILENAME: Final = 120

# lxml takes None for the default namespace; its type stubs do not know.
_NSMAP: Final[Any] = {None: NAMESPACE}

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the production Char of XML 1.0 (§2.2)."""

_EXTENSIONS: Final = (".tar.gz", ".tgz", ".xml", ".zip", ".gz", ".pdf")


class InterchangeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is made of. Times carry a time zone.

    `revision` counts the reports about one interchange, from 1: each replaces those before it.
    """

    interchange_id: str
    revision: int
    provisional: bool
    partner: str
    flow: str | None
    file_name: str
    interface_code: str | None
    received_at: dt.datetime
    sha256: str
    size: int
    reported_at: dt.datetime
    documents: tuple[ReportDocument, ...]


def document_of(judgement: Judgement, ordinal: int, state: DocumentState) -> ReportDocument:
    """The document as its report shows it. `ordinal` counts from 1."""
    return ReportDocument(
        ordinal=ordinal,
        state=state,
        outcome=Outcome(verdict_name(judgement.verdict)),
        name=judgement.document,
        sha256=judgement.sha256,
        size=judgement.size,
        flow=judgement.flow,
        syntax=judgement.syntax,
        document_type=judgement.document_type,
        profile=judgement.profile,
        invoice_number=judgement.invoice_number,
        issue_date=judgement.issue_date,
        seller_id=judgement.seller_id,
        buyer_id=judgement.buyer_id,
        rules=judgement.rules,
        findings=judgement.findings,
    )


def build_report(report: InterchangeReport, language: Language) -> bytes:
    """The report as a UTF-8 XML document. The time it takes grows linearly with its content."""
    documents = report.documents
    held = any(document.outcome is Outcome.UNDETERMINED for document in documents)
    provisional = report.provisional or held
    root = etree.Element(_q("InterchangeReport"), nsmap=_NSMAP)
    root.set("language", language.value)

    interchange = _add(root, "Interchange")
    _text(interchange, "Id", report.interchange_id)
    _text(interchange, "Revision", str(report.revision))
    _text(interchange, "Provisional", "true" if provisional else "false")
    _text(interchange, "Partner", report.partner)
    _text(interchange, "Flow", report.flow)
    _text(interchange, "FileName", report.file_name)
    _text(interchange, "InterfaceCode", report.interface_code)
    _text(interchange, "ReceivedAt", _moment(report.received_at))
    _text(interchange, "Size", str(report.size))
    _text(interchange, "Sha256", report.sha256)

    state, qualification = flux_state(documents, provisional=report.provisional)
    current = _add(root, "State")
    _text(current, "Code", state.value)
    _text(current, "Date", _moment(report.reported_at))
    _text(current, "Qualification", qualification.value if qualification else None)

    words = report_words.interchange_summary(documents, provisional=report.provisional)
    _text(root, "Summary", words.to(language))
    outcomes = Counter(document.outcome for document in documents)
    counts = _add(root, "Counts")
    counts.set("documents", str(len(documents)))
    for outcome in Outcome:
        counts.set(outcome.value, str(outcomes[outcome]))

    _add_technical_errors(root, report, language)
    packs = {reference: None for document in documents for reference in document.rules}
    keys = {reference: f"pack{number}" for number, reference in enumerate(packs, 1)}
    if keys:
        listed = _add(root, "RulePacks")
        for reference, key in keys.items():
            pack = _add(listed, "RulePack")
            pack.set("id", key)
            pack.set("name", clean(reference.pack))
            pack.set("version", clean(reference.version))
            pack.set("sha256", reference.sha256)
    all_documents = _add(root, "Documents")
    for document in documents:
        _add_document(all_documents, document, keys, language)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def report_filename(name: str, interchange_id: str, revision: int) -> str:
    """What the report about the file `name` is called: safe anywhere, readable, never doubled.

    [A-Za-z0-9._-], at most 120 characters. The platforms answer a flux FSO1100A with CSO1100A:
    so does the report when the file was named their way.
    """
    parts = envelope_name(name)
    if parts is not None:
        stem = f"C{parts.interface[1:]}_{parts.application}_{parts.application}{parts.sequence}"
    else:
        stem = _plain(name) or "interchange"
    # The last group of a version 7 UUID is its random part: the first ones are nearly the time.
    unique = re.sub(r"[^A-Za-z0-9]", "", interchange_id)[-12:] or "0"
    tail = f"-{unique}{f'-r{revision}' if revision > 1 else ''}.report.xml"
    return stem[: MAX_FILENAME - len(tail)].rstrip("._-") + tail


def clean(text: str) -> str:
    """`text` with whatever XML 1.0 cannot hold replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)


# ---- parts of the document


def _add_technical_errors(
    root: etree._Element, report: InterchangeReport, language: Language
) -> None:
    errors = technical_errors(report.documents)
    if not errors and (report.documents or report.provisional):
        return
    listed = _add(root, "TechnicalErrors")
    if not report.documents:
        entry = _add(listed, "TechnicalError")
        _text(entry, "Code", EMPTY_FLUX)
        _text(entry, "Nature", "FLUX")
        _text(entry, "Text", "Aucun document." if language is Language.FR else "No document.")
    for error in errors:
        entry = _add(listed, "TechnicalError")
        entry.set("document", str(error.document))
        _text(entry, "Code", error.code)
        _text(entry, "Nature", error.nature)
        said = error.finding.explanation
        _text(entry, "Text", said.to(language) if said else error.finding.message)
        _text(entry, "Rule", error.finding.rule)


def _add_document(
    parent: etree._Element,
    document: ReportDocument,
    packs: dict[PackReference, str],
    language: Language,
) -> None:
    element = _add(parent, "Document")
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
    _text(element, "Sha256", document.sha256)
    _text(element, "Text", report_words.document_text(document, language))
    for finding in document.findings:
        _add_finding(element, finding, language)


def _add_finding(parent: etree._Element, finding: Finding, language: Language) -> None:
    element = _add(parent, "Finding")
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


def _q(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, _q(name))


def _text(parent: etree._Element, name: str, text: str | None) -> None:
    """Add an element with this text; nothing when there is none to tell."""
    if text is not None:
        etree.SubElement(parent, _q(name)).text = clean(text)


def _moment(time: dt.datetime) -> str:
    """The time as xs:dateTime, in UTC, to the second."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _plain(name: str) -> str:
    """The readable part of a file name, in plain letters: accents dropped, the rest `_`."""
    lowered = name.lower()
    for extension in _EXTENSIONS:
        if lowered.endswith(extension):
            name = name[: -len(extension)]
            break
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", letters)
    return re.sub(r"\.{2,}", ".", plain).strip("._-")
