"""One cause, one entry: what findings are counted together, and what is kept of them."""

from __future__ import annotations

import tracemalloc

import pytest

from gateway.core.acknowledgement.page_causes import (
    MAX_CAUSES,
    MAX_LISTED,
    MAX_PLACES,
    Cause,
    Causes,
    told_of_all,
)
from gateway.core.acknowledgement.page_entries import title
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.core.uniqueness import Holder, InvoiceKey, invoice_finding
from gateway.model.verdict import Finding, Language, Layer, Severity
from tests.reports import SHA, both, document, finding


def causes_of(*documents: ReportDocument) -> list[Cause]:
    collected = Causes(SHA, Language.EN)
    for each in documents:
        collected.add(each)
    return collected.of(Severity.ERROR)


def on_line(number: int, **known: object) -> Finding:
    return finding(
        "BR-24",
        location=f"/Invoice/cac:InvoiceLine[{number}]",
        line=number * 10,
        column=3,
        explanation=both(f"The line has no amount. Found: “{number}”."),
        remedy=both(f"Write it (BT-131, line {number * 10})."),
        **known,
    )


def test_one_cause_on_three_thousand_lines_is_one_entry() -> None:
    """With its number and the first places."""
    (cause,) = causes_of(document(*(on_line(n) for n in range(1, 3001))))
    assert (cause.findings, cause.documents) == (3000, 1)
    assert [place.line for place in cause.places] == [10, 20, 30, 40, 50]
    assert told_of_all(cause) == "The line has no amount."
    assert cause.same_remedy


def test_one_cause_in_five_hundred_invoices_is_one_entry() -> None:
    """Each invoice counts once, however often it has it."""
    (cause,) = causes_of(
        *(document(on_line(1), on_line(2), ordinal=n, name=f"{n}.xml") for n in range(1, 501))
    )
    assert (cause.findings, cause.documents) == (1000, 500)
    assert [place.document for place in cause.places] == [
        "1.xml",
        "1.xml",
        "2.xml",
        "2.xml",
        "3.xml",
    ]


def test_the_cause_that_stops_most_comes_first() -> None:
    """Documents count before findings: mending one cause lets so many invoices through."""
    told = causes_of(
        document(*(on_line(n) for n in range(1, 100))),
        document(finding("BR-CO-15"), ordinal=2),
        document(finding("BR-CO-15"), ordinal=3),
        document(finding("BR-1"), ordinal=4),
    )
    assert [cause.rule for cause in told] == ["BR-CO-15", "BR-24", "BR-1"]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        # the same rule of a standard in both syntaxes
        ({"location": "/Invoice"}, {"location": "/rsm:CrossIndustryInvoice"}, True),
        # the schema: the same kind of place, another line, another value
        (
            {"layer": Layer.XSD, "location": "/a/b[1]/c[1]", "message": "'1,0' is no decimal."},
            {"layer": Layer.XSD, "location": "/a/b[7]/c[1]", "message": "'22,50' is no decimal."},
            True,
        ),
        (
            {"layer": Layer.XSD, "location": "/a/b[1]", "message": "'1,0' is no decimal."},
            {"layer": Layer.XSD, "location": "/a/d[1]", "message": "'1,0' is no decimal."},
            False,
        ),
        (
            {"layer": Layer.XSD, "location": "/a/b[1]", "message": "'1,0' is no decimal."},
            {"layer": Layer.XSD, "location": "/a/b[1]", "message": "'x' is unexpected."},
            False,
        ),
        # files: the name is not the cause
        (
            {"layer": Layer.CONTAINER, "message": "The file a.xml is empty."},
            {"layer": Layer.CONTAINER, "message": "The file b.xml is empty."},
            True,
        ),
        (
            {"layer": Layer.ROUTING, "message": "The profile 'a' is not known."},
            {"layer": Layer.ROUTING, "message": "The profile 'b' is not known."},
            False,
        ),
    ],
)
def test_what_counts_as_the_same_cause(
    one: dict[str, object], other: dict[str, object], together: bool
) -> None:
    """A rule of a standard says one thing; the schema says many under one code."""
    told = causes_of(document(finding("R", **one), finding("R", **other)))
    assert len(told) == (1 if together else 2)


