"""The invoice that a command line names: its seller, its number, its year of issue."""

from __future__ import annotations

import argparse

from gateway.core.uniqueness import seller_key
from gateway.errors import ConfigurationError
from gateway.service.invoice_import import FIRST_YEAR, LAST_YEAR, MAX_NUMBER


def add_seller_and_number(parser: argparse.ArgumentParser) -> None:
    """`SELLER NUMBER`."""
    parser.add_argument(
        "seller", metavar="SELLER", help="SIREN, SIRET or VAT identifier of the seller"
    )
    parser.add_argument("number", metavar="NUMBER", help="the invoice number (BT-1), as it stands")


def year(text: str) -> int:
    """The year of issue (BT-2)."""
    if not text.isdecimal() or not FIRST_YEAR <= int(text) <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text!r} is no year: write 2026")
    return int(text)


def seller_and_number(args: argparse.Namespace) -> tuple[str, str]:
    """Seller key and number. Raises ConfigurationError when they are none."""
    key = seller_key(args.seller)
    if key is None:
        raise ConfigurationError(
            f"The seller {args.seller[:50]!r} is no SIREN, SIRET or VAT identifier.",
            remedy="Name it as the invoice does (BT-30, BT-29 or BT-31).",
        )
    number = args.number.strip()
    if not number or len(number) > MAX_NUMBER:
        raise ConfigurationError(
            f"The invoice number {args.number[:50]!r} is none.",
            remedy=f"Write it as it stands in the invoice, at most {MAX_NUMBER} characters.",
        )
    return key, number
