"""The JSON Schema of the canonical invoice: committed as generated, and true."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest

from gateway.core.mapping.schema import canonical_schema, schema_text
from gateway.core.mapping.table import Table, read_table
from gateway.model.invoice import Invoice, Source, canonical_json
from gateway.resources import data_folder


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(data_folder("mappings") / "en16931.toml")


def test_the_committed_schema_is_what_the_generator_makes(table: Table) -> None:
    """Nobody edits it by hand: `python -m gateway.core.mapping.schema` writes it."""
    committed = (data_folder("schemas") / "canonical-invoice.schema.json").read_text("utf-8")
    assert committed == schema_text(table)


def test_it_is_a_schema(table: Table) -> None:
    """It satisfies the meta-schema of the draft it names."""
    schema = canonical_schema(table)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_term_appears_exactly_once(table: Table) -> None:
    """Each BT and BG id stands at the one property that carries it."""
    found: list[str] = []

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if "x-business-term" in node:
                found.append(node["x-business-term"])
            for value in node.values():
                collect(value)

    collect(canonical_schema(table))
    assert sorted(found) == sorted(table.terms.keys() | table.groups.keys())


def test_what_no_invoice_can_do_without_is_required(table: Table) -> None:
    """An invoice that lacks it does not validate; the mapping reports the same terms."""
    validator = jsonschema.Draft202012Validator(canonical_schema(table))
    empty = Invoice(source=Source(syntax="ubl", root="Invoice", namespace="urn:x"))
    missing = {error.message for error in validator.iter_errors(_decoded(empty))}
    for name in ("invoice_number", "invoice_issue_date", "seller", "buyer", "document_totals"):
        assert any(f"'{name}' is a required property" in message for message in missing)


def _decoded(invoice: Invoice) -> Any:
    return msgspec.json.decode(canonical_json(invoice))
