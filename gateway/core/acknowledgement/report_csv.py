"""The interchange report for spreadsheets: a row for each finding, a line for what has none.

UTF-8 with a byte order mark, which Excel needs to read accents; `;` between cells in French, where
the comma stands in numbers, else `,`; rows end and cells are quoted as RFC 4180 says.

Cells hold words of partners. One that a spreadsheet would take for a formula gets an apostrophe in
front: shown as text, never calculated.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from gateway.core.acknowledgement import page_words, report_words
from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.report_facts import ReportDocument, clean
from gateway.core.terms import term_label
from gateway.model.verdict import Finding, Language, Text

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = {Language.FR: ";", Language.EN: ","}
_FORMULA: Final = re.compile(r"[\t\r\n]|[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that may be calculated. White space before it does not help; the wide forms
of the four signs are the same in some locales."""
_MAX_CELL: Final = 32_000
"""Excel cuts a cell after 32,767 characters, without a word."""

_COLUMNS: Final = (
    Text(en="Document", fr="Document"),
    Text(en="File", fr="Fichier"),
    Text(en="Invoice number", fr="Numéro de facture"),
    Text(en="Issue date", fr="Date d'émission"),
    Text(en="Supplier", fr="Fournisseur"),
    Text(en="Recipient", fr="Destinataire"),
    Text(en="Verdict", fr="Verdict"),
    Text(en="Severity", fr="Gravité"),
    Text(en="Rule", fr="Règle"),
    Text(en="Check", fr="Contrôle"),
    Text(en="Rule pack", fr="Jeu de règles"),
    Text(en="Terms", fr="Termes"),
    Text(en="Line", fr="Ligne"),
    Text(en="Column", fr="Colonne"),
    Text(en="Place", fr="Endroit"),
    Text(en="Excerpt", fr="Extrait"),
    Text(en="Explanation", fr="Explication"),
    Text(en="What to do", fr="Que faire"),
    Text(en="Text of the rule", fr="Texte de la règle"),
)


class CsvReportWriter:
    """One table, written to `sink`. The caller goes once through the documents, in pages.

    A document without findings has one row as well: what became of it stands under Explanation.
    """

    def __init__(self, totals: ReportTotals, language: Language, sink: BinaryIO) -> None:
        self._totals = totals
        self._language = language
        self._sink = sink
        self._written = 0
        sink.write(_BYTE_ORDER_MARK)
        self._write([[column.to(language) for column in _COLUMNS]])

    def documents(self, documents: Iterable[ReportDocument]) -> None:
        """Write the rows of these documents."""
        for document in documents:
            self._write(_rows(self._totals.as_counted(document), self._language))
            self._written += 1

    def close(self) -> None:
        """End the table. Raises `ValueError` when it lacks documents that were counted."""
        if self._written != self._totals.documents:
            raise ValueError(
                f"{self._totals.documents} documents were counted, {self._written} written"
            )

    def _write(self, rows: Iterable[list[str]]) -> None:
        text = io.StringIO(newline="")
        table = csv.writer(text, delimiter=_DELIMITERS[self._language], lineterminator="\r\n")
        table.writerows([_harmless(cell) for cell in row] for row in rows)
        self._sink.write(text.getvalue().encode())


def _rows(document: ReportDocument, language: Language) -> Iterator[list[str]]:
    about = [
        str(document.ordinal),
        document.name,
        document.invoice_number or "",
        document.issue_date or "",
        document.seller_id or "",
        document.buyer_id or "",
        page_words.OUTCOMES[document.outcome].to(language),
    ]
    for finding in document.findings:
        yield about + _finding(finding, language)
    if not document.findings:
        nothing = [""] * (len(_COLUMNS) - len(about))
        nothing[-3] = report_words.document_text(document, language)
        yield about + nothing


def _finding(finding: Finding, language: Language) -> list[str]:
    terms = (f"{term} {term_label(term, language)}" for term in finding.terms)
    return [
        page_words.SEVERITIES[finding.severity].to(language),
        finding.rule,
        page_words.LAYERS[finding.layer].to(language),
        finding.pack or "",
        " | ".join(terms),
        str(finding.line or ""),
        str(finding.column or ""),
        finding.location or "",
        finding.excerpt or "",
        finding.explanation.to(language) if finding.explanation else "",
        finding.remedy.to(language) if finding.remedy else "",
        finding.message,
    ]


def _harmless(cell: str) -> str:
    """The text as a cell: nothing a spreadsheet would calculate, or cut without saying so."""
    text = clean(cell)
    if len(text) > _MAX_CELL:
        text = text[: _MAX_CELL - 1] + "…"
    return f"'{text}" if _FORMULA.match(text) else text
