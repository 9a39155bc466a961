"""The canonical invoice as a value and as JSON."""

from __future__ import annotations

import msgspec
import pytest

from gateway.model.invoice import Invoice, Source, canonical_json
from gateway.model.invoice_parties import Seller, SellerPostalAddress
from gateway.model.invoice_types import Identifier

SOURCE = Source(syntax="ubl", root="Invoice", namespace="urn:x")


def test_what_is_absent_is_left_out() -> None:
    """No null, no empty list: a consumer sees what the document says, and that this is all."""
    invoice = Invoice(invoice_number="F-1", seller=Seller(name="A", identifiers=()), source=SOURCE)
    assert msgspec.json.decode(canonical_json(invoice)) == {
        "invoice_number": "F-1",
        "seller": {"name": "A"},
        "source": {
            "syntax": "ubl",
            "root": "Invoice",
            "namespace": "urn:x",
            "unmapped": [],
            "unmapped_total": 0,
            "derived": [],
            "derived_total": 0,
        },
    }


def test_json_is_utf_8_and_the_same_every_time() -> None:
    """Consumers compare and sign bytes: key order follows the model, letters are not escaped."""
    seller = Seller(
        identifiers=(Identifier(value="1", scheme="0009"),),
        name="Éclair",
        postal_address=SellerPostalAddress(country_code="FR"),
    )
    body = canonical_json(Invoice(source=SOURCE, seller=seller, invoice_number="F-1"))
    assert (
        body
        == (
            '{"invoice_number":"F-1","seller":{"name":"Éclair","identifiers":[{"value":"1",'
            '"scheme":"0009"}],"postal_address":{"country_code":"FR"}},"source":{"syntax":"ubl",'
            '"root":"Invoice","namespace":"urn:x","unmapped":[],"unmapped_total":0,'
            '"derived":[],"derived_total":0}}'
        ).encode()
    )


def test_the_json_reads_back_into_the_same_invoice() -> None:
    """Nothing is lost on the way to a consumer and back."""
    invoice = Invoice(invoice_number="F-1", seller=Seller(vat_identifier="FR1"), source=SOURCE)
    assert msgspec.json.decode(canonical_json(invoice), type=Invoice) == invoice


@pytest.mark.parametrize("amount", ["1,5", "1e3", "NaN", "", " 1"])
def test_an_amount_is_a_decimal_number(amount: str) -> None:
    """JSON with anything else in an amount is not a canonical invoice."""
    source = msgspec.to_builtins(SOURCE)
    body = msgspec.json.encode({"source": source, "document_totals": {"paid_amount": amount}})
    with pytest.raises(msgspec.ValidationError, match="paid_amount"):
        msgspec.json.decode(body, type=Invoice)