def test_invoices_that_were_sent_before_are_one_cause_with_a_name_of_its_own() -> None:
    """A batch packed again has thousands of them, numbered in every way: one entry, all placed."""
    holder = Holder(interchange="1", partner="acme", file="batch.tar.gz", document="a.xml")
    repeated = [
        invoice_finding(
            InvoiceKey(f"siren:{n:09}", number, 2026),
            holder,
            partner="acme",
            severity=Severity.ERROR,
        )
        for n, number in enumerate(("FA-1", "AV/2026-7", "2026/TC/0942"))
    ]
    (cause,) = causes_of(*(document(each, ordinal=n) for n, each in enumerate(repeated, 1)))
    assert (cause.findings, cause.documents) == (3, 3)
    assert cause.same_remedy
    for number, place in zip(("FA-1", "AV/2026-7", "2026/TC/0942"), cause.places, strict=True):
        assert number in place.explanation
    assert title(cause, Language.EN) == "Invoice received before"


def test_an_explanation_without_a_sentence_in_common_is_told_at_each_place() -> None:
    """Half a sentence would say nothing."""
    told = causes_of(
        document(
            finding(explanation=both("BT-112 is 10.00, but 9.00.")),
            finding(explanation=both("BT-112 is 12.00, but 9.00.")),
        )
    )
    assert told_of_all(told[0]) == ""


def test_remedies_that_differ_are_not_told_as_one() -> None:
    """A line number is no difference, anything else is."""
    (cause,) = causes_of(
        document(finding(remedy=both("Write 10.00.")), finding(remedy=both("Write 12.00.")))
    )
    assert not cause.same_remedy


def test_what_was_found_in_a_document_set_aside_stops_nothing_any_more() -> None:
    """The operator's word stands above it."""
    assert causes_of(document(finding(), outcome=Outcome.DISCARDED)) == []


def test_a_cause_in_the_file_itself_has_the_code_of_the_platforms() -> None:
    """As in the technical errors of the report."""
    empty = finding("XML-EMPTY", layer=Layer.XML)
    (member,) = causes_of(document(empty))
    (flux,) = causes_of(document(empty, sha256=SHA))
    assert member.refusal is not None
    assert flux.refusal is not None
    assert (member.refusal.code, flux.refusal.code) == ("IRR_VIDE_F", "IRR_VIDE")
    (content,) = causes_of(document(finding()))
    assert content.refusal is None


def test_remarks_take_no_room_from_errors() -> None:
    """However many different remarks come first, the errors are told."""
    remarks = [finding(f"I-{n}", severity=Severity.INFO) for n in range(MAX_CAUSES + 50)]
    collected = Causes(SHA, Language.EN)
    collected.add(document(*remarks, finding("BR-1")))
    assert [cause.rule for cause in collected.of(Severity.ERROR)] == ["BR-1"]
    assert len(collected.of(Severity.INFO)) == MAX_CAUSES
    assert collected.left_out == {Severity.ERROR: 0, Severity.WARNING: 0, Severity.INFO: 50}


def test_what_is_kept_is_bounded_and_the_rest_is_counted() -> None:
    """A file made to have as many causes as findings, all of them as long as can be."""
    tracemalloc.start()
    try:
        collected = Causes(SHA, Language.EN)
        for ordinal in range(1, 3001):
            rules = (
                finding(
                    f"R-{ordinal}-{n}",
                    message="m" * 5000,
                    location="/x" * 5000,
                    excerpt="<" * 5000,
                    explanation=both("e" * 5000),
                    remedy=both("r" * 5000),
                )
                for n in range(2)
            )
            collected.add(document(*rules, ordinal=ordinal, name="n" * 5000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    told = collected.of(Severity.ERROR)
    assert len(told) == MAX_CAUSES
    assert sum(cause.findings for cause in told) + collected.left_out[Severity.ERROR] == 6000
    assert len(collected.listed[Outcome.REJECTED]) == MAX_LISTED[Outcome.REJECTED]
    assert all(len(cause.places) <= MAX_PLACES for cause in told)
    assert peak < 10_000_000
