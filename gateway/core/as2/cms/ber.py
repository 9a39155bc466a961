"""CMS as it comes: BER, streamed.

BER (X.690 §8) lets a sender leave lengths open and cut octet strings into pieces, nested at will,
because it did not know the length either. `Reader` pulls such a structure from a file one element
at a time. What is large (the content) comes out in chunks; what must be small (recipients,
signers, attributes) comes out whole, with definite lengths. The caller walks:

    reader.enter(reader.expect(SEQUENCE))     into a structure
    reader.whole(reader.expect(INTEGER))      a small field
    reader.skip(reader.expect(SET))           one that does not matter
    reader.octets(reader.expect(...))         a large field
    reader.leave()                            out; there must be nothing left
    reader.finish()                           behind the last element

Nothing is believed: no length allocates memory, depth and the sum of all small fields are bounded,
and so is the number of pieces that a content may come in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from gateway.core.as2.cms.der import CONSTRUCTED, OCTET_STRING, tlv
from gateway.core.as2.cms.errors import NotCms

CHUNK: Final = 1 << 18
"""Bytes read at a time, and about the size of what `octets` yields."""

MAX_DEPTH: Final = 32
"""Constructed elements in one another. An ordinary message has about a dozen."""

MAX_STRUCTURE: Final = 1 << 20
"""Bytes of everything in a message that is not its content."""

_FREE_PIECES: Final = 100_000
_BYTES_PER_PIECE: Final = 8
"""Content in pieces smaller than this, beyond the free ones, is made to keep us busy."""

_MAX_LENGTH_OCTETS: Final = 8
_NO_END: Final = 1 << 80
_PIECES: Final = OCTET_STRING | CONSTRUCTED
_PADDING: Final = b"\0 \t\r\n"


class Header(NamedTuple):
    """The beginning of an element. `tag`: its identifier octet; `length` None: indefinite."""

    tag: int
    length: int | None


class _Container:
    """A constructed element that is being read. `end`: the offset it cannot go beyond."""

    __slots__ = ("closed", "end", "indefinite")

    def __init__(self, end: int, *, indefinite: bool) -> None:
        self.end = end
        self.indefinite = indefinite
        self.closed = False


class Reader:
    """One BER structure of a file, from where the file stands. Every method raises NotCms.

    Reads ahead: where the file stands afterwards means nothing.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0
        self._before = 0
        self._open = [_Container(_NO_END, indefinite=False)]
        self._structure = 0

    def next(self) -> Header | None:
        """The next element of what was entered last; None at its end."""
        container = self._open[-1]
        if container.closed:
            return None
        if not container.indefinite and self._before + self._at == container.end:
            return None
        header = self._header()
        if header == (0, 0):
            if not container.indefinite:
                raise NotCms("An end of contents stands where none was open.")
            container.closed = True
            return None
        return header

    def expect(self, *tags: int) -> Header:
        """The next element, which must have one of these tags."""
        header = self.next()
        if header is None or header.tag not in tags:
            raise NotCms("A field is missing, or another stands in its place.")
        return header

    def enter(self, header: Header) -> None:
        """Go into the constructed element that `next` just gave."""
        if not header.tag & CONSTRUCTED:
            raise NotCms("A structure was expected where a simple value stands.")
        if len(self._open) > MAX_DEPTH:
            raise NotCms(f"More than {MAX_DEPTH} elements are nested.")
        if header.length is None:
            self._open.append(_Container(self._open[-1].end, indefinite=True))
        else:
            end = self._before + self._at + header.length
            self._open.append(_Container(end, indefinite=False))

    def leave(self) -> None:
        """Go out of what was entered last."""
        if self.next() is not None:
            raise NotCms("A structure holds more than it should.")
        self._open.pop()

    def finish(self) -> None:
        """Check what follows the structure: white space and NULs at most.

        Mail software leaves line ends there, and some ciphers and disks fill up with zeros;
        anything else is a second message, which would be lost.
        """
        rest = self._buffer[self._at :]
        while rest:
            if rest.strip(_PADDING):
                raise NotCms("Something follows the end of the message.")
            rest = self._source.read(CHUNK)

    def whole(self, header: Header) -> bytes:
        """The element that `next` just gave, with definite lengths, octet strings in one piece.

        Only for what is small: all such elements together have MAX_STRUCTURE bytes at most.
        """
        self._count(2)
        if not header.tag & CONSTRUCTED:
            assert header.length is not None
            self._count(header.length)
            return tlv(header.tag, *self._bytes(header.length))
        content = self._as_it_stands(header)
        if content is not None:
            return tlv(header.tag, content)
        parts = []
        if header.tag == _PIECES:
            for part in self.octets(header):
                self._count(len(part))
                parts.append(part)
            return tlv(OCTET_STRING, *parts)
        self.enter(header)
        while (child := self.next()) is not None:
            parts.append(self.whole(child))
        self.leave()
        return tlv(header.tag, *parts)

    def _as_it_stands(self, header: Header) -> bytes | None:
        """The content of a constructed element, if it is in the buffer and in the wanted form.

        Most senders write it so, and then a look at the headers is enough. None says nothing: that
        the form is another, or that something is wrong.
        """
        buffer, at = self._buffer, self._at
        end = at + (header.length or 0)
        if header.length is None or header.tag == _PIECES or end > len(buffer):
            return None
        ends = [end]
        while ends:
            if at == ends[-1]:
                ends.pop()
                continue
            if at + 2 > ends[-1]:
                return None
            tag, length = buffer[at], buffer[at + 1]
            at += 2
            if length == 0x81:
                length = max(buffer[at], 0x80)
                at += 1
            elif length == 0x82:
                length = max(buffer[at] << 8 | buffer[at + 1], 0x100)
                at += 2
            elif length >= 0x80:
                return None
            if tag in {0, _PIECES} or tag & 0x1F == 0x1F or at + length > ends[-1]:
                return None
            if not tag & CONSTRUCTED:
                at += length
            elif len(ends) + len(self._open) < MAX_DEPTH:
                ends.append(at + length)
            else:
                return None
        self._count(header.length)
        content, self._at = buffer[self._at : end], end
        return content

    def skip(self, header: Header) -> None:
        """Pass over the element that `next` just gave, which nobody looks into.

        It counts like one that is read whole.
        """
        self._count(2)
        if header.length is not None:
            self._count(header.length)
            for _part in self._bytes(header.length):
                pass
            return
        self.enter(header)
        while (child := self.next()) is not None:
            self.skip(child)
        self.leave()

    def octets(self, header: Header) -> Iterator[bytes]:
        """The bytes of an OCTET STRING, or of one with an implicit tag, in chunks.

        `header` is what `next` just gave. Must be read to its end before anything else.
        """
        if not header.tag & CONSTRUCTED:
            assert header.length is not None
            yield from self._bytes(header.length)
            return
        gathered: list[bytes] = []
        size = total = pieces = 0
        for run in self._runs(header):
            gathered += run
            pieces += len(run)
            size += sum(map(len, run))
            if pieces > _FREE_PIECES + (total + size) // _BYTES_PER_PIECE:
                raise NotCms("The content is in too many and too small pieces.")
            if size >= CHUNK or len(gathered) >= _FREE_PIECES:
                yield b"".join(gathered)
                gathered.clear()
                total, size = total + size, 0
        if size:
            yield b"".join(gathered)

    def _runs(self, header: Header) -> Iterator[list[bytes]]:
        """The pieces of a constructed octet string, in lists that together hold about a buffer."""
        outside = len(self._open)
        self.enter(header)
        while len(self._open) > outside:
            if run := self._run():
                yield run
            child = self.next()
            if child is None:
                self.leave()
                continue
            # Costs time even when nothing is in it, so that it counts as a piece.
            yield [b""]
            if child.tag == OCTET_STRING:
                assert child.length is not None
                yield from ([part] for part in self._bytes(child.length))
            elif child.tag == _PIECES:
                self.enter(child)
            else:
                raise NotCms("A piece of the content is no octet string.")

    def _run(self) -> list[bytes]:
        """The octet strings that follow one another in the buffer, as far as they are all there.

        Only what `next` and `_bytes` would do as well, many times faster: senders cut a content
        into pieces of 1,000 bytes (X.690 §9.2) and less.
        """
        buffer, at = self._buffer, self._at
        end = min(len(buffer), self._open[-1].end - self._before)
        run = []
        while at + 4 <= end and buffer[at] == OCTET_STRING:
            length, begin = buffer[at + 1], at + 2
            if length >= 0x80:
                if length == 0x81:
                    length, begin = buffer[at + 2], at + 3
                elif length == 0x82:
                    length, begin = buffer[at + 2] << 8 | buffer[at + 3], at + 4
                else:
                    break
            after = begin + length
            if after > end:
                break
            run.append(buffer[begin:after])
            at = after
        self._at = at
        return run

    def _header(self) -> Header:
        at, buffer = self._at, self._buffer
        if at + 4 <= len(buffer):  # nearly always, and nearly always one of these three lengths
            tag, length = buffer[at], buffer[at + 1]
            begin = at + 2
            if length == 0x81:
                length, begin = buffer[at + 2], at + 3
            elif length == 0x82:
                length, begin = buffer[at + 2] << 8 | buffer[at + 3], at + 4
            elif length >= 0x80:
                return self._long_header()
            if tag & 0x1F != 0x1F and self._before + begin + length <= self._open[-1].end:
                self._at = begin
                return Header(tag, length)
        return self._long_header()

    def _long_header(self) -> Header:
        """A header of whatever form, octet by octet; and what is wrong with one."""
        tag = self._byte()
        if tag & 0x1F == 0x1F:
            raise NotCms("An element has a tag that CMS does not know.")
        length: int | None = self._byte()
        if length == 0x80:
            if not tag & CONSTRUCTED:
                raise NotCms("A simple value has no length.")
            length = None
        elif length is not None and length > 0x80:
            count = length & 0x7F
            if count > _MAX_LENGTH_OCTETS:
                raise NotCms("A length is beyond all bounds.")
            length = 0
            for _octet in range(count):
                length = length << 8 | self._byte()
        if self._before + self._at + (length or 0) > self._open[-1].end:
            raise NotCms("An element is longer than what it stands in.")
        return Header(tag, length)

    def _byte(self) -> int:
        if self._at == len(self._buffer):
            self._fill()
        self._at += 1
        return self._buffer[self._at - 1]

    def _bytes(self, count: int) -> Iterator[bytes]:
        while count:
            if self._at == len(self._buffer):
                self._fill()
            part = self._buffer[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            yield part

    def _fill(self) -> None:
        self._before += len(self._buffer)
        self._buffer = self._source.read(CHUNK)
        self._at = 0
        if not self._buffer:
            raise NotCms("The message is cut off.")

    def _count(self, structure: int) -> None:
        self._structure += structure
        if self._structure > MAX_STRUCTURE:
            raise NotCms(f"More than {MAX_STRUCTURE} bytes stand around the content.")
