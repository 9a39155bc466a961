"""What the files named to `validate` hold: single documents, or archives of them.

Archives are unpacked into a temporary folder, with the limits the daemon has by default, and their
documents are read one by one: memory does not grow with the archive.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from gateway.core.container.archive import is_archive, unpack
from gateway.core.container.kinds import HEAD_BYTES
from gateway.core.container.manifest import read_manifest
from gateway.model.container import ContainerLimits, Member, Role
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

LIMITS = DocumentLimits()


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    """One document. `data` is None when it was not read: it is too large, or for `findings`.

    `archive`: the name of the archive it is a member of; `report`: what reports on it are called.
    """

    name: str
    sha256: str
    size: int
    data: bytes | None
    report: str
    archive: str | None = None
    findings: tuple[Finding, ...] = ()


def inputs(file: str) -> Iterator[Input | Member]:
    """Every document in a file (`-`: standard input), and every member that lies beside them.

    Raises OSError when the file cannot be read, or its documents find no room.
    """
    with ExitStack() as stack:
        stream: BinaryIO
        if file == "-":
            stream = stack.enter_context(_kept(sys.stdin.buffer))
        else:
            stream = stack.enter_context(Path(file).open("rb"))
            if not stream.seekable():
                stream = stack.enter_context(_kept(stream))
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        name = Path(file).name
        if is_archive(head):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edi-gateway-"))
            yield from _members(stream, name, size, Path(folder))
        else:
            data = stream.read() if size <= LIMITS.max_bytes else None
            if data is None:
                yield Input(name, _sha256(stream), size, None, report=name)
            else:
                sha256 = hashlib.sha256(data).hexdigest()
                yield Input(name, sha256, len(data), data, report=name)


def _members(stream: BinaryIO, archive: str, size: int, into: Path) -> Iterator[Input | Member]:
    unpacked = unpack(stream, archive, size, into, ContainerLimits(), LIMITS)
    if unpacked.refused is not None:
        stream.seek(0)
        sha256 = _sha256(stream)
        yield Input(archive, sha256, size, None, report=archive, findings=(unpacked.refused,))
        return
    for member in read_manifest(into):
        if member.role is not Role.DOCUMENT:
            yield member
            continue
        yield Input(
            member.name,
            member.sha256,
            member.size,
            (into / str(member.position)).read_bytes() if member.stored else None,
            report=f"{archive}.{member.position}.{_base(member.name)}",
            archive=archive,
            findings=member.findings,
        )


def _kept(stream: BinaryIO) -> BinaryIO:
    """What a pipe brings, in a file that can be read again."""
    file = tempfile.TemporaryFile(prefix="edi-gateway-")  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, file)
    return cast("BinaryIO", file)


def _sha256(stream: BinaryIO) -> str:
    return hashlib.file_digest(cast("BufferedReader", stream), "sha256").hexdigest()


def _base(name: str) -> str:
    """The name without folders, short enough to be part of another file's name."""
    return name.rpartition("/")[2].encode()[-100:].decode(errors="ignore")
