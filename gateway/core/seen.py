"""Reading from an invoice what a finding about it should show: values, with their lines."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, cast

from lxml import etree

from gateway.core.figures import Seen, amount

NAMESPACES: Final = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
"""Prefixes of the XPaths in schemas/explanations.toml."""

_MAX_VALUE: Final = 100
_LAST_LINE: Final = 65_535
"""libxml2 counts no further; from there on a line would be wrong."""
_RATED: Final = frozenset({"S", "L", "M"})
"""VAT categories that have a row of the breakdown for each rate."""
_PREDICATE = re.compile(r"\[.*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def values_of(
    wanted: Iterable[str], paths: Mapping[str, str], element: etree._Element
) -> dict[str, Seen]:
    """Those of the terms `wanted` that the invoice has. `paths`: XPath from `element`, by term.

    Σ before a term asks for the sum of all its values; left out when one of them is no number.
    A path may ask for those of one VAT category: $category is BT-118 at `element`, $rate its
    BT-119, or "" where every rate of the category counts.
    """
    values: dict[str, Seen] = {}
    wanted = tuple(wanted)
    if any(term.endswith("*") for term in wanted):
        wanted = ("BT-118", "BT-119", *wanted)
    category = rate = ""
    for term in wanted:
        path = paths.get(term)
        if path is None or term in values:
            continue
        if term.endswith("*"):
            category = values["BT-118"].text if "BT-118" in values else ""
            rate = values["BT-119"].text if category in _RATED and "BT-119" in values else ""
        found = cast("list[etree._Element]", _xpath(path)(element, category=category, rate=rate))
        texts = [(node, text) for node in found if (text := (node.text or "").strip())]
        if term.startswith("Σ"):
            amounts = [amount(text) for _node, text in texts]
            if None not in amounts:
                values[term] = Seen(str(sum(filter(None, amounts), Decimal(0))))
        elif texts:
            node, text = texts[0]
            values[term] = Seen(_shown(text), _line(node))
    return values


def value_at(element: etree._Element, attribute: str) -> Seen | None:
    """The value a finding stands at: an attribute by its local name, else the element's own text.

    None where there is none to show: no such attribute, or an element that holds others.
    """
    if attribute:
        wanted = attribute.rpartition(":")[2]
        for name, value in element.attrib.items():
            if str(name).rpartition("}")[2] == wanted:
                return Seen(_shown(str(value)), _line(element))
        return None
    text = (element.text or "").strip()
    if len(element) or not text:
        return None
    return Seen(_shown(text), _line(element))


def counted(element: etree._Element, what: str) -> int:
    """How many children of `element` are called `what` (a prefix and conditions are ignored)."""
    wanted = _PREDICATE.sub("", what).strip().rpartition(":")[2]
    return sum(1 for _ in element.iterchildren(f"{{*}}{wanted}"))


def _shown(text: str) -> str:
    text = _CONTROL.sub(" ", text[: 4 * _MAX_VALUE])
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"


def _line(element: etree._Element) -> int | None:
    """The line of an element; None on the first, where whole invoices stand that have but one."""
    text = str(element.sourceline)
    line = int(text) if text.isdecimal() else 0
    return line if 1 < line < _LAST_LINE else None


@functools.cache
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=NAMESPACES)
