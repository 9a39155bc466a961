"""The canonical invoice: EN 16931-1 and EXTENDED-CTC-FR as Python values, in every syntax the same.

Property names are the standard's business-term names in snake_case, nested by business group;
where a group already says it, the prefix is left out (BT-27 "Seller name" is `seller.name`).
Every field carries its id (BT, BG, EXT-FR-FE); name, cardinality and the paths in UBL and CII
stand under it in mappings/en16931.toml. The two make schemas/canonical-invoice.schema.json.

Amounts are in the invoice currency (BT-5), except BT-111 (BT-6). Every field can be absent here,
because profiles differ in what they ask for (BASIC WL has no lines) and presence is the business
of the rules; the few that every profile asks for are marked `always` in the table, and the
mapping reports their absence. Where EXTENDED-CTC-FR repeats what EN 16931 has once (BT-18,
BT-46, BT-60, BT-127, BT-128), the field is a list.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.invoice_french import BuyerAgent, Invoicee, Invoicer, Payer, SellerAgent
from gateway.model.invoice_lines import InvoiceLine
from gateway.model.invoice_parties import (
    Buyer,
    DeliveryInformation,
    Payee,
    Seller,
    SellerTaxRepresentativeParty,
)
from gateway.model.invoice_types import (
    BusinessGroup,
    Date,
    DecimalText,
    Identifiers,
    Text,
    term,
)


class AttachedDocument(BusinessGroup, frozen=True, kw_only=True):
    """BT-125 Attached document without its bytes, which stay in the spool.

    `size` and `sha256` are those of the file itself, decoded. `uri` names the file in the
    gateway's spool; it is there when the file was stored, so not in what `edi-gateway map` prints.
    It follows from the sum alone, so the same invoice has the same one in every syntax.
    """

    mime_code: Annotated[Text, term("BT-125-1")] = None
    filename: Annotated[Text, term("BT-125-2")] = None
    size: Annotated[int, Meta(ge=0)] | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    uri: Annotated[str, Meta(pattern="^urn:edi-gateway:payload:[0-9a-f]{64}$")] | None = None


class InvoiceNote(BusinessGroup, frozen=True, kw_only=True):
    """BG-1 INVOICE NOTE."""

    subject_code: Annotated[Text, term("BT-21")] = None
    note: Annotated[Text, term("BT-22")] = None


class ProcessControl(BusinessGroup, frozen=True, kw_only=True):
    """BG-2 PROCESS CONTROL."""

    business_process_type: Annotated[Text, term("BT-23")] = None
    specification_identifier: Annotated[Text, term("BT-24")] = None


class PrecedingInvoiceReference(BusinessGroup, frozen=True, kw_only=True):
    """BG-3 PRECEDING INVOICE REFERENCE."""

    reference: Annotated[Text, term("BT-25")] = None
    issue_date: Annotated[Date, term("BT-26")] = None
    type_code: Annotated[Text, term("EXT-FR-FE-02")] = None


class DeliveryTerms(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-14: an Incoterms rule and its place."""

    code: Annotated[Text, term("EXT-FR-FE-185")] = None
    location: Annotated[Text, term("EXT-FR-FE-186")] = None


class CreditTransfer(BusinessGroup, frozen=True, kw_only=True):
    """BG-17 CREDIT TRANSFER. BT-84 is an IBAN in SEPA, else the account's own number."""

    payment_account_identifier: Annotated[Text, term("BT-84")] = None
    payment_account_name: Annotated[Text, term("BT-85")] = None
    payment_service_provider_identifier: Annotated[Text, term("BT-86")] = None


class PaymentCardInformation(BusinessGroup, frozen=True, kw_only=True):
    """BG-18 PAYMENT CARD INFORMATION."""

    primary_account_number: Annotated[Text, term("BT-87")] = None
    holder_name: Annotated[Text, term("BT-88")] = None


class DirectDebit(BusinessGroup, frozen=True, kw_only=True):
    """BG-19 DIRECT DEBIT."""

    mandate_reference_identifier: Annotated[Text, term("BT-89")] = None
    bank_assigned_creditor_identifier: Annotated[Text, term("BT-90")] = None
    debited_account_identifier: Annotated[Text, term("BT-91")] = None


class PaymentInstructions(BusinessGroup, frozen=True, kw_only=True):
    """BG-16 PAYMENT INSTRUCTIONS. BT-81 is a code of UNTDID 4461."""

    payment_means_type_code: Annotated[Text, term("BT-81")] = None
    payment_means_text: Annotated[Text, term("BT-82")] = None
    remittance_information: Annotated[Text, term("BT-83")] = None
    credit_transfers: Annotated[tuple[CreditTransfer, ...], term("BG-17")] = ()
    payment_card_information: Annotated[PaymentCardInformation | None, term("BG-18")] = None
    direct_debit: Annotated[DirectDebit | None, term("BG-19")] = None


