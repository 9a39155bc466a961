"""A partner's `in/`: open, resume, rename, and how clients see what lies there.

A file is taken in by exactly two requests: the close of an upload under a final name, or the
rename of a temporary name to a final one. Both put the bytes into the spool for good, tell the
daemon and wait; only "durably received" lets them succeed. Whatever ends before that leaves a
partial. What the daemon refuses has to be sent again; a refused rename can be tried again, unless
the file is large, for most are refused because the disk is short of room.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.config.settings import Sftp
from gateway.durable import rename
from gateway.service.sftp_server.handover import HandOver, Receipts
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
from gateway.spool import Spool

LOCK_WAIT_SECONDS = 2.0
"""A session that just lost its connection may still be writing what had arrived."""
NOTED_BYTES = 1 << 15
"""An upload that has come so far is worth resuming after a crash of this server."""
_BUSY = "another session is working on this file"
_GONE = "no such file"


class Incoming:
    """One partner's `in/` in one SFTP process; shared by that partner's sessions here."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Sftp,
        require_rename: bool,
        spool: Spool,
        receipts: Receipts,
        log: Any,
    ) -> None:
        self._settings = settings
        self.require_rename = require_rename
        """Whether a close alone takes nothing in. May change while uploads are under way."""
        self._log = log
        self.notes = Notes(folder, visible_seconds=settings.accepted_visible_seconds)
        self.locks = NameLocks(folder)
        self.hand_over = HandOver(self.notes, self.locks, spool=spool, receipts=receipts, log=log)

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
        note = self.notes.read(name)
        seen = None if note is None else self.notes.seen(note)
        if seen is not None and OpenFlag.EXCLUSIVE in flags:
            raise Refused(Status.FAILURE, "there is a file of this name")
        if seen is None and OpenFlag.CREATE not in flags:
            raise Refused(Status.NO_SUCH_FILE, _GONE)
        resuming = seen is not None and OpenFlag.TRUNCATE not in flags
        if resuming and self.notes.part_size(name) is None:
            raise Refused(Status.FAILURE, "was received already: send it whole, not the rest of it")
        if note is not None and note.standing is not Standing.OPEN:
            note = Note(name)
            self.notes.write(note)
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
        return Uploading(self, name, written, noted=note is not None)

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
            self.notes.forget_part(new)
            self.hand_over.take_in(old, new, descriptor, size, None, alive)
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
                os.unlink(self.notes.part(name))
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
            self.notes.begin(Note(name, Standing.KEPT))
        if not is_temporary(name):
            self._log.info("sftp_upload_waits_for_rename", name=name)


class Uploading:
    """An open upload. The session must end it with `close` or `abandon`, once.

    `noted`: whether there is a note of it, by which others see it. A new one gets its note when it
    is worth resuming, or when it ends without being taken in; most are small, and end well.
    """

    def __init__(self, incoming: Incoming, name: str, written: Written, *, noted: bool) -> None:
        self._incoming = incoming
        self.name = name
        self.written = written
        self._noted = noted

    def write(self, offset: int, data: bytes) -> None:
        """Take `data` at `offset`. Raises `Refused`; then the close fails as well."""
        self.written.write(offset, data)
        if not self._noted and self.written.size >= NOTED_BYTES:
            self._note()

    def close(self, alive: Callable[[], bool]) -> None:
        """The client's close: takes a complete file in. Raises `Refused`; it is closed then too."""
        try:
            self.written.must_be_whole()
            if is_temporary(self.name) or self._incoming.require_rename:
                self._incoming.keep(self.name)
                return
            self.written.must_be_meant()
            self._incoming.hand_over.take_in(
                self.name,
                self.name,
                self.written.descriptor,
                self.written.size,
                self.written.sha256(),
                alive,
            )
        except BaseException:
            self._note()
            raise
        finally:
            self._release()

    def abandon(self) -> None:
        """The session ended first: keep what came as a partial."""
        try:
            self._note()
        finally:
            self._release()

    def _note(self) -> None:
        """Let others see it, if it is there."""
        notes = self._incoming.notes
        if not self._noted:
            with suppress(OSError):  # the disk is full: then it cannot be resumed
                if notes.part_size(self.name) is not None:
                    notes.begin(Note(self.name))
        self._noted = True

    def _release(self) -> None:
        self.written.close()
        self._incoming.locks.give_back(key_of(self.name))
