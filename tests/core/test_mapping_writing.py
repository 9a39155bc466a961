"""The canonical invoice written as UBL and as CII: valid, and the same when it is read back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from lxml import etree

from gateway.core.mapping.writer import InvoiceWriter
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import ConfigurationError
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.invoice import (
    AdditionalSupportingDocument,
    AttachedDocument,
    DocumentTotals,
    Invoice,
    InvoiceNote,
    canonical_json,
)
from gateway.model.invoice_lines import (
    InvoiceLine,
    LinePrecedingInvoiceReference,
    PriceDetails,
)
from gateway.model.invoice_parties import DeliveryInformation, Payee, Seller
from gateway.model.invoice_types import Identifier
from tests import facturx_documents
from tests.core.mapping_documents import content, document, mapping, read
from tests.core.writing_documents import DOCUMENTS, FRENCH, errors, without, write, writer

BOTH = pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)

_UNSAYABLE = {
    ("factur-x minimum sample", Syntax.UBL): ["BG-25"],
    ("factur-x minimum generated", Syntax.UBL): ["BG-25"],
    ("factur-x basicwl sample", Syntax.UBL): ["BG-25"],
    ("factur-x basicwl generated", Syntax.UBL): ["BG-25"],
    ("pair extended.cii.xml", Syntax.UBL): ["EXT-FR-FE-184"],
}
"""What a document says, or lacks, that the syntax cannot write, or do without."""


@BOTH
@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_reads_back_as_the_same_invoice(name: str, syntax: Syntax) -> None:
    """Every document we have, in both syntaxes; what is not the same was told."""
    received = DOCUMENTS[name]()
    result = read(received)
    written = write(result.invoice, syntax, received)
    told = [term for finding in written.findings for term in finding.terms]
    assert told == _UNSAYABLE.get((name, syntax), [])
    back = read(written.document)
    assert back.findings == ()
    assert back.invoice.source.unmapped == ()
    assert without(content(back), written.findings, "MAP-ADDED") == without(
        content(result), written.findings, "MAP-NO-PLACE"
    )


@BOTH
@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_valid_when_the_document_read_was(name: str, syntax: Syntax) -> None:
    """By the official schema and the rules of EN 16931."""
    received = DOCUMENTS[name]()
    written = write(read(received).invoice, syntax, received)
    if not errors(received):
        assert errors(written.document) == []


@BOTH
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if not name.startswith("pair ")])
def test_it_obeys_the_french_rules_when_the_document_read_did(name: str, syntax: Syntax) -> None:
    """Those of flux 2: they ask for notes, schemes and identifiers that must not move."""
    received = DOCUMENTS[name]()
    if not errors(received, FRENCH):
        written = write(read(received).invoice, syntax, received)
        if not written.findings:
            assert errors(written.document, FRENCH) == []


@pytest.mark.parametrize("source", ["sample", "generated"])
@pytest.mark.parametrize("profile", facturx_documents.PROFILES)
def test_a_profile_of_factur_x_is_kept(profile: str, source: str) -> None:
    """CII written from a document of a profile obeys the schema and rules of that profile."""
    received = facturx_documents.document(profile, source)
    written = write(read(received).invoice, Syntax.CII, received).document
    facturx_documents.schema(profile).assertValid(etree.ElementTree(etree.fromstring(written)))
    rules = facturx_documents.PROFILES[profile].rules
    before = facturx_documents.official(rules, received)
    after = facturx_documents.official(rules, written)
    assert before is not None
    assert after is not None
    assert {rule for rule, _, _ in after} <= {rule for rule, _, _ in before}


@BOTH
def test_writing_what_was_written_gives_the_same_bytes(syntax: Syntax) -> None:
    """There is one way to write an invoice in a syntax."""
    received = document("full.cii.xml")
    once = write(read(received).invoice, syntax, received).document
    assert write(read(once).invoice, syntax, once).document == once


def test_the_files_attached_are_taken_along() -> None:
    """Their bytes are not in the canonical invoice, but in the document it was read from."""
    received = document("full.ubl.xml")
    written = write(read(received).invoice, Syntax.CII, received).document
    held = etree.fromstring(received).find(".//{*}EmbeddedDocumentBinaryObject")
    taken = etree.fromstring(written).find(".//{*}AttachmentBinaryObject")
    assert held is not None
    assert taken is not None
    assert (taken.text or "").split() == (held.text or "").split() != []


@pytest.mark.parametrize(("code", "root"), [("380", "Invoice"), ("381", "CreditNote")])
def test_the_type_decides_what_ubl_calls_it(code: str, root: str) -> None:
    """BR-CL-01 lists the codes of credit notes; amounts keep their sign either way."""
    invoice = msgspec.structs.replace(_sample("full.cii.xml"), invoice_type_code=code)
    written = write(invoice, Syntax.UBL).document
    assert etree.QName(etree.fromstring(written)).localname == root
    assert (
        content(read(written))["document_totals"]
        == content(read(document("full.cii.xml")))["document_totals"]
    )


def _sample(name: str) -> Invoice:
    return read(document(name)).invoice


def _with(**properties: object) -> Invoice:
    """The full invoice with other properties."""
    return msgspec.structs.replace(_sample("full.cii.xml"), **properties)


def _one_line(**prices: str) -> Invoice:
    return _with(invoice_lines=(InvoiceLine(identifier="1", price_details=PriceDetails(**prices)),))


@pytest.mark.parametrize(
    ("syntax", "invoice", "location", "value"),
    [
        (
            Syntax.UBL,
            lambda: _with(invoice_notes=(InvoiceNote(note="#AAI# is how UBL marks a subject"),)),
            "invoice_notes[0].note",
            "#AAI# is how UBL marks a subject",
        ),
        (
            Syntax.UBL,
            lambda: _with(invoice_notes=(InvoiceNote(subject_code="NOTE", note="Text"),)),
            "invoice_notes[0].subject_code",
            "NOTE",
        ),
        (
            Syntax.UBL,
            lambda: _with(
                seller=Seller(name="S", identifiers=(Identifier(value="X", scheme="SEPA"),))
            ),
            "seller.identifiers",
            "X (SEPA)",
        ),
        (
            Syntax.CII,
            lambda: _with(value_added_tax_point_date_code="99", value_added_tax_point_date=None),
            "value_added_tax_point_date_code",
            "99",
        ),
        (
            Syntax.CII,
            lambda: _with(
                delivery_information=DeliveryInformation(actual_delivery_date="2026-01-31+02:00")
            ),
            "delivery_information.actual_delivery_date",
            "+02:00",
        ),
        (
            Syntax.CII,
            lambda: _with(invoice_currency_code="EUR", vat_accounting_currency_code="EUR"),
            "vat_accounting_currency_code",
            "EUR",
        ),
    ],
)
def test_what_a_syntax_cannot_say_is_told(
    syntax: Syntax, invoice: Callable[[], Invoice], location: str, value: str
) -> None:
    """With its place in the canonical invoice, and the value; the rest is written."""
    written = write(invoice(), syntax)
    told = {one.location: one for one in written.findings if one.rule == "MAP-NO-PLACE"}
    assert location in told
    assert f"'{value}'" in told[location].message
    assert read(written.document).invoice.invoice_number == "VEL-2026-0042"


@pytest.mark.parametrize(
    ("syntax", "prices", "added"),
    [
        (
            Syntax.UBL,
            {"item_net_price": "9", "item_gross_price": "9"},
            {"item_price_discount": "0"},
        ),
        (
            Syntax.CII,
            {"item_net_price": "9.00", "item_price_discount": "1.5"},
            {"item_gross_price": "10.50"},
        ),
    ],
)
def test_what_a_schema_demands_beside_is_added_and_told(
    syntax: Syntax, prices: dict[str, str], added: dict[str, str]
) -> None:
    """A gross price without a discount, or the other way round: EN 16931 asks for neither."""
    written = write(_one_line(**prices), syntax)
    ((name, value),) = added.items()
    (told,) = (one for one in written.findings if one.rule == "MAP-ADDED")
    assert told.location == f"invoice_lines[0].price_details.{name}"
    assert value in told.message
    (line,) = read(written.document).invoice.invoice_lines
    assert msgspec.to_builtins(line.price_details) == {**prices, **added}


def test_the_vat_total_ubl_demands_is_the_sum_of_the_breakdown() -> None:
    """BR-CO-14; CII may leave it out where there is no VAT."""
    invoice = _sample("full.cii.xml")
    assert invoice.document_totals is not None
    bare = msgspec.structs.replace(invoice.document_totals, invoice_total_vat_amount=None)
    written = write(msgspec.structs.replace(invoice, document_totals=bare), Syntax.UBL)
    told = [one for one in written.findings if one.rule == "MAP-ADDED"]
    assert [one.terms for one in told] == [("BT-110",)]
    totals = read(written.document).invoice.document_totals
    assert totals == invoice.document_totals


def test_a_due_date_of_a_credit_note_is_written_without_payment_instructions() -> None:
    """UBL has it inside the payment means, whose code it demands: 1, "not defined"."""
    invoice = _with(
        invoice_type_code="381", payment_instructions=None, payment_due_date="2026-05-31"
    )
    written = write(invoice, Syntax.UBL)
    assert ("BT-81",) in [one.terms for one in written.findings if one.rule == "MAP-ADDED"]
    back = read(written.document).invoice
    assert back.payment_due_date == "2026-05-31"
    assert back.payment_instructions is None


def test_a_reference_of_a_line_to_its_own_invoice_is_told() -> None:
    """In UBL that is how a line says its subtype, EXT-FR-FE-163: it would be read as such.

    So would what stands beside it, such as the date: all of the reference has no place.
    """
    reference = LinePrecedingInvoiceReference(reference="VEL-2026-0042")
    invoice = _with(
        invoice_lines=(InvoiceLine(identifier="1", preceding_invoice_references=(reference,)),)
    )
    told = [one for one in write(invoice, Syntax.UBL).findings if one.rule == "MAP-NO-PLACE"]
    assert [(one.terms, one.location) for one in told] == [
        (("EXT-FR-FE-136",), "invoice_lines[0].preceding_invoice_references[0]")
    ]
    assert "MAP-NO-PLACE" not in [one.rule for one in write(invoice, Syntax.CII).findings]


def test_what_nothing_can_stand_in_for_is_told() -> None:
    """The unit of a base quantity that is not given: the document is not valid, and says so."""
    written = write(
        _one_line(item_net_price="1", item_price_base_quantity_unit_of_measure_code="C62"),
        Syntax.UBL,
    )
    told = [one for one in written.findings if one.rule == "MAP-DEMANDED"]
    assert "BT-149" in [term for one in told for term in one.terms]


def test_a_file_that_is_not_at_hand_is_told() -> None:
    """Its name is written, and that its content is missing."""
    invoice = _with(
        additional_supporting_documents=(
            AdditionalSupportingDocument(
                reference="1", attached_document=AttachedDocument(filename="plan.pdf")
            ),
        )
    )
    written = write(invoice, Syntax.CII)
    (told,) = (one for one in written.findings if one.rule == "MAP-NO-CONTENT")
    assert told.location == "additional_supporting_documents[0].attached_document"
    assert "plan.pdf" in told.message
    assert b'filename="plan.pdf"' in written.document


def test_two_totals_in_one_currency_are_written_once() -> None:
    """A VAT total that is the same in both currencies would stand there twice."""
    invoice = _with(
        invoice_currency_code="EUR",
        vat_accounting_currency_code="EUR",
        document_totals=DocumentTotals(
            invoice_total_vat_amount="3.03", invoice_total_vat_amount_in_accounting_currency="3.03"
        ),
    )
    written = write(invoice, Syntax.UBL).document
    assert len(etree.fromstring(written).findall("{*}TaxTotal")) == 1
    totals = read(written).invoice.document_totals
    assert totals is not None
    assert totals.invoice_total_vat_amount == "3.03"


def test_two_totals_in_one_currency_that_differ_are_told() -> None:
    """Only one of them can be read back."""
    invoice = _with(
        invoice_currency_code="EUR",
        vat_accounting_currency_code="EUR",
        document_totals=DocumentTotals(
            invoice_total_vat_amount="3.03", invoice_total_vat_amount_in_accounting_currency="4"
        ),
    )
    told = [one for one in write(invoice, Syntax.UBL).findings if one.rule == "MAP-NO-PLACE"]
    assert ("BT-111",) in [one.terms for one in told]


@pytest.mark.parametrize(
    ("account", "element"),
    [("FR7630006000011234567890189", "IBANID"), ("1234-5678/0100", "ProprietaryID")],
)
def test_cii_calls_an_account_by_what_it_is(account: str, element: str) -> None:
    """BT-84 is an IBAN in SEPA, else the account's own number."""
    invoice = _sample("full.cii.xml")
    instructions = invoice.payment_instructions
    assert instructions is not None
    (transfer, *_) = instructions.credit_transfers
    other = msgspec.structs.replace(transfer, payment_account_identifier=account)
    written = write(
        msgspec.structs.replace(
            invoice,
            payment_instructions=msgspec.structs.replace(instructions, credit_transfers=(other,)),
        ),
        Syntax.CII,
    ).document
    found = etree.fromstring(written).find(
        f".//{{*}}PayeePartyCreditorFinancialAccount/{{*}}{element}"
    )
    assert found is not None
    assert found.text == account


