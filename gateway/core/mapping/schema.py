"""The JSON Schema of the canonical invoice, made from the model and the mapping table.

    python -m gateway.core.mapping.schema > schemas/canonical-invoice.schema.json

The model gives the shape, the table each term's name, cardinality in EN 16931-1 and whether the
gateway guarantees it. Objects are left open: a later version may add properties, and a consumer
that validates must not break on them.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from gateway.core.mapping.table import Table, Term, read_table
from gateway.model.invoice import Invoice
from gateway.resources import data_folder

SCHEMA_ID = "urn:edi-gateway:schema:canonical-invoice:2"
"""Its last number changes when a consumer has to change: a property renamed, moved or removed."""


def canonical_schema(table: Table) -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12), as a JSON object."""
    (_reference,), definitions = msgspec.json.schema_components(
        (Invoice,), ref_template="#/$defs/{name}"
    )
    shown = {name: _definition(body, table) for name, body in definitions.items()}
    invoice = shown.pop("Invoice")
    shown["Source"]["required"] = list(shown["Source"]["properties"])  # even when nothing is in it
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **invoice,
        "title": "Canonical invoice",
        "$defs": dict(sorted(shown.items())),
    }


def schema_text(table: Table) -> str:
    """The committed file's content."""
    plain = msgspec.json.encode(canonical_schema(table))
    return msgspec.json.format(plain, indent=2).decode() + "\n"


def _definition(body: dict[str, Any], table: Table) -> dict[str, Any]:
    required = list(body.get("required", ()))
    properties: dict[str, Any] = {}
    for name, described in body["properties"].items():
        properties[name] = _property(described, table)
        key = described.get("x-business-term")
        if key is not None and (table.terms.get(key) or table.groups[key]).always:
            required.append(name)
    out = {**body, "properties": properties}
    out.pop("required", None)
    if required:
        out["required"] = [name for name in properties if name in required]
    return out


def _property(described: dict[str, Any], table: Table) -> dict[str, Any]:
    """What is absent is left out of the JSON, never null: so say the schema's types."""
    shown = {key: value for key, value in described.items() if key not in ("anyOf", "default")}
    kinds = [one for one in described.get("anyOf", ()) if one != {"type": "null"}]
    for kind in kinds:
        shown.update(kind)
    key = described.get("x-business-term")
    if key is not None:
        if shown.get("type") == "array":
            shown["minItems"] = 1
        entry = table.terms.get(key) or table.groups[key]
        named = {"title": entry.name, "x-business-term": key, "x-cardinality": entry.cardinality}
        if entry.extended_cardinality:
            named["x-extended-cardinality"] = entry.extended_cardinality
        if isinstance(entry, Term):
            named["x-type"] = entry.type.value
            if schemes := table.scheme_ids(key):
                named["x-scheme-terms"] = list(schemes)
        shown = {**named, **{name: value for name, value in shown.items() if name not in named}}
    return shown


if __name__ == "__main__":
    sys.stdout.write(schema_text(read_table(data_folder("mappings") / "en16931.toml")))
