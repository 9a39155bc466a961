"""Where a partner's home lies on disk, and how an acknowledgement gets into its `out/` for good.

    <state>/sftp/<partner>/in/    files on their way in, under names derived by hash (see `notes`)
    <state>/sftp/<partner>/out/   files to fetch, under names this gateway generates

Both lie on the spool's file system: a received file is renamed there, never copied.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from gateway.errors import ConfigurationError, DeliveryFailed

_PARTNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OUT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_UNFINISHED = ".tmp-"


def partner_folder(state: Path, partner: str) -> Path:
    """The partner's home. Raises `ConfigurationError` for a name that is not fit for a folder."""
    if not _PARTNER.fullmatch(partner):
        raise ConfigurationError(
            f'The partner name "{partner}" cannot name a folder.',
            remedy="Use letters, digits and hyphens in conf/partners.",
        )
    return state / "sftp" / partner


def in_folder(state: Path, partner: str) -> Path:
    """Where the partner's uploads lie until they are taken in."""
    return partner_folder(state, partner) / "in"


def out_folder(state: Path, partner: str) -> Path:
    """Where the partner fetches its acknowledgements."""
    return partner_folder(state, partner) / "out"


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents, for the owner only, durably. Existing ones are kept."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)


def write_durably(path: Path, body: bytes, *, mode: int = 0o600) -> None:
    """Write a whole file under a temporary name, fsync, rename, fsync the folder."""
    temporary = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def is_out_name(name: str) -> bool:
    """Whether a file of this name in `out/` is one the gateway put there, complete."""
    return _OUT_NAME.fullmatch(name) is not None


def place_in_out(state: Path, partner: str, filename: str, body: bytes) -> None:
    """Put a file into the partner's `out/`; when this returns it is there after a power cut too.

    Blocking. Safe to run twice. `filename` is the gateway's own: letters, digits, `.`, `_`, `-`;
    anything else raises `DeliveryFailed`. A full or broken disk raises `OSError`.
    """
    if not is_out_name(filename):
        raise DeliveryFailed(
            f'"{filename}" is no name for a file in {partner}\'s out/.',
            remedy="This is a fault in the gateway: report names hold A-Z a-z 0-9 . _ - only.",
        )
    folder = out_folder(state, partner)
    make_folder(folder)
    write_durably(folder / filename, body)


def sweep_unfinished(folder: Path, before: float) -> None:
    """Remove temporary files a crash left behind, older than `before` (seconds since 1970)."""
    for entry in folder.glob(f"{_UNFINISHED}*"):
        if entry.stat().st_mtime < before:
            entry.unlink(missing_ok=True)
