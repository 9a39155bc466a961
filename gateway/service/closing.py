"""The end of an interchange: what its documents add up to, and the report that says so.

A report about one document is made in memory. One about an archive of thousands is written to
files, page by page from the journal, three times through: what the head must know, the technical
errors, the documents. Memory stays what one page needs, in however many forms the partner wants it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.core.acknowledgement.forms import Form
from gateway.core.acknowledgement.page_causes import Causes
from gateway.core.acknowledgement.report import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    ReportTotals,
    document_of,
)
from gateway.core.naming import interface_code
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Acknowledgements, Partner
from gateway.model.verdict import Judgement, Language, Undetermined, VirusCheck
from gateway.service import answering, consequences
from gateway.service.journal import Journal, records
from gateway.service.report_files import FormFiles, chunks, form_sent, forms_wanted, in_memory
from gateway.spool import Spool, StoredPayload

PAGE = 50
"""Documents held at once. One with a thousand findings weighs a megabyte."""


class Ended(msgspec.Struct, frozen=True):
    """What `Closer` needs of a document that was judged a moment ago."""

    subject: consequences.Subject
    state: DocumentState
    judgement: Judgement


class Closer:
    """Writes the acknowledgement of an interchange, and with it the interchange's end."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        partners: Mapping[str, Partner],
        scratch: Path,
        inline_bytes: int,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._partners = partners
        self._scratch = scratch
        self._inline_bytes = inline_bytes
        self._now = now

    async def close_one(
        self, interchange: Interchange, ended: Ended, *, revision: int
    ) -> answering.Closing:
        """End an interchange whose one document has this judgement."""
        judgement = ended.judgement
        state = consequences.ending(
            {ended.state: 1}, unreadable=int(consequences.is_unreadable(judgement))
        )
        report = self._head(interchange, judgement.flow, revision, state, judgement.virus_check)
        document = document_of(judgement, ended.subject.ordinal, ended.state)
        totals = ReportTotals()
        totals.add(document)
        forms = await self._forms(interchange, report, totals)
        bodies = in_memory(report, document, self._language(interchange), forms)
        reports = [
            await self._sent(interchange, report, form, body) for form, body in bodies.items()
        ]
        cause = _cause(state, [(ended.state, judgement)])
        return await self._write(interchange, state, report, cause, reports)

    async def close(
        self, interchange: Interchange, *, ended: bool = True
    ) -> answering.Closing | None:
        """End an interchange by what the journal says of its documents.

        With `ended` False it goes on, and its partner is told provisionally. None when it is not
        open any more.
        """
        row = await self._journal.read("close", lambda c: records.interchange(c, interchange.id))
        if row is None or row.state != InterchangeState.OPENED:
            return None
        totals = ReportTotals()
        told = Causes(interchange.sha256, self._language(interchange))
        states: dict[DocumentState, int] = {}
        causes: list[tuple[DocumentState, Judgement]] = []
        checks: set[VirusCheck] = set()
        async for page in self._pages(interchange):
            for document, judgement in page:
                reported = _reported(document, judgement)
                totals.add(reported)
                told.add(reported)
                states[document.state] = states.get(document.state, 0) + 1
                checks.add(judgement.virus_check)
                if not causes or document.state is DocumentState.QUARANTINED:
                    causes = [(document.state, judgement)]
        state = consequences.ending(states, unreadable=totals.unreadable) if ended else None
        report = self._head(
            interchange, row.flow, row.report_revision + 1, state, consequences.checked(checks)
        )
        reports = await self._paged_reports(interchange, report, totals, told)
        return await self._write(interchange, state, report, _cause(state, causes), reports)

    # ---- the report

    async def _forms(
        self, interchange: Interchange, report: InterchangeReport, totals: ReportTotals
    ) -> tuple[Form, ...]:
        """The forms its partner gets."""
        had_page = report.revision > 1 and await self._journal.read(
            "had_page", partial(records.has_report_named, id=interchange.id, ending=".html")
        )
        return forms_wanted(
            self._wants(interchange),
            interchange.envelope.transport,
            totals,
            provisional=report.provisional,
            had_page=had_page,
        )

    async def _paged_reports(
        self,
        interchange: Interchange,
        report: InterchangeReport,
        totals: ReportTotals,
        causes: Causes,
    ) -> list[answering.FormSent]:
        """The report about any number of documents; a form in the spool if too large to hold."""
        forms = await self._forms(interchange, report, totals)
        language = self._language(interchange)
        with FormFiles(report, totals, causes, language, forms, self._scratch) as files:
            for section in (files.technical_errors, files.documents):
                async for page in self._pages(interchange):
                    await self._in_thread(section, [_reported(*each) for each in page])
            async for beside in self._attachments(interchange):
                await self._in_thread(files.attachments, beside)
            await self._in_thread(files.close)
            return [
                await self._sent(interchange, report, form, path)
                for form, path in files.paths.items()
            ]

    async def _sent(
        self,
        interchange: Interchange,
        report: InterchangeReport,
        form: Form,
        written: bytes | Path,
    ) -> answering.FormSent:
        """A form that was made, in the spool if it is too large for a row."""
        stored: StoredPayload | None = None
        body = written if isinstance(written, bytes) else b""
        if isinstance(written, Path):
            if written.stat().st_size > self._inline_bytes:
                stored = await self._in_thread(self._spool.store, chunks(written))
            else:
                body = written.read_bytes()
        elif len(body) > self._inline_bytes:
            stored, body = await self._in_thread(self._spool.store, [body]), b""
        return form_sent(interchange, report, form, body, stored, report.reported_at)

    async def _write(
        self,
        interchange: Interchange,
        state: InterchangeState | None,
        report: InterchangeReport,
        cause: str | None,
        reports: list[answering.FormSent],
    ) -> answering.Closing:
        closing = answering.Closing(
            state=state,
            flow=report.flow,
            revision=report.revision,
            reports=tuple(reports),
            cause=cause,
            owes_statuses=self._wants(interchange).statuses,
        )
        await self._journal.write(
            "close_interchange",
            lambda conn: answering.close_interchange(
                conn, interchange, closing, now=report.reported_at
            ),
        )
        return closing

    def _head(
        self,
        interchange: Interchange,
        flow: str | None,
        revision: int,
        state: InterchangeState | None,
        check: VirusCheck,
    ) -> InterchangeReport:
        return InterchangeReport(
            interchange_id=interchange.id,
            revision=revision,
            provisional=state in (None, InterchangeState.QUARANTINED),
            partner=interchange.envelope.partner,
            flow=flow,
            file_name=interchange.envelope.name,
            interface_code=interface_code(interchange.envelope.name),
            received_at=interchange.envelope.received_at,
            sha256=interchange.sha256,
            size=interchange.size,
            reported_at=self._now(),
            virus_check=check,
        )

    def _wants(self, interchange: Interchange) -> Acknowledgements:
        partner = self._partners.get(interchange.envelope.partner)
        return partner.acknowledgements if partner is not None else Acknowledgements()

    def _language(self, interchange: Interchange) -> Language:
        return consequences.language_of(self._partners.get(interchange.envelope.partner))

    # ---- what the journal holds, in pages

    async def _pages(
        self, interchange: Interchange
    ) -> AsyncIterator[list[tuple[records.DocumentRow, Judgement]]]:
        after = 0
        while True:
            rows = await self._journal.read(
                "documents",
                partial(
                    records.documents_page,
                    interchange_id=interchange.id,
                    after=after,
                    limit=PAGE,
                ),
            )
            if rows:
                yield [(row, _judgement(row)) for row in rows]
            if len(rows) < PAGE:
                return
            after = rows[-1].ordinal

    async def _attachments(self, interchange: Interchange) -> AsyncIterator[list[ReportAttachment]]:
        after = 0
        while True:
            rows = await self._journal.read(
                "attachments",
                partial(records.attachments_page, interchange_id=interchange.id, after=after),
            )
            if not rows:
                return
            yield [
                ReportAttachment(
                    name=row.name,
                    role=row.role,
                    size=row.size,
                    sha256=row.sha256,
                    beside=row.beside,
                )
                for row in rows
            ]
            after = rows[-1].position


def _judgement(row: records.DocumentRow) -> Judgement:
    if row.judgement is not None:
        return records.load_judgement(row)
    subject = consequences.Subject(
        ordinal=row.ordinal, name=row.name, sha256=row.sha256, size=row.size
    )
    return consequences.undetermined(subject, Undetermined(cause="It was not judged yet."))


def _reported(row: records.DocumentRow, judgement: Judgement) -> ReportDocument:
    remark = row.cause if row.state is DocumentState.DISCARDED else None
    return document_of(judgement, row.ordinal, row.state, remark=remark)


def _cause(
    state: InterchangeState | None, documents: list[tuple[DocumentState, Judgement]]
) -> str | None:
    """Why an interchange did not simply end well: the first reason, for people."""
    if state is InterchangeState.QUARANTINED:
        for document_state, judgement in documents:
            if document_state is DocumentState.QUARANTINED and isinstance(
                judgement.verdict, Undetermined
            ):
                return judgement.verdict.cause
    if state is InterchangeState.REFUSED:
        return next((f.rule for _, judgement in documents for f in judgement.findings), None)
    return None
