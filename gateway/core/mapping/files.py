"""The bytes of an attached file (BT-125): out of the document's Base64, piece by piece.

There may be 100 MB of them, so no second copy is made in memory: each piece is counted, hashed and,
when the judge was given a folder, written there. A file is named by its SHA-256; what its sender
calls it is told in the canonical invoice and never becomes a path.
"""

from __future__ import annotations

import binascii
import contextlib
import errno
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from gateway.core.container.kinds import HEAD_BYTES
from gateway.core.mapping.paths import WHITE_SPACE
from gateway.errors import ScratchFull, SpoolError
from gateway.model.verdict import AttachedFile

_PIECE: Final = 4 * 65_536
"""Characters decoded at once."""

_SPACE: Final = WHITE_SPACE.encode()
_UNFINISHED: Final = "unfinished"


class NotBase64(ValueError):
    """What stands where a file is expected is not Base64."""


class Taken(NamedTuple):
    """A file that was read: its size in bytes, its SHA-256 in lower-case hex, and its beginning.

    `kept`: it was written into the folder.
    """

    size: int
    sha256: str
    head: bytes
    kept: bool = False


class Files:
    """Takes the files of one document. `folder`: where they go; None: nowhere.

    The folder is made when the first file comes; whatever an earlier attempt left there is gone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: dict[str, int] = {}
        self._begun = False

    @property
    def kept(self) -> tuple[AttachedFile, ...]:
        """What lies in the folder, each file once."""
        return tuple(AttachedFile(sha256, size) for sha256, size in self._kept.items())

    def take(self, text: str) -> Taken:
        """Read a file, and keep it if it has any bytes.

        Raises NotBase64, and SpoolError or ScratchFull when the disk fails.
        """
        if self._folder is None:
            return _read(text, None)
        with _disk_failures(self._folder):
            self._begin(self._folder)
            unfinished = self._folder / _UNFINISHED
            try:
                with unfinished.open("wb") as sink:
                    taken = _read(text, sink)
                if not taken.size:
                    return taken
                unfinished.rename(self._folder / taken.sha256)
            finally:
                unfinished.unlink(missing_ok=True)
        self._kept[taken.sha256] = taken.size
        return taken._replace(kept=True)

    def _begin(self, folder: Path) -> None:
        if not self._begun:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            self._begun = True


def decoded(text: str) -> Iterator[bytes]:
    """The bytes that a text is the Base64 of, in pieces. Raises NotBase64 where it is none.

    White space may stand anywhere, as in xsd:base64Binary; nothing may follow the padding.
    """
    rest, ended = b"", False
    for start in range(0, len(text), _PIECE):
        try:
            piece = rest + text[start : start + _PIECE].encode("ascii").translate(None, _SPACE)
            if ended and piece:
                raise NotBase64
            whole = len(piece) - len(piece) % 4
            data = binascii.a2b_base64(piece[:whole], strict_mode=True)
        except (binascii.Error, UnicodeEncodeError):
            raise NotBase64 from None
        ended = ended or piece[:whole].endswith(b"=")
        rest = piece[whole:]
        if ended and rest:
            raise NotBase64
        if data:
            yield data
    if rest:
        raise NotBase64


def _read(text: str, sink: BinaryIO | None) -> Taken:
    size, digest, head = 0, hashlib.sha256(), b""
    for piece in decoded(text):
        if not size:
            head = piece[:HEAD_BYTES]
        size += len(piece)
        digest.update(piece)
        if sink is not None:
            sink.write(piece)
    return Taken(size, digest.hexdigest(), head)


@contextlib.contextmanager
def _disk_failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFull(
                f"The disk is too full for the files attached to an invoice: {why}.",
                remedy="Free space on the file system of paths.state.",
            ) from error
        raise SpoolError(
            f"A file attached to an invoice cannot be written into {folder}: {why}.",
            remedy="Check the file system of paths.state and the rights on its scratch folder.",
        ) from error
