"""Fault points: the places where a promise is made or kept, and where a test may break in.

Every fsync, rename, commit, reply, publish and confirm goes by a name of `POINTS`, before and
after. Normally nothing happens there. When `EDI_GATEWAY_FAULTS` names a folder, each process looks
there for a file named like the point, and does what is in it:

    spool.name.after        kill            ends itself, as by `kill -9`, and takes the file away
    journal.commit.before   enospc          is told once that the disk is full (or `eio`: broken)
    spool.write.before      always enospc   is told so as long as the file is there

What was taken away lies in the folder `done` beside it, with the number of the process, so whoever
armed a fault knows that it happened, once, and to whom. `tests/torture` and `python -m
bench.torture` use this; nobody else should.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

FAULTS: Final = "EDI_GATEWAY_FAULTS"

POINTS: Final = {
    "spool.write": "a payload's bytes, fsync",
    "spool.file": "the bytes of a file somebody else wrote, fsync",
    "spool.name": "a payload gets its name, rename",
    "spool.folder": "the folder that holds the name, fsync",
    "spool.again": "a second copy of known bytes is dropped, unlink",
    "spool.discard": "a payload that nothing needs goes, unlink",
    "spool.aside": "a payload of nobody is taken aside, rename",
    "spool.back": "one that was wanted after all is put back, rename",
    "spool.moved": "a payload of an earlier version is brought to its place, rename",
    "folder.made": "a folder of ours was made, fsync of its parent",
    "journal.made": "the journal's name, fsync of its folder",
    "journal.commit": "a transaction of the journal, COMMIT",
    "key.write": "the SSH host key, fsync",
    "key.name": "the SSH host key gets its name, rename",
    "key.folder": "the folder of the SSH host key, fsync",
    "sftp.flush": "an upload's bytes because its sender asks for it, fsync",
    "sftp.upload": "an upload's bytes, fsync",
    "sftp.part": "an unfinished upload gets another unfinished name, rename",
    "sftp.note": "what is remembered of an upload gets its name, rename",
    "sftp.answer": "the daemon's answer to the SFTP process, reply",
    "sftp.reply": "what the SFTP client is told, reply",
    "out.write": "an acknowledgement in out/, fsync",
    "out.name": "an acknowledgement gets its name in out/, rename",
    "out.folder": "the folder out/, fsync",
    "out.fetched": "a file of out/ that was fetched or has expired goes, unlink",
    "http.body": "a request's body, fsync",
    "http.part": "a file of a form, fsync",
    "http.reply": "the answer to a request, reply",
    "as2.body": "an AS2 message as received, fsync",
    "as2.payload": "what was in an AS2 message, fsync",
    "as2.post": "a message or receipt to a partner, publish",
    "as2.posted": "the partner's answer to it, confirm",
    "folder.copy": "the copy of a watched folder's file, fsync",
    "folder.take": "a file of a watched folder is taken aside, rename",
    "folder.remove": "a file of a watched folder goes, unlink",
    "folder.move": "a file of a watched folder is moved away, rename",
    "folder.write": "an acknowledgement for a folder, fsync",
    "folder.name": "an acknowledgement gets its name in a folder, rename",
    "folder.folder": "the folder of acknowledgements, fsync",
    "remote.download": "a fetched file's bytes, fsync",
    "remote.remove": "a fetched file is deleted on the partner's server, unlink",
    "remote.move": "a fetched file is moved on the partner's server, rename",
    "remote.name": "an acknowledgement gets its name on the partner's server, rename",
    "publications.made": "a folder of publications was made, fsync of its parent",
    "publications.write": "a publication's bytes, fsync",
    "publications.name": "a publication gets its name, rename",
    "publications.folder": "a folder of publications, fsync",
    "amqp.publish": "a message to the broker, publish",
    "amqp.confirm": "the broker has a message, confirm",
    "amqp.settle": "the broker is told that we are done with a request, confirm",
    "control.reply": "the answer to an operator's command, reply",
    "snapshot.write": "a snapshot of the directory of recipients, fsync",
    "snapshot.name": "a snapshot of the directory gets its name, rename",
    "snapshot.folder": "the folder of snapshots, fsync",
    "answered.write": "a lifecycle message made by hand, fsync",
    "answered.name": "a lifecycle message made by hand gets its name, rename",
    "answered.folder": "the folder of a lifecycle message made by hand, fsync",
    "backup.journal": "the copy of the journal, fsync",
    "backup.file": "a file that is backed up or restored, fsync",
    "backup.name": "a file that is backed up or restored gets its name, rename",
    "backup.link": "a payload gets a second name in a backup, link",
    "backup.names": "a folder of files that are backed up or restored, fsync",
    "backup.sums": "the list of a backup's files, fsync",
    "backup.folder": "a backup's own folder, fsync",
    "backup.removed": "an old backup is gone, fsync of the folder of backups",
    "manifest.write": "what makes a backup complete, fsync",
    "manifest.name": "what makes a backup complete gets its name, rename",
    "manifest.folder": "the folder of what makes a backup complete, fsync",
    "evidence.name": "the folder of an interchange gets its name in an export or archive, rename",
    "evidence.synced": "all that was written into an export or archive, fsync",
    "index.write": "the index, summary or list of sums of an export or archive, fsync",
    "index.name": "the index, summary or list of sums gets its name, rename",
    "index.folder": "the folder of an export or archive, fsync",
    "restore.write": "what stands in for the journal while a backup is restored, fsync",
    "restore.name": "what stands in for the journal gets the journal's name, rename",
    "restore.folder": "the folder of what stands in for the journal, fsync",
    "restore.numbers": "the restored journal, whose numbers go on elsewhere, fsync",
    "restore.done": "the restored journal takes its place, rename",
    "restore.end": "the folder of the restored journal, fsync",
}
"""Name → what is done there, and by which kind of operation."""

When = Literal["before", "after"]

_ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO}
_ALWAYS = "always "
_DONE = "done"


class Faults:
    """What is to go wrong, as files in a folder: for tests to arm, for the gateway to suffer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done = folder / _DONE
        self._done.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, when: When, action: str) -> None:
        """Let it go wrong from the next time on that somebody comes by. Raises ValueError."""
        if point not in POINTS:
            raise ValueError(f"There is no fault point {point!r}.")
        word = action.removeprefix(_ALWAYS)
        if action != "kill" and word not in _ERRORS:
            raise ValueError(f"A fault is `kill`, or one of {sorted(_ERRORS)}, not {action!r}.")
        new = self._folder / ".new"
        new.write_text(action)
        new.rename(self._folder / f"{point}.{when}")

    def disarm(self, point: str, when: When) -> bool:
        """Let it go well again; False if it happened already."""
        try:
            (self._folder / f"{point}.{when}").unlink()
        except FileNotFoundError:
            return False
        return True

    def happened(self, point: str, when: When) -> int | None:
        """Which process came by since it was armed, if one did; asking forgets it."""
        done = self._done / f"{point}.{when}"
        try:
            process = int(done.read_text())
        except FileNotFoundError:
            return None
        done.unlink()
        return process

    def reached(self, point: str, when: When) -> None:
        """Come by a point: usually to no effect. Raises OSError, or never returns."""
        armed = self._folder / f"{point}.{when}"
        try:
            action = armed.read_text()
            if not action.startswith(_ALWAYS):
                ours = self._done / f".{os.getpid()}.{threading.get_ident()}"
                armed.rename(ours)  # whoever manages this is the one
                ours.write_text(str(os.getpid()))
                ours.rename(self._done / armed.name)
        except FileNotFoundError:
            return
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal may take a moment to arrive
        code = _ERRORS[action.removeprefix(_ALWAYS)]
        raise OSError(code, os.strerror(code), f"fault point {point}")


def _from_environment() -> Faults | None:
    folder = os.environ.get(FAULTS, "")
    return Faults(Path(folder)) if folder else None


_faults = _from_environment()


def expected() -> bool:
    """Whether a test may break in here; never so in a gateway that does real work."""
    return _faults is not None


def reached(point: str, when: When) -> None:
    """Say that something is about to be done, or was done. Usually nothing happens."""
    if _faults is not None:
        _faults.reached(point, when)


def around(point: str) -> contextlib.AbstractContextManager[None]:
    """What is done in here has a point before it, and one after it if it succeeds."""
    return _NOTHING if _faults is None else _around(point)


_NOTHING: Final = contextlib.nullcontext()


@contextlib.contextmanager
def _around(point: str) -> Iterator[None]:
    reached(point, "before")
    yield
    reached(point, "after")
