"""Everything there is about one interchange, as files: for an export, or before a purge.

    interchange.json     what arrived, from whom, when; who intervened; whether it was purged
    documents.jsonl      each document with its verdict, every finding and the rules that judged it
    transitions.jsonl    every step with its time and cause: the audit trail
    messages.jsonl       everything that was sent, where to, when it arrived, and its file here
    statuses.jsonl       the lifecycle of its invoices, and what its messages told
    attachments.jsonl    what lay beside the documents of an archive
    original/            the file as it came
    results/             the canonical invoice of each document, or its rejection
    acknowledgements/    reports, lifecycle messages (CDAR), receipts
    files/               what was attached inside invoices, by its SHA-256
    as2/                 each AS2 message: what is known of it, its body, its receipt (MDN)

One row, page or body at a time is in memory, whatever the interchange holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from gateway.service.evidence_folder import EvidenceFolder, Written
from gateway.service.journal import records
from gateway.service.journal.delivery_records import interventions_of
from gateway.service.journal.evidence_records import (
    MessageHead,
    body_of,
    documents_after,
    files_after,
    messages_after,
    steps_after,
)
from gateway.service.journal.given_records import owed_of
from gateway.service.journal.legal_hold_records import legal_hold_on
from gateway.service.journal.purge_records import CLAIM_CHECK, purged_of, version_of
from gateway.service.publications import safe_name
from gateway.spool import Spool

FORMAT: Final = 1
"""Of the folder described above; another number means another shape."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_json = msgspec.json.Encoder(order="deterministic").encode


class _Page(Protocol[T_co]):
    """Reads the next rows of an interchange after a place."""

    def __call__(
        self, conn: sa.Connection, interchange_id: str, /, *, after: int
    ) -> Sequence[T_co]: ...


