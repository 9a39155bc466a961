"""From a partial to a file of ours: into the spool, then a word to the daemon, then its answer.

Bytes in the spool that no interchange needs do no harm: nobody but the spool's sweep touches them,
for the same file may have come another way and been taken (`gateway/service/spool_sweep.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from typing import Any, Protocol

from gateway.durable import fsync
from gateway.errors import SpoolError
from gateway.service.sftp_server.notes import NameLocks, Note, Notes, Standing, key_of
from gateway.service.sftp_server.protocol import Status
from gateway.service.sftp_server.refusal import Refused, of_os_error
from gateway.spool import Spool

GIVEN_BACK_BYTES = 64 * 1024 * 1024
"""A file up to this size keeps its temporary name when its rename is refused."""


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
        self, name: str, sha256: str, size: int, late: Callable[[Receipt], None]
    ) -> Receipt | None:
        """Say that a file of this name is in the spool."""
        ...


class HandOver:
    """How files leave one partner's `in/`."""

    def __init__(
        self, notes: Notes, locks: NameLocks, *, spool: Spool, receipts: Receipts, log: Any
    ) -> None:
        self._notes = notes
        self._locks = locks
        self._spool = spool
        self._receipts = receipts
        self._log = log

    def take_in(
        self,
        source: str,
        name: str,
        descriptor: int,
        size: int,
        sha256: str | None,
        alive: Callable[[], bool],
    ) -> None:
        """Deliver the partial of `source` under the final `name`; raises `Refused` if not taken.

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
            self._adopt(source, sha256, size)

        def settle(receipt: Receipt) -> None:
            self._settle(receipt, source, name, sha256, size)

        def settle_late(receipt: Receipt) -> None:
            with self._locks.holding(key_of(source), *_other(source, name)) as held:
                if held:  # else the next upload of this name is under way
                    settle(receipt)

        receipt = self._receipts.ask(name, sha256, size, settle_late)
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
            self._notes.forget_part(name)
            raise

    def _adopt(self, name: str, sha256: str, size: int) -> None:
        """Put the fsynced partial into the spool. Raises OSError, or `Refused`."""
        try:
            self._spool.adopt(self._notes.part(name), sha256, size)
        except SpoolError as error:
            self._log.error("sftp_not_stored", name=name, error=error.what)
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise Refused(Status.FAILURE, "could not be stored; send it again") from None

    def _settle(self, receipt: Receipt, source: str, name: str, sha256: str, size: int) -> None:
        """Write down the daemon's answer. Never raises for the disk: the answer stands anyway."""
        try:
            if receipt.granted is not None:
                self._settle_accepted(receipt, source, name, size)
            elif self._notes.part_size(source) is None:
                if source == name:
                    self._notes.forget(name)
                elif size <= GIVEN_BACK_BYTES:
                    self._give_back(source, sha256)
                else:
                    self._notes.forget(source)
        except OSError as error:
            self._log.error("sftp_note_failed", name=name, error=str(error))

    def _give_back(self, name: str, sha256: str) -> None:
        """Make the partial anew, for the same rename to be tried again: a copy.

        The spool's file is not taken out again: whoever sent the same bytes may count on it.
        """
        try:
            shutil.copyfile(self._spool.path(sha256), self._notes.part(name))
        except OSError:
            self._notes.forget_part(name)
            self._notes.forget(name)
            raise

    def _settle_accepted(self, receipt: Receipt, source: str, name: str, size: int) -> None:
        if source != name and self._notes.part_size(source) is None:
            self._notes.forget(source)
        if self._notes.part_size(name) is None:
            at = time.time()
            self._notes.begin(Note(name, Standing.ACCEPTED, size, receipt.granted or "", at))
        # Else the answer came late, and the next upload of this name has begun.


def _other(source: str, name: str) -> tuple[str, ...]:
    return () if source == name else (key_of(name),)


def _hash(descriptor: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, 1 << 20, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
