"""The files of a tar archive (POSIX.1-2017 pax interchange format, ustar, GNU), from its bytes.

    header (512) │ content, filled up to 512 │ header │ … │ 512 zeros │ 512 zeros │ zeros

A reader of our own, because the usual ones hold a whole long name or extended header in memory,
whatever size it announces. Ours holds one header, and at most `_MAX_EXTENSION` bytes of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.core.container.entries import Budget, Entry, Flaw
from gateway.core.container.streams import UNPACKED_CHUNK, Stream

BLOCK: Final = 512

_ZEROS: Final = bytes(BLOCK)
_CHECKSUM: Final = slice(148, 156)
_OCTAL = re.compile(rb"[0-7]*")
_PAX_LENGTH = re.compile(rb"[1-9][0-9]{0,5}(?= )")

_MAX_EXTENSION: Final = 1 << 16
"""Bytes of a pax header or long name that are read; a name has at most 255."""

_MAX_SIZE: Final = 1 << 63

_REGULAR: Final = frozenset(b"0\x007")
_FOLDER: Final = ord("5")
_SPARSE: Final = ord("S")
_LABEL: Final = ord("V")
_PAX: Final = frozenset(b"xX")
_LONG_NAME: Final = ord("L")
_SKIPPED: Final = frozenset(b"gK")
"""Headers about all files, and long targets of links: nothing here needs them."""
_WITHOUT_CONTENT: Final = {
    ord("1"): "link",
    ord("2"): "link",
    ord("3"): "device",
    ord("4"): "device",
    ord("6"): "device",
}

_BAD_HEADER: Final = Flaw("CONTAINER-MEMBER-DAMAGED", "header")


class _Header(NamedTuple):
    kind: int
    name: bytes
    size: int
    extended: bool


class _Extensions:
    """What the headers before a file's own say about it."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.size: int | None = None
        self.flaw: Flaw | None = None
        self.pending = False


