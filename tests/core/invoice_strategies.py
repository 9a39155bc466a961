"""Random invoices: valid ones whose amounts add up, and any that the model can hold."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec
from hypothesis import assume
from hypothesis import strategies as st

from gateway.core.mapping.entries import Group, Table, Term, TermType
from gateway.core.mapping.fields import model_fields
from gateway.model.invoice import Invoice, Source
from gateway.model.invoice_types import BusinessGroup, Identifier

Strategy = st.SearchStrategy[Any]

TEXT: Final = (
    st.text(
        st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters="\n"),
        min_size=1,
        max_size=20,
    )
    .map(lambda text: text.strip(" \t\r\n").lstrip("#"))
    .filter(lambda text: text.strip(" \t\r\n") == text != "")
)
DATE: Final = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)).map(str)
CENTS: Final = st.decimals(0, 10**6, places=2)
COUNTRY: Final = st.sampled_from(["FR", "DE", "BE", "NL"])
SCHEME: Final = st.sampled_from(["0002", "0009", "0060", "0088"])
"""Of ISO 6523, and each also one of the list for electronic addresses or not used there."""
VAT_ID: Final = st.integers(10**8, 10**11).map(lambda number: f"FR{number}")
SOURCE: Final = Source(syntax="ubl", root="Invoice", namespace="")


def some(**optional: Strategy) -> st.SearchStrategy[dict[str, Any]]:
    """Any selection of these properties."""
    return st.fixed_dictionaries({}, optional=optional)


def identifiers(*, schemes: Strategy = SCHEME) -> Strategy:
    """Those without a scheme first, as CII prescribes."""
    return st.lists(st.builds(_identifier, TEXT, st.none() | schemes), min_size=1, max_size=3).map(
        lambda found: sorted(found, key=lambda one: "scheme" in one)
    )


def identifier(*, schemes: Strategy = SCHEME) -> Strategy:
    """One with a scheme."""
    return st.builds(_identifier, TEXT, schemes)


def _identifier(value: str, scheme: str | None) -> dict[str, str]:
    return {"value": value} if scheme is None else {"value": value, "scheme": scheme}


def period() -> Strategy:
    """A first day, a last day, or both in order."""
    both = st.lists(DATE, min_size=2, max_size=2).map(sorted)
    return both.flatmap(
        lambda days: st.sampled_from(
            [
                {"start_date": days[0]},
                {"end_date": days[1]},
                {"start_date": days[0], "end_date": days[1]},
            ]
        )
    )


ADDRESS: Final = st.builds(
    lambda country, more: {**more, "country_code": country},
    COUNTRY,
    some(
        address_line_1=TEXT,
        address_line_2=TEXT,
        address_line_3=TEXT,
        city=TEXT,
        post_code=TEXT,
        country_subdivision=TEXT,
    ),
)
CONTACT: Final = some(contact_point=TEXT, telephone_number=TEXT, email_address=TEXT).filter(bool)


def party(**more: Strategy) -> Strategy:
    """A seller or buyer."""
    return st.fixed_dictionaries(
        {"name": TEXT, "vat_identifier": VAT_ID, "postal_address": ADDRESS},
        optional={
            "trading_name": TEXT,
            "legal_registration_identifier": identifier(),
            "electronic_address": identifier(),
            "contact": CONTACT,
            **more,
        },
    )


ALLOWANCE: Final = st.fixed_dictionaries(
    {"amount": CENTS, "reason": TEXT},
    optional={"base_amount": CENTS, "percentage": st.decimals(0, 100, places=2)},
)
VAT: Final = st.sampled_from(
    [("S", Decimal("20")), ("S", Decimal("5.50")), ("Z", Decimal(0)), ("E", Decimal(0))]
)
LINE: Final = st.fixed_dictionaries(
    {
        "identifier": TEXT,
        "quantity": st.decimals(1, 1000, places=2),
        "unit": st.sampled_from(["C62", "HUR", "KGM"]),
        "price": CENTS,
        "vat": VAT,
        "name": TEXT,
    },
    optional={
        "notes": TEXT.map(lambda text: [{"note": text}]),
        "object_identifiers": identifier(schemes=st.sampled_from(["ABZ", "AEH"])).map(
            lambda one: [one]
        ),
        "referenced_purchase_order_line_reference": TEXT.filter(lambda text: text.upper() != "NA"),
        "buyer_accounting_reference": TEXT,
        "period": period(),
        "allowances": st.lists(ALLOWANCE, min_size=1, max_size=2),
        "charges": st.lists(ALLOWANCE, min_size=1, max_size=2),
        "prices": some(
            item_price_discount=CENTS.map(str),
            item_price_base_quantity=st.sampled_from(["1", "10"]),
            unsaid=st.sampled_from(["item_price_discount", "item_gross_price"]),
        ),
        "item": some(
            description=TEXT,
            sellers_identifier=TEXT,
            buyers_identifier=TEXT,
            standard_identifier=identifier(),
            classification_identifiers=st.lists(
                identifier(schemes=st.sampled_from(["STI", "TST"])), min_size=1, max_size=2
            ),
            country_of_origin=COUNTRY,
            attributes=st.lists(
                st.fixed_dictionaries({"name": TEXT, "value": TEXT}), min_size=1, max_size=2
            ),
        ),
    },
)
TRANSFER: Final = st.fixed_dictionaries(
    {"payment_account_identifier": st.sampled_from(["FR7630006000011234567890189", "12-34/5"])},
    optional={"payment_account_name": TEXT, "payment_service_provider_identifier": TEXT},
)
PAYMENT: Final = st.one_of(
    st.fixed_dictionaries(
        {
            "payment_means_type_code": st.sampled_from(["30", "58"]),
            "credit_transfers": st.lists(TRANSFER, min_size=1, max_size=3),
        },
        optional={"payment_means_text": TEXT, "remittance_information": TEXT},
    ),
    st.fixed_dictionaries(
        {
            "payment_means_type_code": st.just("48"),
            "payment_card_information": st.fixed_dictionaries(
                {"primary_account_number": st.sampled_from(["1234", "123456"])},
                optional={"holder_name": TEXT},
            ),
        },
    ),
    st.fixed_dictionaries(
        {
            "payment_means_type_code": st.sampled_from(["49", "59"]),
            "direct_debit": st.fixed_dictionaries(
                {
                    "mandate_reference_identifier": TEXT,
                    "bank_assigned_creditor_identifier": TEXT,
                    "debited_account_identifier": st.just("FR7630006000011234567890189"),
                }
            ),
        },
    ),
)
DOCUMENT: Final = some(
    payment_terms=TEXT,
    payment_due_date=DATE,
    buyer_reference=TEXT,
    project_reference=TEXT,
    contract_reference=TEXT,
    purchase_order_reference=TEXT.filter(lambda text: text.upper() != "NA"),
    sales_order_reference=TEXT,
    receiving_advice_reference=TEXT,
    despatch_advice_reference=TEXT,
    tender_or_lot_reference=TEXT,
    invoiced_object_identifiers=identifier(schemes=st.sampled_from(["ABZ", "AEH"])).map(
        lambda one: [one]
    ),
    buyer_accounting_reference=TEXT,
    invoice_notes=st.lists(
        st.fixed_dictionaries(
            {"note": TEXT}, optional={"subject_code": st.sampled_from(["AAI", "PMT"])}
        ),
        min_size=1,
        max_size=2,
    ),
    preceding_invoice_references=st.lists(
        st.fixed_dictionaries({"reference": TEXT}, optional={"issue_date": DATE}),
        min_size=1,
        max_size=2,
    ),
    payee=st.fixed_dictionaries(
        {"name": TEXT},
        optional={
            "identifiers": identifier().map(lambda one: [one]),
            "legal_registration_identifier": identifier(),
        },
    ),
    seller_tax_representative_party=st.fixed_dictionaries(
        {"name": TEXT, "vat_identifier": VAT_ID, "postal_address": ADDRESS}
    ),
    delivery_information=some(
        deliver_to_party_name=TEXT,
        deliver_to_location_identifier=identifier(),
        actual_delivery_date=DATE,
        invoicing_period=period(),
        deliver_to_address=ADDRESS,
    ).filter(bool),
    payment_instructions=PAYMENT,
    additional_supporting_documents=st.lists(
        st.fixed_dictionaries(
            {"reference": TEXT}, optional={"description": TEXT, "external_document_location": TEXT}
        ),
        min_size=1,
        max_size=2,
    ),
)
POINT_DATE: Final = st.one_of(
    st.just({}),
    st.builds(lambda day: {"value_added_tax_point_date": day}, DATE),
    st.builds(
        lambda code: {"value_added_tax_point_date_code": code}, st.sampled_from(["3", "35", "432"])
    ),
)


@st.composite
def valid_invoices(draw: st.DrawFn) -> Invoice:
    """Invoices and credit notes that obey EN 16931."""
    lines = [_line(one) for one in draw(st.lists(LINE, min_size=1, max_size=3))]
    bases: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for line, vat in lines:
        bases[vat] += Decimal(line["net_amount"])
    beside: dict[str, list[dict[str, Any]]] = {}
    for name, sign in (("document_level_allowances", -1), ("document_level_charges", 1)):
        for one in draw(st.lists(st.tuples(ALLOWANCE, VAT), max_size=2)):
            allowance, vat = one
            bases[vat] += sign * allowance["amount"]
            category = {"vat_category_code": vat[0], "vat_rate": str(vat[1])}
            beside.setdefault(name, []).append({**_texts(allowance), **category})
    totals, breakdown = _totals(
        [line for line, _ in lines], beside, bases, draw(some(paid=CENTS, rounding=CENTS))
    )
    seller = draw(
        party(
            identifiers=identifiers(),
            tax_registration_identifier=TEXT,
            additional_legal_information=TEXT,
        )
    )
    document = draw(DOCUMENT)
    assume(_named(seller).isdisjoint(_named(document.get("payee", {}))))
    accounting = draw(st.none() | CENTS)
    if accounting is not None:
        totals["invoice_total_vat_amount_in_accounting_currency"] = str(accounting)
    return msgspec.convert(
        {
            "invoice_number": draw(TEXT),
            "invoice_issue_date": draw(DATE),
            "invoice_type_code": draw(st.sampled_from(["380", "381", "384", "396"])),
            "invoice_currency_code": "EUR",
            **({} if accounting is None else {"vat_accounting_currency_code": "PLN"}),
            "process_control": {
                "specification_identifier": "urn:cen.eu:en16931:2017",
                **draw(some(business_process_type=TEXT)),
            },
            "seller": seller,
            "buyer": draw(party(identifiers=identifier().map(lambda one: [one]))),
            "payment_terms": draw(TEXT),
            **document,
            **draw(POINT_DATE),
            **beside,
            "document_totals": totals,
            "vat_breakdown": breakdown,
            "invoice_lines": [line for line, _ in lines],
            "source": SOURCE,
        },
        Invoice,
    )


def _named(party: dict[str, Any]) -> set[str]:
    """By what a party goes: BR-17 wants no payee with a name or number of the seller."""
    numbers = [*party.get("identifiers", []), party.get("legal_registration_identifier")]
    names = [party.get("name"), party.get("trading_name")]
    return {one["value"] for one in numbers if one} | {one for one in names if one}


def _line(drawn: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, Decimal]]:
    allowances, charges = drawn.pop("allowances", []), drawn.pop("charges", [])
    net = drawn["quantity"] * drawn["price"]
    net += sum(one["amount"] for one in charges) - sum(one["amount"] for one in allowances)
    prices, (category, rate) = drawn.pop("prices", {}), drawn.pop("vat")
    if "item_price_discount" in prices:
        gross = drawn["price"] + Decimal(prices["item_price_discount"])
        prices["item_gross_price"] = str(gross)
    prices.pop(prices.pop("unsaid", ""), None)
    line = {
        "invoiced_quantity": str(drawn.pop("quantity")),
        "invoiced_quantity_unit_of_measure_code": drawn.pop("unit"),
        "net_amount": str(_cents(net)),
        "price_details": {"item_net_price": str(drawn.pop("price")), **prices},
        "vat_information": {
            "invoiced_item_vat_category_code": category,
            "invoiced_item_vat_rate": str(rate),
        },
        "item_information": {"name": drawn.pop("name"), **drawn.pop("item", {})},
        "allowances": [_texts(one) for one in allowances],
        "charges": [_texts(one) for one in charges],
        **drawn,
    }
    return line, (category, rate)


def _totals(
    lines: list[dict[str, Any]],
    beside: dict[str, list[dict[str, Any]]],
    bases: dict[tuple[str, Decimal], Decimal],
    settled: dict[str, Decimal],
) -> tuple[dict[str, str], list[dict[str, str]]]:
    """BG-22 and BG-23."""
    breakdown = []
    vat = Decimal(0)
    for (category, rate), base in bases.items():
        tax = _cents(base * rate / 100)
        vat += tax
        entry = {
            "vat_category_taxable_amount": str(_cents(base)),
            "vat_category_tax_amount": str(tax),
            "vat_category_code": category,
            "vat_category_rate": str(rate),
        }
        if category == "E":
            entry["vat_exemption_reason_text"] = "Exempt"
        breakdown.append(entry)
    net = _cents(sum(bases.values(), Decimal(0)))
    paid, rounding = settled.get("paid"), settled.get("rounding")
    totals = {
        "sum_of_invoice_line_net_amount": sum(Decimal(line["net_amount"]) for line in lines),
        "invoice_total_amount_without_vat": net,
        "invoice_total_vat_amount": _cents(vat) or None,
        "invoice_total_amount_with_vat": net + vat,
        "paid_amount": paid,
        "rounding_amount": rounding,
        "amount_due_for_payment": net + vat - (paid or 0) + (rounding or 0),
    }
    for name, total in (
        ("document_level_allowances", "sum_of_allowances_on_document_level"),
        ("document_level_charges", "sum_of_charges_on_document_level"),
    ):
        if name in beside:
            totals[total] = sum(Decimal(one["amount"]) for one in beside[name])
    return {name: str(amount) for name, amount in totals.items() if amount is not None}, breakdown


def _texts(amounts: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in amounts.items()}


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP) + 0  # no negative zero


# ------------------------------------------------------------------------------------------------

_FIXED: Final[dict[str, Strategy]] = {
    "BT-1": TEXT,
    "BT-3": st.sampled_from(["380", "381"]),
    "BT-5": st.just("EUR"),
    "BT-6": st.just("PLN"),
    "BT-8": st.sampled_from(["3", "35", "432"]),
}
"""Terms whose value decides how others are read."""


def any_invoices(table: Table) -> st.SearchStrategy[Invoice]:
    """Whatever the model can hold, of every term and group; nothing adds up."""
    must = {"BT-1", "BT-3", "BT-5", "BT-6"}
    return _any_group(Invoice, table, frozenset(must)).map(
        lambda held: msgspec.convert({**held, "source": SOURCE}, Invoice)
    )


def _any_group(
    struct: type[BusinessGroup], table: Table, must: frozenset[str] = frozenset()
) -> Strategy:
    """What it must have, and a few more at a time: what is lost is lost among few as well."""
    possible: dict[str, Strategy] = {}
    for field in model_fields(struct):
        if field.struct is not None and field.struct is not Identifier:
            value = _any_group(field.struct, table)
        else:
            value = _any_value(field.term, table)
        if field.repeats:
            value = st.lists(value, min_size=1, max_size=2)
            if field.struct is Identifier:
                value = value.map(lambda held: sorted(held, key=lambda one: "scheme" in one))
        possible[field.name] = value
    needed = {
        field.name
        for field in model_fields(struct)
        if field.term in must or _entry(field.term, table).cardinality.startswith("1")
    }
    names = st.sets(st.sampled_from(sorted(possible)), min_size=1, max_size=4)
    return names.flatmap(
        lambda picked: st.fixed_dictionaries(
            {name: possible[name] for name in possible if name in picked | needed}
        )
    ).map(_with_what_is_explained)


def _with_what_is_explained(group: dict[str, Any]) -> dict[str, Any]:
    """A reason for a discount on the price comes with the discount."""
    if any(name.startswith("item_price_discount_") for name in group):
        return {"item_price_discount": "1.00", **group}
    return group


def _entry(key: str, table: Table) -> Term | Group:
    return table.terms.get(key) or table.groups[key]


def _any_value(key: str, table: Table) -> Strategy:
    term = table.terms[key]
    if key in _FIXED:
        return _FIXED[key]
    if term.ubl_part == "note-subject":
        return st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=3, max_size=3)
    if term.type is TermType.DATE:
        return DATE
    if term.type in (TermType.AMOUNT, TermType.UNIT_PRICE, TermType.QUANTITY, TermType.PERCENTAGE):
        return st.decimals(-(10**6), 10**6, places=2).map(str)
    if term.ubl_scheme or term.cii_scheme:
        return st.builds(_identifier, TEXT, st.none() | SCHEME)
    return TEXT
