"""CompressedData (RFC 3274) with ZLIB, file to file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from gateway.core.as2.cms import algorithms, content_info
from gateway.core.as2.cms.algorithms import algorithm, shown
from gateway.core.as2.cms.ber import CHUNK, Reader
from gateway.core.as2.cms.der import SEQUENCE, context, integer
from gateway.core.as2.cms.errors import DecompressionFailed, NotAllowed, NotCms
from gateway.core.as2.cms.writer import Around, chunks_of, write

RATIO_FROM: Final = 10_000_000
"""Bytes that may come out before anybody asks how well they were packed."""


def decompress(source: BinaryIO, sink: BinaryIO, *, max_bytes: int, max_ratio: int) -> None:
    """Unpack CompressedData from `source` to `sink`.

    At most `max_bytes` come out, and beyond the first 10 MB at most `max_ratio` for each byte that
    went in. When anything is raised, what stands in `sink` must not be used.

    Raises NotCms, NotAllowed (not ZLIB), DecompressionFailed (damaged or too much).
    """
    reader = Reader(source)
    content_info.enter(reader, "compressed")
    used = algorithm(reader.whole(reader.expect(SEQUENCE)))
    if used.oid != algorithms.ZLIB:
        raise NotAllowed(f"The compression {shown(used.oid)} is not supported.")
    reader.enter(reader.expect(SEQUENCE))
    content_info.expect_data(reader)
    content = content_info.explicit_octets(reader)
    if content is None:
        raise NotCms("The message holds no content.")
    total = 0
    for fed, chunk in _inflated(reader.octets(content)):
        total += len(chunk)
        if total > max_bytes:
            raise DecompressionFailed(f"The message unpacks to more than {max_bytes} bytes.")
        if total > RATIO_FROM and total > max_ratio * fed:
            raise DecompressionFailed(
                f"The message unpacks to more than {max_ratio} times its own size."
            )
        sink.write(chunk)
    reader.leave()
    reader.leave()
    content_info.leave(reader)


def _inflated(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """How many bytes went in until then, and what came out, never more than CHUNK at once."""
    decoder = zlib.decompressobj()
    fed = 0
    for chunk in chunks:
        fed += len(chunk)
        rest = chunk
        while rest:
            try:
                unpacked = decoder.decompress(rest, CHUNK)
            except zlib.error as error:
                raise DecompressionFailed("The compressed bytes are damaged.") from error
            rest = decoder.unconsumed_tail
            yield fed - len(rest), unpacked
            if decoder.unused_data:
                raise DecompressionFailed("Something follows the end of the compressed bytes.")
            if decoder.eof:
                break
    while not decoder.eof:
        # What fits into no chunk any more is still inside.
        unpacked = decoder.decompress(b"", CHUNK)
        if not unpacked:
            raise DecompressionFailed("The compressed bytes are cut off.")
        yield fed, unpacked


def compress(source: BinaryIO, sink: BinaryIO) -> None:
    """Pack `source` to its end into CompressedData with ZLIB, written to `sink`."""
    around = [
        *content_info.around(algorithms.COMPRESSED_DATA),
        Around(SEQUENCE, integer(0) + algorithms.identifier(algorithms.ZLIB)),
        Around(SEQUENCE, algorithms.DATA),
        Around(context(0)),
    ]
    write(sink, around, _deflated(chunks_of(source)))


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    encoder = zlib.compressobj()
    for chunk in chunks:
        if packed := encoder.compress(chunk):
            yield packed
    yield encoder.flush()
