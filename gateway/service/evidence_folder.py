"""A folder of evidence on disk: written beside, summed, then there whole or not at all.

    <target>/…               the files
    <target>/manifest.sha256 the sum of each, as `sha256sum -c manifest.sha256` checks them

It is written as `.part-<name>`. What a crash leaves under such a name is removed by whoever writes
it again. It is durable once its writer has called `sync`, for many of them at once: fsyncing each
file would make an archive of a million invoices take a day. So after a power cut a folder may be
there that is not whole; `is_whole` tells.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gateway import faults
from gateway.durable import make_folder, rename, sync_file_system
from gateway.errors import Disposition, GatewayError

MANIFEST: Final = "manifest.sha256"
PART: Final = ".part-"
_READ_BYTES: Final = 1 << 20

_encode = msgspec.json.Encoder(order="deterministic").encode


class EvidenceFailed(GatewayError):
    """Evidence could not be written."""

    disposition = Disposition.STOP


class EvidenceIncomplete(EvidenceFailed):
    """Of one interchange something is not there, is not what it was, or will not stay as it is."""


class Written(msgspec.Struct, frozen=True):
    """A file in the folder, by its path there."""

    path: str
    sha256: str
    size: int


class EvidenceFolder:
    """`target` while it is being written; use as a context: left well, it is there."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f"{PART}{target.name}")
        self._sums: dict[str, str] = {}

    def __enter__(self) -> EvidenceFolder:
        with writing(self._part):
            make_folder(self._part.parent, mode=0o750)
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(mode=0o750)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            shutil.rmtree(self._part, ignore_errors=True)
            return
        with writing(self._target):
            lines = "".join(f"{sum_}  {path}\n" for path, sum_ in sorted(self._sums.items()))
            (self._part / MANIFEST).write_text(lines)
            # What stood there before is of an older state, or of a run that nobody finished.
            shutil.rmtree(self._target, ignore_errors=True)
            rename(self._part, self._target, "evidence.name")

    def add(self, path: str, body: bytes) -> Written:
        """One file, from memory."""
        return self._write(path, [body])

    def copy(self, path: str, source: Path, sha256: str) -> Written:
        """One file, from the spool. Raises `EvidenceIncomplete` unless it is what its sum says."""
        try:
            with source.open("rb") as file:
                written = self._write(path, iter(lambda: file.read(_READ_BYTES), b""))
        except FileNotFoundError as error:
            raise EvidenceIncomplete(
                f"The spool has no payload {sha256}, which is to be {path}.",
                remedy="Restore it from the last backup.",
            ) from error
        if written.sha256 != sha256:
            raise EvidenceIncomplete(
                f"Payload {sha256} no longer has the content it was stored with.",
                remedy="Check the disk and restore the file from the last backup.",
            )
        return written

    def lines(self, path: str, rows: Iterable[object]) -> Written | None:
        """One JSON object per line, as they come; no file when there are none."""
        first = next(iterator := iter(rows), None)
        if first is None:
            return None

        def encoded() -> Iterator[bytes]:
            yield _encode(first) + b"\n"
            for row in iterator:
                yield _encode(row) + b"\n"

        return self._write(path, encoded())

    def _write(self, path: str, chunks: Iterable[bytes]) -> Written:
        digest = hashlib.sha256()
        size = 0
        target = self._part / path
        with _new_file(target) as file:
            for chunk in chunks:  # outside `writing`: a source that fails is not this disk failing
                digest.update(chunk)
                size += len(chunk)
                with writing(target):
                    file.write(chunk)
        self._sums[path] = digest.hexdigest()
        return Written(path, self._sums[path], size)


def sync(root: Path) -> None:
    """Make all that lies below `root` survive a power cut. Raises `EvidenceFailed`."""
    with writing(root), faults.around("evidence.synced"):
        sync_file_system(root)


def is_whole(folder: Path) -> bool:
    """Whether every file of the folder's manifest is there with its sum."""
    try:
        lines = (folder / MANIFEST).read_text().splitlines()
        for line in lines:
            sha256, _, path = line.partition("  ")
            with (folder / path).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return False
    except (OSError, UnicodeDecodeError):
        return False
    return bool(lines)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    with writing(path):
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        file = os.fdopen(descriptor, "wb")
    try:
        yield file
    finally:
        with writing(path):
            file.close()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into an `EvidenceFailed` that says where it was."""
    try:
        yield
    except OSError as error:
        raise EvidenceFailed(
            f"{path} could not be written: {error.strerror or error}.",
            remedy="Make room there, or name a folder that the gateway's user may write to.",
        ) from error
