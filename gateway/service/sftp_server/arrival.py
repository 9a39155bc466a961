"""A file a partner has delivered: complete, fsynced, and no longer written to by anybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Upload:
    """What the SFTP server hands to the intake.

    `name` is the partner's word: never a path. `path` lies on the spool's file system; whoever
    takes the file in moves it away. `sha256` is lower-case hex, `size` in bytes.
    """

    partner: str
    name: str
    path: Path
    sha256: str
    size: int


@dataclass(slots=True)
class Stored:
    """A file that whoever received it has put into the spool."""

    partner: str
    name: str
    sha256: str
    size: int
    path: None = None
