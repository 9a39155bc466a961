"""Reports made by hand, for tests of their forms; and the samples as pairs of files.

`python -m tests.reports` writes the pairs of tests/data/reports as the gateway answers now, for
review. The tests never do this: whoever ran it reads `git diff tests/data/reports` and judges
whether every word that changed is right.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli.judging import judged
from gateway.cli.validate_input import LIMITS, Input, inputs
from gateway.config import load_flows
from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    Outcome,
    ReportDocument,
    document_of,
)
from gateway.core.naming import interface_code
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import JudgeJob
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Layer, Severity, Text, verdict_name
from gateway.samples import sample_bytes
from gateway.samples.sendings import batch

SHA = "ab" * 32
"""Of the file sent."""
MEMBER = "ef" * 32
"""Of a document that came out of an archive."""
DATA = Path(__file__).parent / "data" / "reports"
FORMS = (Form.HTML, Form.CSV, Form.JSON)

_STATES = {
    Outcome.ACCEPTED: DocumentState.ACCEPTED,
    Outcome.REJECTED: DocumentState.REJECTED,
    Outcome.UNDETERMINED: DocumentState.QUARANTINED,
    Outcome.DISCARDED: DocumentState.DISCARDED,
}


def finding(rule: str = "BR-CO-15", **known: Any) -> Finding:
    """An error of the rules, or whatever is said instead."""
    facts: dict[str, Any] = {
        "layer": Layer.SCHEMATRON,
        "severity": Severity.ERROR,
        "message": f"[{rule}]-Text of the rule.",
    }
    return Finding(rule=rule, **(facts | known))


def document(
    *findings: Finding, ordinal: int = 1, outcome: Outcome | None = None, **known: Any
) -> ReportDocument:
    """A document out of an archive, rejected when a finding is an error."""
    errors = any(each.severity is Severity.ERROR for each in findings)
    outcome = outcome or (Outcome.REJECTED if errors else Outcome.ACCEPTED)
    facts: dict[str, Any] = {
        "state": _STATES[outcome],
        "name": f"{ordinal}.xml",
        "sha256": MEMBER,
        "size": 15000,
        "invoice_number": f"FA-{ordinal}",
        "seller_id": "000123455",
        "buyer_id": "000471102",
        "issue_date": "2026-03-12",
    }
    return ReportDocument(ordinal=ordinal, outcome=outcome, findings=findings, **(facts | known))


def report(**known: Any) -> InterchangeReport:
    """The interchange they came in."""
    facts: dict[str, Any] = {
        "interchange_id": "0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f11",
        "revision": 1,
        "provisional": False,
        "partner": "demo",
        "flow": "ctc-fr-invoice",
        "file_name": "batch.tar.gz",
        "interface_code": None,
        "received_at": dt.datetime(2026, 3, 12, 10, 0, 5, tzinfo=dt.UTC),
        "sha256": SHA,
        "size": 15000,
        "reported_at": dt.datetime(2026, 3, 12, 10, 0, 7, tzinfo=dt.UTC),
    }
    return InterchangeReport(**(facts | known))


def written(
    form: Form,
    *documents: ReportDocument,
    language: Language = Language.FR,
    **known: Any,
) -> bytes:
    """One form of the report about these documents."""
    return form_of(Forms(report(**known), lambda: [documents], language), form)


def form_of(forms: Forms, form: Form) -> bytes:
    """One form in memory."""
    sink = io.BytesIO()
    forms.write(form, sink)
    return sink.getvalue()


def both(en: str, fr: str | None = None) -> Text:
    """A sentence in both languages."""
    return Text(en=en, fr=en if fr is None else fr)


# ---- pairs


def cases() -> dict[str, bytes]:
    """What is sent, by name: a half-faulty batch, a faulty invoice, two files nobody can read."""
    return {
        "batch.tar.gz": batch(),
        "cii-invoice-faulty.xml": sample_bytes("cii-invoice-faulty.xml"),
        "cut.tar.gz": batch()[:3000],
        "FSO1100A_ABC123_ABC1231100000000000000001.xml": b"",
    }


def pair(name: str, language: Language, form: Form) -> Path:
    """Where the expected report lies."""
    return DATA / f"{name}.{language}.{form}"


def answers(name: str, content: bytes) -> Iterator[tuple[Language, Form, bytes]]:
    """What the gateway says of a file, in both languages and every form that has pairs.

    An archive is compressed by the zlib of this machine: its sum and size are not compared.
    """
    sha256, size = hashlib.sha256(content).hexdigest(), len(content)
    documents = _judged(name, content)
    if name.endswith(".gz"):
        documents = [
            msgspec.structs.replace(each, sha256=SHA, size=15000) if each.sha256 == sha256 else each
            for each in documents
        ]
        sha256, size = SHA, 15000
    head = report(file_name=name, sha256=sha256, size=size, interface_code=interface_code(name))
    for language in Language:
        forms = Forms(head, lambda: [documents], language)
        for form in FORMS:
            yield language, form, form_of(forms, form)


def _judged(name: str, content: bytes) -> list[ReportDocument]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        told = [found for found in inputs(str(file)) if isinstance(found, Input)]
        return list(_documents(told, str(file)))


def _documents(told: Sequence[Input], path: str) -> Iterator[ReportDocument]:
    for ordinal, found in enumerate(told, 1):
        job = JudgeJob(
            path=path,
            name=found.name,
            sha256=found.sha256,
            size=found.size,
            partner=None,
            partner_flows=None,
            on=dt.date(2026, 3, 12),
            archive=found.archive,
            flow="ctc-fr-invoice",
        )
        judgement = judged(_judge(), job, found)
        outcome = Outcome(verdict_name(judgement.verdict))
        assert outcome is not Outcome.UNDETERMINED, judgement
        yield document_of(judgement, ordinal, _STATES[outcome])


@functools.cache
def _judge() -> Judge:
    return Judge(load_flows().values(), Catalogue.load(), LIMITS)


def main() -> int:
    """Write the pairs that are missing or say something else."""
    DATA.mkdir(exist_ok=True)
    for name, content in cases().items():
        for language, form, said in answers(name, content):
            file = pair(name, language, form)
            if not file.exists() or file.read_bytes() != said:
                file.write_bytes(said)
                print(f"{file} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
