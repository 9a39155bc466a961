"""What the canonical invoice is made of: the value types of EN 16931-1, section 6.5.

Amounts, quantities and percentages are decimal strings as read (xsd:decimal, never a float).
Dates are ISO 8601 calendar dates.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

DECIMAL_PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"
"""Lexical form of xsd:decimal."""
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?$"
"""A calendar date, with the time-zone offset when the document gave one (xsd:date)."""


def term(identifier: str) -> Meta:
    """The id of a business term (BT) or group (BG); its name and cardinality are in mappings/."""
    return Meta(extra_json_schema={"x-business-term": identifier})


Text = str | None
Date = Annotated[str, Meta(pattern=DATE_PATTERN)] | None
DecimalText = Annotated[str, Meta(pattern=DECIMAL_PATTERN)] | None


class BusinessGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A business group. What is absent or empty does not appear in the JSON."""


class Identifier(BusinessGroup, frozen=True, kw_only=True):
    """An identifier with the scheme that gives it meaning (BT-n, BT-n-1, BT-n-2)."""

    value: str
    scheme: Text = None
    scheme_version: Text = None


Identifiers = tuple[Identifier, ...]
