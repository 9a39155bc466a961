"""One invoice as business terms, made into UBL and CII by `factur-x`, and written by us again.

Four documents and one dict that all must say the same. The canonical content is spelt out below,
not made with our table, so that no mistake in the table can hide in it.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any, Final

import pytest
from facturx.generate_xml import generate_cii_xml, generate_ubl_xml

from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from tests.core.mapping_documents import content, read
from tests.core.writing_documents import errors, write

_ADDRESS: Final = {
    "addr_l1": "1 quai des Essais",
    "addr_l2": "Bâtiment C",
    "addr_l3": "Porte 4",
    "city": "Port-Blanc-sur-Mer",
    "postcode": "22999",
    "country_subdivision": "Bretagne",
    "country_code": "FR",
}
_ADDRESS_READ: Final = {
    "address_line_1": "1 quai des Essais",
    "address_line_2": "Bâtiment C",
    "address_line_3": "Porte 4",
    "city": "Port-Blanc-sur-Mer",
    "post_code": "22999",
    "country_subdivision": "Bretagne",
    "country_code": "FR",
}
_CONTACT: Final = {"name": "Maud Étai", "phone": "+33 2 99 00 00 00", "email": "maud@example.org"}
_CONTACT_READ: Final = {
    "contact_point": "Maud Étai",
    "telephone_number": "+33 2 99 00 00 00",
    "email_address": "maud@example.org",
}

TERMS: Final[dict[str, Any]] = {
    "BT-1": "FA-2026-88",
    "BT-2": dt.date(2026, 10, 5),
    "BT-3": "380",
    "BT-5": "EUR",
    "BT-6": "PLN",
    "BT-8": "delivery",
    "BT-9": dt.date(2026, 11, 4),
    "BT-10": "SERVICE-7",
    "BT-11": "PROJET-9",
    "BT-12": "MARCHE-3",
    "BT-13": "CDE-1",
    "BT-14": "VTE-2",
    "BT-15": "REC-4",
    "BT-16": "EXP-5",
    "BT-17": ["LOT-6"],
    "BT-18": {"ABZ": "QUAI-12"},
    "BT-19": "6155",
    "BT-20": "À 30 jours.",
    "BT-23": "S1",
    "BG-1": [{"BT-21": "AAI", "BT-22": "Première ligne\ndeuxième ligne"}, {"BT-22": "Sans code"}],
    "BG-3": [{"BT-25": "FA-2025-1", "BT-26": dt.date(2025, 9, 28)}, {"BT-25": "FA-2025-2"}],
    "BG-4": {
        "name": "Amarres de l'Ouest",
        "biz_name": "Amarres & Cie",
        "identifiers": {"0009": "00012345500016", "0088": "3000000000106"},
        "legal_identifier": "000123455",
        "legal_identifier_schemeid": "0002",
        "vat_identifier": "FR82000123455",
        "tax_identifier": "FISC-1",
        "legal_info": "SARL au capital de 1 000 €",
        "einvoicing_addr": "000123455",
        "einvoicing_addr_schemeid": "0225",
        "contacts": [_CONTACT],
        **_ADDRESS,
    },
    "BG-7": {
        "name": "Chantier des Deux Rives",
        "biz_name": "Deux Rives",
        "identifiers": {"0009": "00031415300012"},
        "legal_identifier": "000314153",
        "legal_identifier_schemeid": "0002",
        "vat_identifier": "FR19000314153",
        "einvoicing_addr": "000314153",
        "einvoicing_addr_schemeid": "0225",
        "contacts": [_CONTACT],
        **_ADDRESS,
    },
    "BG-10": {
        "name": "Affacturage du Large",
        "identifiers": {"0009": "00027182800014"},
        "legal_identifier": "000271828",
        "legal_identifier_schemeid": "0002",
    },
    "BG-11": {"name": "Représentant fiscal", "vat_identifier": "FR55000161803", **_ADDRESS},
    "BG-13": {"name": "Cale 2", "identifiers": {"0088": "3000000000205"}, **_ADDRESS},
    "BT-72": dt.date(2026, 9, 28),
    "BT-73": dt.date(2026, 9, 1),
    "BT-74": dt.date(2026, 9, 30),
    "BT-81": "30",
    "BT-82": "Virement",
    "BT-83": "FA-2026-88/VIR",
    "BT-84": "FR7630006000011234567890189",
    "BT-85": "Affacturage du Large",
    "BT-86": "AGRIFRPP",
    "BG-20": [
        {
            "amount": "10.00",
            "base_amount": "100.00",
            "rate": "10",
            "reason": "Fidélité",
            "reason_code": "95",
            "vat_category_code": "S",
            "vat_rate": "20",
        }
    ],
    "BG-21": [
        {
            "amount": "5.00",
            "reason": "Port",
            "reason_code": "FC",
            "vat_category_code": "S",
            "vat_rate": "20",
        }
    ],
    "BG-23": [{"BT-116": "91.00", "BT-117": "18.20", "BT-118": "S", "BT-119": "20"}],
    "BG-24": [
        {
            "BT-122": "PJ-1",
            "BT-123": "Plan du quai",
            "BT-125": b"%PDF-1.4 plan",
            "BT-125-1": "application/pdf",
            "BT-125-2": "plan.pdf",
        },
        {"BT-122": "PJ-2", "BT-124": "https://example.org/quai?a=1&b=2"},
    ],
    "BG-25": [
        {
            "BT-126": "1",
            "BT-127-00": [{"BT-127": "Livré en deux fois"}],
            "BT-128": {"ABZ": "TREUIL-7"},
            "BT-129": "3",
            "BT-130": "C62",
            "BT-131": "96.00",
            "BT-132": "10",
            "BT-133": "6156",
            "BT-134": dt.date(2026, 9, 1),
            "BT-135": dt.date(2026, 9, 30),
            "BT-146": "30.00",
            "BT-147-00": [{"BT-147": "2.50"}],
            "BT-148": "32.50",
            "BT-149": "1",
            "BT-151": "S",
            "BT-152": "20",
            "BT-153": "Révision d'un treuil",
            "BT-154": "Démontage, graissage",
            "BT-155": "REV-1",
            "BT-156": "TR-7",
            "BT-157": "3000000000304",
            "BT-157-1": "0160",
            "BT-158": {"STI": {"2024": "50100000"}},
            "BT-159": "FR",
            "BG-27": [{"amount": "4.00", "reason": "Geste", "reason_code": "100"}],
            "BG-28": [{"amount": "10.00", "reason": "Emballage", "reason_code": "PC"}],
            "BG-32": [{"BT-160": "Couleur", "BT-161": "vert"}],
        }
    ],
    "BT-106": "96.00",
    "BT-107": "10.00",
    "BT-108": "5.00",
    "BT-109": "91.00",
    "BT-110": "18.20",
    "BT-111": "77.35",
    "BT-112": "109.20",
    "BT-113": "9.00",
    "BT-114": "-0.20",
    "BT-115": "100.00",
}

CONTENT: Final[dict[str, Any]] = {
    "invoice_number": "FA-2026-88",
    "invoice_issue_date": "2026-10-05",
    "invoice_type_code": "380",
    "invoice_currency_code": "EUR",
    "vat_accounting_currency_code": "PLN",
    "value_added_tax_point_date_code": "35",
    "payment_due_date": "2026-11-04",
    "buyer_reference": "SERVICE-7",
    "project_reference": "PROJET-9",
    "contract_reference": "MARCHE-3",
    "purchase_order_reference": "CDE-1",
    "sales_order_reference": "VTE-2",
    "receiving_advice_reference": "REC-4",
    "despatch_advice_reference": "EXP-5",
    "tender_or_lot_reference": "LOT-6",
    "invoiced_object_identifiers": [{"value": "QUAI-12", "scheme": "ABZ"}],
    "buyer_accounting_reference": "6155",
    "payment_terms": "À 30 jours.",
    "invoice_notes": [
        {"subject_code": "AAI", "note": "Première ligne\ndeuxième ligne"},
        {"note": "Sans code"},
    ],
    "process_control": {
        "business_process_type": "S1",
        "specification_identifier": "urn:cen.eu:en16931:2017",
    },
    "preceding_invoice_references": [
        {"reference": "FA-2025-1", "issue_date": "2025-09-28"},
        {"reference": "FA-2025-2"},
    ],
    "seller": {
        "name": "Amarres de l'Ouest",
        "trading_name": "Amarres & Cie",
        "identifiers": [
            {"value": "00012345500016", "scheme": "0009"},
            {"value": "3000000000106", "scheme": "0088"},
        ],
        "legal_registration_identifier": {"value": "000123455", "scheme": "0002"},
        "vat_identifier": "FR82000123455",
        "tax_registration_identifier": "FISC-1",
        "additional_legal_information": "SARL au capital de 1 000 €",
        "electronic_address": {"value": "000123455", "scheme": "0225"},
        "postal_address": _ADDRESS_READ,
        "contact": _CONTACT_READ,
    },
    "buyer": {
        "name": "Chantier des Deux Rives",
        "trading_name": "Deux Rives",
        "identifiers": [{"value": "00031415300012", "scheme": "0009"}],
        "legal_registration_identifier": {"value": "000314153", "scheme": "0002"},
        "vat_identifier": "FR19000314153",
        "electronic_address": {"value": "000314153", "scheme": "0225"},
        "postal_address": _ADDRESS_READ,
        "contact": _CONTACT_READ,
    },
    "payee": {
        "name": "Affacturage du Large",
        "identifiers": [{"value": "00027182800014", "scheme": "0009"}],
        "legal_registration_identifier": {"value": "000271828", "scheme": "0002"},
    },
    "seller_tax_representative_party": {
        "name": "Représentant fiscal",
        "vat_identifier": "FR55000161803",
        "postal_address": _ADDRESS_READ,
    },
    "delivery_information": {
        "deliver_to_party_name": "Cale 2",
        "deliver_to_location_identifier": {"value": "3000000000205", "scheme": "0088"},
        "actual_delivery_date": "2026-09-28",
        "invoicing_period": {"start_date": "2026-09-01", "end_date": "2026-09-30"},
        "deliver_to_address": _ADDRESS_READ,
    },
    "payment_instructions": {
        "payment_means_type_code": "30",
        "payment_means_text": "Virement",
        "remittance_information": "FA-2026-88/VIR",
        "credit_transfers": [
            {
                "payment_account_identifier": "FR7630006000011234567890189",
                "payment_account_name": "Affacturage du Large",
                "payment_service_provider_identifier": "AGRIFRPP",
            }
        ],
    },
    "document_level_allowances": [
        {
            "amount": "10.00",
            "base_amount": "100.00",
            "percentage": "10",
            "vat_category_code": "S",
            "vat_rate": "20",
            "reason": "Fidélité",
            "reason_code": "95",
        }
    ],
    "document_level_charges": [
        {
            "amount": "5.00",
            "vat_category_code": "S",
            "vat_rate": "20",
            "reason": "Port",
            "reason_code": "FC",
        }
    ],
    "document_totals": {
        "sum_of_invoice_line_net_amount": "96.00",
        "sum_of_allowances_on_document_level": "10.00",
        "sum_of_charges_on_document_level": "5.00",
        "invoice_total_amount_without_vat": "91.00",
        "invoice_total_vat_amount": "18.20",
        "invoice_total_vat_amount_in_accounting_currency": "77.35",
        "invoice_total_amount_with_vat": "109.20",
        "paid_amount": "9.00",
        "rounding_amount": "-0.20",
        "amount_due_for_payment": "100.00",
    },
    "vat_breakdown": [
        {
            "vat_category_taxable_amount": "91.00",
            "vat_category_tax_amount": "18.20",
            "vat_category_code": "S",
            "vat_category_rate": "20",
        }
    ],
    "additional_supporting_documents": [
        {
            "reference": "PJ-1",
            "description": "Plan du quai",
            "attached_document": {
                "mime_code": "application/pdf",
                "filename": "plan.pdf",
                "size": 13,
                "sha256": hashlib.sha256(b"%PDF-1.4 plan").hexdigest(),
            },
        },
        {
            "reference": "PJ-2",
            "external_document_location": "https://example.org/quai?a=1&b=2",
        },
    ],
    "invoice_lines": [
        {
            "identifier": "1",
            "notes": [{"note": "Livré en deux fois"}],
            "object_identifiers": [{"value": "TREUIL-7", "scheme": "ABZ"}],
            "invoiced_quantity": "3",
            "invoiced_quantity_unit_of_measure_code": "C62",
            "net_amount": "96.00",
            "referenced_purchase_order_line_reference": "10",
            "buyer_accounting_reference": "6156",
            "period": {"start_date": "2026-09-01", "end_date": "2026-09-30"},
            "allowances": [{"amount": "4.00", "reason": "Geste", "reason_code": "100"}],
            "charges": [{"amount": "10.00", "reason": "Emballage", "reason_code": "PC"}],
            "price_details": {
                "item_net_price": "30.00",
                "item_price_discount": "2.50",
                "item_gross_price": "32.50",
                "item_price_base_quantity": "1",
                "item_price_base_quantity_unit_of_measure_code": "C62",
            },
            "vat_information": {
                "invoiced_item_vat_category_code": "S",
                "invoiced_item_vat_rate": "20",
            },
            "item_information": {
                "name": "Révision d'un treuil",
                "description": "Démontage, graissage",
                "sellers_identifier": "REV-1",
                "buyers_identifier": "TR-7",
                "standard_identifier": {"value": "3000000000304", "scheme": "0160"},
                "classification_identifiers": [
                    {"value": "50100000", "scheme": "STI", "scheme_version": "2024"}
                ],
                "country_of_origin": "FR",
                "attributes": [{"name": "Couleur", "value": "vert"}],
            },
        }
    ],
}

CREDIT_NOTE: Final = {
    **{key: value for key, value in TERMS.items() if key not in ("BG-24", "BT-17")},
    "BT-3": "381",
}
CREDIT_NOTE_CONTENT: Final = {
    **{
        key: value
        for key, value in CONTENT.items()
        if key not in ("additional_supporting_documents", "tender_or_lot_reference")
    },
    "invoice_type_code": "381",
}

Generate = Callable[..., bytes]
WAYS = pytest.mark.parametrize("generate", [generate_ubl_xml, generate_cii_xml])
CASES = pytest.mark.parametrize(
    ("terms", "expected"),
    [(TERMS, CONTENT), (CREDIT_NOTE, CREDIT_NOTE_CONTENT)],
    ids=["invoice", "credit note"],
)


def generated(generate: Generate, terms: dict[str, Any]) -> bytes:
    """The document factur-x makes; it is judged by ourselves."""
    return generate(copy.deepcopy(terms), level="en16931", check_xsd=False, check_schematron=False)


@CASES
@WAYS
def test_what_others_write_is_read_term_by_term(
    generate: Generate, terms: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The dict, their UBL and their CII agree."""
    result = read(generated(generate, terms))
    assert result.findings == ()
    assert content(result) == expected


@CASES
@WAYS
@pytest.mark.parametrize("syntax", INVOICE_SYNTAXES)
def test_what_we_write_from_it_says_the_same(
    generate: Generate, syntax: Syntax, terms: dict[str, Any], expected: dict[str, Any]
) -> None:
    """And is valid where theirs is."""
    theirs = generated(generate, terms)
    written = write(read(theirs).invoice, syntax, theirs)
    assert written.findings == ()
    assert content(read(written.document)) == expected
    if not errors(theirs):
        assert errors(written.document) == []
