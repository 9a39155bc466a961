"""What a folder of backups holds, and when a backup in it counts.

    <folder>/payloads/ab/abcd…      payloads, shared by all backups: they never change
    <folder>/20260901T021500Z/      one backup
        journal.sqlite              the journal of that moment
        state/keys/…, state/sftp/…  the other files of the state directory
        SHA256SUMS                  the sums of all that, payloads too, as `sha256sum -c` reads them
        manifest.json               what it is, and the sum of SHA256SUMS

The manifest is written last, when everything else is on disk: a folder without one is a backup
that was broken off, and the next backup removes it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.durable import lock_folder, make_folder
from gateway.errors import BackupFailed, ConfigurationError

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
JOURNAL = "journal.sqlite"
STATE = "state"
PAYLOADS = "payloads"
FORMAT = 1

_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is. `sums` is the SHA-256 of its SHA256SUMS; `journal` the journal's revision.

    `seal` is the SHA-256 of all the rest, so that an altered manifest is seen for what it is.

    `files` counts the files of the state directory, the journal with them, and `bytes` everything.
    `missing`: payloads that the journal needs and the spool did not have, or not whole.
    """

    format: int
    gateway: str
    journal: str
    made_at: dt.datetime
    state: str
    files: int
    payloads: int
    bytes: int
    sums: str
    missing: tuple[str, ...] = ()
    seal: str = ""

    def sealed(self) -> Manifest:
        """With its seal, whatever it had before."""
        rest = msgspec.json.encode(msgspec.structs.replace(self, seal=""))
        return msgspec.structs.replace(self, seal=hashlib.sha256(rest).hexdigest())


def read_manifest(backup: Path) -> Manifest:
    """Raises `BackupFailed` when it is no complete backup, or one this program cannot read."""
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BackupFailed(
            f"{backup} is no complete backup: it has no {MANIFEST}.",
            remedy="It was broken off; restore another one.",
        ) from None
    except (OSError, ValueError) as error:
        raise BackupFailed(
            f"{backup / MANIFEST} cannot be read: {error}.", remedy="Restore another backup."
        ) from error
    if manifest.sealed() != manifest:
        raise BackupFailed(
            f"{backup / MANIFEST} is not as it was written.", remedy="Restore another backup."
        )
    if manifest.format != FORMAT:
        raise BackupFailed(
            f"{backup} was made by edi-gateway {manifest.gateway} in format {manifest.format};"
            f" this program reads format {FORMAT}.",
            remedy="Restore it with the version that made it.",
        )
    return manifest


def backups_in(folder: Path) -> list[Path]:
    """The backups in a folder, the oldest first, complete or not."""
    return sorted(
        (each for each in folder.iterdir() if _NAME.fullmatch(each.name) and each.is_dir()),
        key=_age,
    )


def complete(folder: Path) -> list[Path]:
    """The backups in a folder that are complete, the oldest first."""
    return [each for each in backups_in(folder) if (each / MANIFEST).is_file()]


def newest(path: Path) -> Path:
    """The backup that `path` means: itself, or the newest of a folder of them.

    Raises `ConfigurationError` when there is none.
    """
    if _NAME.fullmatch(path.resolve().name) and path.is_dir():
        return path
    found = complete(path) if path.is_dir() else []
    if not found:
        raise ConfigurationError(
            f"There is no complete backup in {path}.",
            remedy="Name the folder that was given to edi-gateway backup, or one of the backups"
            " in it.",
        )
    return found[-1]


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[None]:
    """Make the folder of backups, and be the only one who writes there.

    Raises `ConfigurationError` when it holds something else, `BackupFailed` when another backup is
    being written there.
    """
    if folder.is_dir():
        strangers = [
            each.name
            for each in folder.iterdir()
            if each.name not in {PAYLOADS, "lost+found"} and not _NAME.fullmatch(each.name)
        ]
        if strangers:
            raise ConfigurationError(
                f"{folder} holds other things than backups: {sorted(strangers)[0]}, for one.",
                remedy="Name a folder that is empty, does not exist yet, or holds backups.",
            )
    make_folder(folder / PAYLOADS)
    try:
        descriptor = lock_folder(folder)
    except BlockingIOError:
        raise BackupFailed(
            f"Another backup is being written to {folder}.", remedy="Wait until it has ended."
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def begin(folder: Path, now: dt.datetime) -> Path:
    """A new backup's own folder, named by its moment."""
    name = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    taken = {each.name for each in backups_in(folder)}
    number = 1
    while (chosen := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    make_folder(folder / chosen)
    return folder / chosen


def remove(backup: Path) -> None:
    """Remove a backup. Its manifest goes first, so that half of one never counts."""
    (backup / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(backup)


def _age(backup: Path) -> tuple[str, int]:
    name, _, number = backup.name.partition("-")
    return name, int(number or 1)
