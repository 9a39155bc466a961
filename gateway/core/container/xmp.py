"""What the XMP metadata of a PDF say about the invoice inside it.

Factur-X asks for four properties in the document's XMP packet (ISO 16684-1), among them the name
of the embedded file and its profile. They let a program know what it is handed without opening
the attachment, so they must not contradict it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.core.explain import own_finding
from gateway.core.xml import ParsedXml, parse
from gateway.model.flow import profile_fits
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

_NAMESPACES: Final = (
    "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
    "urn:zugferd:pdfa:CrossIndustryDocument:invoice:2p0#",
)
"""Of the properties: Factur-X and ZUGFeRD since 2.1; ZUGFeRD 2.0."""

_LIMITS: Final = DocumentLimits(max_bytes=5_000_000, max_elements=200_000)
"""Real packets have some kilobytes."""

_CEN: Final = "urn:cen.eu:en16931:2017"
PROFILES: Final[dict[str, tuple[str, ...]]] = {
    "MINIMUM": ("urn:factur-x.eu:1p0:minimum",),
    "BASIC WL": ("urn:factur-x.eu:1p0:basicwl",),
    "BASIC": (f"{_CEN}#compliant#urn:factur-x.eu:1p0:basic",),
    "EN 16931": (_CEN,),
    # The French extension has no word of its own here: it is a part of EXTENDED.
    "EXTENDED": (
        f"{_CEN}#conformant#urn:factur-x.eu:1p0:extended",
        f"{_CEN}#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr",
    ),
    "XRECHNUNG": (
        f"{_CEN}#compliant#urn:xeinkauf.de:kosit:xrechnung_*",
        f"{_CEN}#compliant#urn:xoev-de:kosit:standard:xrechnung_*",
    ),
}
"""fx:ConformanceLevel → what BT-24 may then be."""


class XmpClaims(msgspec.Struct, frozen=True):
    """fx:ConformanceLevel and fx:DocumentFileName, as far as they are there."""

    level: str | None
    file_name: str | None


def read_xmp(packet: bytes) -> XmpClaims | Finding:
    """What an XMP packet claims; when it cannot be read, the parser's finding."""
    parsed = parse(packet, _LIMITS)
    if not isinstance(parsed, ParsedXml):
        return parsed
    return XmpClaims(_property(parsed, "ConformanceLevel"), _property(parsed, "DocumentFileName"))


def _property(parsed: ParsedXml, name: str) -> str | None:
    """A property, which RDF lets stand as an element or as an attribute."""
    for namespace in _NAMESPACES:
        tag = f"{{{namespace}}}{name}"
        for element in parsed.root.iter():
            value = element.text if element.tag == tag else element.get(tag)
            if value and value.strip():
                return value.strip()
    return None


def misfit(syntax: Syntax, profile: str | None, level: str | None) -> Finding | None:
    """The finding that an invoice does not belong into the PDF it came in.

    `profile` is BT-24, `level` the profile XMP names. A BT-24 that is no profile of Factur-X is
    passed over: routing has something better to say.
    """
    if syntax is not Syntax.CII:
        return own_finding("PDF-UBL")
    own = next((name for name in PROFILES if profile and _fits(name, profile)), None)
    if own is None or level is None or _letters(level) == _letters(own):
        return None
    return own_finding("PDF-PROFILE", terms=("BT-24",), level=level, profile=profile, expected=own)


def _fits(level: str, profile: str) -> bool:
    return any(profile_fits(pattern, profile) for pattern in PROFILES[level])


def _letters(level: str) -> str:
    """EN16931 and "EN 16931", BASIC-WL and "BASIC WL" are one name each, however written."""
    return re.sub(r"[^A-Z0-9]", "", level.upper())
