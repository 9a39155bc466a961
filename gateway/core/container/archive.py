"""Opening an archive: every usable document into a folder, every file into a manifest.

    source ─▶ gunzipped ─▶ tar_entries ─┐
    source ──────────────▶ zip_entries ─┴▶ what is it? ─▶ into/1, into/3, … ─▶ into/manifest

Streamed in one pass, in memory that does not grow with sizes. What is beside what is settled at
the end, when all names are known. A bad file is a document with findings, and the others go on; an
archive that is cut off, damaged or beyond its limits is refused whole: a batch is never half
processed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from gateway.core.container.beside import Companions, Found
from gateway.core.container.contents import (
    HEAD,
    Content,
    attachment_flaw,
    content_by_name,
    content_of,
)
from gateway.core.container.entries import ArchiveRefused, Budget, Entry, EntryDamaged, Flaw
from gateway.core.container.kinds import HEAD_BYTES, kind
from gateway.core.container.manifest import MANIFEST, ManifestWriter, read_members
from gateway.core.container.names import comparable, is_clutter, name_flaw, shown
from gateway.core.container.streams import Stream, gunzipped, plain
from gateway.core.container.tar_entries import tar_entries
from gateway.core.container.zip_entries import zip_entries
from gateway.errors import ScratchFull
from gateway.model.container import ContainerLimits, Member, Role
from gateway.model.job import DocumentLimits, Unpacked

_OPENED: Final = frozenset({"gzip", "ZIP", "tar"})
_FOUND: Final = "found"
"""The manifest before it is known what goes with what."""


def is_archive(head: bytes) -> bool:
    """Whether a file with these first HEAD_BYTES is opened as an archive: gzip, ZIP or tar."""
    return kind(head) in _OPENED


def unpack(
    source: BinaryIO,
    name: str,
    size: int,
    into: Path,
    limits: ContainerLimits,
    documents: DocumentLimits,
    *,
    disk_bytes: int | None = None,
) -> Unpacked:
    """Unpack the archive in `source` into the empty folder `into`. Same bytes: same result.

    `source` is seekable and stands at its beginning; `name` and `size` are the archive's. Every
    usable document is written to `into/<position>`, not synced; `manifest.read_manifest` lists all
    members. When the archive is refused, no member counts and the folder may hold leftovers.
    `disk_bytes`: how much may be written.

    Never raises for anything in the archive. Raises ScratchFull when `disk_bytes` do not suffice,
    OSError when the disk fails.
    """
    try:
        budget = Budget(name, size, limits)
        unpacking = _Unpacking(into, documents, _Disk(disk_bytes))
        return unpacking.run(_entries(source, size, budget), budget)
    except ArchiveRefused as refused:
        return Unpacked(refused=refused.finding)


def _entries(source: BinaryIO, size: int, budget: Budget) -> Iterator[Entry]:
    found = kind(source.read(HEAD_BYTES))
    source.seek(0)
    if found == "ZIP":
        return zip_entries(source, size, budget)
    chunks = gunzipped(source, budget) if found == "gzip" else plain(source, budget)
    return tar_entries(Stream(chunks), budget)


class _Disk:
    """What may still be written."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._written = 0

    def spend(self, count: int) -> None:
        """Count bytes that are about to be written. Raises ScratchFull."""
        self._written += count
        if self._most is not None and self._written > self._most:
            raise ScratchFull(
                f"Unpacking an archive needs more than the {self._most} bytes of disk it may use.",
                remedy="Make room on the disk of the state directory; it is tried again by itself.",
            )


