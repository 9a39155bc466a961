"""Invoices by the thousand: valid under the French chain, each different, always the same.

What is in an invoice depends on its number only, so a run can be repeated to the byte. The
default number of lines makes about 15 kB in either syntax (CII needs more bytes for a line).
Amounts are decimals and add up. A fault can be asked for; `EXPECTED_RULE` says who must notice.
"""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from bench.invoice_templates import (
    CII,
    CII_LINE,
    CII_TAX,
    UBL,
    UBL_LINE,
    UBL_TAX,
)

FAULTS: Final = ("total", "note", "schema")

EXPECTED_RULE: Final[dict[tuple[str, str], str]] = {
    ("ubl", "total"): "BR-CO-15",
    ("cii", "total"): "BR-CO-15",
    ("ubl", "note"): "BR-FR-05_BT-22-2",
    ("cii", "note"): "BR-FR-05_BT-22_PMD",
    ("ubl", "schema"): "XSD-INVALID",
    ("cii", "schema"): "XSD-INVALID",
}
"""Syntax and fault → the one finding it makes: a wrong total (BT-112), no note on late payment
(BT-22, subject PMD), an amount that is no number."""

_CENT: Final = Decimal("0.01")
_GOODS: Final = (
    ("Vis à bois 5 × 60, boîte de 200", "20.00"),
    ("Lampe de bureau orientable", "20.00"),
    ("Ramette de papier recyclé 80 g", "20.00"),
    ("Thé vert en vrac, sachet de 100 g", "5.50"),
    ("Manuel d'entretien, édition reliée", "5.50"),
    ("Repas servi au personnel", "10.00"),
    ("Maintenance sur site, heure", "20.00"),
)


class _Line(NamedTuple):
    number: int
    name: str
    quantity: int
    price: Decimal
    total: Decimal
    rate: str


class _Contents(NamedTuple):
    lines: list[_Line]
    taxes: dict[str, tuple[Decimal, Decimal]]
    net: Decimal
    vat: Decimal
    gross: Decimal
    day: int


def ubl_invoice(
    number: str, *, lines: int = 12, fault: str | None = None, credit_note: bool = False
) -> bytes:
    """A UBL 2.1 invoice, or credit note, of that number (BT-1)."""
    contents = _contents(number, lines)
    kind = "CreditNote" if credit_note else "Invoice"
    text = UBL.format(
        kind=kind,
        number=escape(number),
        day=contents.day,
        due="" if credit_note else f"\n  <cbc:DueDate>2026-05-{contents.day:02d}</cbc:DueDate>",
        type="381" if credit_note else "380",
        late_payment=_late_payment(fault, "  <cbc:Note>#PMD#{}</cbc:Note>\n"),
        reference=_UBL_REFERENCE if credit_note else "",
        taxes="".join(
            UBL_TAX.format(base=base, vat=vat, rate=rate)
            for rate, (base, vat) in contents.taxes.items()
        ),
        net=contents.net,
        vat=contents.vat,
        gross=_gross(contents, fault),
        payable=_payable(contents, fault),
        lines="".join(
            UBL_LINE.format(
                kind=kind, verb="Credited" if credit_note else "Invoiced", **line._asdict()
            )
            for line in contents.lines
        ),
    )
    return text.encode()


def cii_invoice(number: str, *, lines: int = 7, fault: str | None = None) -> bytes:
    """A CII (D22B) invoice of that number (BT-1)."""
    contents = _contents(number, lines)
    text = CII.format(
        number=escape(number),
        day=contents.day,
        late_payment=_late_payment(fault, _CII_LATE_PAYMENT),
        taxes="".join(
            CII_TAX.format(base=base, vat=vat, rate=rate)
            for rate, (base, vat) in contents.taxes.items()
        ),
        net=contents.net,
        vat=contents.vat,
        gross=_gross(contents, fault),
        payable=_payable(contents, fault),
        lines="".join(CII_LINE.format(**line._asdict()) for line in contents.lines),
    )
    return text.encode()


_UBL_REFERENCE: Final = """
  <cac:BillingReference>
    <cac:InvoiceDocumentReference>
      <cbc:ID>FA-2026-ORIGINE</cbc:ID>
      <cbc:IssueDate>2026-03-31</cbc:IssueDate>
    </cac:InvoiceDocumentReference>
  </cac:BillingReference>"""

_CII_LATE_PAYMENT: Final = """\
    <ram:IncludedNote>
      <ram:Content>{}</ram:Content>
      <ram:SubjectCode>PMD</ram:SubjectCode>
    </ram:IncludedNote>
"""


def _contents(number: str, lines: int) -> _Contents:
    if lines < 1:
        raise ValueError("an invoice has at least one line (BR-16)")
    # A string seeds by its content, the same in every process.
    dice = random.Random(number)
    made = []
    bases: dict[str, Decimal] = {}
    for position in range(1, lines + 1):
        name, rate = dice.choice(_GOODS)
        quantity = dice.randint(1, 40)
        price = Decimal(dice.randint(150, 45_000)) / 100
        total = (price * quantity).quantize(_CENT)
        bases[rate] = bases.get(rate, Decimal("0.00")) + total
        made.append(_Line(position, name, quantity, price.quantize(_CENT), total, rate))
    taxes = {
        rate: (base, (base * Decimal(rate) / 100).quantize(_CENT, ROUND_HALF_UP))
        for rate, base in sorted(bases.items())
    }
    net = sum(bases.values(), Decimal("0.00"))
    vat = sum((tax for _, tax in taxes.values()), Decimal("0.00"))
    return _Contents(made, taxes, net, vat, net + vat, dice.randint(1, 28))


def _late_payment(fault: str | None, template: str) -> str:
    if fault is not None and fault not in FAULTS:
        raise ValueError(f"{fault!r} is not one of {', '.join(FAULTS)}")
    if fault == "note":
        return ""
    return template.format("Pénalités de retard : trois fois le taux d'intérêt légal.")


def _gross(contents: _Contents, fault: str | None) -> str:
    if fault == "schema":
        return str(contents.gross).replace(".", ",")
    return str(_payable(contents, fault))


def _payable(contents: _Contents, fault: str | None) -> Decimal:
    # The amount due follows the wrong total: one fault, one finding.
    return contents.gross + (Decimal("9.00") if fault == "total" else 0)