@BOTH
@pytest.mark.parametrize("schemes", [(None, "0009"), ("0009", None), ("0009", None, "0088")])
def test_identifiers_without_a_scheme_come_first(
    schemes: tuple[str | None, ...], syntax: Syntax
) -> None:
    """CII has ID before GlobalID: the list is in that order in both syntaxes, else in its own."""
    held = tuple(Identifier(value=str(n), scheme=one) for n, one in enumerate(schemes))
    written = write(_with(payee=Payee(name="P", identifiers=held)), syntax).document
    payee = read(written).invoice.payee
    assert payee is not None
    assert payee.identifiers == tuple(sorted(held, key=lambda one: one.scheme is not None))
    elements = etree.fromstring(written).xpath("//*[local-name()='GlobalID'][not(@schemeID)]")
    assert elements == []


@BOTH
def test_text_is_written_as_it_was_read(syntax: Syntax) -> None:
    """Markup, quotes, line ends: in elements and in attributes."""
    awkward = "<a href=\"x\">&amp; 'y'\r\n\t]]></a> é\u2028😀"
    invoice = _with(
        payment_terms=awkward,
        payee=Payee(name="P", identifiers=(Identifier(value=awkward, scheme='0"<&>\n9'),)),
    )
    back = read(write(invoice, syntax).document).invoice
    assert back.payment_terms == awkward
    assert back.payee == invoice.payee