class Reader:
    """Short reads: a view of the journal that is kept open would stop checkpoints."""

    def __init__(self, conn: sa.Connection) -> None:
        self._conn = conn

    def __call__(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds in what is committed now."""
        try:
            return work(self._conn)
        finally:
            self._conn.rollback()


def folder_of(row: records.InterchangeRow) -> str:
    """Where an interchange lies in an export: by the day it came (UTC)."""
    return f"interchanges/{row.received_at:%Y-%m-%d}/{row.id}"


def write_evidence(read: Reader, spool: Spool, row: records.InterchangeRow, target: Path) -> str:
    """Write the folder `target`; the version of the interchange it shows.

    What was purged is left out, and said. Raises `EvidenceIncomplete`, or `EvidenceFailed`
    when it cannot be written; then `target` is not there.
    """
    version = read(lambda conn: version_of(conn, row.id))
    with EvidenceFolder(target) as folder:
        _Evidence(read, spool, row, folder, version).write()
    return version


class _Evidence:
    def __init__(
        self,
        read: Reader,
        spool: Spool,
        row: records.InterchangeRow,
        folder: EvidenceFolder,
        version: str,
    ) -> None:
        self._read = read
        self._spool = spool
        self._row = row
        self._folder = folder
        self._version = version
        self._purged = read(lambda conn: purged_of(conn, row.id))
        self._known: dict[str, str] = {}
        """Acknowledgements by their sums: the same bytes go to the broker and to the partner."""

    def write(self) -> None:
        """All of it; `interchange.json` last, for it says what the rest is."""
        row, folder = self._row, self._folder
        if self._purged is None:
            folder.copy(f"original/{safe_name(row.name)}", self._spool.path(row.sha256), row.sha256)
        folder.lines("documents.jsonl", self._documents())
        folder.lines("transitions.jsonl", self._pages(steps_after, attrgetter("id")))
        folder.lines("messages.jsonl", self._messages())
        folder.lines("statuses.jsonl", self._statuses())
        folder.lines(
            "attachments.jsonl", self._pages(records.attachments_page, attrgetter("position"))
        )
        folder.lines("files.jsonl", self._files())
        folder.lines("as2.jsonl", self._as2())
        folder.add("interchange.json", _json(self._head()) + b"\n")

    def _head(self) -> dict[str, Any]:
        id_, partner = self._row.id, self._row.partner
        return {
            "format": FORMAT,
            "version": self._version,
            "interchange": self._row,
            "purged": self._purged,
            "legal_hold": self._read(lambda conn: legal_hold_on(conn, id_, partner)),
            "interventions": self._read(lambda conn: interventions_of(conn, id_)),
            "statuses_owed": self._read(lambda conn: owed_of(conn, id_)),
        }

    def _documents(self) -> Iterator[dict[str, Any]]:
        for document in self._pages(documents_after, attrgetter("ordinal")):
            shown = msgspec.to_builtins(msgspec.structs.replace(document, judgement=None))
            if document.judgement is not None:
                shown["judgement"] = records.load_judgement(document)
            yield shown

    def _messages(self) -> Iterator[dict[str, Any]]:
        for head in self._pages(messages_after, attrgetter("id")):
            shown = msgspec.to_builtins(head)
            if self._purged is None:
                if head.kind == "event":
                    shown["event"] = msgspec.Raw(self._read(partial(body_of, id_=head.id)))
                else:
                    shown["file"] = self._body(head)
            yield shown

    def _body(self, head: MessageHead) -> str:
        """Write what a message said; the path of it here."""
        if head.kind == "document":
            path = f"results/{head.ordinal:06}-{head.id}.json"
        else:
            path = f"acknowledgements/{head.id}-{safe_name(head.filename or head.kind)}"
        beside = head.payload or head.headers.get(CLAIM_CHECK)
        if beside is not None:
            sha256 = str(beside)
            if sha256 in self._known:
                return self._known[sha256]
            written = self._folder.copy(path, self._spool.path(sha256), sha256)
        else:
            body = self._read(partial(body_of, id_=head.id))
            known = self._known.get(hashlib.sha256(body).hexdigest())
            if known is not None:
                return known
            written = self._folder.add(path, body)
        if head.kind != "document":
            self._known[written.sha256] = written.path
        return written.path

    def _statuses(self) -> Iterator[object]:
        yield from self._read(lambda conn: records.statuses_about(conn, self._row.id))
        yield from self._read(lambda conn: records.statuses_told_in(conn, self._row.id))

    def _files(self) -> Iterator[dict[str, Any]]:
        there: set[str] = set()
        for file in self._pages(files_after, attrgetter("ordinal")):
            shown = msgspec.to_builtins(file)
            if self._purged is None:
                shown["file"] = path = f"files/{file.sha256}"
                if path not in there:
                    self._folder.copy(path, self._spool.path(file.sha256), file.sha256)
                    there.add(path)
            yield shown

    def _as2(self) -> Iterator[dict[str, Any]]:
        rows = self._read(lambda conn: records.as2_messages_of(conn, self._row.id))
        for number, row in enumerate(rows, 1):
            name = f"as2/{number:02}-{row.direction}"
            shown = msgspec.to_builtins(row)
            if self._purged is None:
                shown["body"] = self._folder.copy(
                    f"{name}.body", self._spool.path(row.raw_sha256), row.raw_sha256
                ).path
                shown["receipt"] = self._receipt(f"{name}.mdn", row)
                if row.certificate is not None:
                    shown["signer"] = self._folder.add(f"{name}.cer", row.certificate).path
            for bytes_ in ("mdn", "certificate"):
                shown.pop(bytes_)
            yield shown

    def _receipt(self, path: str, row: records.As2Row) -> str | None:
        """The receipt as it travelled: its headers, an empty line, its body."""
        if row.mdn is None:
            return None
        head = "".join(f"{name}: {value}\r\n" for name, value in row.mdn.headers)
        written: Written = self._folder.add(path, f"{head}\r\n".encode() + row.mdn.body)
        return written.path

    def _pages(self, page: _Page[T], place: Callable[[T], int]) -> Iterator[T]:
        def following(conn: sa.Connection) -> Sequence[T]:
            return page(conn, self._row.id, after=after)

        after = 0
        while rows := self._read(following):
            yield from rows
            after = place(rows[-1])
