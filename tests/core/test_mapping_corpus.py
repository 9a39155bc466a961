"""Public example invoices that nobody here wrote. Skipped where they are not at hand."""

from __future__ import annotations

import os
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from lxml import etree

from gateway.core.mapping.schema import canonical_schema
from gateway.model.invoice import canonical_json
from gateway.model.verdict import Severity
from tests.core.mapping_documents import has_no_place, leaves, mapping, read

CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "/nonexistent"))
FILES = sorted(CORPUS.glob("*/*.xml"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="EDI_GATEWAY_CORPUS names no folder with examples"),
]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(canonical_schema(mapping().table))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_example_maps_to_a_schema_valid_invoice(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    """No error, and an invoice that consumers' validators accept."""
    result = read(file.read_bytes())
    errors = [one for one in result.findings if one.severity is Severity.ERROR]
    assert errors == []
    validator.validate(msgspec.json.decode(canonical_json(result.invoice)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_unmapped_has_been_looked_at(file: Path) -> None:
    """Nothing is left out but what the table says there is no place for."""
    source = read(file.read_bytes()).invoice.source
    assert source.unmapped_total == len(source.unmapped)
    assert [path for path in source.unmapped if not has_no_place(path)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_invented(file: Path) -> None:
    """Every value of the canonical invoice stands in the document, but for a few made of it.

    Those that follow from others are listed: `source.derived`.
    """
    result = read(file.read_bytes())
    root = etree.fromstring(file.read_bytes())
    worked_out = {re.sub(r"\[[0-9]+\]", "", one) for one in result.invoice.source.derived}
    written = {" ".join(text.split()) for element in root.iter("*") for text in _texts(element)}
    for path, value in leaves(msgspec.json.decode(canonical_json(result.invoice))):
        if path.startswith("source.") or path == "value_added_tax_point_date_code":
            continue
        if path.endswith((".attached_document.size", ".attached_document.sha256")):
            continue
        if path in worked_out:
            continue
        shown = " ".join(value.split())
        if path.startswith("invoice_notes") or ".notes." in path:
            assert any(shown in text for text in written), path
        else:
            assert shown in written or value.replace("-", "") in written, path


def _texts(element: etree._Element) -> list[str]:
    return [str(element.xpath("string()")), *(str(value) for value in element.attrib.values())]
