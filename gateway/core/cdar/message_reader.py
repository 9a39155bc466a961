"""A lifecycle message read back into `values`, whoever wrote it and whether it keeps the rules.

Nothing is silently lost: an element that `values` has no place for, a value said twice and one
that cannot be read (a month 13) are listed beside the message. The XML itself is read by
`core.xml`, which lets no DOCTYPE, no entity and no bomb through.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec
from lxml import etree

from gateway.core.cdar.layout import LAYOUT, ROOT, Kind, Slot, qualified
from gateway.core.cdar.values import Amount, Attachment, Identifier, Message
from gateway.core.explain import own_finding
from gateway.core.places import shortened
from gateway.core.xml import ParsedXml, friendly_path, locate, parse
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

MAX_UNREAD: Final = 50
"""Listed at most: a message of nothing else helps nobody."""


class Why(StrEnum):
    """Why something in a message is not among its values."""

    UNKNOWN = "unknown"
    """No value of ours is said by this element."""
    REPEATED = "repeated"
    """The value was said before; the first one counts."""
    UNREADABLE = "unreadable"
    """It is no date, number or truth value of a form that occurs."""


class Unread(msgspec.Struct, frozen=True):
    """An element whose content is not among the values. `text` is its beginning."""

    location: str
    line: int | None
    why: Why
    text: str


class MessageRead(msgspec.Struct, frozen=True):
    """A message, and what of it could not be taken. `more`: there is more of that than listed.

    What is unreadable is listed before anything else is left out.
    """

    message: Message
    unread: tuple[Unread, ...] = ()
    more: bool = False


def read(data: bytes, limits: DocumentLimits) -> MessageRead | Finding:
    """The message in these bytes, or the one finding that says why there is none."""
    parsed = parse(data, limits)
    return parsed if isinstance(parsed, Finding) else read_parsed(parsed)


def read_parsed(parsed: ParsedXml) -> MessageRead | Finding:
    """The message in this document, or the finding that it is none."""
    root = parsed.root
    if root.tag != ROOT:
        place = locate(parsed, root)
        return own_finding(
            "ROUTE-UNKNOWN-ROOT",
            location=friendly_path(root),
            line=place.line,
            column=place.column,
            excerpt=place.excerpt,
            root=root.tag,
            known=(ROOT,),
        )
    reader = _Reader(parsed)
    message = reader.group(root, Message)
    unread = reader.unread
    more = len(unread) > MAX_UNREAD
    if more:
        unread = sorted(unread, key=lambda each: each.why is not Why.UNREADABLE)[:MAX_UNREAD]
    return MessageRead(message, tuple(unread), more)


class _Reader:
    def __init__(self, parsed: ParsedXml) -> None:
        self._parsed = parsed
        self._left: Counter[Why] = Counter()
        self.unread: list[Unread] = []

    def group(self, element: etree._Element, struct: type[Any]) -> Any:
        """The struct an element holds; every other thing in it goes on the list."""
        values: dict[str, Any] = {}
        leaves: set[etree._Element] = set()
        ways: set[tuple[str, ...]] = set()
        for slot in LAYOUT[struct]:
            found = list(element.iterfind("/".join(slot.path)))
            leaves.update(found)
            ways.update(slot.path[:length] for length in range(1, len(slot.path)))
            if slot.many:
                read = (self._value(each, slot) for each in found)
                values[slot.field] = tuple(value for value in read if value is not None)
                continue
            for each in found[1:]:
                self._leave(each, Why.REPEATED)
            values[slot.field] = self._value(found[0], slot) if found else None
        for each in _left(element, leaves, ways, ()):
            self._leave(each, Why.UNKNOWN)
        return struct(**values)

    def _value(self, element: etree._Element, slot: Slot) -> Any:
        if slot.struct is not None:
            return self.group(element, slot.struct)
        for child in list(element)[slot.kind in _IN_A_CHILD :]:
            self._leave(child, Why.UNKNOWN)
        try:
            return _READERS[slot.kind](element)
        except ValueError:
            self._leave(element, Why.UNREADABLE)
            return None

    def _leave(self, element: etree._Element, why: Why) -> None:
        self._left[why] += 1
        if self._left[why] > MAX_UNREAD + 1:
            return
        place = locate(self._parsed, element)
        text = shortened(" ".join("".join(map(str, element.itertext())).split())[:400])
        self.unread.append(Unread(friendly_path(element), place.line, why, text))


_IN_A_CHILD: Final = frozenset({Kind.INDICATOR, Kind.DATE_TIME, Kind.DATE})
"""Kinds whose text is in an element of its own."""


def _left(
    element: etree._Element,
    leaves: set[etree._Element],
    ways: set[tuple[str, ...]],
    before: tuple[str, ...],
) -> Iterator[etree._Element]:
    """Children that are neither a value nor on the way to one."""
    for child in element:
        here = (*before, child.tag)
        if child in leaves:
            continue
        if here in ways:
            yield from _left(child, leaves, ways, here)
        else:
            yield child


def _text(element: etree._Element) -> str | None:
    return (element.text or "").strip() or None


def _needed(element: etree._Element) -> str:
    text = _text(element)
    if text is None:
        raise ValueError("empty")
    return text


def _identifier(element: etree._Element) -> Identifier | None:
    text = _text(element)
    return None if text is None else Identifier(text, element.get("schemeID"))


def _indicator(element: etree._Element) -> bool | None:
    child = element[0] if len(element) else None
    text = None if child is None else _text(child)
    if text is None:
        return None
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError(text)
    return text.lower() in {"true", "1"}


def _number(element: etree._Element) -> Decimal:
    text = _needed(element)
    # Decimal would take 1e999999, NaN and digits of other scripts.
    if len(text) > 100 or not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        raise ValueError(text)
    return Decimal(text)


def _amount(element: etree._Element) -> Amount:
    return Amount(_number(element), element.get("currencyID"))


def _file(element: etree._Element) -> Attachment:
    try:
        content = base64.b64decode("".join((element.text or "").split()), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return Attachment(
        content=content, filename=element.get("filename"), mime_code=element.get("mimeCode")
    )


_FORMATS: Final = {"102": "%Y%m%d", "203": "%Y%m%d%H%M", "204": "%Y%m%d%H%M%S"}
_DIGITS: Final = {8: "102", 12: "203", 14: "204"}


def _date_time(element: etree._Element) -> dt.datetime | None:
    child = element[0] if len(element) else None
    text = None if child is None else _text(child)
    if child is None or text is None:
        return None
    if child.tag == qualified("udt:DateTime"):
        return dt.datetime.fromisoformat(text)
    form = child.get("format") or _DIGITS.get(len(text), "")
    if form not in _FORMATS or not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    # strptime would take 2026111 for the first of November.
    if _DIGITS.get(len(text)) != form:
        raise ValueError(text)
    return dt.datetime.strptime(text, _FORMATS[form])  # noqa: DTZ007 - the format has no zone


def _date(element: etree._Element) -> dt.date | None:
    read = _date_time(element)
    return None if read is None else read.date()


_READERS: Final = {
    Kind.TEXT: _text,
    Kind.IDENTIFIER: _identifier,
    Kind.INDICATOR: _indicator,
    Kind.DATE_TIME: _date_time,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.AMOUNT: _amount,
    Kind.FILE: _file,
}