class DocumentLevelAllowance(BusinessGroup, frozen=True, kw_only=True):
    """BG-20 DOCUMENT LEVEL ALLOWANCES. BT-98 is a code of UNTDID 5189."""

    amount: Annotated[DecimalText, term("BT-92")] = None
    base_amount: Annotated[DecimalText, term("BT-93")] = None
    percentage: Annotated[DecimalText, term("BT-94")] = None
    vat_category_code: Annotated[Text, term("BT-95")] = None
    vat_rate: Annotated[DecimalText, term("BT-96")] = None
    vat_exemption_reason_text: Annotated[Text, term("EXT-FR-FE-187")] = None
    vat_exemption_reason_code: Annotated[Text, term("EXT-FR-FE-188")] = None
    reason: Annotated[Text, term("BT-97")] = None
    reason_code: Annotated[Text, term("BT-98")] = None


class DocumentLevelCharge(BusinessGroup, frozen=True, kw_only=True):
    """BG-21 DOCUMENT LEVEL CHARGES. BT-105 is a code of UNTDID 7161."""

    amount: Annotated[DecimalText, term("BT-99")] = None
    base_amount: Annotated[DecimalText, term("BT-100")] = None
    percentage: Annotated[DecimalText, term("BT-101")] = None
    vat_category_code: Annotated[Text, term("BT-102")] = None
    vat_rate: Annotated[DecimalText, term("BT-103")] = None
    vat_exemption_reason_text: Annotated[Text, term("EXT-FR-FE-189")] = None
    vat_exemption_reason_code: Annotated[Text, term("EXT-FR-FE-190")] = None
    reason: Annotated[Text, term("BT-104")] = None
    reason_code: Annotated[Text, term("BT-105")] = None


class DocumentTotals(BusinessGroup, frozen=True, kw_only=True):
    """BG-22 DOCUMENT TOTALS. BT-111 is in the VAT accounting currency (BT-6)."""

    sum_of_invoice_line_net_amount: Annotated[DecimalText, term("BT-106")] = None
    sum_of_allowances_on_document_level: Annotated[DecimalText, term("BT-107")] = None
    sum_of_charges_on_document_level: Annotated[DecimalText, term("BT-108")] = None
    invoice_total_amount_without_vat: Annotated[DecimalText, term("BT-109")] = None
    invoice_total_vat_amount: Annotated[DecimalText, term("BT-110")] = None
    invoice_total_vat_amount_in_accounting_currency: Annotated[DecimalText, term("BT-111")] = None
    invoice_total_amount_with_vat: Annotated[DecimalText, term("BT-112")] = None
    paid_amount: Annotated[DecimalText, term("BT-113")] = None
    rounding_amount: Annotated[DecimalText, term("BT-114")] = None
    amount_due_for_payment: Annotated[DecimalText, term("BT-115")] = None


class VatBreakdown(BusinessGroup, frozen=True, kw_only=True):
    """BG-23 VAT BREAKDOWN. BT-118 is a code of UNTDID 5305, BT-121 of the VATEX list."""

    vat_category_taxable_amount: Annotated[DecimalText, term("BT-116")] = None
    vat_category_tax_amount: Annotated[DecimalText, term("BT-117")] = None
    vat_category_code: Annotated[Text, term("BT-118")] = None
    vat_category_rate: Annotated[DecimalText, term("BT-119")] = None
    vat_exemption_reason_text: Annotated[Text, term("BT-120")] = None
    vat_exemption_reason_code: Annotated[Text, term("BT-121")] = None


class AdditionalSupportingDocument(BusinessGroup, frozen=True, kw_only=True):
    """BG-24 ADDITIONAL SUPPORTING DOCUMENTS."""

    reference: Annotated[Text, term("BT-122")] = None
    description: Annotated[Text, term("BT-123")] = None
    external_document_location: Annotated[Text, term("BT-124")] = None
    attached_document: Annotated[AttachedDocument | None, term("BT-125")] = None


class Source(BusinessGroup, frozen=True, kw_only=True, omit_defaults=False):
    """What depends on the document the invoice was read from, and on nothing else.

    `unmapped` are paths to what the document holds and this model has no place for: elements
    with text, attributes with a value. They start below the root element, with the prefixes of
    the mapping table, and name a position where there are several. Of a long list only the
    beginning is here; `unmapped_total` counts all of it.

    `derived` are paths to the values of this invoice that are not in the document but follow from
    others, as EN 16931 has it: a document in another syntax would have to state them. Again the
    beginning of the list, and `derived_total`. All four are there even when nothing is.
    """

    syntax: str
    root: str
    namespace: str
    unmapped: tuple[str, ...] = ()
    unmapped_total: int = 0
    derived: tuple[str, ...] = ()
    derived_total: int = 0


