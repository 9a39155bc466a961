"""One daemon per state directory: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway.errors import JournalError, StateInUse


class StateLock:
    """Held from `acquire` to `release`, or to the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `JournalError`: `StateInUse` names the process that holds it."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            owner = self._path.parent.stat()
            if os.geteuid() == 0 and os.fstat(fd).st_uid != owner.st_uid:
                # A command that root gave may be the first here: the gateway must open it, too.
                os.fchown(fd, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise JournalError(
                f"The state directory cannot be used: {self._path}: {error.strerror}.",
                remedy="Make paths.state exist and belong to the user the gateway runs as.",
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StateInUse(
                f"Another gateway (process {holder}) already uses {self._path.parent}.",
                remedy="Stop it first, or give this one a paths.state of its own.",
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would race with the next holder."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
