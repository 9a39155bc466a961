"""Who sells, buys, is paid and receives: groups BG-4 to BG-15 of the canonical invoice."""

from __future__ import annotations

from typing import Annotated

from gateway.model.invoice_types import BusinessGroup, Date, Identifier, Identifiers, Text, term


class SellerPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """BG-5 SELLER POSTAL ADDRESS."""

    address_line_1: Annotated[Text, term("BT-35")] = None
    address_line_2: Annotated[Text, term("BT-36")] = None
    address_line_3: Annotated[Text, term("BT-162")] = None
    city: Annotated[Text, term("BT-37")] = None
    post_code: Annotated[Text, term("BT-38")] = None
    country_subdivision: Annotated[Text, term("BT-39")] = None
    country_code: Annotated[Text, term("BT-40")] = None


class SellerContact(BusinessGroup, frozen=True, kw_only=True):
    """BG-6 SELLER CONTACT."""

    contact_point: Annotated[Text, term("BT-41")] = None
    telephone_number: Annotated[Text, term("BT-42")] = None
    email_address: Annotated[Text, term("BT-43")] = None


class Seller(BusinessGroup, frozen=True, kw_only=True):
    """BG-4 SELLER."""

    name: Annotated[Text, term("BT-27")] = None
    trading_name: Annotated[Text, term("BT-28")] = None
    identifiers: Annotated[Identifiers, term("BT-29")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("BT-30")] = None
    vat_identifier: Annotated[Text, term("BT-31")] = None
    tax_registration_identifier: Annotated[Text, term("BT-32")] = None
    additional_legal_information: Annotated[Text, term("BT-33")] = None
    electronic_address: Annotated[Identifier | None, term("BT-34")] = None
    postal_address: Annotated[SellerPostalAddress | None, term("BG-5")] = None
    contact: Annotated[SellerContact | None, term("BG-6")] = None


class BuyerPostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """BG-8 BUYER POSTAL ADDRESS."""

    address_line_1: Annotated[Text, term("BT-50")] = None
    address_line_2: Annotated[Text, term("BT-51")] = None
    address_line_3: Annotated[Text, term("BT-163")] = None
    city: Annotated[Text, term("BT-52")] = None
    post_code: Annotated[Text, term("BT-53")] = None
    country_subdivision: Annotated[Text, term("BT-54")] = None
    country_code: Annotated[Text, term("BT-55")] = None


class BuyerContact(BusinessGroup, frozen=True, kw_only=True):
    """BG-9 BUYER CONTACT."""

    contact_point: Annotated[Text, term("BT-56")] = None
    telephone_number: Annotated[Text, term("BT-57")] = None
    email_address: Annotated[Text, term("BT-58")] = None


class Buyer(BusinessGroup, frozen=True, kw_only=True):
    """BG-7 BUYER. `identifiers`: several in EXTENDED-CTC-FR (SIRET, service code, …)."""

    name: Annotated[Text, term("BT-44")] = None
    trading_name: Annotated[Text, term("BT-45")] = None
    identifiers: Annotated[Identifiers, term("BT-46")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("BT-47")] = None
    vat_identifier: Annotated[Text, term("BT-48")] = None
    electronic_address: Annotated[Identifier | None, term("BT-49")] = None
    postal_address: Annotated[BuyerPostalAddress | None, term("BG-8")] = None
    contact: Annotated[BuyerContact | None, term("BG-9")] = None


class PayeePostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-31: payee postal address."""

    address_line_1: Annotated[Text, term("EXT-FR-FE-32")] = None
    address_line_2: Annotated[Text, term("EXT-FR-FE-33")] = None
    address_line_3: Annotated[Text, term("EXT-FR-FE-34")] = None
    city: Annotated[Text, term("EXT-FR-FE-35")] = None
    post_code: Annotated[Text, term("EXT-FR-FE-36")] = None
    country_subdivision: Annotated[Text, term("EXT-FR-FE-37")] = None
    country_code: Annotated[Text, term("EXT-FR-FE-38")] = None


class PayeeContact(BusinessGroup, frozen=True, kw_only=True):
    """EXT-FR-FE-39: payee contact."""

    contact_point: Annotated[Text, term("EXT-FR-FE-40")] = None
    telephone_number: Annotated[Text, term("EXT-FR-FE-41")] = None
    email_address: Annotated[Text, term("EXT-FR-FE-42")] = None


class Payee(BusinessGroup, frozen=True, kw_only=True):
    """BG-10 PAYEE: the payee, where it is not the seller."""

    name: Annotated[Text, term("BT-59")] = None
    role_code: Annotated[Text, term("EXT-FR-FE-26")] = None
    identifiers: Annotated[Identifiers, term("BT-60")] = ()
    legal_registration_identifier: Annotated[Identifier | None, term("BT-61")] = None
    vat_identifier: Annotated[Text, term("EXT-FR-FE-27")] = None
    electronic_address: Annotated[Identifier | None, term("EXT-FR-FE-29")] = None
    postal_address: Annotated[PayeePostalAddress | None, term("EXT-FR-FE-31")] = None
    contact: Annotated[PayeeContact | None, term("EXT-FR-FE-39")] = None


class TaxRepresentativePostalAddress(BusinessGroup, frozen=True, kw_only=True):
    """BG-12 SELLER TAX REPRESENTATIVE POSTAL ADDRESS."""

    address_line_1: Annotated[Text, term("BT-64")] = None
    address_line_2: Annotated[Text, term("BT-65")] = None
    address_line_3: Annotated[Text, term("BT-164")] = None
    city: Annotated[Text, term("BT-66")] = None
    post_code: Annotated[Text, term("BT-67")] = None
    country_subdivision: Annotated[Text, term("BT-68")] = None
    country_code: Annotated[Text, term("BT-69")] = None


class SellerTaxRepresentativeParty(BusinessGroup, frozen=True, kw_only=True):
    """BG-11 SELLER TAX REPRESENTATIVE PARTY."""

    name: Annotated[Text, term("BT-62")] = None
    vat_identifier: Annotated[Text, term("BT-63")] = None
    postal_address: Annotated[TaxRepresentativePostalAddress | None, term("BG-12")] = None


class InvoicingPeriod(BusinessGroup, frozen=True, kw_only=True):
    """BG-14 INVOICING PERIOD."""

    start_date: Annotated[Date, term("BT-73")] = None
    end_date: Annotated[Date, term("BT-74")] = None


class DeliverToAddress(BusinessGroup, frozen=True, kw_only=True):
    """BG-15 DELIVER TO ADDRESS."""

    address_line_1: Annotated[Text, term("BT-75")] = None
    address_line_2: Annotated[Text, term("BT-76")] = None
    address_line_3: Annotated[Text, term("BT-165")] = None
    city: Annotated[Text, term("BT-77")] = None
    post_code: Annotated[Text, term("BT-78")] = None
    country_subdivision: Annotated[Text, term("BT-79")] = None
    country_code: Annotated[Text, term("BT-80")] = None


class DeliveryInformation(BusinessGroup, frozen=True, kw_only=True):
    """BG-13 DELIVERY INFORMATION."""

    deliver_to_party_name: Annotated[Text, term("BT-70")] = None
    deliver_to_location_identifier: Annotated[Identifier | None, term("BT-71")] = None
    actual_delivery_date: Annotated[Date, term("BT-72")] = None
    invoicing_period: Annotated[InvoicingPeriod | None, term("BG-14")] = None
    deliver_to_address: Annotated[DeliverToAddress | None, term("BG-15")] = None
