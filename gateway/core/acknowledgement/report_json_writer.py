"""Writes the JSON form of an interchange report piece by piece: memory stays that of one document.

It is called as the writer of the XML form is (`report_writer`), and asks for the same passes over
the same pages. Its schema is schemas/interchange-report.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import msgspec

from gateway.core.acknowledgement import report_json
from gateway.core.acknowledgement.flux_state import NOTHING_SENT, ReportTotals, technical_errors
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    clean,
)
from gateway.model.verdict import Language

_LISTS: Final = ("technical_errors", "rule_packs", "documents", "attachments")


class JsonReportWriter:
    """One report, written to `sink`: a head, then its four lists, in this order, also when empty.

    The caller goes through the same documents three times, in pages: once for `totals`, once for
    `technical_errors`, once for `documents`; then through what lay beside them (`attachments`).
    `close` ends the report; the sink stays open.
    """

    def __init__(
        self, report: InterchangeReport, totals: ReportTotals, language: Language, sink: BinaryIO
    ) -> None:
        self._report = report
        self._totals = totals
        self._language = language
        self._sink = sink
        self._packs = {pack: f"pack{number}" for number, pack in enumerate(totals.packs, 1)}
        self._begun = 0
        self._items = 0
        self._written = 0
        head = _formatted(report_json.head(report, totals, language), 0)
        sink.write(head.removesuffix(b"\n}"))
        if not totals.documents and not report.provisional:
            self._item("technical_errors", report_json.technical_error(NOTHING_SENT, language))

    def technical_errors(self, documents: Iterable[ReportDocument]) -> None:
        """List what made these documents unusable, if anything."""
        for document in documents:
            for error in technical_errors(self._totals.as_counted(document), self._report.sha256):
                self._item("technical_errors", report_json.technical_error(error, self._language))

    def documents(self, documents: Iterable[ReportDocument]) -> None:
        """Write these documents, with their findings."""
        self._list_packs()
        for document in documents:
            counted = self._totals.as_counted(document)
            self._item("documents", report_json.document(counted, self._packs, self._language))
            self._written += 1

    def attachments(self, attachments: Iterable[ReportAttachment]) -> None:
        """List what lay beside the documents; after the last of them."""
        self._list_packs()
        for attachment in attachments:
            self._item("attachments", report_json.attachment(attachment, self._language))

    def close(self) -> None:
        """End the report. Raises `ValueError` when it lacks documents its head has counted."""
        if self._written != self._totals.documents:
            raise ValueError(
                f"{self._totals.documents} documents were counted, {self._written} written"
            )
        self._list_packs()
        self._begin(_LISTS[-1])
        self._sink.write(b"]\n}\n" if not self._items else b"\n  ]\n}\n")

    def _list_packs(self) -> None:
        if self._begun >= _LISTS.index("documents"):
            return
        for pack in report_json.rule_packs(self._packs):
            self._item("rule_packs", pack)
        self._begin("rule_packs")

    def _item(self, name: str, said: msgspec.Struct) -> None:
        self._begin(name)
        self._sink.write(b",\n    " if self._items else b"\n    ")
        self._sink.write(_formatted(said, 2))
        self._items += 1

    def _begin(self, name: str) -> None:
        """Begin the list of this name, and before it those that come before and have nothing."""
        while self._begun <= _LISTS.index(name):
            if self._begun:
                self._sink.write(b"\n  ]" if self._items else b"]")
            self._sink.write(f',\n  "{_LISTS[self._begun]}": ['.encode())
            self._begun += 1
            self._items = 0


def _formatted(said: msgspec.Struct, level: int) -> bytes:
    """The object laid out for people, its further lines so many steps to the right."""
    plain = msgspec.json.encode(_cleaned(msgspec.to_builtins(said)))
    # A string has its line breaks escaped, so every one that is there belongs to the layout.
    return msgspec.json.format(plain, indent=2).replace(b"\n", b"\n" + b"  " * level)


def _cleaned(value: Any) -> Any:
    """The value with whatever the XML report cannot hold replaced as it is there."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
