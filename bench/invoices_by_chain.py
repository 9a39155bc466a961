"""An invoice for every chain of a flow, so that between them all its rule packs are used."""

from __future__ import annotations

from bench.invoices import cii_invoice, ubl_invoice
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from tests.facturx_documents import PROFILES, reduced
from tests.pdfs import pdf, xmp

EN16931 = "urn:cen.eu:en16931:2017"
"""BT-24 of what `bench.invoices` makes."""


def for_every_chain(flow: Flow, turn: int) -> list[bytes]:
    """One document each; UBL is an invoice in one turn, a credit note in the next."""
    return [_one(chain, f"BENCH-{turn}-{place}", turn) for place, chain in enumerate(flow.chain)]


def _one(chain: Chain, number: str, turn: int) -> bytes:
    profile = (chain.profiles or (EN16931,))[0].replace("*", "urn:example:bench")
    if chain.syntax is Syntax.UBL:
        return _of(profile, ubl_invoice(number, credit_note=turn % 2 == 1))
    xml = cii_invoice(number)
    if not chain.pdf:
        return _of(profile, xml)
    name = next((name for name, each in PROFILES.items() if each.bt24 == profile), "en16931")
    data = _of(profile, reduced(xml, name), PROFILES[name].bt24)
    return pdf(("factur-x.xml", data), metadata=xmp(PROFILES[name].level))


def _of(profile: str, data: bytes, before: str = EN16931) -> bytes:
    """The document with another BT-24."""
    return data.replace(f">{before}<".encode(), f">{profile}<".encode())
