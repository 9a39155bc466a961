"""A partner's `in/`: open, resume, rename, and the moment a file becomes ours.

A file is taken in by exactly two requests: the close of an upload under a final name, or the
rename of a temporary name to a final one. Both flush and fsync, hand the bytes to the daemon and
wait; only "durably received" lets them succeed. Whatever ends otherwise leaves a partial.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gateway.config.settings import Sftp
from gateway.durable import fsync, rename
from gateway.service.sftp_server.notes import (
    NameLocks,
    Note,
    Notes,
    Seen,
    Standing,
    is_temporary,
    key_of,
)
from gateway.service.sftp_server.protocol import OpenFlag, Status
from gateway.service.sftp_server.refusal import Refused, of_os_error
from gateway.service.sftp_server.upload import Written

LOCK_WAIT_SECONDS = 2.0
"""A session that just lost its connection may still be writing what had arrived."""
_BUSY = "another session is working on this file"
_GONE = "no such file"


class Receipt(Protocol):
    """The daemon's answer about one file: an interchange id, or None and the reason."""

    @property
    def granted(self) -> str | None:
        """The interchange id."""
        ...

    @property
    def reason(self) -> str:
        """Why not."""
        ...


class Receipts(Protocol):
    """The way to the daemon. Blocks; None when no answer came in time, and `late` gets it then."""

    def ask(
        self, name: str, path: Path, sha256: str, size: int, late: Callable[[Receipt], None]
    ) -> Receipt | None:
        """Hand over the fsynced file at `path`."""
        ...


