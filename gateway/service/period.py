"""An export under way: a folder that interchanges are added to, one at a time, then finished.

What `edi-gateway export` writes and what `edi-gateway purge` archives is the same. An interchange
that lies there already, as it is now, is not written again: so an export that broke off goes on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.durable import lock_folder, make_folder
from gateway.service.evidence import FORMAT, Reader, folder_of, write_evidence
from gateway.service.evidence_folder import (
    MANIFEST,
    PART,
    EvidenceFailed,
    EvidenceIncomplete,
    is_whole,
    sync,
    writing,
)
from gateway.service.evidence_index import SUMMARY, Counted, finish, folders, head_of, write_whole
from gateway.service.journal import records
from gateway.service.journal.purge_records import purged_of, version_of
from gateway.spool import Spool

ATTEMPTS = 3
"""An interchange that changes while it is written is written again, so many times."""


@contextlib.contextmanager
def alone(folder: Path, doing: str) -> Iterator[None]:
    """While nobody else does the same with this folder; whoever dies lets go.

    Raises `EvidenceFailed` when somebody does.
    """
    with writing(folder):
        try:
            descriptor = lock_folder(folder)
        except BlockingIOError:
            raise EvidenceFailed(
                f"Somebody else is {doing} {folder} now.", remedy="Wait until that has ended."
            ) from None
    try:
        yield
    finally:
        os.close(descriptor)


class Export:
    """Into `root`, which is made; what lies there must be an export as well."""

    def __init__(self, root: Path, read: Reader, spool: Spool) -> None:
        self.root = root
        self._read = read
        self._spool = spool
        with writing(root):
            make_folder(root, mode=0o750)
            strange = next((each.name for each in root.iterdir() if not _ours(each.name)), None)
        if strange is not None:
            raise EvidenceFailed(
                f"{root} holds something else: {strange}.",
                remedy="Name a new folder, or the one of an export that broke off.",
            )

    def claim(self, asked: dict[str, str | None]) -> None:
        """Say what this folder is for. Raises `EvidenceFailed` when it is for something else."""
        path = self.root / SUMMARY
        try:
            found = msgspec.json.decode(path.read_bytes()).get("asked")
        except FileNotFoundError:
            said = msgspec.json.encode({"format": FORMAT, "asked": asked, "complete": False})
            write_whole(path, lambda: [said.decode()])
        except (OSError, msgspec.DecodeError) as error:
            raise EvidenceFailed(f"{path} cannot be read: {error}.") from error
        else:
            if found != asked:
                raise EvidenceFailed(
                    f"{self.root} is another export: {found}.", remedy="Name a new folder."
                )

    def add(self, row: records.InterchangeRow) -> str:
        """Write an interchange unless it lies there as it is now; its version.

        Raises `EvidenceIncomplete` when its payloads are not in the spool, or it never rests.
        """
        target = self.root / folder_of(row)
        before = self._read(lambda conn: version_of(conn, row.id))
        gone = self._read(lambda conn: purged_of(conn, row.id)) is not None
        if self._is_there(target, None if gone else before):
            return before  # of what was purged since, the folder holds more than can be had now
        for _ in range(ATTEMPTS):
            before = write_evidence(self._read, self._spool, row, target)
            if self._read(lambda conn: version_of(conn, row.id)) == before:
                return before
        raise EvidenceIncomplete(
            f"Interchange {row.id} changed each time it was written.",
            remedy="Export it again when nothing is sent of it any more.",
        )

    def finish(self, summary: dict[str, Any]) -> Counted:
        """Make the export complete: its list of sums is the last thing written."""
        return finish(self.root, summary)

    def sync(self) -> None:
        """Make all that was added survive a power cut: before anything is removed elsewhere."""
        sync(self.root)

    def drop_unfinished(self) -> None:
        """Remove what a run that was killed left half-written, or a power cut made so.

        What was purged is left alone: it was durable before, and is nowhere else.
        """
        for part in self.root.glob(f"interchanges/*/{PART}*"):
            shutil.rmtree(part, ignore_errors=True)
        for folder in folders(self.root):
            if is_whole(folder):
                continue
            if self._read(partial(purged_of, interchange_id=folder.name)) is None:
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _is_there(target: Path, version: str | None) -> bool:
        """Whether the folder is complete, and of this version (None: of any)."""
        if not is_whole(target):
            return False
        return version is None or bool(head_of(target).get("version") == version)


def unfinished(archives: Path, beginning: str) -> list[Path]:
    """Exports in a folder that were not finished: those without their list of sums."""
    if not archives.is_dir():
        return []
    return sorted(
        each
        for each in archives.iterdir()
        if each.name.startswith(beginning) and each.is_dir() and not (each / MANIFEST).exists()
    )


def _ours(name: str) -> bool:
    known = {"interchanges", "index.csv", "index.html", SUMMARY, MANIFEST}
    return name.removeprefix(PART) in known
