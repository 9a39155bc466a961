"""One request's body on its way to disk.

A small one is gathered and written in a single visit to a thread; a large one is written while it
comes, and when the disk is slower than the client, the client waits. Either way the file is
complete, hashed and fsynced when `finish` returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from gateway.durable import fsync
from gateway.errors import SpoolError
from gateway.service.http_server.limits import HIGH_WATER_BYTES, LOW_WATER_BYTES, SMALL_BYTES

InThread = Callable[..., Awaitable[Any]]

_MODE = 0o640


class Body:
    """A new file in `incoming`. Used in the reactor only; what blocks goes to `in_thread`.

    `hold` and `go_on` stop and start the client; `failed` hears, once, that the disk refused.
    """

    def __init__(
        self,
        incoming: Path,
        in_thread: InThread,
        *,
        hold: Callable[[], None],
        go_on: Callable[[], None],
        failed: Callable[[SpoolError], None],
    ) -> None:
        self.path = incoming / f"{secrets.token_hex(16)}.http"
        self.size = 0
        self._in_thread = in_thread
        self._hold = hold
        self._go_on = go_on
        self._failed = failed
        self._waiting: list[bytes] = []
        self._unwritten = 0
        self._held = False
        self._file: _File | None = None
        self._writing: Deferred[None] | None = None
        self._error: SpoolError | None = None
        self._discarded = False

    def write(self, data: bytes) -> None:
        """More bytes came."""
        if self._error is not None or self._discarded:
            return
        self.size += len(data)
        self._waiting.append(data)
        self._unwritten += len(data)
        if self._file is None:
            if self.size <= SMALL_BYTES:
                return
            self._file = _File(self.path)
        if self._writing is None:
            self._writing = Deferred.fromCoroutine(self._write_on(self._file))
        if self._unwritten > HIGH_WATER_BYTES and not self._held:
            self._held = True
            self._hold()

    def taken(self) -> bytes | None:
        """All of a complete body, if none of it is on disk; it will not be written then."""
        if self._file is not None:
            return None
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data

    async def finish(self) -> str:
        """The SHA-256, once every byte is safe. Raises `SpoolError`."""
        if self._file is None:
            self._file = _File(self.path)
            data = b"".join(self._waiting)
            self._waiting.clear()
            return str(await self._visit(self._file.whole, data))
        if self._writing is not None:
            await self._writing
        if self._error is not None:
            raise self._error
        return str(await self._visit(self._file.seal, self.size))

    def discard(self) -> None:
        """The file is no longer needed; nothing happens when somebody took it away."""
        if self._discarded:
            return
        self._discarded = True
        self._waiting.clear()
        if self._writing is not None:
            self._writing.addCallback(lambda _: self._remove())
        elif self._file is not None and (self._file.open or os.path.lexists(self.path)):
            self._remove()

    async def _write_on(self, file: _File) -> None:
        try:
            while self._waiting:
                chunks, self._waiting = self._waiting, []
                written = sum(map(len, chunks))
                await self._visit(file.add, chunks)
                self._unwritten -= written
                if self._held and self._unwritten < LOW_WATER_BYTES:
                    self._held = False
                    self._go_on()
        except Exception as error:
            # Whatever it was: a body with a gap must never pass for a complete one.
            lost = error
            if not isinstance(lost, SpoolError):
                lost = SpoolError(f"A body could not be stored: {error!r}.")
            self._error = lost
            self._waiting.clear()
            if not self._discarded:
                self._failed(lost)
        finally:
            self._writing = None

    async def _visit(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._in_thread(function, *args)
        except OSError as error:
            raise SpoolError(
                f"A body could not be stored: {error.strerror or error}.",
                remedy="Check the space and the rights of the file system of paths.state.",
            ) from error

    def _remove(self) -> None:
        if self._file is not None:
            removing = Deferred.fromCoroutine(self._visit(self._file.remove))
            # What stays behind is removed when the gateway starts again.
            removing.addErrback(lambda _: None)


class _File:
    """The file itself. Its methods block.

    They are called one after the other, but for `remove`, which may come while another still
    works for a request that was given up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._fd = -1
        self._written = 0
        self._removed = False
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether there is something to close."""
        return self._fd >= 0

    def whole(self, data: bytes) -> str:
        """Write all there is: the SHA-256."""
        self.add([data] if data else [])
        return self.seal(len(data))

    def add(self, chunks: list[bytes]) -> None:
        """Write more."""
        with self._lock:
            if self._fd < 0:
                if self._removed:
                    return
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, _MODE)
            for chunk in chunks:
                self._digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(self._fd, view) :]
                self._written += len(chunk)

    def seal(self, size: int) -> str:
        """Make it durable, if it has `size` bytes: the SHA-256."""
        with self._lock:
            if self._removed or self._written != size:
                raise SpoolError(f"Of a body of {size} bytes only {self._written} were stored.")
            fsync(self._fd, "http.body")
            self._close()
            return self._digest.hexdigest()

    def remove(self) -> None:
        """Close it and take it away, whatever state it is in."""
        with self._lock:
            self._removed = True
            self._close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
