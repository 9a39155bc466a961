"""MIME entities, found where they lie (RFC 2045, RFC 2046, RFC 1847).

An entity is a range of a blob: its header section, an empty line, its body. Taking a
multipart/signed apart copies nothing, it only finds where its two parts begin and end, to the byte:
the signature is over those bytes and no others. So the line break before a delimiter belongs to
the delimiter (RFC 2046 §5.1.1), and nothing is made canonical on the way.

Senders that end lines in LF alone are understood.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from gateway.core.as2 import cms
from gateway.core.as2.fields import FieldError, content_type, parse_fields, transfer_encoding
from gateway.core.as2.streams import CHUNK, Blob, chunks
from gateway.model.as2 import Headers

MAX_SIGNATURE_BYTES: Final = 1_000_000
"""A detached signature with all the certificates anybody would send along."""

PLAIN_ENCODINGS: Final = frozenset({"binary", "8bit", "7bit"})
"""Transfer encodings that leave the bytes as they are."""

SIGNATURE_TYPES: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
"""Media types of a detached signature (RFC 5751 §3.4.3)."""

_MAX_BOUNDARY: Final = 200
_MAX_PADDING: Final = 200
_MAX_QP_LINE: Final = 1 << 20
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"(--)?[ \t]{0,%d}(?=\r?\n|\r?\Z)" % _MAX_PADDING)
_BOUNDARY = re.compile(r"[\x20-\x7e]{0,199}[\x21-\x7e]\Z")


class Malformed(ValueError):
    """The sender's bytes are not the MIME they claim to be. The text says what is wrong."""


class Entity(NamedTuple):
    """Header fields and body of one MIME entity.

    `start` is where the header section begins, `body` where the body does, `end` is behind it. Of
    the outermost entity the fields travel as HTTP headers, so it starts with its body.
    """

    headers: Headers
    blob: Blob
    start: int
    body: int
    end: int

    def open(self) -> BinaryIO:
        """Header section and body, byte for byte."""
        return self.blob.open(self.start, self.end)

    def open_body(self) -> BinaryIO:
        """The body as it was transferred."""
        return self.blob.open(self.body, self.end)


class Part(NamedTuple):
    """Where a body part of a multipart begins and ends."""

    start: int
    end: int


def read_entity(blob: Blob, start: int, end: int, max_header_bytes: int) -> Entity:
    """The entity in a range of a blob (RFC 822 §3.1). Raises Malformed."""
    with blob.open(start, end) as source:
        headers, body = read_head(source.read(max_header_bytes + 4), max_header_bytes)
    return Entity(headers, blob, start, start + body, end)


def read_head(start: bytes, max_header_bytes: int) -> tuple[Headers, int]:
    """The header section at the start of an entity, and where the body begins. Raises Malformed."""
    first = re.match(rb"\r?\n", start)
    if first:
        return (), first.end()
    empty = _EMPTY_LINE.search(start, 0, max_header_bytes + 4)
    if empty is None:
        raise Malformed(
            f"no MIME header section that ends in an empty line within {max_header_bytes} bytes"
        )
    try:
        return parse_fields(start[: empty.start()]), empty.end()
    except FieldError as error:
        raise Malformed(str(error)) from error


def split_multipart(
    source: BinaryIO, boundary: str, *, most: int, chunk: int = CHUNK
) -> tuple[Part, ...]:
    """Where the body parts lie in a multipart body (RFC 2046 §5.1), preamble and epilogue left out.

    Raises Malformed for more than `most` parts, or when the closing delimiter is missing.
    """
    line = b"\n--" + boundary.encode()
    reach = len(line) + _MAX_PADDING + 5
    parts: list[Part] = []
    opened: int | None = None
    bare = False
    window, at, begin, done = b"\n", -1, 0, False
    while not done:
        read = source.read(chunk)
        done = not read
        window += read
        settled = len(window) if done else max(begin, len(window) - reach)
        for start, match in _delimiters(window, line, begin, settled):
            if opened is not None:
                crlf = not bare and window[start - 1 : start] == b"\r"
                parts.append(Part(opened, max(opened, at + start - crlf)))
            if match[1] and opened is not None:
                return tuple(parts)
            if match[1]:
                raise Malformed("the multipart is closed before it is opened")
            if len(parts) == most:
                raise Malformed(f"there are more than {most} parts")
            bare = window[match.end() : match.end() + 1] == b"\n"
            opened = at + match.end() + (1 if bare else 2)
        # One byte before what is searched next tells whether a CR stands before its line break.
        kept = max(0, settled - 1)
        window, at, begin = window[kept:], at + kept, settled - kept
    if opened is None:
        raise Malformed("the boundary that Content-Type names is nowhere in the body")
    raise Malformed("the closing boundary is missing: the body is cut off")


