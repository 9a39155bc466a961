"""inotify on one folder: what happens there, told to the candidates.

Without it (no instance left to our user, say) the looks around still find everything, later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import inotify
from twisted.python.filepath import FilePath

from gateway.service.folder_quiet import Candidates
from gateway.service.sftp_server.notes import is_temporary, usable_name

MASK: Final = (
    inotify.IN_MOVED_TO
    | inotify.IN_CLOSE_WRITE
    | inotify.IN_MODIFY
    | inotify.IN_CREATE
    | inotify.IN_MOVED_FROM
    | inotify.IN_DELETE
    | inotify.IN_ONLYDIR
)
_NO_WATCH: Final = 0xFFFFFFFF
"""The watch that IN_Q_OVERFLOW comes from: -1, as Twisted unpacks it."""


class _Overflow:
    """Stands in Twisted's table for that watch: Twisted drops events of watches it does not know.

    The kernel queues some 16,000 events; beyond that it says only that some were lost.
    """

    autoAdd = False  # noqa: N815 - Twisted's name
    path = FilePath(b"/")

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def _notify(self, path: object, mask: int) -> None:
        self._lost()


class Events:
    """Tells `candidates` what happens in the folder, then calls `happened`.

    `lost` is called when events were lost.
    """

    def __init__(
        self,
        reactor: Any,
        folder: str,
        candidates: Candidates,
        *,
        happened: Callable[[], None],
        lost: Callable[[], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._folder = os.fsencode(folder)
        self._candidates = candidates
        self._happened = happened
        self._events_lost = lost
        self._log = log
        self._inotify: Any = None
        self._watched: tuple[int, int] | None = None
        self._complained = False

    def start(self) -> None:
        """Watch the folder that has the name now, if it is not watched already."""
        try:
            found = os.stat(self._folder)
        except OSError:
            self.stop()  # the look around says so
            return
        folder = (found.st_dev, found.st_ino)
        if self._inotify is not None and self._inotify.connected and self._watched == folder:
            return
        again = self._watched is not None
        self.stop()
        try:
            self._inotify = inotify.INotify(self._reactor)  # type: ignore[no-untyped-call]
            self._inotify._watchpoints[_NO_WATCH] = _Overflow(self._lost)
            self._inotify.watch(FilePath(self._folder), MASK, callbacks=[self._told])
        except (OSError, inotify.INotifyError) as error:
            self.stop()
            if not self._complained:
                self._complained = True
                self._log.warning(
                    "folder_events_unavailable",
                    error=repr(error),
                    remedy="Files are found by looking around, folder.rescan_seconds apart. Raise"
                    " fs.inotify.max_user_instances and max_user_watches (sysctl).",
                )
            return
        self._inotify.startReading()
        self._watched = folder
        self._complained = False
        if again:
            self._candidates.events_lost()

    def stop(self) -> None:
        """Watch nothing."""
        watching, self._inotify, self._watched = self._inotify, None, None
        if watching is not None and watching.connected:
            watching.loseConnection()

    def _lost(self) -> None:
        self._log.info("folder_events_lost")
        self._candidates.events_lost()
        self._events_lost()

    def _told(self, _: object, path: Any, mask: int) -> None:
        if path.path == self._folder or mask & inotify.IN_ISDIR:  # the folder itself, or one in it
            return
        name = usable_name(path.basename())
        if name is None or is_temporary(name):
            return
        if mask & inotify.IN_MOVED_TO:
            self._candidates.renamed(name)
        elif mask & inotify.IN_CLOSE_WRITE:
            self._candidates.closed(name)
        elif mask & inotify.IN_MODIFY:
            self._candidates.written(name)
            return  # nothing to look at before the close
        elif mask & inotify.IN_CREATE:
            self._candidates.created(name)
        elif mask & (inotify.IN_MOVED_FROM | inotify.IN_DELETE):
            self._candidates.gone(name)
            return
        self._happened()
