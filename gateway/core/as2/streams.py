"""Bytes from layer to layer in chunks, counted and hashed on the way: never a large one in memory.

The layers of a message are read where they lie, as ranges of a `Blob`. What comes out of each goes
into a `Sink` and is a new blob: in memory as long as it is small, as most messages are, else a file
in the folder that is given. What stands in that folder is ours to delete.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from gateway.model.as2 import Digest

CHUNK: Final = 1 << 18
"""Bytes read at a time."""

KEPT: Final = CHUNK
"""Bytes of a layer up to which it stays in memory: a file costs more time than a cipher."""

_HASHES: Final = {
    Digest.SHA1: "sha1",
    Digest.SHA256: "sha256",
    Digest.SHA384: "sha384",
    Digest.SHA512: "sha512",
}


class TooLarge(ValueError):
    """More bytes come out of the sender's message than are allowed."""


def hasher(digest: Digest) -> hashlib._Hash:
    """A hash to feed. SHA-1 serves old partners' MICs, where their file allows it."""
    return hashlib.new(_HASHES[digest], usedforsecurity=False)


class Blob:
    """The bytes of a layer, wherever they are. `path`: the file that holds them, or None."""

    __slots__ = ("_data", "path", "size")

    def __init__(self, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            self.path, self._data, self.size = None, source, len(source)
        else:
            self.path, self._data, self.size = source, b"", source.stat().st_size

    def open(self, start: int = 0, end: int | None = None) -> BinaryIO:
        """The bytes from `start` up to `end`."""
        if self.path is None:
            return io.BytesIO(self._data[start:end])
        size = self.size if end is None else end
        return io.BufferedReader(_Range(self.path, start, size), _buffer(size - start))

    def open_behind(self, head: bytes) -> BinaryIO:
        """`head`, then all the bytes."""
        if self.path is None:
            return io.BytesIO(head + self._data)
        return io.BufferedReader(_Joined(head, self.path), _buffer(len(head) + self.size))

    def save(self, path: Path) -> None:
        """Make a file of what is in memory."""
        if self.path is None:
            path.write_bytes(self._data)
            self.path, self._data = path, b""


class _Range(io.RawIOBase):
    """A part of a file, as if it were one."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._start, self._end = start, max(start, end)
        self._at = self._file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        left = self._end - self._at
        if left <= 0:
            return 0
        count = self._file.readinto(memoryview(buffer)[:left]) or 0
        self._at += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = (self._start, self._at, self._end)[whence]
        self._at = self._file.seek(max(self._start, base + offset))
        return self._at - self._start

    def tell(self) -> int:
        return self._at - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


class _Joined(io.RawIOBase):
    """Header fields and the file that holds their body, as if they were one file."""

    def __init__(self, head: bytes, path: Path) -> None:
        super().__init__()
        self._head = memoryview(head)
        self._file = path.open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._head:
            taken = min(len(buffer), len(self._head))
            buffer[:taken] = self._head[:taken]
            self._head = self._head[taken:]
            return taken
        return self._file.readinto(buffer) or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def _buffer(size: int) -> int:
    """How large a buffer is enough: most messages are small, and memory costs time."""
    return max(4096, min(CHUNK, size + 1))


class Sink(io.BytesIO):
    """A new layer, which counts, hashes if asked to, and takes no more than `most` bytes.

    To be had from a `Folder`, which gives it a file when it outgrows memory.
    """

    def __init__(
        self, new_file: Callable[[], Path], most: int | None = None, digest: Digest | None = None
    ) -> None:
        super().__init__()
        self.size = 0
        self._new_file = new_file
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        self._kept = b""
        self._most = most
        self._hash = None if digest is None else hasher(digest)

    def write(self, data: Any, /) -> int:
        """Write, count, hash. Raises TooLarge."""
        self.size += len(data)
        if self._most is not None and self.size > self._most:
            raise TooLarge(f"more than {self._most} bytes come out of it")
        if self._hash is not None:
            self._hash.update(data)
        if self._file is None:
            if self.size <= KEPT:
                return super().write(data)
            self._path = self._new_file()
            self._file = self._path.open("wb", buffering=CHUNK)
            self._file.write(self.getvalue())
            self.truncate(0)
        return self._file.write(data)

    def close(self) -> None:
        """Nothing more is written."""
        if not self.closed:
            self._kept = self.getvalue()
        if self._file is not None:
            self._file.close()
        super().close()

    def blob(self) -> Blob:
        """All that was written, once it is closed."""
        return Blob(self._path or self._kept)

    def hexdigest(self) -> str:
        """The hash of all that was written."""
        assert self._hash is not None
        return self._hash.hexdigest()


def chunks(source: BinaryIO) -> Iterator[bytes]:
    """The rest of a file in chunks."""
    while chunk := source.read(CHUNK):
        yield chunk


def digests(source: BinaryIO, wanted: Iterable[Digest]) -> dict[Digest, bytes]:
    """The hashes of the rest of a file, in one pass."""
    hashes = {digest: hasher(digest) for digest in wanted}
    for chunk in chunks(source):
        for each in hashes.values():
            each.update(chunk)
    return {digest: each.digest() for digest, each in hashes.items()}


class Folder:
    """The files one message is taken apart into, where its layers do not fit into memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[Path] = []

    def new(self, name: str) -> Path:
        """A path for a file; one that a broken-off run left there is written over."""
        path = self._path / name
        if path not in self._files:
            self._files.append(path)
        return path

    def sink(self, name: str, most: int | None = None, digest: Digest | None = None) -> Sink:
        """What takes a new layer; `name` is that of its file."""
        return Sink(lambda: self.new(name), most, digest)

    def drop(self, blob: Blob) -> None:
        """Delete the file of a layer that is no longer needed, if it is one of ours."""
        if blob.path in self._files:
            self._unlink(blob.path)

    def clear(self) -> None:
        """Delete every file of ours."""
        for path in list(self._files):
            self._unlink(path)

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._files.remove(path)
