"""Official rules, written back as the Schematron they were made of, find what they found.

No source of the official packs is installed; but their stylesheets keep every context, test,
variable and text. Put into Schematron again and compiled by us, they must say the same, in the same
order, as the stylesheets that the ISO skeleton made: of good invoices and of damaged ones.
"""

from __future__ import annotations

import functools
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from lxml import etree

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.skeleton import Rule, recognise
from gateway.core.schematron.source import compile_source
from gateway.core.schematron.svrl import Violation, violations
from gateway.errors import RulePackError
from gateway.samples import SAMPLES, sample_bytes
from tests.mutations import mutants, vocabulary

_X = "{http://www.w3.org/1999/XSL/Transform}"
_S = "{http://purl.oclc.org/dsdl/svrl}"
PACKS = {"en16931-ubl": "ubl", "br-fr-flux2-ubl": "ubl", "extended-ctc-fr-cii": "cii"}


def written_back(stylesheet: bytes) -> str:
    """The Schematron a stylesheet of the ISO skeleton was made of."""
    root = etree.fromstring(stylesheet, etree.XMLParser(huge_tree=True, remove_comments=True))
    skeleton = recognise(root)
    parts = ['<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">']
    parts += [
        f"<ns prefix={quoteattr(prefix)} uri={quoteattr(uri)}/>"
        for prefix, uri in root.nsmap.items()
        if prefix and prefix not in ("xsl", "svrl")
    ]
    for element in root.iterchildren(f"{_X}function", f"{_X}key"):
        parts.append(etree.tostring(element, encoding="unicode", with_tail=False))
    for element in root.iterchildren(f"{_X}variable", f"{_X}param"):
        if element.get("select"):
            parts.append(_let(element))
    for pattern in skeleton.patterns:
        rules = sorted(
            pattern.rules, key=lambda rule: int(rule.template.get("priority") or 0), reverse=True
        )
        parts += ["<pattern>", *map(_rule, rules), "</pattern>"]
    return "\n".join([*parts, "</schema>"])


def _let(variable: etree._Element) -> str:
    name, value = variable.get("name") or "", variable.get("select") or ""
    return f"<let name={quoteattr(name)} value={quoteattr(value)}/>"


def _rule(rule: Rule) -> str:
    parts = [f"<rule context={quoteattr(rule.match)}>"]
    for element in rule.template.iterchildren("*"):
        if element.tag == f"{_X}variable":
            parts.append(_let(element))
        elif element.tag == f"{_X}choose":
            (when,) = element.iterchildren(f"{_X}when")
            (failed,) = element.iter(f"{_S}failed-assert")
            parts.append(_assertion("assert", when.get("test") or "", failed))
        elif element.tag == f"{_X}if":
            (report,) = element.iter(f"{_S}successful-report")
            parts.append(_assertion("report", element.get("test") or "", report))
    return "".join([*parts, "</rule>"])


def _assertion(kind: str, test: str, element: etree._Element) -> str:
    attributes = {"test": test}
    for name in ("id", "flag", "role"):
        nested = element.find(f"{_X}attribute[@name='{name}']")
        value = element.get(name) or (nested.text if nested is not None else None)
        if value:
            attributes[name] = value.strip()
    said = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    text = element.find(f"{_S}text")
    assert text is not None
    content = etree.Element("x")
    content.text = _kept(text.text)
    for child in text.iterchildren("*"):
        if child.tag == f"{_X}value-of":
            copied = etree.SubElement(content, "value-of", select=child.get("select") or "")
        else:
            assert child.tag == f"{_X}text", child.tag
            copied = etree.SubElement(content, "span")
            copied.text = child.text
        copied.tail = _kept(child.tail)
    inner = (
        etree.tostring(content, encoding="unicode")[3:-4] if len(content) or content.text else ""
    )
    return f"<{kind}{said}>{inner}</{kind}>"


def _kept(text: str | None) -> str | None:
    """White space alone is how the stylesheet is laid out: XSLT drops it."""
    return text if text and text.strip() else None


@functools.cache
def saxon() -> LockedSaxon:
    """One processor for both ways."""
    return LockedSaxon()


def found(executable: object, data: bytes) -> tuple[Violation, ...] | str:
    """What a stylesheet says of a document; or that it fails, or has nothing to say."""
    node = saxon().processor().parse_xml(xml_text=data.decode())
    try:
        return violations(executable.transform_to_string(xdm_node=node).encode())  # type: ignore[attr-defined]
    except saxon_error():
        return "failed"
    except RulePackError:
        return "nothing checked"


@pytest.mark.parametrize("pack", PACKS)
def test_official_rules_written_back_find_the_same(pack: str, tmp_path: Path) -> None:
    """Rule, severity, place and text of every finding, in their order."""
    shipped = Catalogue.load().artefact(pack).stylesheet
    source = tmp_path / "official.sch"
    source.write_text(written_back(shipped), encoding="utf-8")
    ours = saxon().compile(compile_source(source))
    theirs = saxon().compile(shipped.decode())
    words = vocabulary([shipped])
    fired: set[str] = set()
    for sample in SAMPLES:
        if sample.syntax.value != PACKS[pack]:
            continue
        data = sample_bytes(sample.file)
        for document in [data, *mutants(data, words, seed=pack, count=40)]:
            expected = found(theirs, document)
            assert found(ours, document) == expected
            fired |= {each.rule for each in expected if isinstance(each, Violation)}
    assert len(fired) >= 30
