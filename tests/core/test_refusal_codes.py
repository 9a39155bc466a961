"""The platforms' codes for what cannot be used, and the findings they stand for."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.core.acknowledgement.flux_state import (
    FluxState,
    Qualification,
    ReportTotals,
    flux_state,
    technical_errors,
)
from gateway.core.acknowledgement.refusal_codes import EMPTY_FLUX, refusal_codes, refusal_of
from gateway.core.explain import definitions
from gateway.model.verdict import Layer, Severity
from gateway.resources import data_folder
from tests.reports import MEMBER, SHA, document, finding

ABOUT_FILES = (Layer.CONTAINER, Layer.XML, Layer.ROUTING)


def test_the_table_has_the_codes_of_the_report_schema() -> None:
    """No more and no fewer: the XSD lists those of the platforms."""
    schema = etree.parse(str(data_folder("schemas") / "interchange-report.xsd"))
    path = "//*[@name='RefusalCode']//*[local-name()='enumeration']/@value"
    assert sorted(refusal_codes()) == sorted(schema.xpath(path))


def test_every_code_is_reached_by_a_finding_or_says_why_by_none() -> None:
    """What is named exists in findings.toml, and nothing is both reached and unreachable."""
    for code, entry in refusal_codes().items():
        reached = bool(entry.rules or entry.layers)
        assert reached != bool(entry.unreachable), code
        assert [rule for rule in entry.rules if rule not in definitions()] == [], code
        assert entry.in_a_file is None or entry.in_a_file in refusal_codes(), code
    assert EMPTY_FLUX in refusal_codes()


def test_no_finding_and_no_check_has_two_codes() -> None:
    """One fault, one code: which of two it were would depend on the order of the table."""
    rules = [rule for entry in refusal_codes().values() for rule in entry.rules]
    layers = [layer for entry in refusal_codes().values() for layer in entry.layers]
    assert len(rules) == len(set(rules))
    assert sorted(layers) == sorted(ABOUT_FILES)


@pytest.mark.parametrize("member", [False, True])
def test_every_finding_about_a_file_has_a_code_and_those_about_content_none(member: bool) -> None:
    """A finding added to findings.toml is told by a code, without anybody thinking of it."""
    for rule, definition in definitions().items():
        told = refusal_of(finding(rule, layer=definition.layer), member=member)
        assert (told is not None) == (definition.layer in ABOUT_FILES), rule
        if told is not None:
            assert told.code in refusal_codes()


@pytest.mark.parametrize("rule", ["ENVELOPE-REUSED", "PAYLOAD-REPEATED"])
@pytest.mark.parametrize("sha256", [SHA, MEMBER])
def test_what_was_sent_before_refuses_the_flux(rule: str, sha256: str) -> None:
    """IRR_UNCITE is about the file as sent, also when a member of it carries the finding."""
    refused = document(finding(rule, layer=Layer.CONTAINER), sha256=sha256)
    (error,) = technical_errors(refused, SHA)
    assert (error.code, error.nature) == ("IRR_UNCITE", "FLUX")
    totals = ReportTotals()
    totals.add(refused)
    state = flux_state(totals, provisional=False)
    assert state == (FluxState.IN_REJETE, Qualification.QP_IRRECEVABLE)


def test_an_invoice_sent_before_is_an_error_of_that_document_alone() -> None:
    """DOUBLON rejects one invoice; the flux was usable, and its other invoices are integrated."""
    repeated = document(finding("DOUBLON", layer=Layer.BUSINESS))
    assert technical_errors(repeated, SHA) == []
    totals = ReportTotals()
    totals.add(repeated)
    totals.add(document(ordinal=2))
    state = flux_state(totals, provisional=False)
    assert state == (FluxState.IN_INTEGRE_PARTIEL, Qualification.QP_RECEVABLE_AVEC_ERREUR)


def test_a_warning_refuses_nothing() -> None:
    """Only an error makes a file unusable."""
    warned = document(
        finding("PDF-REPAIRED", layer=Layer.CONTAINER, severity=Severity.WARNING),
        finding("BR-1"),
    )
    assert technical_errors(warned, SHA) == []
