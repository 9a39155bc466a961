"""What leaves `in/` by itself: partials nobody resumed, and the mark of what was accepted."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.service.sftp_server.folders import sweep_unfinished
from gateway.service.sftp_server.notes import (
    LOCK_FILE,
    NameLocks,
    Notes,
    Standing,
)

_CRASH_LEFTOVER_SECONDS = 3600.0


def sweep(
    notes: Notes,
    locks: NameLocks,
    out: Path,
    *,
    visible_seconds: float,
    expiry_seconds: float,
    log: Any,
) -> None:
    """Remove what is over. Names somebody is working on are left alone."""
    now = time.time()
    sweep_unfinished(out, now - _CRASH_LEFTOVER_SECONDS)
    for path in _old(
        notes.folder, now - min(visible_seconds, expiry_seconds, _CRASH_LEFTOVER_SECONDS)
    ):
        key, _, _ = path.name.partition(".")
        if path.name == LOCK_FILE or len(key) != 64:
            continue
        with locks.holding(key) as held:
            if held:
                _sweep_one(notes, path, now, visible_seconds, expiry_seconds, log)


def _old(folder: Path, before: float) -> list[Path]:
    """What was last written before that moment: nothing younger is over, whatever it is.

    Thousands came in a night, and few of them are old: the others are not even opened.
    """
    old = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    old.append(folder / entry.name)
    return old


def _sweep_one(
    notes: Notes, path: Path, now: float, visible_seconds: float, expiry_seconds: float, log: Any
) -> None:
    try:
        age = now - path.stat().st_mtime
    except FileNotFoundError:
        return
    if path.suffix == ".json":
        note = notes.load(path)
        if path.with_suffix(".part").exists():
            return
        if note is not None and note.standing is Standing.ACCEPTED:
            over = now - note.at > visible_seconds
        else:
            # No bytes: delivered without an answer yet, or left by a crash.
            over = age > expiry_seconds
        if over:
            path.unlink(missing_ok=True)
    elif path.suffix == ".new":
        if age > _CRASH_LEFTOVER_SECONDS:
            path.unlink(missing_ok=True)
    elif age > expiry_seconds:
        note = notes.load(path.with_name(f"{path.name.partition('.')[0]}.json"))
        path.unlink(missing_ok=True)
        log.info(
            "sftp_partial_expired", name=note.name if note else None, hours=round(age / 3600, 1)
        )