class Invoice(BusinessGroup, frozen=True, kw_only=True):
    """The whole invoice or credit note (EN 16931-1, 6.3). BT-3 is a code of UNTDID 1001."""

    invoice_number: Annotated[Text, term("BT-1")] = None
    invoice_issue_date: Annotated[Date, term("BT-2")] = None
    invoice_type_code: Annotated[Text, term("BT-3")] = None
    invoice_currency_code: Annotated[Text, term("BT-5")] = None
    vat_accounting_currency_code: Annotated[Text, term("BT-6")] = None
    value_added_tax_point_date: Annotated[Date, term("BT-7")] = None
    value_added_tax_point_date_code: Annotated[Text, term("BT-8")] = None
    payment_due_date: Annotated[Date, term("BT-9")] = None
    buyer_reference: Annotated[Text, term("BT-10")] = None
    project_reference: Annotated[Text, term("BT-11")] = None
    contract_reference: Annotated[Text, term("BT-12")] = None
    contract_type: Annotated[Text, term("EXT-FR-FE-01")] = None
    contract_date: Annotated[Date, term("EXT-FR-FE-199")] = None
    purchase_order_reference: Annotated[Text, term("BT-13")] = None
    purchase_order_date: Annotated[Date, term("EXT-FR-FE-197")] = None
    sales_order_reference: Annotated[Text, term("BT-14")] = None
    receiving_advice_reference: Annotated[Text, term("BT-15")] = None
    despatch_advice_reference: Annotated[Text, term("BT-16")] = None
    despatch_advice_date: Annotated[Date, term("EXT-FR-FE-198")] = None
    tender_or_lot_reference: Annotated[Text, term("BT-17")] = None
    invoiced_object_identifiers: Annotated[Identifiers, term("BT-18")] = ()
    buyer_accounting_reference: Annotated[Text, term("BT-19")] = None
    payment_terms: Annotated[Text, term("BT-20")] = None
    invoice_notes: Annotated[tuple[InvoiceNote, ...], term("BG-1")] = ()
    process_control: Annotated[ProcessControl | None, term("BG-2")] = None
    preceding_invoice_references: Annotated[
        tuple[PrecedingInvoiceReference, ...], term("BG-3")
    ] = ()
    seller: Annotated[Seller | None, term("BG-4")] = None
    buyer: Annotated[Buyer | None, term("BG-7")] = None
    payee: Annotated[Payee | None, term("BG-10")] = None
    seller_tax_representative_party: Annotated[
        SellerTaxRepresentativeParty | None, term("BG-11")
    ] = None
    seller_agent: Annotated[SellerAgent | None, term("EXT-FR-FE-BG-03")] = None
    buyer_agent: Annotated[BuyerAgent | None, term("EXT-FR-FE-BG-01")] = None
    invoicer: Annotated[Invoicer | None, term("EXT-FR-FE-BG-05")] = None
    invoicee: Annotated[Invoicee | None, term("EXT-FR-FE-BG-04")] = None
    payer: Annotated[Payer | None, term("EXT-FR-FE-BG-02")] = None
    delivery_information: Annotated[DeliveryInformation | None, term("BG-13")] = None
    delivery_terms: Annotated[DeliveryTerms | None, term("EXT-FR-FE-BG-14")] = None
    payment_instructions: Annotated[PaymentInstructions | None, term("BG-16")] = None
    document_level_allowances: Annotated[tuple[DocumentLevelAllowance, ...], term("BG-20")] = ()
    document_level_charges: Annotated[tuple[DocumentLevelCharge, ...], term("BG-21")] = ()
    document_totals: Annotated[DocumentTotals | None, term("BG-22")] = None
    vat_breakdown: Annotated[tuple[VatBreakdown, ...], term("BG-23")] = ()
    additional_supporting_documents: Annotated[
        tuple[AdditionalSupportingDocument, ...], term("BG-24")
    ] = ()
    invoice_lines: Annotated[tuple[InvoiceLine, ...], term("BG-25")] = ()
    source: Source


_encoder = msgspec.json.Encoder()


def canonical_json(invoice: Invoice) -> bytes:
    """The invoice as published: compact JSON in UTF-8, keys in the order of the model."""
    return _encoder.encode(invoice)