def tar_entries(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Every file, folders left out, in the archive's order.

    Raises ArchiveRefused when the archive is cut off or damaged, or goes on behind its end.
    """
    return _Reader(stream, budget).entries()


class _Reader:
    def __init__(self, stream: Stream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._left = 0
        """Bytes of the current file that nobody has read."""

    def entries(self) -> Iterator[Entry]:
        extensions = _Extensions()
        first = True
        while (block := self._block(first=first)) != _ZEROS:
            header = self._header(block, first=first)
            first = False
            self._budget.count_entries()
            if header.kind in _PAX or header.kind == _LONG_NAME:
                self._extend(extensions, header)
                continue
            if header.kind in _SKIPPED:
                self._skip(header.size)
                continue
            entry = self._entry(header, extensions)
            extensions = _Extensions()
            if entry is None:
                continue
            self._budget.count_member()
            announced = self._left
            yield entry
            self._skip(self._left, padding=announced)
        if extensions.pending:
            raise self._budget.refusal("CONTAINER-TRUNCATED")
        while chunk := self._stream.some(UNPACKED_CHUNK):
            if chunk.strip(b"\0"):
                raise self._budget.refusal("CONTAINER-TRAILING")

    def _block(self, *, first: bool) -> bytes:
        block = self._stream.exactly(BLOCK)
        if first and not block:
            raise self._budget.refusal("CONTAINER-EMPTY")
        if len(block) < BLOCK:
            raise self._budget.refusal("CONTAINER-NO-TAR" if first else "CONTAINER-TRUNCATED")
        return block

    def _header(self, block: bytes, *, first: bool) -> _Header:
        header = _read_header(block)
        if header is None:
            if first and not _checksum_fits(block):
                raise self._budget.refusal("CONTAINER-NO-TAR")
            raise self._budget.refusal("CONTAINER-DAMAGED", variant="header")
        return header

    def _entry(self, header: _Header, extensions: _Extensions) -> Entry | None:
        """The file a header announces; None for what is no file."""
        raw = header.name if extensions.name is None else extensions.name
        size = header.size if extensions.size is None else extensions.size
        if header.kind in _WITHOUT_CONTENT or header.kind in {_FOLDER, _LABEL}:
            # Whatever size they announce, nothing follows (POSIX.1-2017, pax, typeflag).
            size = 0
        self._budget.foresee(size)
        self._left = size
        if header.kind in {_FOLDER, _LABEL}:
            return None
        if header.kind in _REGULAR and raw.endswith(b"/") and not size:
            return None
        if header.kind == _SPARSE and header.extended:
            self._skip_sparse_map()
        flaw = extensions.flaw or _flaw_of_kind(header.kind)
        return Entry(_text(raw), size, self._content, flaw)

    def _content(self) -> Iterator[bytes]:
        while self._left:
            chunk = self._stream.some(min(self._left, UNPACKED_CHUNK))
            if not chunk:
                raise self._budget.refusal("CONTAINER-TRUNCATED")
            self._left -= len(chunk)
            yield chunk

    def _skip(self, count: int, *, padding: int | None = None) -> None:
        """Pass over content and what fills it up; `padding`: the size it fills up from."""
        count += -(count if padding is None else padding) % BLOCK
        self._left = 0
        while count:
            chunk = self._stream.some(min(count, UNPACKED_CHUNK))
            if not chunk:
                raise self._budget.refusal("CONTAINER-TRUNCATED")
            count -= len(chunk)

    def _skip_sparse_map(self) -> None:
        extended = True
        while extended:
            self._budget.count_entries()
            block = self._stream.exactly(BLOCK)
            if len(block) < BLOCK:
                raise self._budget.refusal("CONTAINER-TRUNCATED")
            extended = block[504] != 0

    def _extend(self, extensions: _Extensions, header: _Header) -> None:
        self._budget.foresee(header.size)
        extensions.pending = True
        if header.size > _MAX_EXTENSION:
            extensions.flaw = _BAD_HEADER
            self._skip(header.size)
            return
        payload = self._stream.exactly(header.size)
        if len(payload) < header.size:
            raise self._budget.refusal("CONTAINER-TRUNCATED")
        self._skip(0, padding=header.size)
        if header.kind == _LONG_NAME:
            extensions.name = payload.partition(b"\0")[0]
        elif not _read_pax(payload, extensions):
            extensions.flaw = _BAD_HEADER


def _flaw_of_kind(kind: int) -> Flaw | None:
    if kind in _REGULAR:
        return None
    if kind == _SPARSE:
        return Flaw("CONTAINER-MEMBER-SPECIAL", "sparse")
    return Flaw("CONTAINER-MEMBER-SPECIAL", _WITHOUT_CONTENT.get(kind))


def _read_header(block: bytes) -> _Header | None:
    """A header's fields; None when it is none, or is damaged."""
    size = _number(block[124:136])
    if not _checksum_fits(block) or size is None:
        return None
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].partition(b"\0")[0]
        name = prefix + b"/" + name if prefix else name
    return _Header(block[156], name, size, extended=block[482] != 0)


def _checksum_fits(block: bytes) -> bool:
    """Whether the sum of a header is the one it names; old systems added signed bytes."""
    named = _number(block[_CHECKSUM])
    others = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    unsigned = sum(others)
    return named == unsigned or named == unsigned - 256 * sum(byte > 127 for byte in others)


def _number(field: bytes) -> int | None:
    """A number in octal digits, or in GNU's binary form for large ones; None for anything else."""
    if field[0] == 0x80:
        number = int.from_bytes(field[1:], "big")
        return number if number < _MAX_SIZE else None
    digits = field.strip(b" \0")
    return int(digits or b"0", 8) if _OCTAL.fullmatch(digits) else None


def _read_pax(payload: bytes, extensions: _Extensions) -> bool:
    """Take path and size out of a pax header, lines like `27 path=…`; whether it is one."""
    while payload:
        length = _PAX_LENGTH.match(payload)
        if length is None:
            return False
        record, payload = payload[: int(length[0])], payload[int(length[0]) :]
        key, equals, value = record[length.end() + 1 : -1].partition(b"=")
        if len(record) != int(length[0]) or not equals or record[-1:] != b"\n":
            return False
        if key == b"path":
            extensions.name = value
        elif key == b"size":
            if not (value.isdigit() and len(value) < 19):
                return False
            extensions.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            extensions.flaw = Flaw("CONTAINER-MEMBER-SPECIAL", "sparse")
    return True


def _text(name: bytes) -> str:
    """Names are UTF-8; programs that know nothing of it write the system's own, mostly Latin-1."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("iso-8859-1")
