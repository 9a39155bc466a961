"""A lifecycle message as XML: elements in the order of the schema, as `layout` has them.

What is None is not written; nothing is added. The same values give the same bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from decimal import Decimal
from typing import Any, Final

import msgspec
from lxml import etree

from gateway.core.cdar.layout import LAYOUT, NAMESPACES, ROOT, Kind, Slot, qualified
from gateway.core.cdar.values import Amount, Attachment, Identifier, Message

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML 1.0 cannot hold, not even escaped."""


def write(message: Message) -> bytes:
    """The message in UTF-8, indented. A character that XML cannot hold becomes U+FFFD."""
    root = etree.Element(ROOT, nsmap=NAMESPACES)
    _write_group(root, message)
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _write_group(parent: etree._Element, group: msgspec.Struct) -> None:
    for slot in LAYOUT[type(group)]:
        given = getattr(group, slot.field)
        for value in given if slot.many else (given,):
            if value is not None:
                _write_value(_element(parent, slot), slot, value)


def _element(parent: etree._Element, slot: Slot) -> etree._Element:
    """A new element for a value; those that lead to it are shared with the value before."""
    for step in slot.path[:-1]:
        last = parent[-1] if len(parent) else None
        parent = last if last is not None and last.tag == step else etree.SubElement(parent, step)
    return etree.SubElement(parent, slot.path[-1])


def _write_value(element: etree._Element, slot: Slot, value: Any) -> None:
    match value:
        case Identifier():
            element.text = _clean(value.value)
            _attribute(element, "schemeID", value.scheme)
        case Amount():
            element.text = f"{value.value:f}"
            _attribute(element, "currencyID", value.currency)
        case Attachment():
            element.text = base64.b64encode(value.content).decode("ascii")
            _attribute(element, "mimeCode", value.mime_code)
            _attribute(element, "filename", value.filename)
        case msgspec.Struct():
            _write_group(element, value)
        case bool():
            etree.SubElement(element, qualified("udt:Indicator")).text = str(value).lower()
        case dt.datetime() | dt.date():
            _write_time(element, slot, value)
        case Decimal():
            element.text = f"{value:f}"
        case _:
            element.text = _clean(str(value))


def _write_time(element: etree._Element, slot: Slot, value: dt.date) -> None:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        etree.SubElement(element, qualified("udt:DateTime")).text = value.isoformat()
        return
    string = etree.SubElement(element, qualified(f"{slot.strings}:DateTimeString"))
    # Not strftime: that writes the year 900 in three digits.
    string.text = re.sub("[-:T]", "", value.isoformat()[:19])
    string.set("format", "204" if slot.kind is Kind.DATE_TIME else "102")


def _attribute(element: etree._Element, name: str, value: str | None) -> None:
    if value is not None:
        element.set(name, _clean(value))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
