"""The list of an archive's members, beside the unpacked files: one JSON object per line.

It is scratch, like the files: after a crash the archive is unpacked again, so nothing is synced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import msgspec

from gateway.model.container import Member

MANIFEST: Final = "manifest"

_M = TypeVar("_M", bound=Member)


def read_manifest(into: Path) -> Iterator[Member]:
    """The members, in the archive's order, read one by one. Raises OSError."""
    return read_members(into / MANIFEST, Member)


def read_members(file: Path, kind: type[_M]) -> Iterator[_M]:
    """What a `ManifestWriter` has written. Raises OSError."""
    decoder = msgspec.json.Decoder(kind)
    with file.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


class ManifestWriter:
    """Writes a manifest; a context manager. `spend` is told of every byte before it is written."""

    def __init__(self, file: Path, spend: Callable[[int], None]) -> None:
        self._file = file.open("xb")
        self._encoder = msgspec.json.Encoder()
        self._spend = spend

    def write(self, member: Member) -> None:
        """Add one member. Raises OSError."""
        line = self._encoder.encode(member) + b"\n"
        self._spend(len(line))
        self._file.write(line)

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
