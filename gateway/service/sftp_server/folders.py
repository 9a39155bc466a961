"""Where a partner's home lies on disk, and how an acknowledgement gets into its `out/` for good.

    <state>/sftp/<partner>/in/    files on their way in, under names derived by hash (see `notes`)
    <state>/sftp/<partner>/out/   files to fetch, under names this gateway generates

Both lie on the spool's file system: a received file is renamed there, never copied.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from gateway.durable import UNFINISHED, make_folder, write_durably
from gateway.errors import ConfigurationError, DeliveryFailed

_PARTNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OUT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


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
    write_durably(folder / filename, body, "out")


def sweep_unfinished(folder: Path, before: float) -> None:
    """Remove temporary files a crash left behind, older than `before` (seconds since 1970)."""
    with os.scandir(folder) as entries:
        unfinished = [entry for entry in entries if entry.name.startswith(UNFINISHED)]
    for entry in unfinished:
        with suppress(FileNotFoundError):
            if entry.stat(follow_symlinks=False).st_mtime < before:
                os.unlink(entry.path)
