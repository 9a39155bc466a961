"""Which form of a report a request asks for: by the query, or by what it accepts (RFC 9110 §12)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.acknowledgement.forms import Form
from gateway.service.http_server import RequestHead
from gateway.service.http_status import Acknowledgement

_MOST_RANGES = 32
"""Media ranges that are looked at; no honest client lists more."""


def chosen(
    forms: Sequence[Acknowledgement], wanted: Form | None, head: RequestHead
) -> Acknowledgement | None:
    """The form to answer with; None when the one named in the query was not made.

    Without a name the client's preferences count, and of equals the XML, which stands first. A
    client that accepts nothing we have gets the XML: what it asked for is there, and a refusal
    would tell it less.
    """
    if wanted is not None:
        return next((form for form in forms if form.form is wanted), None)
    accepted = _ranges(head.get("accept") or "*/*")
    return max(forms, key=lambda form: _quality(form.content_type, accepted))


def _ranges(field: str) -> dict[str, float]:
    """Media ranges with their weights, 0 to 1; one that cannot be read counts for nothing."""
    ranges: dict[str, float] = {}
    for part in field.split(",")[:_MOST_RANGES]:
        media, *parameters = (each.strip().lower() for each in part.split(";"))
        weight = "1"
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = value.strip()
        try:
            ranges[media] = min(1.0, max(0.0, float(weight)))
        except ValueError:
            continue
    return ranges


def _quality(content_type: str, ranges: dict[str, float]) -> float:
    """The weight of the most specific range that fits."""
    media = content_type.partition(";")[0]
    for candidate in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
