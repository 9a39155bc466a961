"""What makes a file, or an invoice, the same one again, and the findings that say so.

    flux      partner + name of the file, partner + its bytes
    invoice   seller + invoice number (BT-1) + year of issue (BT-2), whoever sends it

The seller is known by its SIREN: BT-30 or BT-29 with scheme 0002, else the first nine digits of a
SIRET (scheme 0009), else those inside a French VAT identifier (BT-31: FR, two characters, SIREN).
Any other seller is known by its VAT identifier. Without either nothing can be compared, and the
invoice says so. Numbers are compared as they are written, capitals and zeros included: only white
space around them does not count. Credit notes and corrected invoices have numbers of their own,
so the rule is theirs as well.

What partners send as a test has keys of its own: it repeats nothing real, nor is it repeated.

Who holds a key already is in the journal; here is only how keys are made, and the words.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.core.explain import own_finding
from gateway.core.naming import envelope_name
from gateway.model.interchange import Environment
from gateway.model.partner import Uniqueness
from gateway.model.verdict import Accepted, Finding, Judgement, Rejected, Severity

SIREN_SCHEME: Final = "0002"
SIRET_SCHEME: Final = "0009"

TEST_KEY: Final = "test:"

_SIREN: Final = re.compile(r"[0-9]{9}")
_SIRET: Final = re.compile(r"[0-9]{14}")
_FRENCH_VAT: Final = re.compile(r"FR[0-9A-Z]{2}([0-9]{9})")
_VAT: Final = re.compile(r"[A-Z]{2}(?=.*[0-9])[0-9A-Z+*]{2,18}")
_YEAR: Final = re.compile(r"([0-9]{4})-[0-9]{2}-[0-9]{2}")


class InvoiceKey(msgspec.Struct, frozen=True):
    """Two invoices with the same key are one and the same. `seller`: `siren:…` or `vat:…`."""

    seller: str
    number: str
    year: int


class FluxKey(msgspec.Struct, frozen=True):
    """What a partner may send but once: a name, these bytes; None where it may repeat them."""

    partner: str
    name: str | None
    sha256: str | None


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a key. Without `interchange` it was imported from another system."""

    interchange: str | None = None
    partner: str | None = None
    ordinal: int = 0
    file: str = ""
    sha256: str = ""
    received_at: dt.datetime | None = None
    document: str = ""


class _Identifier(msgspec.Struct, frozen=True):
    value: str = ""
    scheme: str | None = None


class _Seller(msgspec.Struct, frozen=True):
    identifiers: tuple[_Identifier, ...] = ()
    legal_registration_identifier: _Identifier | None = None
    vat_identifier: str | None = None


class _Invoice(msgspec.Struct, frozen=True):
    """As much of the canonical invoice as a key is made of."""

    invoice_number: str | None = None
    invoice_issue_date: str | None = None
    seller: _Seller = _Seller()


_decode = msgspec.json.Decoder(_Invoice).decode


def invoice_key(invoice: bytes) -> InvoiceKey | None:
    """The key of a canonical invoice (JSON); None when it lacks a part of it."""
    read = _decode(invoice)
    seller = _seller_of(read.seller)
    number = (read.invoice_number or "").strip()
    dated = _YEAR.match(read.invoice_issue_date or "")
    if seller is None or not number or dated is None:
        return None
    return InvoiceKey(seller, number, int(dated[1]))


def seller_key(text: str) -> str | None:
    """The key of a seller named by SIREN, SIRET or VAT identifier; None for anything else."""
    plain = "".join(text.split()).upper()
    if _SIREN.fullmatch(plain) or _SIRET.fullmatch(plain):
        return f"siren:{plain[:9]}"
    return _vat(text)


def within(environment: Environment, word: str) -> str:
    """A word of a key, so that tests have keys of their own: no name or number begins like this."""
    return f"{TEST_KEY}{word}" if environment is Environment.TEST else word


def flux_key(partner: str, name: str, sha256: str, policy: Uniqueness) -> FluxKey | None:
    """What of a file its sender may not repeat; None when it may repeat everything."""
    named = policy.envelope == "refuse" or (
        policy.envelope == "platform" and envelope_name(name) is not None
    )
    key = FluxKey(partner, name if named else None, sha256 if policy.payload == "refuse" else None)
    return key if key.name is not None or key.sha256 is not None else None


def flux_finding(holders: Iterable[Holder], key: FluxKey, sha256: str, name: str) -> Finding | None:
    """Why a file is refused, given who holds its name or its bytes; None when nobody does.

    `sha256` and `name` are those of the file; that its bytes are known outweighs its name.
    """
    for holder in holders:
        if holder.sha256 == sha256 and key.sha256 is not None:
            return own_finding(
                "PAYLOAD-REPEATED",
                variant="again" if holder.file == name else None,
                name=name,
                before=holder.file,
                time=_time(holder),
            )
        if holder.sha256 != sha256 and holder.file == name and key.name is not None:
            return own_finding("ENVELOPE-REUSED", name=name, time=_time(holder))
    return None


def invoice_finding(
    key: InvoiceKey, holder: Holder, *, partner: str, severity: Severity
) -> Finding:
    """That an invoice is here already. When and in which file it came, only its sender is told."""
    own = holder.partner == partner
    variant = None if own else "elsewhere"
    if holder.interchange is None:
        variant = "imported"
    return own_finding(
        "DOUBLON",
        variant=variant,
        terms=("BT-1", "BT-2", "BT-30"),
        severity=severity,
        number=key.number,
        seller=key.seller.rpartition(":")[2],
        year=key.year,
        file=holder.file if own else "",
        document=holder.document if own else "",
        time=_time(holder) if own else "",
    )


def with_finding(judgement: Judgement, finding: Finding) -> Judgement:
    """The judgement with one finding more; an error rejects what was accepted."""
    verdict = judgement.verdict
    if not isinstance(verdict, Accepted):
        raise TypeError("only an accepted document can repeat another")
    findings = (finding, *verdict.findings)
    if finding.severity is not Severity.ERROR:
        accepted = msgspec.structs.replace(verdict, findings=findings)
        return msgspec.structs.replace(judgement, verdict=accepted)
    # What was attached is only kept with an accepted invoice.
    return msgspec.structs.replace(judgement, verdict=Rejected(findings), files=())


def not_compared() -> Finding:
    """That an invoice has no key, and so may be here already."""
    return own_finding("CHECK-NO-SELLER", terms=("BT-29", "BT-30", "BT-31"))


def _seller_of(seller: _Seller) -> str | None:
    registered = seller.legal_registration_identifier
    known = (*((registered,) if registered else ()), *seller.identifiers)
    for scheme, form in ((SIREN_SCHEME, _SIREN), (SIRET_SCHEME, _SIRET)):
        for each in known:
            plain = "".join(each.value.split())
            if each.scheme == scheme and form.fullmatch(plain):
                return f"siren:{plain[:9]}"
    return _vat(seller.vat_identifier or "")


def _vat(text: str) -> str | None:
    plain = re.sub(r"[\s.\-]", "", text).upper()
    french = _FRENCH_VAT.fullmatch(plain)
    if french:
        return f"siren:{french[1]}"
    return f"vat:{plain}" if _VAT.fullmatch(plain) else None


def _time(holder: Holder) -> str:
    return f"{holder.received_at:%Y-%m-%d %H:%M} UTC" if holder.received_at else "—"