def _delimiters(
    window: bytes, line: bytes, begin: int, end: int
) -> Iterator[tuple[int, re.Match[bytes]]]:
    """The delimiter lines that start in a range of the window, and what stands behind each.

    Every message has another boundary: searched as bytes, for a pattern would have to be compiled.
    """
    found = window.find(line, begin)
    while 0 <= found < end:
        match = _LINE_END.match(window, found + len(line))
        if match is not None:
            yield found, match
        found = window.find(line, found + 1)


def boundary_of(headers: Headers) -> str:
    """The boundary of a multipart (RFC 2046 §5.1.1). Raises Malformed."""
    try:
        value = content_type(headers)
    except FieldError as error:
        raise Malformed(str(error)) from error
    boundary = value.parameters.get("boundary", "").rstrip() if value else ""
    if not _BOUNDARY.match(boundary):
        raise Malformed(f"Content-Type names no boundary of 1 to {_MAX_BOUNDARY} characters")
    return boundary


def split_signed(entity: Entity) -> tuple[Part, Part]:
    """What is signed and the signature in a multipart/signed (RFC 1847 §2.1): exactly two parts.

    Anything beside them would travel as if it were signed. Raises Malformed.
    """
    with entity.open_body() as source:
        parts = split_multipart(source, boundary_of(entity.headers), most=2)
    if len(parts) != 2:
        raise Malformed("a multipart/signed has two parts, the content and its signature")
    signed, signature = (Part(part.start + entity.body, part.end + entity.body) for part in parts)
    return signed, signature


def decode(entity: Entity, sink: BinaryIO) -> None:
    """The body of an entity, its transfer encoding taken off (RFC 2045 §6).

    Raises Malformed, and CmsError where base64 is none.
    """
    with entity.open_body() as source:
        decode_stream(entity.headers, source, sink)


def decode_stream(headers: Headers, source: BinaryIO, sink: BinaryIO) -> None:
    """A body, its transfer encoding taken off as its header fields say. Raises as `decode` does."""
    try:
        encoding = transfer_encoding(headers)
    except FieldError as error:
        raise Malformed(str(error)) from error
    if encoding in PLAIN_ENCODINGS:
        for chunk in chunks(source):
            sink.write(chunk)
    elif encoding == "base64":
        cms.base64_decode(source, sink)
    elif encoding == "quoted-printable":
        _decode_quoted_printable(source, sink)
    else:
        raise Malformed("Content-Transfer-Encoding is none of RFC 2045")


def _decode_quoted_printable(source: BinaryIO, sink: BinaryIO) -> None:
    """RFC 2045 §6.7, line by line: an escape never spans lines."""
    rest = b""
    for chunk in chunks(source):
        lines, newline, rest = (rest + chunk).rpartition(b"\n")
        sink.write(binascii.a2b_qp(lines + newline))
        if len(rest) > _MAX_QP_LINE:
            raise Malformed("a line of the quoted-printable body has no end")
    sink.write(binascii.a2b_qp(rest))


def canonical(source: BinaryIO, sink: BinaryIO) -> bool:
    """The same with every line break as CRLF (RFC 5751 §3.1.1); whether any was not."""
    changed = False
    before = b"."
    for chunk in chunks(source):
        fixed = re.sub(rb"(?<!\r)\n", b"\r\n", before + chunk)[len(before) :]
        changed = changed or len(fixed) != len(chunk)
        sink.write(fixed)
        before = b"\r" if chunk.endswith(b"\r") else b"."
    return changed
