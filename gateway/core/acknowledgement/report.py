"""The interchange report: one XML file that tells a partner what became of one file it sent.

Its schema is schemas/interchange-report.xsd. It says what the platforms' own reports say (state
of the flux, technical errors, document errors), and beyond that, for each document, every
finding with its place, an explanation and a remedy, in the partner's language.

This is its front door: what it is made of (`report_facts`), what that adds up to (`flux_state`)
and how it is written (`report_writer`), with the name its file has.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    Outcome,
    ReportAttachment,
    ReportDocument,
    document_of,
)
from gateway.core.acknowledgement.report_writer import NAMESPACE, ReportWriter
from gateway.core.naming import envelope_name
from gateway.model.verdict import Language

__all__ = [
    "MAX_FILENAME",
    "NAMESPACE",
    "InterchangeReport",
    "Outcome",
    "ReportAttachment",
    "ReportDocument",
    "ReportTotals",
    "ReportWriter",
    "build_report",
    "document_of",
    "report_filename",
]

MAX_FILENAME: Final = 120

_EXTENSIONS: Final = (".tar.gz", ".tgz", ".xml", ".zip", ".gz", ".pdf")


def build_report(
    report: InterchangeReport, documents: Sequence[ReportDocument], language: Language
) -> bytes:
    """The report about few documents, in memory: a UTF-8 XML document."""
    totals = ReportTotals()
    for document in documents:
        totals.add(document)
    sink = io.BytesIO()
    writer = ReportWriter(report, totals, language, sink)
    writer.technical_errors(documents)
    writer.documents(documents)
    writer.close()
    return sink.getvalue()


def report_filename(name: str, interchange_id: str, revision: int, form: str = "xml") -> str:
    """What the report about the file `name` is called: safe anywhere, readable, never doubled.

    [A-Za-z0-9._-], at most 120 characters. The platforms answer a flux FSO1100A with CSO1100A:
    so does the report when the file was named their way. `form` is the ending: the forms of one
    report stand beside each other under one name.
    """
    parts = envelope_name(name)
    if parts is not None:
        stem = f"C{parts.interface[1:]}_{parts.application}_{parts.application}{parts.sequence}"
    else:
        stem = _plain(name) or "interchange"
    # The last group of a version 7 UUID is its random part: the first ones are nearly the time.
    unique = re.sub(r"[^A-Za-z0-9]", "", interchange_id)[-12:] or "0"
    tail = f"-{unique}{f'-r{revision}' if revision > 1 else ''}.report.{form}"
    return stem[: MAX_FILENAME - len(tail)].rstrip("._-") + tail


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
