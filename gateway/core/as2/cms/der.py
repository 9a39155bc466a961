"""Small ASN.1 structures in memory, in definite-length encoding (X.690 §8 and §10).

What is read here was put in this form by `ber.Reader.whole`; what is written is DER.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gateway.core.as2.cms.errors import NotCms

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONSTRUCTED: Final = 0x20
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18


class Element(NamedTuple):
    """One tag-length-value. `tag` is the identifier octet."""

    tag: int
    content: bytes

    @property
    def encoded(self) -> bytes:
        """Tag, length and value."""
        return tlv(self.tag, self.content)


def context(number: int) -> int:
    """The tag of [number] around something constructed."""
    return 0xA0 | number


def header(tag: int, length: int) -> bytes:
    """Identifier octet and the shortest length octets."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def tlv(tag: int, *contents: bytes) -> bytes:
    """One element around the concatenated contents."""
    content = b"".join(contents)
    return header(tag, len(content)) + content


def integer(value: int) -> bytes:
    """INTEGER, from 0 up."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def set_of(elements: Iterable[bytes]) -> bytes:
    """SET OF with its elements in the order of their encodings (X.690 §11.6)."""
    return tlv(SET, *sorted(elements))


def time(at: datetime) -> bytes:
    """Time as CMS wants it (RFC 5652 §11.3): UTCTime until 2049, GeneralizedTime from 2050.

    Raises ValueError for a datetime without a time zone.
    """
    if at.tzinfo is None:
        raise ValueError("a signing time needs its time zone")
    utc = at.astimezone(UTC)
    if 1950 <= utc.year < 2050:
        return tlv(_UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(_GENERALIZED_TIME, f"{utc.year:04d}{utc:%m%d%H%M%S}Z".encode())


def elements(content: bytes) -> Iterator[Element]:
    """What stands in a constructed element, one after the other. Raises NotCms."""
    at, end = 0, len(content)
    while at < end:
        if end - at < 2:
            raise NotCms("An element is cut off.")
        tag, length, begin = content[at], content[at + 1], at + 2
        if length >= 0x80:
            count = length & 0x7F
            length = int.from_bytes(content[begin : begin + count], "big")
            begin += count
        at = begin + length
        if at > end:
            raise NotCms("An element is longer than what it stands in.")
        yield Element(tag, content[begin:at])


class Fields:
    """The fields of one SEQUENCE (or of an implicitly tagged one), taken in their order.

    `what` names the structure in errors. Every method raises NotCms.
    """

    def __init__(self, element: Element | bytes, what: str) -> None:
        if isinstance(element, bytes):
            element = next(elements(element))
        if not element.tag & CONSTRUCTED:
            raise NotCms(f"{what} is not a structure.")
        self._what = what
        self._elements = elements(element.content)
        self._next = next(self._elements, None)

    def optional(self, *tags: int) -> Element | None:
        """The next field if it has one of these tags."""
        found = self._next
        if found is None or found.tag not in tags:
            return None
        self._next = next(self._elements, None)
        return found

    def take(self, *tags: int) -> Element:
        """The next field, which must have one of these tags."""
        found = self.optional(*tags)
        if found is None:
            raise NotCms(f"{self._what} lacks a field or has a wrong one.")
        return found

    def any(self) -> Element | None:
        """The next field, whatever it is; None behind the last."""
        found = self._next
        self._next = None if found is None else next(self._elements, None)
        return found

    def explicit(self, number: int) -> Element | None:
        """What stands in the optional field [number] EXPLICIT."""
        found = self.optional(context(number))
        if found is None:
            return None
        inner = list(elements(found.content))
        if len(inner) != 1:
            raise NotCms(f"{self._what} has a wrong field.")
        return inner[0]

    def end(self) -> None:
        """There must be no further field."""
        if self._next is not None:
            raise NotCms(f"{self._what} has a field too many.")


def small_int(element: Element) -> int:
    """The value of an INTEGER that is no serial number. Raises NotCms outside 0 to 2^31."""
    value = int.from_bytes(element.content[:8], "big", signed=True)
    if not 0 < len(element.content) <= 8 or not 0 <= value < 1 << 31:
        raise NotCms("A number is out of range.")
    return value
