"""What was delivered, at which price: groups BG-25 to BG-32 of the canonical invoice.

Some lines only group others, or belong to one that does (EXT-FR-FE-162, -163): with them one
invoice gathers those of several sellers.
"""

from __future__ import annotations

from typing import Annotated

from gateway.model.invoice_types import (
    BusinessGroup,
    Date,
    DecimalText,
    Identifier,
    Identifiers,
    Text,
    term,
)


class InvoiceLineNote(BusinessGroup, frozen=True, kw_only=True):
    """BT-127-00: a note with its subject, a code of UNTDID 4451."""

    subject_code: Annotated[Text, term("EXT-FR-FE-183")] = None
    note: Annotated[Text, term("BT-127")] = None


class LinePrecedingInvoiceReference(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-06: an earlier invoice this line is about."""

    reference: Annotated[Text, term("EXT-FR-FE-136")] = None
    type_code: Annotated[Text, term("EXT-FR-FE-137")] = None
    issue_date: Annotated[Date, term("EXT-FR-FE-138")] = None
    line_reference: Annotated[Text, term("EXT-FR-FE-139")] = None


class LineDeliverToPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-150: line level deliver to postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-151")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-152")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-153")] = None
    city: Annotated[Text, term("EXT-FR-FE-154")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-155")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-156")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-157")] = None


class LineDeliverTo(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-10: where what is on this line was delivered."""

    location_identifiers: Annotated[Identifiers, term("EXT-FR-FE-146")] = ()
    name: Annotated[Text, term("EXT-FR-FE-149")] = None
    postal_address: Annotated[LineDeliverToPostalAddress | None, term("EXT-FR-FE-150")] = None


class LineDeliveryTerms(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-193-00: an Incoterms rule and its place."""

    code: Annotated[Text, term("EXT-FR-FE-193")] = None
    location: Annotated[Text, term("EXT-FR-FE-194")] = None


class LineSellerPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-12-postal-address: line level seller postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-BG-12-address-line-1")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-BG-12-address-line-2")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-BG-12-address-line-3")] = None
    city: Annotated[Text, term("EXT-FR-FE-BG-12-city")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-BG-12-post-code")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-BG-12-country-subdivision")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-177")] = None


class LineSeller(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-12: who sells what is on this line, in an invoice of several sellers."""

    name: Annotated[Text, term("EXT-FR-FE-164")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-BG-12-trading-name")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-BG-12-identifiers")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-167")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-BG-12-vat-identifier")] = None
    tax_registration_identifier: Annotated[
        Text, term("EXT-FR-FE-BG-12-tax-registration-identifier")
    ] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-BG-12-electronic-address")] = (
        None
    )
    postal_address: Annotated[
        LineSellerPostalAddress | None, term("EXT-FR-FE-BG-12-postal-address")
    ] = None


class InvoiceLinePeriod(BusinessGroup, frozen=True, kw_only=True):
    """BG-26 INVOICE LINE PERIOD."""

    start_date: Annotated[Date, term("BT-134")] = None
    end_date: Annotated[Date, term("BT-135")] = None


class InvoiceLineAllowance(BusinessGroup, frozen=True, kw_only=True):
    """BG-27 INVOICE LINE ALLOWANCES. BT-140 is a code of UNTDID 5189."""

    amount: Annotated[DecimalText, term("BT-136")] = None
    base_amount: Annotated[DecimalText, term("BT-137")] = None
    percentage: Annotated[DecimalText, term("BT-138")] = None
    reason: Annotated[Text, term("BT-139")] = None
    reason_code: Annotated[Text, term("BT-140")] = None


class InvoiceLineCharge(BusinessGroup, frozen=True, kw_only=True):
    """BG-28 INVOICE LINE CHARGES. BT-145 is a code of UNTDID 7161."""

    amount: Annotated[DecimalText, term("BT-141")] = None
    base_amount: Annotated[DecimalText, term("BT-142")] = None
    percentage: Annotated[DecimalText, term("BT-143")] = None
    reason: Annotated[Text, term("BT-144")] = None
    reason_code: Annotated[Text, term("BT-145")] = None


class PriceDetails(BusinessGroup, frozen=True, kw_only=True):
    """BG-29 PRICE DETAILS."""

    item_net_price: Annotated[DecimalText, term("BT-146")] = None
    item_price_discount: Annotated[DecimalText, term("BT-147")] = None
    item_price_discount_reason: Annotated[Text, term("EXT-FR-FE-195")] = None
    item_price_discount_reason_code: Annotated[Text, term("EXT-FR-FE-196")] = None
    item_gross_price: Annotated[DecimalText, term("BT-148")] = None
    item_price_base_quantity: Annotated[DecimalText, term("BT-149")] = None
    item_price_base_quantity_unit_of_measure_code: Annotated[Text, term("BT-150")] = None