class Incoming:
    """One partner's `in/` in one SFTP process; shared by that partner's sessions here."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Sftp,
        require_rename: bool,
        receipts: Receipts,
        log: Any,
    ) -> None:
        self._settings = settings
        self.require_rename = require_rename
        """Whether a close alone takes nothing in. May change while uploads are under way."""
        self._receipts = receipts
        self._log = log
        self.notes = Notes(folder, visible_seconds=settings.accepted_visible_seconds)
        self.locks = NameLocks(folder)

    def see(self, name: str) -> Seen:
        """The name as clients see it. Raises `Refused`."""
        seen = self.notes.see(name)
        if seen is None:
            raise Refused(Status.NO_SUCH_FILE, _GONE)
        return seen

    def open(self, name: str, flags: OpenFlag) -> Uploading:
        """Start or resume an upload. Raises `Refused`."""
        if not self.locks.take(key_of(name), wait=LOCK_WAIT_SECONDS):
            raise Refused(Status.FAILURE, _BUSY)
        try:
            with of_os_error("opened"):
                return self._open(name, flags)
        except BaseException:
            self.locks.give_back(key_of(name))
            raise

    def _open(self, name: str, flags: OpenFlag) -> Uploading:
        seen = self.notes.see(name)
        if seen is not None and OpenFlag.EXCLUSIVE in flags:
            raise Refused(Status.FAILURE, "there is a file of this name")
        if seen is None and OpenFlag.CREATE not in flags:
            raise Refused(Status.NO_SUCH_FILE, _GONE)
        resuming = seen is not None and OpenFlag.TRUNCATE not in flags
        if resuming and self.notes.part_size(name) is None:
            raise Refused(Status.FAILURE, "was received already: send it whole, not the rest of it")
        note = self.notes.read(name)
        if note is None or note.standing is not Standing.OPEN:
            self.notes.write(Note(name))
        base = seen.size if resuming and seen is not None else 0
        descriptor = os.open(
            self.notes.part(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        written = Written(
            descriptor,
            base=base,
            resumed=resuming,
            append=OpenFlag.APPEND in flags,
            max_bytes=self._settings.max_file_bytes,
        )
        return Uploading(self, name, written)

    def rename(self, old: str, new: str, alive: Callable[[], bool]) -> None:
        """Give an upload another name; to a final name, that is the signal. Raises `Refused`."""
        if old == new:
            raise Refused(Status.FAILURE, "that is its name already")
        with self.locks.holding(key_of(old), key_of(new), wait=LOCK_WAIT_SECONDS) as held:
            if not held:
                raise Refused(Status.FAILURE, _BUSY)
            self.see(old)
            self._must_not_be_ours(old)
            if is_temporary(new):
                with of_os_error("renamed"):
                    note = self.notes.read(old)
                    self.notes.write(Note(new, note.standing if note else Standing.OPEN))
                    rename(self.notes.part(old), self.notes.part(new), "sftp.part")
                    self.notes.forget(old)
            elif is_temporary(old):
                self._rename_to_final(old, new, alive)
            else:
                raise Refused(
                    Status.PERMISSION_DENIED,
                    "only a temporary name (.part, .filepart, .tmp, or with a dot in front)"
                    " can be renamed to a final one",
                )

    def _rename_to_final(self, old: str, new: str, alive: Callable[[], bool]) -> None:
        note = self.notes.read(old)
        if note is None or note.standing is not Standing.KEPT:
            raise Refused(
                Status.FAILURE, "this upload was not completed: resume it, or send it again"
            )
        with of_os_error("read"):
            descriptor = os.open(self.notes.part(old), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(descriptor).st_size
            if size > self._settings.max_file_bytes:
                raise Refused(Status.FAILURE, f"larger than {self._settings.max_file_bytes} bytes")
            self.notes.part(new).unlink(missing_ok=True)
            self.take_in(old, new, descriptor, size, None, alive)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Throw a partial away. Raises `Refused`."""
        with self.locks.holding(key_of(name), wait=LOCK_WAIT_SECONDS) as held:
            if not held:
                raise Refused(Status.FAILURE, _BUSY)
            self.see(name)
            self._must_not_be_ours(name)
            with of_os_error("removed"):
                self.notes.part(name).unlink()
                self.notes.forget(name)

    def truncate(self, name: str, size: int) -> None:
        """Shorten a partial nobody has open. Raises `Refused`."""
        with self.locks.holding(key_of(name), wait=LOCK_WAIT_SECONDS) as held:
            if not held:
                raise Refused(Status.FAILURE, _BUSY)
            seen = self.see(name)
            self._must_not_be_ours(name)
            if size > seen.size:
                raise Refused(Status.OP_UNSUPPORTED, "a file only grows by being written")
            if size < seen.size:
                with of_os_error("shortened"):
                    # What clients see of a partial under a final name is a byte short of it.
                    os.truncate(self.notes.part(name), size + (0 if is_temporary(name) else 1))

    def _must_not_be_ours(self, name: str) -> None:
        """After acceptance only the note is left, and what was received cannot be undone here."""
        if self.notes.part_size(name) is None:
            raise Refused(
                Status.PERMISSION_DENIED, "was received already and cannot be withdrawn or renamed"
            )

    # ---- the hand-over

    def keep(self, name: str) -> None:
        """`name` was closed and is whole, but only a rename will take it in."""
        with of_os_error("kept"):
            self.notes.write(Note(name, Standing.KEPT))
        if not is_temporary(name):
            self._log.info("sftp_upload_waits_for_rename", name=name)

    def take_in(
        self,
        source: str,
        name: str,
        descriptor: int,
        size: int,
        sha256: str | None,
        alive: Callable[[], bool],
    ) -> None:
        """Hand the partial of `source` over under the final `name`; raises `Refused` if not taken.

        The caller holds the locks of both names, and `descriptor` open on the bytes. `sha256` is
        None if it still has to be computed. `alive` says whether the session is still there.
        """
        with of_os_error("made durable"):
            if sha256 is None:
                sha256 = _hash(descriptor)
            self._sync(source, descriptor)
            if not alive():
                # Cut off between the request and now: the client never learns of a success, so
                # it will come back. Asked this late because hashing and syncing take a while.
                raise Refused(Status.FAILURE, "the session ended; kept as a partial")
            sent = self.notes.new_sent(source)
            # The name need not last: until the spool has the file, nothing was promised.
            rename(self.notes.part(source), sent, "sftp.sent")

        def settle(receipt: Receipt) -> None:
            self._settle(receipt, source, name, sent, size)

        def settle_late(receipt: Receipt) -> None:
            with self.locks.holding(key_of(source), *_other(source, name)) as held:
                if held:
                    settle(receipt)
                elif receipt.granted is None:
                    sent.unlink(missing_ok=True)

        receipt = self._receipts.ask(name, sent, sha256, size, settle_late)
        if receipt is None:
            self._log.warning("sftp_no_receipt_in_time", name=name, size=size, sha256=sha256)
            raise Refused(Status.FAILURE, "not confirmed in time; send it again, that does no harm")
        settle(receipt)
        if receipt.granted is None:
            raise Refused(Status.FAILURE, receipt.reason)

    def _sync(self, name: str, descriptor: int) -> None:
        try:
            fsync(descriptor, "sftp.upload")
        except OSError:
            # What a failed fsync left in the page cache may look fine and never reach the disk.
            self.notes.part(name).unlink(missing_ok=True)
            raise

    def _settle(self, receipt: Receipt, source: str, name: str, sent: Path, size: int) -> None:
        """Write down the daemon's answer. Never raises for the disk: the answer stands anyway."""
        try:
            if receipt.granted is not None:
                self._settle_accepted(receipt, source, name, size)
            elif self.notes.part_size(source) is None:
                rename(sent, self.notes.part(source), "sftp.unsent")
                if not is_temporary(source):
                    self.notes.write(Note(source, Standing.REFUSED))
            else:
                sent.unlink(missing_ok=True)
        except OSError as error:
            self._log.error("sftp_note_failed", name=name, error=str(error))

    def _settle_accepted(self, receipt: Receipt, source: str, name: str, size: int) -> None:
        if source != name and self.notes.part_size(source) is None:
            self.notes.forget(source)
        if self.notes.part_size(name) is None:
            at = time.time()
            self.notes.write(Note(name, Standing.ACCEPTED, size, receipt.granted or "", at))
        # Else the answer came late, and the next upload of this name has begun.


class Uploading:
    """An open upload. The session must end it with `close` or `abandon`, once."""

    def __init__(self, incoming: Incoming, name: str, written: Written) -> None:
        self._incoming = incoming
        self.name = name
        self.written = written

    def close(self, alive: Callable[[], bool]) -> None:
        """The client's close: takes a complete file in. Raises `Refused`; it is closed then too."""
        try:
            self.written.must_be_whole()
            if is_temporary(self.name) or self._incoming.require_rename:
                self._incoming.keep(self.name)
                return
            self.written.must_be_meant()
            self._incoming.take_in(
                self.name,
                self.name,
                self.written.descriptor,
                self.written.size,
                self.written.sha256(),
                alive,
            )
        finally:
            self._release()

    def abandon(self) -> None:
        """The session ended first: keep what came as a partial."""
        self._release()

    def _release(self) -> None:
        self.written.close()
        self._incoming.locks.give_back(key_of(self.name))


def _other(source: str, name: str) -> tuple[str, ...]:
    return () if source == name else (key_of(name),)


def _hash(descriptor: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, 1 << 20, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
