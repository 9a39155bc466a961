"""ContentInfo (RFC 5652 §3): the outermost structure, which says what the rest is."""

from __future__ import annotations

from typing import BinaryIO, Final, Literal

from gateway.core.as2.cms.algorithms import (
    AUTH_ENVELOPED_DATA,
    COMPRESSED_DATA,
    DATA,
    ENVELOPED_DATA,
    SIGNED_DATA,
    shown,
)
from gateway.core.as2.cms.ber import Header, Reader
from gateway.core.as2.cms.der import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, context
from gateway.core.as2.cms.errors import NotCms
from gateway.core.as2.cms.writer import Around

Kind = Literal["signed", "enveloped", "auth-enveloped", "compressed"]

_KINDS: Final[dict[bytes, Kind]] = {
    SIGNED_DATA: "signed",
    ENVELOPED_DATA: "enveloped",
    AUTH_ENVELOPED_DATA: "auth-enveloped",
    COMPRESSED_DATA: "compressed",
}


def kind_of(source: BinaryIO) -> Kind:
    """Which CMS content stands in the file, from its first bytes; nothing else is checked.

    `source` is seekable and is put back to where it stood. Raises NotCms.
    """
    start = source.tell()
    try:
        return _enter(Reader(source))
    finally:
        source.seek(start)


def enter(reader: Reader, *kinds: Kind) -> Kind:
    """Go into the content, past its version. Raises NotCms when it is none of `kinds`."""
    found = _enter(reader)
    if found not in kinds:
        raise NotCms(f"The message is {found} data where {' or '.join(kinds)} data should be.")
    reader.enter(reader.expect(SEQUENCE))
    reader.whole(reader.expect(INTEGER))
    return found


def _enter(reader: Reader) -> Kind:
    reader.enter(reader.expect(SEQUENCE))
    oid = reader.whole(reader.expect(OBJECT_IDENTIFIER))
    if oid not in _KINDS:
        raise NotCms(f"The message has the content type {shown(oid)}, which AS2 does not use.")
    reader.enter(reader.expect(context(0)))
    return _KINDS[oid]


def leave(reader: Reader) -> None:
    """Go out of the content to the end of the file, past nothing. Raises NotCms."""
    reader.leave()
    reader.leave()
    reader.leave()
    reader.finish()


def expect_data(reader: Reader) -> None:
    """Check that what is wrapped is of type data, as S/MIME has it (RFC 8551 §2.4.1).

    Other types would let bytes signed for one purpose pass for something else. Raises NotCms.
    """
    oid = reader.whole(reader.expect(OBJECT_IDENTIFIER))
    if oid != DATA:
        raise NotCms(f"What is wrapped has the content type {shown(oid)} instead of data.")


def explicit_octets(reader: Reader) -> Header | None:
    """Go into the content of EncapsulatedContentInfo (RFC 5652 §5.2), which may be absent.

    To be left twice. Raises NotCms.
    """
    header = reader.next()
    if header is None:
        return None
    if header.tag != context(0):
        raise NotCms("Something else stands where the content should be.")
    reader.enter(header)
    return reader.expect(0x04, 0x24)


def around(oid: bytes) -> list[Around]:
    """ContentInfo, to be written around the structure that `oid` names."""
    return [Around(SEQUENCE, oid), Around(context(0))]
