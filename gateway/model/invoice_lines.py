"""What was delivered, at which price: groups BG-25 to BG-32 of the canonical invoice."""

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
    item_gross_price: Annotated[DecimalText, term("BT-148")] = None
    item_price_base_quantity: Annotated[DecimalText, term("BT-149")] = None
    item_price_base_quantity_unit_of_measure_code: Annotated[Text, term("BT-150")] = None


class LineVatInformation(BusinessGroup, frozen=True, kw_only=True):
    """BG-30 LINE VAT INFORMATION."""

    invoiced_item_vat_category_code: Annotated[Text, term("BT-151")] = None
    invoiced_item_vat_rate: Annotated[DecimalText, term("BT-152")] = None


class ItemAttribute(BusinessGroup, frozen=True, kw_only=True):
    """BG-32 ITEM ATTRIBUTES."""

    name: Annotated[Text, term("BT-160")] = None
    value: Annotated[Text, term("BT-161")] = None


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
    """BG-25 INVOICE LINE."""

    identifier: Annotated[Text, term("BT-126")] = None
    notes: Annotated[tuple[str, ...], term("BT-127")] = ()
    object_identifiers: Annotated[Identifiers, term("BT-128")] = ()
    invoiced_quantity: Annotated[DecimalText, term("BT-129")] = None
    invoiced_quantity_unit_of_measure_code: Annotated[Text, term("BT-130")] = None
    net_amount: Annotated[DecimalText, term("BT-131")] = None
    referenced_purchase_order_line_reference: Annotated[Text, term("BT-132")] = None
    buyer_accounting_reference: Annotated[Text, term("BT-133")] = None
    period: Annotated[InvoiceLinePeriod | None, term("BG-26")] = None
    allowances: Annotated[tuple[InvoiceLineAllowance, ...], term("BG-27")] = ()
    charges: Annotated[tuple[InvoiceLineCharge, ...], term("BG-28")] = ()
    price_details: Annotated[PriceDetails | None, term("BG-29")] = None
    vat_information: Annotated[LineVatInformation | None, term("BG-30")] = None
    item_information: Annotated[ItemInformation | None, term("BG-31")] = None
