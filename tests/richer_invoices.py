"""Invoices with more in them, made of simple ones: for tests of rules, which look at it.

What is added is in no order that a schema wants, and the sums are those of before.
"""

from __future__ import annotations

from lxml import etree

_CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
_CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
_RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
_RSM = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}"
_UDT = "{urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100}"
_SUPPLIER = "123456789"


def many_vendors(data: bytes, *, kind: str) -> bytes:
    """The invoice with each line standing for one vendor's (BR-FR-MV, BR-FR-BD).

    `kind`: its BT-23, such as M8 or S9.
    """
    root = etree.fromstring(data)
    if root.tag.startswith(_RSM):
        _of_cii(root, kind)
    else:
        _of_ubl(root, kind)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def allowances(data: bytes) -> bytes:
    """The invoice with an allowance and a charge, on the whole (BG-20, BG-21) and on each line."""
    root = etree.fromstring(data)
    if root.tag.startswith(_RSM):
        header = root.iter(f"{_RAM}ApplicableHeaderTradeSettlement")
        lines = root.iter(f"{_RAM}SpecifiedLineTradeSettlement")
        for parent in [*header, *lines]:
            for indicator in ("true", "false"):
                _cii_allowance(parent, indicator)
    else:
        lines = (
            each for name in ("InvoiceLine", "CreditNoteLine") for each in root.iter(_CAC + name)
        )
        for parent in [root, *lines]:
            for indicator in ("true", "false"):
                _ubl_allowance(parent, indicator)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _ubl_allowance(parent: etree._Element, indicator: str) -> None:
    allowance = etree.SubElement(parent, f"{_CAC}AllowanceCharge")
    for name, text in (
        *(("ChargeIndicator", indicator), ("AllowanceChargeReasonCode", "95")),
        *(("AllowanceChargeReason", "Remise"), ("MultiplierFactorNumeric", "10")),
    ):
        _put(allowance, _CBC + name, text)
    for name, text in (("Amount", "10.00"), ("BaseAmount", "100.00")):
        _put(allowance, _CBC + name, text).set("currencyID", "EUR")
    category = etree.SubElement(allowance, f"{_CAC}TaxCategory")
    _put(category, f"{_CBC}ID", "S")
    _put(category, f"{_CBC}Percent", "20")
    _put(etree.SubElement(category, f"{_CAC}TaxScheme"), f"{_CBC}ID", "VAT")


def _cii_allowance(parent: etree._Element, indicator: str) -> None:
    allowance = etree.SubElement(parent, f"{_RAM}SpecifiedTradeAllowanceCharge")
    _put(etree.SubElement(allowance, f"{_RAM}ChargeIndicator"), f"{_UDT}Indicator", indicator)
    for name, text in (
        *(("CalculationPercent", "10"), ("BasisAmount", "100.00"), ("ActualAmount", "10.00")),
        *(("ReasonCode", "95"), ("Reason", "Remise")),
    ):
        _put(allowance, _RAM + name, text)
    tax = etree.SubElement(allowance, f"{_RAM}CategoryTradeTax")
    for name, text in (("TypeCode", "VAT"), ("CategoryCode", "S"), ("RateApplicablePercent", "20")):
        _put(tax, _RAM + name, text)


def _of_ubl(root: etree._Element, kind: str) -> None:
    number = root.findtext(f"{_CBC}ID") or ""
    _put(root, f"{_CBC}ProfileID", kind)
    lines = [line for name in ("InvoiceLine", "CreditNoteLine") for line in root.iter(_CAC + name)]
    for line in lines:
        group = etree.SubElement(line, f"{_CAC}BillingReference")
        of_group = etree.SubElement(group, f"{_CAC}InvoiceDocumentReference")
        _put(of_group, f"{_CBC}ID", number)
        _put(of_group, f"{_CBC}DocumentStatusCode", "GROUP")
        before = etree.SubElement(line, f"{_CAC}BillingReference")
        _put(etree.SubElement(before, f"{_CAC}InvoiceDocumentReference"), f"{_CBC}ID", "FA-OLD")
        for scheme, value in (("AVV", "M1"), ("AFL", "FA-VENDOR-1")):
            reference = etree.SubElement(line, f"{_CAC}DocumentReference")
            _put(reference, f"{_CBC}ID", value).set("schemeID", scheme)
            _put(reference, f"{_CBC}DocumentTypeCode", "130")
        tax = etree.SubElement(line, f"{_CAC}TaxTotal")
        _put(tax, f"{_CBC}TaxAmount", "20.00").set("currencyID", "EUR")
        maker = etree.SubElement(line.find(f"{_CAC}Item"), f"{_CAC}ManufacturerParty")
        legal = etree.SubElement(maker, f"{_CAC}PartyLegalEntity")
        _put(legal, f"{_CBC}RegistrationName", "Fournisseur")
        _put(legal, f"{_CBC}CompanyID", _SUPPLIER).set("schemeID", "0002")


def _of_cii(root: etree._Element, kind: str) -> None:
    context = root.find(f"{_RSM}ExchangedDocumentContext")
    process = context.find(f"{_RAM}BusinessProcessSpecifiedDocumentContextParameter")
    if process is None:
        name = f"{_RAM}BusinessProcessSpecifiedDocumentContextParameter"
        process = etree.SubElement(context, name)
    _put(process, f"{_RAM}ID", kind)
    for line in root.iter(f"{_RAM}IncludedSupplyChainTradeLineItem"):
        document = line.find(f"{_RAM}AssociatedDocumentLineDocument")
        _put(document, f"{_RAM}LineStatusReasonCode", "GROUP")
        seller = etree.SubElement(
            line.find(f"{_RAM}SpecifiedLineTradeAgreement"), f"{_RAM}ItemSellerTradeParty"
        )
        _put(seller, f"{_RAM}Name", "Fournisseur")
        legal = etree.SubElement(seller, f"{_RAM}SpecifiedLegalOrganization")
        _put(legal, f"{_RAM}ID", _SUPPLIER).set("schemeID", "0002")
        settlement = line.find(f"{_RAM}SpecifiedLineTradeSettlement")
        total = settlement.find(f"{_RAM}SpecifiedTradeSettlementLineMonetarySummation")
        _put(total, f"{_RAM}TaxTotalAmount", "20.00").set("currencyID", "EUR")
        before = etree.SubElement(settlement, f"{_RAM}InvoiceReferencedDocument")
        _put(before, f"{_RAM}IssuerAssignedID", "FA-OLD")
        for scheme, value in (("AVV", "M1"), ("AFL", "FA-VENDOR-1")):
            reference = etree.SubElement(settlement, f"{_RAM}AdditionalReferencedDocument")
            _put(reference, f"{_RAM}IssuerAssignedID", value)
            _put(reference, f"{_RAM}TypeCode", "130")
            _put(reference, f"{_RAM}ReferenceTypeCode", scheme)


def _put(parent: etree._Element, tag: str, text: str) -> etree._Element:
    there = parent.find(tag)
    element = etree.SubElement(parent, tag) if there is None else there
    element.text = text
    return element
