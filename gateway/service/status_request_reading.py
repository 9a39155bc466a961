"""From the body of a message to a request for a status: bounded before it is read. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.config.strict import convert
from gateway.core.cdar import request_findings
from gateway.core.cdar.request import StatusRequest, parse_json
from gateway.core.explain import own_finding
from gateway.model.verdict import Finding

MAX_BYTES: Final = 5_000_000
"""Of a body, attached files in base64 included. Several are held at once."""


def read_request(body: bytes) -> StatusRequest | list[Finding]:
    """What is asked for, or everything that is wrong with how it is said."""
    if len(body) > MAX_BYTES:
        return [own_finding("REQUEST-BYTES", size=len(body), limit=MAX_BYTES)]
    try:
        table = parse_json(body)
    except (ValueError, RecursionError) as error:
        return [own_finding("REQUEST-JSON", error=error)]
    if not isinstance(table, dict):
        return [own_finding("REQUEST-JSON", error="not an object")]
    if (fault := request_findings.unusable(table)) is not None:
        return [fault]
    invoices = table.get("invoices")
    most = request_findings.MAX_INVOICES
    if isinstance(invoices, list) and len(invoices) > most:
        return [own_finding("REQUEST-INVOICES", count=len(invoices), limit=most)]
    asked, faults = convert(table, StatusRequest, file=Path("request"))
    if asked is None or faults:
        found = [request_findings.about_key(each.key, each.what, each.remedy) for each in faults]
        return request_findings.bounded(found)
    return asked
