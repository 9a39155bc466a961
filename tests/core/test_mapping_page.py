"""docs/canonical-invoice.md: as generated, and complete."""

from __future__ import annotations

from pathlib import Path

import gateway
from gateway.core.mapping.page import page
from gateway.core.mapping.schema import SCHEMA_ID
from tests.core.mapping_documents import mapping

ROOT = Path(gateway.__file__).parent.parent
TABLE = mapping().table


def test_the_committed_page_is_what_the_generator_makes() -> None:
    """Nobody edits it by hand: `python -m gateway.core.mapping.page` writes it."""
    assert (ROOT / "docs" / "canonical-invoice.md").read_text("utf-8") == page(TABLE)


def test_every_term_and_group_is_on_the_page_once() -> None:
    """Terms as rows that begin with their id, groups as headings."""
    lines = page(TABLE).splitlines()
    rows = [line.split(" | ")[0].removeprefix("| ").split("<br>")[0] for line in lines]
    headings = [line.split(" ")[1] for line in lines if line.startswith("## ")]
    for key in TABLE.terms:
        assert rows.count(key) == 1, key
    for key in TABLE.groups:
        assert headings.count(key) == 1, key


def test_a_row_tells_where_the_term_stands() -> None:
    """JSON, UBL, credit note where it differs, CII; with the scheme and what is special."""
    text = page(TABLE)
    for row in (
        "| BT-3 | Invoice type code | code | 1..1 | `invoice_type_code` | `cbc:InvoiceTypeCode` | "
        "`cbc:CreditNoteTypeCode` | `rsm:ExchangedDocument/ram:TypeCode` |",
        "| BT-29<br>BT-29-1 | Seller identifier | identifier | 0..n | `seller.identifiers[]` | "
        "`cac:PartyIdentification/cbc:ID[not(@schemeID)]`<br>"
        "`cac:PartyIdentification/cbc:ID[@schemeID!='SEPA']`<br>scheme `@schemeID` |  | "
        "`ram:ID`<br>`ram:GlobalID`<br>scheme `@schemeID` |",
    ):
        assert row in text
    assert "written `5` for `3`, `29` for `35`, `72` for `432`" in text
    assert "UBL 2.1 has no element for it" in text


def test_the_page_names_the_schema_and_every_reason() -> None:
    """The version consumers rely on, and why something is left out."""
    text = page(TABLE)
    assert SCHEMA_ID in text
    for entry in (*TABLE.implied.values(), *TABLE.no_place.values()):
        assert entry.why in text


def test_the_page_can_be_found() -> None:
    """From the first page and from the map of the code."""
    assert "docs/canonical-invoice.md" in (ROOT / "README.md").read_text("utf-8")
    assert "(canonical-invoice.md)" in (ROOT / "docs" / "architecture.md").read_text("utf-8")