class LineVatInformation(BusinessGroup, frozen=True, kw_only=True):
    """BG-30 LINE VAT INFORMATION."""

    invoiced_item_vat_category_code: Annotated[Text, term("BT-151")] = None
    invoiced_item_vat_rate: Annotated[DecimalText, term("BT-152")] = None
    vat_exemption_reason_text: Annotated[Text, term("EXT-FR-FE-178")] = None
    vat_exemption_reason_code: Annotated[Text, term("EXT-FR-FE-179")] = None


class ItemAttribute(BusinessGroup, frozen=True, kw_only=True):
    """BG-32 ITEM ATTRIBUTES: a name or a code, and a value in words or as a measure."""

    name: Annotated[Text, term("BT-160")] = None
    code: Annotated[Text, term("EXT-FR-FE-159")] = None
    value: Annotated[Text, term("BT-161")] = None
    value_quantity: Annotated[DecimalText, term("EXT-FR-FE-160")] = None
    value_quantity_unit_of_measure_code: Annotated[Text, term("EXT-FR-FE-161")] = None


class ItemInformation(BusinessGroup, frozen=True, kw_only=True):
    """BG-31 ITEM INFORMATION."""

    name: Annotated[Text, term("BT-153")] = None
    description: Annotated[Text, term("BT-154")] = None
    sellers_identifier: Annotated[Text, term("BT-155")] = None
    buyers_identifier: Annotated[Text, term("BT-156")] = None
    standard_identifier: Annotated[Identifier | None, term("BT-157")] = None
    classification_identifiers: Annotated[Identifiers, term("BT-158")] = ()
    country_of_origin: Annotated[Text, term("BT-159")] = None
    attributes: Annotated[tuple[ItemAttribute, ...], term("BG-32")] = ()


class InvoiceLine(BusinessGroup, frozen=True, kw_only=True):
    """BG-25 INVOICE LINE. `subtype`: DETAIL (also when it is not given), GROUP, INFORMATION."""

    identifier: Annotated[Text, term("BT-126")] = None
    parent_line_identifier: Annotated[Text, term("EXT-FR-FE-162")] = None
    subtype: Annotated[Text, term("EXT-FR-FE-163")] = None
    notes: Annotated[tuple[InvoiceLineNote, ...], term("BT-127-00")] = ()
    object_identifiers: Annotated[Identifiers, term("BT-128")] = ()
    invoiced_quantity: Annotated[DecimalText, term("BT-129")] = None
    invoiced_quantity_unit_of_measure_code: Annotated[Text, term("BT-130")] = None
    net_amount: Annotated[DecimalText, term("BT-131")] = None
    total_vat_amount: Annotated[DecimalText, term("EXT-FR-FE-181")] = None
    total_vat_amount_in_accounting_currency: Annotated[DecimalText, term("EXT-FR-FE-182")] = None
    total_amount_with_vat: Annotated[DecimalText, term("EXT-FR-FE-184")] = None
    purchase_order_reference: Annotated[Text, term("EXT-FR-FE-135")] = None
    purchase_order_date: Annotated[Date, term("EXT-FR-FE-200")] = None
    referenced_purchase_order_line_reference: Annotated[Text, term("BT-132")] = None
    sales_order_reference: Annotated[Text, term("EXT-FR-FE-144")] = None
    sales_order_line_reference: Annotated[Text, term("EXT-FR-FE-145")] = None
    despatch_advice_reference: Annotated[Text, term("EXT-FR-FE-140")] = None
    despatch_advice_line_reference: Annotated[Text, term("EXT-FR-FE-141")] = None
    receiving_advice_reference: Annotated[Text, term("EXT-FR-FE-142")] = None
    receiving_advice_line_reference: Annotated[Text, term("EXT-FR-FE-143")] = None
    preceding_invoice_references: Annotated[
        tuple[LinePrecedingInvoiceReference, ...], term("EXT-FR-FE-BG-06")
    ] = ()
    buyer_accounting_reference: Annotated[Text, term("BT-133")] = None
    seller: Annotated[LineSeller | None, term("EXT-FR-FE-BG-12")] = None
    actual_delivery_date: Annotated[Date, term("EXT-FR-FE-158")] = None
    deliver_to: Annotated[LineDeliverTo | None, term("EXT-FR-FE-BG-10")] = None
    delivery_terms: Annotated[LineDeliveryTerms | None, term("EXT-FR-FE-193-00")] = None
    period: Annotated[InvoiceLinePeriod | None, term("BG-26")] = None
    allowances: Annotated[tuple[InvoiceLineAllowance, ...], term("BG-27")] = ()
    charges: Annotated[tuple[InvoiceLineCharge, ...], term("BG-28")] = ()
    price_details: Annotated[PriceDetails | None, term("BG-29")] = None
    vat_information: Annotated[LineVatInformation | None, term("BG-30")] = None
    item_information: Annotated[ItemInformation | None, term("BG-31")] = None
