"""The report about one interchange in all its forms, from pages of its documents.

Whoever has the documents at hand, as a command has, writes a form with one call. The gateway, whose
pages come from the journal one by one, calls the writers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import BinaryIO

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.page import write_page
from gateway.core.acknowledgement.page_causes import Causes
from gateway.core.acknowledgement.report_csv import CsvReportWriter
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
)
from gateway.core.acknowledgement.report_json_writer import JsonReportWriter
from gateway.core.acknowledgement.report_writer import ReportWriter
from gateway.model.verdict import Language

Pages = Callable[[], Iterable[Sequence[ReportDocument]]]
"""Goes through the documents from the first on, so many at a time, each time it is called."""


class Form(StrEnum):
    """A form of the report, by the ending of its file's name."""

    XML = "xml"
    JSON = "json"
    HTML = "html"
    CSV = "csv"


class Forms:
    """Writes any form of one report. What the head of each must know is gathered once."""

    def __init__(
        self,
        report: InterchangeReport,
        pages: Pages,
        language: Language,
        attachments: Sequence[ReportAttachment] = (),
    ) -> None:
        self._report = report
        self._pages = pages
        self._language = language
        self._attachments = attachments
        self.totals = ReportTotals()
        self._causes = Causes(report.sha256, language)
        for page in pages():
            for document in page:
                self.totals.add(document)
                self._causes.add(document)

    def write(self, form: Form, sink: BinaryIO) -> None:
        """Write one form; the sink stays open. The same facts give the same bytes."""
        match form:
            case Form.XML:
                self._write_whole(ReportWriter(self._report, self.totals, self._language, sink))
            case Form.JSON:
                self._write_whole(JsonReportWriter(self._report, self.totals, self._language, sink))
            case Form.HTML:
                write_page(self._report, self.totals, self._causes, self._language, sink)
            case Form.CSV:
                table = CsvReportWriter(self.totals, self._language, sink)
                for page in self._pages():
                    table.documents(page)
                table.close()

    def _write_whole(self, writer: ReportWriter | JsonReportWriter) -> None:
        for page in self._pages():
            writer.technical_errors(page)
        for page in self._pages():
            writer.documents(page)
        writer.attachments(self._attachments)
        writer.close()
