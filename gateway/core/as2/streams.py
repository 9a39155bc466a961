"""Bytes from file to file in chunks, counted and hashed on the way: never a message in memory.

The layers of a message are read where they lie, as ranges of a file, and what comes out of each is
a new file in the folder that is given. What stands in that folder is ours to delete.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from gateway.model.as2 import Digest

CHUNK: Final = 1 << 18
"""Bytes read at a time."""

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


def open_range(path: Path, start: int, end: int) -> BinaryIO:
    """The bytes from `start` up to `end` of a file."""
    return io.BufferedReader(_Range(path, start, end), _buffer(end - start))


def open_joined(head: bytes, path: Path) -> BinaryIO:
    """`head`, then the file."""
    return io.BufferedReader(_Joined(head, path), _buffer(len(head) + path.stat().st_size))


def _buffer(size: int) -> int:
    """How large a buffer is enough: most messages are small, and memory costs time."""
    return max(4096, min(CHUNK, size + 1))


class Sink(io.BufferedWriter):
    """A new file that counts, hashes if asked to, and takes no more than `most` bytes."""

    def __init__(self, path: Path, most: int | None = None, digest: Digest | None = None) -> None:
        super().__init__(io.FileIO(path, "wb"), CHUNK)
        self.size = 0
        self._most = most
        self._hash = None if digest is None else hasher(digest)

    def write(self, data: Any, /) -> int:
        """Write, count, hash. Raises TooLarge."""
        self.size += len(data)
        if self._most is not None and self.size > self._most:
            raise TooLarge(f"more than {self._most} bytes come out of it")
        if self._hash is not None:
            self._hash.update(data)
        return super().write(data)

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
    """The files one message is taken apart into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[Path] = []

    def new(self, name: str) -> Path:
        """A path for a file; one that a broken-off run left there is written over."""
        path = self.path / name
        if path not in self._files:
            self._files.append(path)
        return path

    def drop(self, path: Path) -> None:
        """Delete a file that is no longer needed, if it is one of ours."""
        if path in self._files:
            path.unlink(missing_ok=True)
            self._files.remove(path)

    def clear(self) -> None:
        """Delete every file of ours."""
        for path in list(self._files):
            self.drop(path)
