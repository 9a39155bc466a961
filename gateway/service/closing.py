"""The end of an interchange: what its documents add up to, and the report that says so.

A report about one document is made in memory. One about an archive of thousands is written to a
file, page by page from the journal, three times through: what the head must know, the technical
errors, the documents. Memory stays what one page needs.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.core.acknowledgement.report import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    ReportTotals,
    ReportWriter,
    build_report,
    document_of,
    report_filename,
)
from gateway.core.naming import interface_code
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.verdict import Judgement, Language, Undetermined, VirusCheck
from gateway.service import consequences, messages, settle
from gateway.service.journal import Journal, records
from gateway.spool import Spool, StoredPayload

PAGE = 50
"""Documents held at once. One with a thousand findings weighs a megabyte."""

_READ_BYTES = 1 << 20


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
    ) -> settle.Closing:
        """End an interchange whose one document has this judgement."""
        judgement = ended.judgement
        state = consequences.ending(
            {ended.state: 1}, unreadable=int(consequences.is_unreadable(judgement))
        )
        report = self._head(interchange, judgement.flow, revision, state, judgement.virus_check)
        body = build_report(
            report,
            [document_of(judgement, ended.subject.ordinal, ended.state)],
            self._language(interchange),
        )
        stored = None
        if len(body) > self._inline_bytes:
            stored = await self._in_thread(self._spool.store, [body])
        return await self._write(
            interchange, state, report, _cause(state, [(ended.state, judgement)]), body, stored
        )

    async def close(self, interchange: Interchange, *, ended: bool = True) -> settle.Closing | None:
        """End an interchange by what the journal says of its documents.

        With `ended` False it goes on, and its partner is told provisionally. None when it is not
        open any more.
        """
        row = await self._journal.read("close", lambda c: records.interchange(c, interchange.id))
        if row is None or row.state != InterchangeState.OPENED:
            return None
        totals = ReportTotals()
        states: dict[DocumentState, int] = {}
        causes: list[tuple[DocumentState, Judgement]] = []
        checks: set[VirusCheck] = set()
        async for page in self._pages(interchange):
            for document, judgement in page:
                totals.add(_reported(document, judgement))
                states[document.state] = states.get(document.state, 0) + 1
                checks.add(judgement.virus_check)
                if not causes or document.state is DocumentState.QUARANTINED:
                    causes = [(document.state, judgement)]
        state = consequences.ending(states, unreadable=totals.unreadable) if ended else None
        report = self._head(
            interchange, row.flow, row.report_revision + 1, state, consequences.checked(checks)
        )
        body, stored = await self._paged_report(interchange, report, totals)
        return await self._write(interchange, state, report, _cause(state, causes), body, stored)

    # ---- the report

    async def _paged_report(
        self, interchange: Interchange, report: InterchangeReport, totals: ReportTotals
    ) -> tuple[bytes, StoredPayload | None]:
        """The report about any number of documents; in the spool if it is too large to hold."""
        path = self._scratch / f"{interchange.id}.report"
        with contextlib.ExitStack() as opened:
            opened.callback(path.unlink, missing_ok=True)
            sink = opened.enter_context(path.open("wb"))
            writer = ReportWriter(report, totals, self._language(interchange), sink)
            for section in (writer.technical_errors, writer.documents):
                async for page in self._pages(interchange):
                    await self._in_thread(section, [_reported(*each) for each in page])
            async for beside in self._attachments(interchange):
                await self._in_thread(writer.attachments, beside)
            await self._in_thread(writer.close)
            sink.flush()
            if path.stat().st_size <= self._inline_bytes:
                return path.read_bytes(), None
            return b"", await self._in_thread(self._spool.store, _chunks(path))

    async def _write(
        self,
        interchange: Interchange,
        state: InterchangeState | None,
        report: InterchangeReport,
        cause: str | None,
        body: bytes,
        stored: StoredPayload | None,
    ) -> settle.Closing:
        now = report.reported_at
        filename = report_filename(interchange.envelope.name, interchange.id, report.revision)
        publication = messages.report_publication(
            interchange,
            body,
            sha256=stored.sha256 if stored else hashlib.sha256(body).hexdigest(),
            filename=filename,
            flow=report.flow,
            revision=report.revision,
            now=now,
        )
        closing = settle.Closing(
            state=state,
            flow=report.flow,
            revision=report.revision,
            report=publication,
            filename=filename,
            stored=stored,
            cause=cause,
        )
        await self._journal.write(
            "close_interchange",
            lambda conn: settle.close_interchange(conn, interchange, closing, now=now),
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


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            yield chunk