@BOTH
def test_nothing_is_kept_from_one_invoice_to_the_next(syntax: Syntax) -> None:
    """A writer is used again and again: what it wrote and found before does not show."""
    full, other = _sample("full.cii.xml"), _sample("credit-note.cii.xml")
    fresh = InvoiceWriter(mapping().table, Catalogue.load())
    first = fresh.write(other, syntax)
    fresh.write(full, syntax)
    assert fresh.write(other, syntax) == first == writer().write(other, syntax)


def test_many_findings_are_bounded() -> None:
    """A hundred are listed, and that there are more."""
    notes = tuple(InvoiceNote(subject_code="NOTE", note=str(n)) for n in range(150))
    findings = write(_with(invoice_notes=notes), Syntax.UBL).findings
    assert len(findings) == 101
    assert findings[-1].rule == "MAP-MORE-UNWRITTEN"


@BOTH
def test_even_an_empty_invoice_is_written(syntax: Syntax) -> None:
    """What the schema demands and the invoice lacks is told; nothing fails."""
    invoice = Invoice(source=_sample("full.cii.xml").source)
    written = write(invoice, syntax)
    back = read(written.document).invoice
    assert canonical_json(msgspec.structs.replace(back, source=invoice.source)) == canonical_json(
        invoice
    )


def test_a_table_that_the_schema_has_no_place_for_is_refused() -> None:
    """Every such entry is listed, in words that name it."""
    table = mapping().table
    terms = {
        **table.terms,
        "BT-10": msgspec.structs.replace(table.terms["BT-10"], ubl="cbc:Nowhere"),
        "BT-20": msgspec.structs.replace(table.terms["BT-20"], ubl="cac:PaymentTerms/cbc:Nix"),
    }
    faulty = InvoiceWriter(msgspec.structs.replace(table, terms=terms), Catalogue.load())
    with pytest.raises(ConfigurationError) as caught:
        faulty.write(_sample("full.cii.xml"), Syntax.UBL)
    assert "BT-10, ubl: the schema knows no cbc:Nowhere in Invoice" in str(caught.value)
    assert "BT-20, ubl: the schema knows no cbc:Nix in cac:PaymentTerms" in str(caught.value)


def test_a_table_without_rules_of_writing_is_refused() -> None:
    """It may be for reading only."""
    table = msgspec.structs.replace(mapping().table, writing={})
    with pytest.raises(ConfigurationError, match=r"cannot write cii documents"):
        InvoiceWriter(table, Catalogue.load()).write(_sample("full.cii.xml"), Syntax.CII)
