"""Long documents: what is wrong with them is found in their beginning, in a bounded time."""

from __future__ import annotations

import itertools

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from gateway.core import beginnings
from gateway.core.beginnings import AFTERWARDS, LONG, faulty_beginning
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import SchemaStore
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Severity

LINES = 1_000
GOOD = ubl_invoice("FA-LONG", lines=LINES).decode()
AMOUNT = '<cbc:LineExtensionAmount currencyID="EUR">'
LAST_LINE = GOOD.rindex("<cac:InvoiceLine>")


def spoilt(old: str, new: str, *, at: int = 0) -> str:
    """The good invoice with the first `old` from there on replaced."""
    place = GOOD.index(old, at)
    return GOOD[:place] + new + GOOD[place + len(old) :]


FAULTY = {
    "everywhere": GOOD.replace(AMOUNT, AMOUNT + "x"),
    "first line": spoilt(AMOUNT, AMOUNT + "x"),
    "last line": spoilt(AMOUNT, AMOUNT + "x", at=LAST_LINE),
    "misspelt": GOOD.replace("cbc:InvoicedQuantity", "cbc:InvoiceQuantity"),
    "missing": spoilt("<cac:Item>", "<!--", at=GOOD.index("<cac:InvoiceLine>")).replace(
        "</cac:Item>", "-->", 1
    ),
    "order": spoilt("<cac:InvoiceLine>", "<cbc:DueDate>2026-05-05</cbc:DueDate><cac:InvoiceLine>"),
    "the very end": GOOD.replace("</Invoice>", "<cbc:ID>1</cbc:ID></Invoice>"),
    "attribute of the root": GOOD.replace("<Invoice ", '<Invoice stray="" ', 1),
    "text of the root": GOOD.replace("<cac:InvoiceLine>", "words<cac:InvoiceLine>", 1),
    "beside a long text": spoilt("<cbc:Note>", "<cbc:Note>" + "&amp;" * 100_000).replace(
        AMOUNT, AMOUNT + "x"
    ),
}


def read(text: str) -> ParsedXml:
    """The document, parsed."""
    found = parse(text.encode(), DocumentLimits())
    assert isinstance(found, ParsedXml)
    return found


@pytest.fixture(scope="module")
def store() -> SchemaStore:
    """The official schemas."""
    return SchemaStore(Catalogue.load())


def schema_of(store: SchemaStore, document: ParsedXml) -> etree.XMLSchema:
    return store.compile("ubl-2.1", document.root.tag)


def told(finding: Finding) -> tuple[object, ...]:
    """What a finding says of its place."""
    return finding.rule, finding.location, finding.line, finding.column, finding.excerpt


@pytest.mark.parametrize("fault", FAULTY)
def test_the_first_cause_is_that_of_the_whole_document(
    store: SchemaStore, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same place, and the same words but for how often the same is wrong elsewhere."""
    document = read(FAULTY[fault])
    assert faulty_beginning(schema_of(store, document), document) is not None
    found = store.validate("ubl-2.1", document)
    monkeypatch.setattr(beginnings, "LONG", 10**9)
    whole = store.validate("ubl-2.1", document)
    causes = [told(finding) for finding in found if finding.rule != "XSD-STOPPED"]
    assert len(causes) >= 1
    assert causes == [told(finding) for finding in whole[: len(causes)]]
    assert (found[-1].rule == "XSD-STOPPED") is (fault not in ("last line", "the very end"))


@pytest.mark.parametrize("fault", ["everywhere", "misspelt"])
def test_the_errors_counted_are_few(store: SchemaStore, fault: str) -> None:
    """libxml2 is not made to list thousands: the time would grow with their square.

    They have one cause, and are one finding.
    """
    document = read(FAULTY[fault])
    rules = [finding.rule for finding in store.validate("ubl-2.1", document)]
    assert rules == ["XSD-INVALID", "XSD-STOPPED"]
    assert 0 < len(schema_of(store, document).error_log) <= AFTERWARDS


def test_what_was_cut_is_not_blamed(store: SchemaStore) -> None:
    """The elements open at the cut lack what follows it; the document does not."""
    document = read(FAULTY["first line"])
    found = store.validate("ubl-2.1", document)
    assert [finding.location for finding in found] == [
        "/Invoice/cac:LegalMonetaryTotal[1]/cbc:LineExtensionAmount[1]",
        None,
    ]
    beginning = faulty_beginning(schema_of(store, document), document)
    assert beginning is not None
    assert f"up to line {beginning.last_line} only" in found[1].message
    assert found[1].severity is Severity.INFO
    assert beginning.last_line == beginning.parsed.data.count(b"\n") + 1
    names = {etree.QName(element).localname for element in beginning.cut}
    assert {"Invoice", "InvoiceLine"} <= names
    assert len(beginning.parsed.data) < len(document.data) / 2


@pytest.mark.parametrize(
    "note",
    ["", "&amp;" * 20_000, "<![CDATA[" + "y>" * 70_000 + "]]>", "<!--" + ">" * 70_000 + "-->"],
)
def test_a_long_document_that_is_valid_is_valid(store: SchemaStore, note: str) -> None:
    """Whatever was left out in passing."""
    document = read(spoilt("<cbc:Note>", f"<cbc:Note>x{note}"))
    assert beginnings.elements_in(document) > LONG
    assert store.validate("ubl-2.1", document) == ()


def test_a_deviation_that_passing_by_does_not_show_is_found(store: SchemaStore) -> None:
    """In an amount as long as what is left out, and behind a text that breaks when it is."""
    amount = spoilt(AMOUNT, AMOUNT + "9" * 70_000 + "x", at=LAST_LINE)
    broken = spoilt("<cbc:Note>", "<cbc:Note><![CDATA[>" + "y" * 70_000 + "]]>")
    broken = broken[: broken.rindex(AMOUNT)] + AMOUNT + "x" + broken[broken.rindex(AMOUNT) :][42:]
    for text in (amount, broken):
        document = read(text)
        found = store.validate("ubl-2.1", document)
        assert [finding.rule for finding in found] == ["XSD-INVALID"]
        assert f"InvoiceLine[{LINES}]" in (found[0].location or "")


def test_short_documents_are_not_looked_at_in_passing(store: SchemaStore) -> None:
    """Their errors are found in time without."""
    document = read(ubl_invoice("FA-SHORT", lines=10).decode().replace(AMOUNT, AMOUNT + "x"))
    assert faulty_beginning(schema_of(store, document), document) is None
    found = store.validate("ubl-2.1", document)
    assert [finding.rule for finding in found] == ["XSD-INVALID"]


def test_the_cut_follows_the_document_wherever_the_first_error_is(store: SchemaStore) -> None:
    """Near every line: the elements of the beginning are those of the whole, one by one."""
    for line in range(1, LINES, 97):
        at = -1
        for _ in range(line):
            at = GOOD.index("<cac:InvoiceLine>", at + 1)
        document = read(spoilt(AMOUNT, AMOUNT + "x", at=at))
        beginning = faulty_beginning(schema_of(store, document), document)
        assert beginning is not None
        pairs = itertools.zip_longest(beginning.parsed.root.iter(), document.root.iter())
        seen = list(itertools.takewhile(lambda pair: pair[0] is not None, pairs))
        assert all(a.tag == b.tag for a, b in seen)
        assert all(beginning.in_full(document, a) is b for a, b in seen[-3:])
        assert len(seen) > AFTERWARDS or len(seen) == beginnings.elements_in(document)
