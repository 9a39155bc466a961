"""Every partner that exchanges files through folders of this machine: the watches, and the answers.

Copying and hashing happen in threads of its own: a large file on a slow disk must not hold back
the spool's threads, which others wait for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet import defer
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gateway.durable import fsync, rename, sync_folder
from gateway.errors import DeliveryFailed
from gateway.model.partner import FolderAccess, Partner
from gateway.service.folder_files import room_on
from gateway.service.folder_watch import FolderWatch
from gateway.service.journal import records
from gateway.service.sftp_server.arrival import Upload
from gateway.service.sftp_server.folders import is_out_name
from gateway.spool import Spool

COPY_THREADS: Final = 4
OUT_MODE: Final = 0o640
"""Of an acknowledgement, whatever our umask: its reader is another user, of the folder's group."""


class FolderWatches:
    """The watches of all partners together, and the way back to each.

    `deliver` works before `start` and after `stop`, in the threads of `in_thread`.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        partners: Mapping[str, Partner],
        spool: Spool,
        max_file_bytes: int,
        min_free_mb: int,
        receive: Callable[[Upload], Awaitable[str]],
        in_thread: Callable[..., Awaitable[Any]],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._partners = partners
        self._spool = spool
        self._room = room_on(spool.free_mb, min_free_mb, max_file_bytes)
        self._receive = receive
        self._log = log
        self._threads = ThreadPool(0, COPY_THREADS, name="folders")
        self._wanted = _folders(partners)
        self._watches: dict[str, tuple[FolderAccess, FolderWatch]] = {}

    def start(self) -> None:
        """Begin to take files."""
        self._threads.start()
        self._begin()

    async def replace(self, partners: Mapping[str, Partner], grace: float) -> None:
        """Watch these partners' folders from now on; those that are as they were go on.

        What is being handed over from another may finish for at most `grace` seconds first: one
        folder is never watched twice.
        """
        self._wanted = _folders(partners)
        ending = [
            self._watches.pop(name)[1]
            for name, (access, _) in list(self._watches.items())
            if self._wanted.get(name) != access
        ]
        await _all_stopped(ending, grace)
        self._begin()

    def _begin(self) -> None:
        """Watch what is wanted and not watched yet."""
        for name, access in self._wanted.items():
            if name in self._watches:
                continue
            watch = FolderWatch(
                self._reactor,
                name,
                access,
                incoming=self._spool.incoming,
                room=self._room,
                receive=self._receive,
                in_thread=self._in_copying_thread,
                log=self._log,
            )
            self._watches[name] = access, watch
            watch.start()

    async def stop(self, grace: float) -> None:
        """Take no more; what is being handed over may finish for at most `grace` seconds."""
        self._wanted = {}  # a replacement that is under way begins nothing any more
        await _all_stopped([watch for _, watch in self._watches.values()], grace)
        self._threads.stop()

    async def deliver(self, row: records.OutboxRow) -> None:
        """Put an acknowledgement into its partner's `out`. Raises `DeliveryFailed`.

        Without an `out` there is nothing to do, which counts as delivered: the partner is told
        through RabbitMQ alone, where every report goes as well.
        """
        partner = self._partners.get(row.partner)
        if partner is None or partner.folder is None:
            raise DeliveryFailed(
                f"{row.partner} has no [folder] any more to put {row.filename} in.",
                remedy="Give it one again; with an empty out the report counts as delivered.",
            )
        if not partner.folder.out:
            return
        if row.filename is None or not is_out_name(row.filename):
            raise DeliveryFailed(
                f"Outbox row {row.id} names no file for the partner.",
                remedy="This is a fault in the gateway; please report it.",
            )
        write = partial(put_acknowledgement, Path(partner.folder.out), row.filename)
        try:
            body = row.body
            if row.payload is not None:
                body = await self._in_thread(self._spool.path(row.payload).read_bytes)
            await self._in_thread(write, body)
        except OSError as error:
            raise DeliveryFailed(
                f"{row.filename} could not be put in {partner.folder.out}: {error}.",
                remedy="Create the folder and let our user write there.",
            ) from error

    async def _in_copying_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await deferToThreadPool(self._reactor, self._threads, function, *args)


def _folders(partners: Mapping[str, Partner]) -> dict[str, FolderAccess]:
    return {
        name: partner.folder
        for name, partner in partners.items()
        if partner.enabled and partner.folder is not None
    }


async def _all_stopped(watches: Iterable[FolderWatch], grace: float) -> None:
    await defer.gatherResults(
        [defer.Deferred.fromCoroutine(watch.stop(grace)) for watch in watches]
    )


def put_acknowledgement(folder: Path, filename: str, body: bytes) -> None:
    """Put a whole file there, durably; safe to run twice. Raises OSError.

    It appears under its name complete; until then it has a name with a dot in front, the same one
    at every attempt, so that what a crash left there is taken away by the next. The folder must be
    there: it is the other program's.
    """
    temporary = folder / f".tmp-{hashlib.sha256(filename.encode()).hexdigest()[:16]}"
    try:
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, OUT_MODE), "wb") as file:
            os.fchmod(file.fileno(), OUT_MODE)
            file.write(body)
            file.flush()
            fsync(file.fileno(), "folder.write")
        rename(temporary, folder / filename, "folder.name")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder, "folder.folder")