class _Unpacking:
    """One archive on its way into a folder."""

    def __init__(self, into: Path, documents: DocumentLimits, disk: _Disk) -> None:
        self._into = into
        self._most = documents.max_bytes
        self._disk = disk
        self._companions = Companions()
        self._names: set[bytes] = set()

    def run(self, entries: Iterator[Entry], budget: Budget) -> Unpacked:
        """Read everything, then settle what goes with what."""
        with ManifestWriter(self._into / _FOUND, self._disk.spend) as writer:
            for position, entry in enumerate(entries, start=1):
                found = self._found(position, entry)
                if found.role is Role.DOCUMENT and found.content in _INVOICES:
                    self._companions.remember(found)
                writer.write(found)
        members = documents = 0
        with ManifestWriter(self._into / MANIFEST, self._disk.spend) as writer:
            for found in read_members(self._into / _FOUND, Found):
                member = self._settled(found)
                members += 1
                documents += member.role is Role.DOCUMENT
                writer.write(member)
        (self._into / _FOUND).unlink()
        if not documents:
            raise budget.refusal("CONTAINER-EMPTY")
        return Unpacked(members=members, documents=documents)

    def _found(self, position: int, entry: Entry) -> Found:
        """One file, read; stored when it is a document that can be used."""
        name = shown(entry.name, position)
        flaw = name_flaw(entry.name)
        if flaw is None and is_clutter(entry.name):
            return Found(
                position=position,
                name=name,
                role=Role.IGNORED,
                size=entry.size,
                sha256="",
                content=Content.OTHER,
            )
        flaw = flaw or self._duplicate(entry.name) or entry.flaw or self._unread_flaw(entry, name)
        if flaw is None:
            return self._read(position, name, entry)
        return _unusable(position, name, entry.size, flaw)

    def _duplicate(self, name: str) -> Flaw | None:
        key = hashlib.blake2b(comparable(name).encode(), digest_size=16).digest()
        if key in self._names:
            return Flaw("CONTAINER-MEMBER-DUPLICATE")
        self._names.add(key)
        return None

    def _unread_flaw(self, entry: Entry, name: str) -> Flaw | None:
        """What the announced size alone tells."""
        attached = content_by_name(name) is Content.ATTACHMENT
        if attached and not 0 < entry.size <= self._most:
            return attachment_flaw(name, entry.size, self._most)
        if not entry.size:
            return Flaw("CONTAINER-MEMBER-EMPTY")
        if entry.size > self._most:
            values = {"size": entry.size, "limit": self._most}
            return Flaw("CONTAINER-MEMBER-SIZE", values=values)
        return None

    def _read(self, position: int, name: str, entry: Entry) -> Found:
        chunks = entry.content()
        head = b""
        try:
            while len(head) < HEAD and (chunk := next(chunks, b"")):
                head += chunk
            content = content_of(head[:HEAD], name)
            if isinstance(content, Flaw):
                return _unusable(position, name, entry.size, content)
            return self._kept(position, name, content, _again(head, chunks))
        except EntryDamaged as damaged:
            (self._into / str(position)).unlink(missing_ok=True)
            return _unusable(position, name, entry.size, damaged.flaw)

    def _kept(self, position: int, name: str, content: Content, chunks: Iterator[bytes]) -> Found:
        """A file read to its end, and written if it is a document. Raises EntryDamaged."""
        total, sha256 = 0, hashlib.sha256()
        stored = content in _INVOICES
        if stored:
            with (self._into / str(position)).open("xb") as file:
                for chunk in chunks:
                    self._disk.spend(len(chunk))
                    file.write(chunk)
                    sha256.update(chunk)
                    total += len(chunk)
        else:
            for chunk in chunks:
                sha256.update(chunk)
                total += len(chunk)
        flaw = attachment_flaw(name, total, self._most) if content is Content.ATTACHMENT else None
        return Found(
            position=position,
            name=name,
            role=_ROLES[content] if flaw is None else Role.DOCUMENT,
            size=total,
            sha256=sha256.hexdigest(),
            findings=() if flaw is None else (flaw.of(name),),
            stored=stored,
            content=content,
        )

    def _settled(self, found: Found) -> Member:
        """The member as it goes into the manifest, once all names are known."""
        role, findings, stored, beside = found.role, found.findings, found.stored, None
        if self._is_copy(found):
            flaw = attachment_flaw(found.name, found.size, self._most)
            if stored:
                (self._into / str(found.position)).unlink()
            role = Role.ATTACHMENT if flaw is None else Role.DOCUMENT
            findings = () if flaw is None else (flaw.of(found.name),)
            stored = False
        if role in {Role.ATTACHMENT, Role.SIGNATURE}:
            beside = self._companions.of(found.name)
        if found.content is Content.ENVELOPE and beside is None:
            # Such a signature may hold the document: without it, it could be lost silently.
            flaw = Flaw("CONTAINER-MEMBER-TYPE", "signed")
            role, findings = Role.DOCUMENT, (flaw.of(found.name),)
        return Member(
            position=found.position,
            name=found.name,
            role=role,
            size=found.size,
            sha256=found.sha256,
            findings=findings,
            beside=beside,
            stored=stored,
        )

    def _is_copy(self, found: Found) -> bool:
        """Whether this PDF is for people to read what an XML document beside it says."""
        return (
            found.content is Content.PDF
            and {finding.rule for finding in found.findings} <= _UNREAD
            and self._companions.original(found.name) is not None
        )


_INVOICES: Final = frozenset({Content.XML, Content.PDF})
_NAMELESS: Final = frozenset(
    {"CONTAINER-MEMBER-NAME", "CONTAINER-MEMBER-PATH", "CONTAINER-MEMBER-DUPLICATE"}
)
"""Flaws with which a file's name stands for nothing: no attachment goes with it."""

_UNREAD: Final = frozenset({"CONTAINER-MEMBER-EMPTY", "CONTAINER-MEMBER-SIZE"})
"""Flaws that a file's size alone tells: worded otherwise when it turns out to be an attachment."""

_ROLES: Final = {
    Content.XML: Role.DOCUMENT,
    Content.PDF: Role.DOCUMENT,
    Content.ATTACHMENT: Role.ATTACHMENT,
    Content.SIGNATURE: Role.SIGNATURE,
    Content.ENVELOPE: Role.SIGNATURE,
}


def _again(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


def _unusable(position: int, name: str, size: int, flaw: Flaw) -> Found:
    """A file that cannot be used: a document that is rejected unread."""
    return Found(
        position=position,
        name=name,
        role=Role.DOCUMENT,
        size=size,
        sha256="",
        findings=(flaw.of(name),),
        content=Content.OTHER if flaw.rule in _NAMELESS else content_by_name(name),
    )
