"""The table is complete: every term of EN 16931-1, every extension the official rules name.

The lists here are written from the standard and read from the stylesheets, not from the table.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import pytest
import xmlschema
from lxml import etree

from gateway.core.mapping.paths import Path
from gateway.core.mapping.table import Group, Term
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.terms import terms
from gateway.model.verdict import Language
from gateway.resources import data_folder
from tests.core.mapping_documents import mapping

TABLE = mapping().table

CARDINALITIES = {
    "1..1": """
        BT-1 BT-2 BT-3 BT-5 BT-22 BG-2 BT-24 BT-25 BG-4 BT-27 BG-5 BT-40 BG-7 BT-44 BG-8 BT-55
        BT-59 BT-62 BT-63 BG-12 BT-69 BT-80 BT-81 BT-84 BT-87 BT-92 BT-95 BT-99 BT-102 BG-22
        BT-106 BT-109 BT-112 BT-115 BT-116 BT-117 BT-118 BT-122 BT-125-1 BT-125-2 BT-126 BT-129
        BT-130 BT-131 BT-136 BT-141 BG-29 BT-146 BG-30 BT-151 BG-31 BT-153 BT-160 BT-161""",
    "0..n": "BG-1 BG-3 BT-29 BG-17 BG-20 BG-21 BG-24 BG-27 BG-28 BG-32 BT-158",
    "1..n": "BG-23 BG-25",
}
"""In EN 16931-1, within the group; everything else is 0..1."""

SCHEMAS = {
    "ubl": ("ubl-2.1", "ubl"),
    "ubl_credit_note": ("ubl-2.1", "ubl_credit_note"),
    "cii": ("cii-d22b", "cii"),
    "facturx-en16931": ("facturx-en16931", "cii"),
    "facturx-extended": ("facturx-extended", "cii"),
}
"""What is looked at → the schema in the catalogue, and the kind of document in the table."""

XSL = {"xsl": "http://www.w3.org/1999/XSL/Transform"}
STYLESHEETS = ("extended-ctc-fr-ubl", "extended-ctc-fr-cii", "br-fr-flux2-ubl", "br-fr-flux2-cii")


def _standard(key: str) -> bool:
    return not key.startswith("EXT-") and not key.endswith("-00")


def test_every_term_and_group_of_the_standard_has_its_entry() -> None:
    """164 terms (BT-4 was never given out; BT-125 is kept as a group) and 32 groups; no others."""
    numbered = {f"BT-{number}" for number in range(1, 166)} - {"BT-4"}
    groups = {f"BG-{number}" for number in range(1, 33)}
    known = {key for key in TABLE.terms.keys() | TABLE.groups.keys() if _standard(key)}
    assert known == numbered | groups | {"BT-125-1", "BT-125-2"}
    assert len(numbered) == 164


def test_cardinalities_are_those_of_the_standard() -> None:
    """Whether a term must be there, and whether it may be there several times."""
    expected = {
        key: cardinality for cardinality, keys in CARDINALITIES.items() for key in keys.split()
    }
    for key, entry in (*TABLE.terms.items(), *TABLE.groups.items()):
        if _standard(key):
            assert entry.cardinality == expected.get(key, "0..1"), key


@functools.cache
def _schema(name: str, root: str) -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(str(Catalogue.load().schema_path(name, root)), build=True)


def _whole_paths(key: str, form: str) -> Iterator[Path]:
    """Every path to an entry, from the root element; where its scheme stands too."""
    entry = TABLE.terms.get(key) or TABLE.groups[key]
    above = [Path(())] if entry.group is None else list(_whole_paths(entry.group, form))
    syntax = TABLE.documents[form].syntax
    beside = []
    if isinstance(entry, Term):
        beside = [text for text in (entry.scheme(syntax), entry.scheme_version(syntax)) if text]
    for text in entry.texts(form):
        own = TABLE.path(text)
        for over in above:
            steps = over.steps + own.steps
            yield Path(steps, own.attribute)
            for path in map(TABLE.path, beside):
                yield Path(steps[: len(steps) - path.up] + path.steps, path.attribute)


def _missing(path: Path, schema: xmlschema.XMLSchema10, root: str) -> str | None:
    """The first name of a path, or of its conditions, that the schema does not know there."""
    element = schema.maps.elements[root]
    for step in path.steps:
        found = _child(element, step.tag)
        if found is None:
            return step.tag
        element = found
        for condition in step.conditions:
            inner = element
            for tag in condition.steps:
                inner = _child(inner, tag)
                if inner is None:
                    return tag
            if condition.attribute is not None and condition.attribute not in inner.attributes:
                return f"@{condition.attribute}"
    if path.attribute is not None and path.attribute not in element.attributes:
        return f"@{path.attribute}"
    return None


def _child(element: xmlschema.XsdElement, tag: str) -> xmlschema.XsdElement | None:
    content = element.type.content
    if not isinstance(content, xmlschema.validators.XsdGroup):
        return None
    return next((one for one in content.iter_elements() if one.name == tag), None)


@pytest.mark.parametrize("looked_at", SCHEMAS)
def test_every_path_is_one_the_official_schema_knows(looked_at: str) -> None:
    """A path that no valid document can have would be a term that is never read."""
    name, form = SCHEMAS[looked_at]
    root = TABLE.documents[form].root
    schema = _schema(name, root)
    faults = []
    entries: dict[str, Group | Term] = {**TABLE.groups, **TABLE.terms}
    for key, entry in entries.items():
        if looked_at == "facturx-en16931" and not _standard(key):
            continue
        paths = list(_whole_paths(key, form))
        assert paths or entry.without, key
        missing = [_missing(path, schema, root) for path in paths]
        if name.startswith("facturx"):  # the profiles leave out what they do not need
            if None not in missing:
                faults.append((key, missing[0]))
        else:
            faults += [(key, one) for one in missing if one is not None]
    assert faults == []


def _named_in(stylesheet: str) -> set[str]:
    """The extension terms that the sentences of a stylesheet, or the ids of its rules, name.

    A number behind a number in an id (`…-06-1`) counts the rules; in a sentence it is a part of
    the term (`EXT-FR-FE-92-1`, the scheme).
    """
    named: set[str] = set()
    root = etree.parse(str(Catalogue.load().locate(stylesheet))).getroot()
    for failed in root.iter("{http://purl.oclc.org/dsdl/svrl}failed-assert"):
        for rule in failed.xpath("xsl:attribute[@name='id']", namespaces=XSL):
            named.update(re.findall(r"EXT-FR-FE-(?:BG-)?[0-9]+", str(rule.text)))
        for text in failed.iter("{http://purl.oclc.org/dsdl/svrl}text"):
            words = "".join(map(str, text.itertext()))
            named.update(re.findall(r"EXT-FR-FE-(?:BG-)?[0-9]+(?:-[0-9]+)?", words))
    return named


@pytest.mark.parametrize("stylesheet", STYLESHEETS)
def test_every_extension_term_the_stylesheets_name_is_in_the_table(stylesheet: str) -> None:
    """As a term, a group, or the scheme of an identifier."""
    named = _named_in(stylesheet)
    assert named
    assert named - TABLE.ids == set()


def test_the_stylesheets_name_as_many_extension_terms_as_expected() -> None:
    """Fewer would mean that the sentences were not found; more, that the profile has grown."""
    named = set[str]().union(*map(_named_in, STYLESHEETS))
    assert len(named - {"EXT-FR-FE-92-1"}) == 36


def test_every_extension_term_of_our_own_rules_is_in_the_table() -> None:
    """Those for Chorus Pro name a few more."""
    rules = "".join(file.read_text() for file in (data_folder("schemas") / "b2g").glob("*.sch"))
    named = set(re.findall(r"EXT-FR-FE-(?:BG-)?[0-9]+", rules))
    assert len(named) > 5
    assert named - TABLE.ids == set()


def test_every_id_has_a_name_in_both_languages() -> None:
    """Findings call a term by it, and the page of terms too."""
    for key in TABLE.terms.keys() | TABLE.groups.keys():
        assert all(terms()[key].to(language).strip() for language in Language), key


def test_no_id_stands_for_two_things() -> None:
    """The id of a scheme is not that of a term."""
    schemes = [one for key in TABLE.terms for one in TABLE.scheme_ids(key)]
    assert len(set(schemes)) == len(schemes)
    assert set(schemes).isdisjoint(TABLE.terms.keys() | TABLE.groups.keys())
