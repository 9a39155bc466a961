"""Whether the state directory is private, has room, and holds nothing half-written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.durable import UNFINISHED
from gateway.service.doctor.troubles import MEND, Trouble, gathered
from gateway.spool import Spool

DAY_SECONDS = 86_400.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def folder_troubles(
    state: Path, *, running: bool, min_free_mb: int, now: float
) -> Iterator[Trouble]:
    """Everything. `running`: a gateway works here, so what is half-written may be under way."""
    if stat.S_IMODE(state.stat().st_mode) & _OTHERS:
        yield Trouble(
            check="permissions",
            what=f"The state directory {state} is open to others: it holds partners' invoices.",
            remedy=MEND,
            mendable=True,
        )
    yield from gathered(
        "permissions",
        (str(each) for each in open_keys(state)),
        one="A private key can be read by others:",
        many="{number} private keys can be read by others:",
        remedy=f"{MEND} If others had access, replace it.",
        mendable=True,
    )
    yield from gathered(
        "permissions",
        _foreign(state),
        one="A file belongs to another user than the state directory:",
        many="{number} files belong to another user than the state directory:",
        remedy="Give them to the gateway's user (chown -R), and run its commands as that user.",
    )
    yield from gathered(
        "leftovers",
        (str(each) for each in leftovers(state, running=running, now=now)),
        one="A file was left half-written:",
        many="{number} files were left half-written:",
        remedy=f"They do no harm, and {MEND}" if not running else "They go at the next start.",
        mendable=not running,
        harmless=True,
    )
    free = Spool(state / "spool").free_mb() if (state / "spool").is_dir() else min_free_mb
    if free < min_free_mb:
        yield Trouble(
            check="disk",
            what=f"{free:,} MB are free, fewer than the {min_free_mb:,} MB of intake.min_free_mb:"
            " new files are refused.",
            remedy="Free space on the file system of paths.state, or purge what is old.",
        )


def open_keys(state: Path) -> list[Path]:
    """The private keys in the state directory that others may read or write."""
    keys = sorted((state / "keys").glob("*_key"))
    return [each for each in keys if stat.S_IMODE(each.stat().st_mode) & _OTHERS]


def leftovers(state: Path, *, running: bool, now: float) -> list[Path]:
    """Half-written files: of a gateway that is stopped, all of them; else what is a day old.

    What is in `scratch` is none of them: it is emptied at each start.
    """
    before = now - DAY_SECONDS if running else float("inf")
    incoming = state / "spool" / "incoming"
    found = [path for path in incoming.glob("*") if not path.is_dir()]
    for folder in ("keys", "directory", "sftp"):
        found += (state / folder).rglob(f"{UNFINISHED}*")
    return sorted(path for path in found if _changed(path) < before)


def _foreign(state: Path) -> Iterator[str]:
    """Files that the owner of the state directory does not own, where the gateway must write."""
    owner = state.stat().st_uid
    places = [
        *state.glob("journal.*"),
        *(state / name for name in ("spool", "sftp", "keys", "scratch", "directory")),
        *(state / "spool").glob("*"),
        *(state / "spool" / "payloads").glob("??"),
        *(state / "keys").glob("*"),
        *(state / "sftp").glob("*/*"),
    ]
    for path in places:
        try:
            if os.lstat(path).st_uid != owner:
                yield str(path)
        except FileNotFoundError:
            continue


def _changed(path: Path) -> float:
    """When it was last written to; never, when it is gone meanwhile."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return float("inf")
