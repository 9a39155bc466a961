"""Reports made by hand, for tests of their forms. Those of the samples: tests/report_pairs.py."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    Outcome,
    ReportDocument,
)
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Layer, Severity, Text

SHA = "ab" * 32
"""Of the file sent."""
MEMBER = "ef" * 32
"""Of a document that came out of an archive."""

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
