"""The bytes of one upload while they arrive: on disk always a gapless beginning of the file.

Clients write ahead without waiting, and some (several requests in flight from several threads) out
of order. What arrives ahead of a gap waits in memory until the gap is filled; so the length of a
partial is always the number of bytes that are really there, also after a crash, and a resume
starts at the right place. Bytes written in order are hashed as they pass.
"""

from __future__ import annotations

import hashlib
import os

from gateway.durable import begin_writing, fsync
from gateway.service.sftp_server.protocol import Status
from gateway.service.sftp_server.refusal import Refused, of_os_error

MAX_AHEAD_BYTES = 8 * 1024 * 1024
BEGIN_BYTES = 1 << 20
"""So much of a file is written to the disk while the rest arrives."""


class Written:
    """Writes of one open file.

    `base` bytes are kept from earlier (`resumed`), the rest of the file is cut. With `append` the
    offsets of writes do not place them, they only must not contradict what is there.
    """

    def __init__(
        self, descriptor: int, *, base: int, resumed: bool, append: bool, max_bytes: int
    ) -> None:
        self.descriptor = descriptor
        self.size = base
        self._base = base
        self._resumed = resumed
        self._append = append
        self._max_bytes = max_bytes
        self._ahead: dict[int, bytes] = {}
        self._ahead_bytes = 0
        self._digest = hashlib.sha256() if base == 0 else None
        self._from: int | None = None
        self._to = 0
        self._begun = base
        """Up to where the disk has been told to write."""
        self._failure: str | None = None
        os.ftruncate(descriptor, base)

    def write(self, offset: int, data: bytes) -> None:
        """Take `data` at `offset`. Raises `Refused`; then the close fails as well."""
        if self._failure is not None:
            raise Refused(Status.FAILURE, self._failure)
        if self._append:
            offset = self._append_offset(offset)
        if offset + len(data) > self._max_bytes:
            self._fail(f"larger than the {self._max_bytes} bytes a file may have (IRR_TAILLE)")
        if offset > self.size:
            self._wait(offset, data)
            return
        self._put(offset, data)
        while self._ahead and (first := min(self._ahead)) <= self.size:
            waiting = self._ahead.pop(first)
            self._ahead_bytes -= len(waiting)
            self._put(first, waiting)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes. Raises `Refused` if that is more than it has."""
        if size > self.size:
            raise Refused(Status.OP_UNSUPPORTED, "a file only grows by being written")
        if size < self.size:
            with of_os_error("shortened"):
                os.ftruncate(self.descriptor, size)
            self._digest = None
            self.size = size

    def sync(self) -> None:
        """Flush to disk (fsync@openssh.com). Raises `Refused`."""
        with of_os_error("made durable"):
            fsync(self.descriptor, "sftp.flush")

    def must_be_whole(self) -> None:
        """Raise `Refused` if a write failed or bytes are missing."""
        if self._failure is not None:
            raise Refused(Status.FAILURE, self._failure)
        if self._ahead:
            raise Refused(
                Status.FAILURE, f"bytes are missing at offset {self.size}; kept as a partial"
            )

    def must_be_meant(self) -> None:
        """Raise `Refused` if a resumed file can hardly be what its sender meant to send."""
        if self._resumed and self._from is None:
            raise Refused(Status.FAILURE, "nothing was written; kept as a partial")
        if self._resumed and self._from == 0 and self._to < self._base:
            raise Refused(
                Status.FAILURE,
                "an earlier, longer partial of this name is in the way; remove it, or open the"
                " file so that it is truncated",
            )

    def sha256(self) -> str | None:
        """Lower-case hex, or None if the bytes were not written in order from the start."""
        return None if self._digest is None else self._digest.hexdigest()

    def close(self) -> None:
        """Let the descriptor go; what waited behind a gap is dropped."""
        self._ahead.clear()
        os.close(self.descriptor)

    def _append_offset(self, offset: int) -> int:
        """Where an appending write goes: the end, unless its offset says the client is mistaken.

        Clients count either from the start of the file or from where they began to append. Any
        other offset means that the file is not as long as the client believes.
        """
        if offset in {self.size, self.size - self._base}:
            return self.size
        self._fail("the file has changed since its size was asked for; resume again")
        return self.size

    def _wait(self, offset: int, data: bytes) -> None:
        replaced = self._ahead.pop(offset, b"")
        self._ahead_bytes += len(data) - len(replaced)
        if self._ahead_bytes > MAX_AHEAD_BYTES:
            self._fail(f"bytes are missing at offset {self.size}; write in order")
        self._ahead[offset] = data

    def _put(self, offset: int, data: bytes) -> None:
        try:
            with of_os_error("written"):
                view = memoryview(data)
                done = 0
                while done < len(view):
                    done += os.pwrite(self.descriptor, view[done:], offset + done)
        except Refused as refused:
            self._failure = refused.text
            raise
        if offset != self.size:
            self._digest = None
        elif self._digest is not None:
            self._digest.update(data)
        end = offset + len(data)
        self.size = max(self.size, end)
        # The first bytes at once: of most files they are all, and the close is on its way.
        left = end - self._begun
        if left >= BEGIN_BYTES or (left > 0 and self._begun == self._base):
            begin_writing(self.descriptor, self._begun, left)
            self._begun = end
        self._from = offset if self._from is None else min(self._from, offset)
        self._to = max(self._to, end)

    def _fail(self, text: str) -> None:
        self._failure = text
        self._ahead.clear()
        raise Refused(Status.FAILURE, text)
