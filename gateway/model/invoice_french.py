"""Who else takes part, in EXTENDED-CTC-FR: agents, payer, invoicee and invoicer.

All are described alike; each has terms of its own, for an address of the payer's is not one of
the invoicee's.
"""

from __future__ import annotations

from typing import Annotated

from gateway.model.invoice_types import BusinessGroup, Identifier, Identifiers, Text, term


class BuyerAgentPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-14: Buyer's agent postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-15")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-16")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-17")] = None
    city: Annotated[Text, term("EXT-FR-FE-19")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-18")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-20")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-21")] = None


class BuyerAgentContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-22: Buyer's agent contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-23")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-24")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-25")] = None


class BuyerAgent(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-01: Buyer's agent."""

    name: Annotated[Text, term("EXT-FR-FE-03")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-04")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-05")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-06")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-08")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-10")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-12")] = None
    postal_address: Annotated[BuyerAgentPostalAddress | None, term("EXT-FR-FE-14")] = None
    contact: Annotated[BuyerAgentContact | None, term("EXT-FR-FE-22")] = None


class PayerPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-54: Payer postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-55")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-56")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-57")] = None
    city: Annotated[Text, term("EXT-FR-FE-58")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-59")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-60")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-61")] = None


class PayerContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-62: Payer contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-63")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-64")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-65")] = None


class Payer(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-02: Payer."""

    name: Annotated[Text, term("EXT-FR-FE-43")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-44")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-45")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-46")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-48")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-50")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-52")] = None
    postal_address: Annotated[PayerPostalAddress | None, term("EXT-FR-FE-54")] = None
    contact: Annotated[PayerContact | None, term("EXT-FR-FE-62")] = None


class SellerAgentPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-77: Seller's agent postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-78")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-79")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-80")] = None
    city: Annotated[Text, term("EXT-FR-FE-82")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-81")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-83")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-84")] = None


class SellerAgentContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-85: Seller's agent contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-86")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-87")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-88")] = None


class SellerAgent(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-03: Seller's agent."""

    name: Annotated[Text, term("EXT-FR-FE-66")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-67")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-68")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-69")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-71")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-73")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-75")] = None
    postal_address: Annotated[SellerAgentPostalAddress | None, term("EXT-FR-FE-77")] = None
    contact: Annotated[SellerAgentContact | None, term("EXT-FR-FE-85")] = None


class InvoiceePostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-100: Invoicee postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-101")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-102")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-103")] = None
    city: Annotated[Text, term("EXT-FR-FE-104")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-105")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-106")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-107")] = None


class InvoiceeContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-108: Invoicee contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-109")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-110")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-111")] = None


class Invoicee(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-04: Invoicee."""

    name: Annotated[Text, term("EXT-FR-FE-89")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-90")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-91")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-92")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-94")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-96")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-98")] = None
    postal_address: Annotated[InvoiceePostalAddress | None, term("EXT-FR-FE-100")] = None
    contact: Annotated[InvoiceeContact | None, term("EXT-FR-FE-108")] = None


class InvoicerPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-123: Invoicer postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-124")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-125")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-126")] = None
    city: Annotated[Text, term("EXT-FR-FE-127")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-128")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-129")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-130")] = None


class InvoicerContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-131: Invoicer contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-132")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-133")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-134")] = None


class Invoicer(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-BG-05: Invoicer."""

    name: Annotated[Text, term("EXT-FR-FE-112")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-113")] = None
    trading_name: Annotated[Text, term("EXT-FR-FE-114")] = None
    identifiers: Annotated[Identifiers, term("EXT-FR-FE-115")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("EXT-FR-FE-117")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-119")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-121")] = None
    postal_address: Annotated[InvoicerPostalAddress | None, term("EXT-FR-FE-123")] = None
    contact: Annotated[InvoicerContact | None, term("EXT-FR-FE-131")] = None
