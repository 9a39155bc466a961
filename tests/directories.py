"""Directories of recipients for tests, made without the command that imports them."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

from gateway.core.directory import Recipient, file_name

WHEN = dt.datetime(2026, 9, 1, 6, tzinfo=dt.UTC)


def snapshot(folder: Path, *recipients: Recipient, imported: dt.datetime = WHEN) -> Path:
    """A snapshot with these recipients."""
    content = b"".join(sorted(recipient.line() for recipient in recipients))
    path = folder / file_name(hashlib.sha256(content).hexdigest(), imported)
    folder.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
