"""CMS as it goes: one large octet string inside a few nested structures.

A content that fits into memory easily is written in DER, which every receiver reads. A larger one
is written as it comes, with lengths left open and the octet string in pieces (BER, X.690 §8.1.3.6
and §8.7), as other senders do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from gateway.core.as2.cms.ber import CHUNK
from gateway.core.as2.cms.der import CONSTRUCTED, OCTET_STRING, header, tlv

SMALL: Final = 1 << 20
"""Bytes of content up to which DER is written."""

_END_OF_CONTENTS: Final = b"\0\0"


def _nothing() -> bytes:
    return b""


class Around(NamedTuple):
    """A structure around the content: its tag, its fields before and after.

    `after` is called when the content has been written: only then is an authentication tag known.
    """

    tag: int
    before: bytes = b""
    after: Callable[[], bytes] = _nothing


def chunks_of(source: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file from where it stands, CHUNK at a time."""
    while chunk := source.read(CHUNK):
        yield chunk


def write(
    sink: BinaryIO, around: Sequence[Around], chunks: Iterator[bytes], *, tag: int = OCTET_STRING
) -> None:
    """Write the content in `chunks` inside the structures `around`, outermost first.

    `tag`: of the content, OCTET STRING or its implicit replacement, in primitive form.
    """
    first = b""
    while len(first) <= SMALL:
        chunk = next(chunks, None)
        if chunk is None:
            sink.write(_in_one_piece(around, tlv(tag, first)))
            return
        first += chunk
    for structure in around:
        sink.write(bytes((structure.tag, 0x80)) + structure.before)
    sink.write(bytes((tag | CONSTRUCTED, 0x80)))
    _write_pieces(sink, first)
    for chunk in chunks:
        _write_pieces(sink, chunk)
    sink.write(_END_OF_CONTENTS)
    for structure in reversed(around):
        sink.write(structure.after() + _END_OF_CONTENTS)


def _in_one_piece(around: Sequence[Around], inner: bytes) -> bytes:
    for structure in reversed(around):
        inner = tlv(structure.tag, structure.before, inner, structure.after())
    return inner


def _write_pieces(sink: BinaryIO, data: bytes) -> None:
    if data:
        sink.write(header(OCTET_STRING, len(data)))
        sink.write(data)
