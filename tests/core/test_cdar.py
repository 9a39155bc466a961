"""The French rules of lifecycle messages, on messages of our own."""

from __future__ import annotations

import pytest

from gateway.core.cdar.checking import PACK
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.preparation import rewriting
from gateway.model.verdict import Finding, Severity
from tests.cdar_documents import DAY, check, status


def findings(data: bytes) -> tuple[Finding, ...]:
    """What schema and rules object to; the schema alone when it does."""
    return check().findings(data, DAY)


@pytest.mark.parametrize(
    ("code", "reason", "phase"),
    [
        ("213", "DOUBLON", "305"),
        ("200", None, "305"),
        ("501", "IRR_SYNTAX", "305"),
        ("210", "CALCUL_ERR", "23"),
        ("205", None, "23"),
    ],
)
def test_a_good_message_is_good(code: str, reason: str | None, phase: str) -> None:
    """By its schema and by the French rules: rejected, deposited, refused, approved."""
    assert findings(status(code, reason, phase=phase)) == ()


@pytest.mark.parametrize(
    ("old", "new", "rule", "severity"),
    [
        (b">DOUBLON<", b">CMD_ERR<", "BR-FR-CDV-CL-09_MDT-113_213", Severity.ERROR),
        (b">213<", b">299<", "BR-FR-CDV-CL-06_MDT-105", Severity.WARNING),
        (b">REGULATED<", b">REGULAR<", "BR-FR-CDV-CL-01_MDT-2", Severity.ERROR),
        (b">380<", b">325<", "BR-FR-04_MDT-91", Severity.ERROR),
        (b">WK<", b">SE<", "BR-FR-CDV-CL-02_MDT-21_305", Severity.ERROR),
        (b">NIN<", b">NOTHING<", "BR-FR-CDV-CL-10_MDT-121", Severity.ERROR),
        (b":CDV:invoice<", b":CDV:einvoicingF2<", "BR-FR-CDV-02_MDT-3", Severity.ERROR),
    ],
)
def test_each_fault_is_found_and_explained(
    old: bytes, new: bytes, rule: str, severity: Severity
) -> None:
    """In both languages, in words of our own, with its line."""
    found = {each.rule: each for each in findings(status().replace(old, new, 1))}

    assert rule in found
    told = found[rule]
    assert (told.severity, told.pack) == (severity, PACK)
    assert told.line is not None
    assert told.explanation is not None
    assert told.explanation.en != told.explanation.fr
    assert told.remedy is not None


def test_a_refusal_says_why() -> None:
    """Without a reason, 210 is no answer anybody could act on."""
    assert "BR-FR-CDV-15_MDT-113" in {each.rule for each in findings(status("210", None))}


def test_the_schema_speaks_first() -> None:
    """What is not in its place is not judged by the rules."""
    (found, *_) = findings(status().replace(b"ram:SequenceNumeric", b"ram:Number"))

    assert found.rule == "XSD-INVALID"


def test_the_rules_run_as_shipped() -> None:
    """Their shape is not the known one, so nothing in them is rewritten."""
    check()
    assert "applied out of turn" in rewriting(Catalogue.load().artefact(PACK)).as_shipped
