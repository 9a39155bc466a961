"""The JSON Schema of the interchange report, made from what its writer writes.

    python -m gateway.core.acknowledgement.report_schema > schemas/interchange-report.schema.json

Objects are left open: within version 1 properties may be added, never removed or given another
meaning, and a reader that validates must not break on them.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import msgspec

from gateway.core.acknowledgement import report_json
from gateway.core.acknowledgement.refusal_codes import refusal_codes

SCHEMA_ID = "urn:edi-gateway:schema:interchange-report:1"
_SHA256 = "^[0-9a-f]{64}$"


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12), as a JSON object."""
    _, definitions = msgspec.json.schema_components(
        (report_json.ReportSaid,), ref_template="#/$defs/{name}"
    )
    shown = {name: _definition(name, body) for name, body in definitions.items()}
    shown["TechnicalErrorSaid"]["properties"]["code"]["enum"] = list(refusal_codes())
    report = shown.pop("ReportSaid")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **report,
        "title": "Interchange report",
        "$defs": dict(sorted(shown.items())),
    }


def schema_text() -> str:
    """The committed file's content."""
    return msgspec.json.format(msgspec.json.encode(report_schema()), indent=2).decode() + "\n"


def _definition(name: str, body: dict[str, Any]) -> dict[str, Any]:
    written = getattr(report_json, name, None)
    if written is not None:
        body = {**body, "description": inspect.getdoc(written)}
    properties = body.get("properties", {})
    if "sha256" in properties:
        properties["sha256"] = {**properties["sha256"], "pattern": _SHA256}
    for moment in properties.keys() & {"received_at", "date"}:
        properties[moment] = {**properties[moment], "format": "date-time"}
    return body


if __name__ == "__main__":
    sys.stdout.write(schema_text())
