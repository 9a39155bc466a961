"""The forms of one report, for a partner that wants several: which ones, and how they are made.

A report about one document is made in memory. One about an archive of thousands is written to
files, all its forms at once while pages of documents pass by, so that the journal is read through
no more often than for the XML alone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.page import calls_for_page, write_page
from gateway.core.acknowledgement.page_causes import Causes
from gateway.core.acknowledgement.report import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    ReportTotals,
    ReportWriter,
    report_filename,
)
from gateway.core.acknowledgement.report_csv import CsvReportWriter
from gateway.core.acknowledgement.report_json_writer import JsonReportWriter
from gateway.model.interchange import Interchange, Transport
from gateway.model.partner import Acknowledgements
from gateway.model.verdict import Language
from gateway.service import answering, messages
from gateway.spool import StoredPayload

READ_BYTES: Final = 1 << 20

_WHERE_PEOPLE_LOOK: Final = frozenset(
    {Transport.SFTP, Transport.FOLDER, Transport.HTTPS, Transport.WEB}
)


def forms_wanted(
    wanted: Acknowledgements,
    transport: Transport,
    totals: ReportTotals,
    *,
    provisional: bool,
    had_page: bool,
) -> tuple[Form, ...]:
    """The forms a partner gets, the XML first.

    `had_page`: an earlier report was a page, which this one takes the place of, whatever it says.
    """
    page = {
        "always": True,
        "never": False,
        "refused": calls_for_page(totals, provisional=provisional) or had_page,
    }
    html = page.get(wanted.html, page["refused"] and transport in _WHERE_PEOPLE_LOOK)
    chosen = ((Form.JSON, wanted.json), (Form.HTML, html), (Form.CSV, wanted.csv))
    return (Form.XML, *(form for form, is_wanted in chosen if is_wanted))


class FormFiles:
    """Writes the forms of one report to files in `folder`; used as a context, which removes them.

    The caller goes through the same documents three times, in pages: once for `totals` and
    `causes`, once for `technical_errors`, once for `documents`; then through what lay beside them
    (`attachments`); and `close`s. Then `paths` are whole.
    """

    def __init__(
        self,
        report: InterchangeReport,
        totals: ReportTotals,
        causes: Causes,
        language: Language,
        forms: Sequence[Form],
        folder: Path,
    ) -> None:
        self.paths = {form: folder / f"{report.interchange_id}.report.{form}" for form in forms}
        self._head = report, totals, causes, language
        self._open = contextlib.ExitStack()
        self._sinks: dict[Form, BinaryIO] = {}
        self._whole: list[ReportWriter | JsonReportWriter] = []
        self._table: CsvReportWriter | None = None

    def __enter__(self) -> FormFiles:
        report, totals, _, language = self._head
        with contextlib.ExitStack() as opened:
            for form, path in self.paths.items():
                opened.callback(path.unlink, missing_ok=True)
                self._sinks[form] = sink = opened.enter_context(path.open("wb"))
                match form:
                    case Form.XML:
                        self._whole.append(ReportWriter(report, totals, language, sink))
                    case Form.JSON:
                        self._whole.append(JsonReportWriter(report, totals, language, sink))
                    case Form.CSV:
                        self._table = CsvReportWriter(totals, language, sink)
                    case Form.HTML:  # written at the end, out of `causes`
                        pass
            self._open = opened.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()

    def technical_errors(self, documents: Sequence[ReportDocument]) -> None:
        """List what made these documents unusable, in the forms that have such a list."""
        for writer in self._whole:
            writer.technical_errors(documents)

    def documents(self, documents: Sequence[ReportDocument]) -> None:
        """Write these documents."""
        for writer in self._whole:
            writer.documents(documents)
        if self._table is not None:
            self._table.documents(documents)

    def attachments(self, attachments: Sequence[ReportAttachment]) -> None:
        """List what lay beside the documents; after the last of them."""
        for writer in self._whole:
            writer.attachments(attachments)

    def close(self) -> None:
        """End every form. Raises `ValueError` when one lacks documents that were counted."""
        report, totals, causes, language = self._head
        for writer in self._whole:
            writer.close()
        if self._table is not None:
            self._table.close()
        if (sink := self._sinks.get(Form.HTML)) is not None:
            write_page(report, totals, causes, language, sink)
        for each in self._sinks.values():
            each.flush()


def in_memory(
    report: InterchangeReport,
    document: ReportDocument,
    language: Language,
    forms: Sequence[Form],
) -> dict[Form, bytes]:
    """The forms of a report about one document."""
    made = Forms(report, lambda: [[document]], language)
    bodies = {}
    for form in forms:
        sink = io.BytesIO()
        made.write(form, sink)
        bodies[form] = sink.getvalue()
    return bodies


def form_sent(
    interchange: Interchange,
    report: InterchangeReport,
    form: Form,
    body: bytes,
    stored: StoredPayload | None,
    now: dt.datetime,
) -> answering.FormSent:
    """One form as the outbox takes it; `body` is empty when it is `stored`."""
    filename = report_filename(
        interchange.envelope.name, interchange.id, report.revision, form.value
    )
    publication = messages.report_publication(
        interchange,
        body,
        sha256=stored.sha256 if stored else hashlib.sha256(body).hexdigest(),
        filename=filename,
        flow=report.flow,
        revision=report.revision,
        now=now,
        form=form,
    )
    return answering.FormSent(publication=publication, filename=filename, stored=stored)


def chunks(path: Path) -> Iterator[bytes]:
    """A file's content, piece by piece."""
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            yield chunk
