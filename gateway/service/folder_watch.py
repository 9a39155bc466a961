"""Watches one partner's inbox: a folder of this machine that another program writes into.

inotify says what happens there, and a look around now and then finds what it missed. What is
complete (`folder_quiet`) is copied into the spool's file system, handed to the intake, and only
when it is durable there removed from the folder (`folder_files`). A crash in between takes it in
again: same partner, name and bytes, hence the same interchange.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet import defer

from gateway.errors import FolderUnusable, GatewayError
from gateway.model.partner import FolderAccess
from gateway.service.folder_entries import Identity, name_of, set_aside
from gateway.service.folder_events import Events
from gateway.service.folder_files import (
    Copied,
    FileChanged,
    Listing,
    Room,
    Stopped,
    WatchedFolder,
)
from gateway.service.folder_quiet import Candidates
from gateway.service.sftp_server.arrival import Upload

WIDTH: Final = 4
"""Files of one folder on their way at once."""
PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 60.0


class FolderWatch:
    """One inbox. Files are taken from `start` on, until `stop` returns."""

    def __init__(
        self,
        reactor: Any,
        partner: str,
        access: FolderAccess,
        *,
        incoming: Path,
        room: Room,
        receive: Callable[[Upload], Awaitable[str]],
        in_thread: Callable[..., Awaitable[Any]],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._partner = partner
        self._access = access
        self._incoming = incoming
        self._room = room
        self._receive = receive
        self._in_thread = in_thread
        self._log = log.bind(partner=partner, inbox=access.inbox)
        move_to = Path(access.move_to) if access.move_to else None
        self._folder = WatchedFolder(Path(access.inbox), move_to)
        self._candidates = Candidates(access.quiet_seconds)
        self._events = Events(
            reactor,
            access.inbox,
            self._candidates,
            happened=self._wake,
            lost=self._look_around,
            log=self._log,
        )
        self._queue: deque[tuple[str, bool]] = deque()
        self._lanes: set[defer.Deferred[None]] = set()
        self._stopping = False
        self._stop_copying = threading.Event()
        self._sleeping: defer.Deferred[None] | None = None
        self._news = False
        self._loop: defer.Deferred[None] | None = None
        self._rescan_at = 0.0
        self._paused_until = 0.0
        self._pause = PAUSE_SECONDS
        self._complaints: dict[str, str] = {}
        """What was logged of a place (or "" for the folder), so that it is not said every time."""

    # ---- life

    def start(self) -> None:
        """Begin."""
        self._loop = defer.Deferred.fromCoroutine(self._run())

    async def stop(self, grace: float) -> None:
        """Take nothing more; let what is being handed over finish for at most `grace` seconds."""
        self._stopping = True
        self._stop_copying.set()
        self._events.stop()
        self._wake()
        loop, self._loop = self._loop, None
        under_way = [each for each in (loop, *self._lanes) if each is not None]
        waiting = defer.DeferredList(under_way, consumeErrors=True)
        waiting.addTimeout(max(0.01, grace), self._reactor)
        try:
            await waiting
        except (defer.TimeoutError, defer.CancelledError):
            self._log.warning("folder_stopped_in_flight")

    def _wake(self) -> None:
        self._news = True
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None:
            sleeping.callback(None)

    def _look_around(self) -> None:
        """Events were lost: do not wait for the next look around."""
        self._rescan_at = 0.0
        self._wake()

    async def _run(self) -> None:
        while not self._stopping:
            self._news = False
            try:
                await self._look()
            except defer.CancelledError:
                raise
            except FolderUnusable as error:
                self._complain("", "folder_unusable", error)
                self._rescan_at = self._reactor.seconds() + self._access.rescan_seconds
            except Exception as error:
                # A fault of ours with one look must not be the last one.
                self._log.error("folder_look_failed", error=repr(error))
                self._rescan_at = self._reactor.seconds() + self._access.rescan_seconds
            await self._sleep()

    async def _sleep(self) -> None:
        """Until something happens, or is due."""
        now = self._reactor.seconds()
        if self._stopping or (self._news and now >= self._paused_until):
            return
        until = max(self._paused_until, min(self._rescan_at, self._candidates.next_due()))
        sleeping: defer.Deferred[None] = defer.Deferred()
        self._sleeping = sleeping
        timer = self._reactor.callLater(max(0.0, until - now), self._wake)
        try:
            await sleeping
        finally:
            if timer.active():
                timer.cancel()

    # ---- looking

    async def _look(self) -> None:
        """Look at what is due, or around, and start on what is ready."""
        now = self._reactor.seconds()
        if now < self._paused_until:
            return
        listing: Listing
        around = now >= self._rescan_at
        if around:
            self._events.start()  # before the look, so that nothing comes between the two
            looked_at = self._candidates.all()
            listing = await self._in_thread(self._folder.listing)
            self._rescan_at = now + self._access.rescan_seconds
            self._complaints.pop("", None)
            for shown in listing.unusable:
                self._complain(
                    shown,
                    "folder_name_unusable",
                    FolderUnusable(
                        f"A file is called {shown}, which is no usable name.",
                        remedy="Names are UTF-8, without control characters. Rename it.",
                    ),
                )
        else:
            looked_at = self._candidates.due(now)
            if not looked_at:
                return
            listing = await self._in_thread(self._folder.listing, looked_at)
        ready = self._candidates.seen(listing.files, looked_at, self._reactor.seconds())
        if around:
            known = {*listing.files, *listing.unusable}
            self._complaints = {k: v for k, v in self._complaints.items() if k in known}
        self._queue.extend(ready.items())
        self._fill()

    def _fill(self) -> None:
        """Start on as many as may be on their way at once."""
        while self._queue and len(self._lanes) < WIDTH and not self._stopping:
            place, taken = self._queue.popleft()
            lane = defer.Deferred.fromCoroutine(self._see_through(place, taken))
            self._lanes.add(lane)
            lane.addBoth(self._lane_over, lane)

    def _lane_over(self, result: Any, lane: defer.Deferred[None]) -> None:
        self._lanes.discard(lane)
        self._fill()
        if self._candidates.next_due() <= self._reactor.seconds():
            self._wake()

    # ---- one file

    async def _see_through(self, place: str, taken: bool) -> None:
        """Take a file in, if it is not ours yet, and remove it."""
        again = self._reactor.seconds() + self._access.rescan_seconds
        try:
            if taken:
                await self._remove_kept(place, again)
            else:
                await self._take(place, again)
        except FileNotFoundError:  # its owner took it back
            self._candidates.done(place)
        except FileChanged:
            self._candidates.changed(place)
        except Stopped:
            self._candidates.later(place, again)
        except FolderUnusable as error:
            self._candidates.later(place, again)
            self._complain(place, "folder_file_unusable", error)
        except GatewayError as error:
            self._wait(place, error)
        except defer.CancelledError:
            self._candidates.later(place, again)
        except Exception as error:
            # A fault of ours at one file: the others go on, and it stays where it is.
            self._candidates.later(place, again)
            self._log.error("folder_file_failed", name=name_of(place), error=repr(error))

    async def _take(self, place: str, again: float) -> None:
        copied: Copied = await self._in_thread(
            self._folder.copy, place, self._incoming, self._room, self._stop_copying
        )
        try:
            await self._receive(
                Upload(self._partner, name_of(place), copied.path, copied.sha256, copied.size)
            )
        except BaseException:
            await self._in_thread(copied.path.unlink, True)
            raise
        self._pause = PAUSE_SECONDS
        await self._remove(place, copied.identity, again)

    async def _remove_kept(self, place: str, again: float) -> None:
        identity = self._candidates.identity(place)
        if identity is None:
            self._candidates.later(place, again)
            return
        await self._remove(place, identity, again)

    async def _remove(self, place: str, identity: Identity, again: float) -> None:
        """Remove a file that is ours. When that cannot be done it is not taken in again."""
        try:
            removed = await self._in_thread(self._folder.dispose, place, identity)
        except FolderUnusable as error:
            self._candidates.kept(place, identity, again)
            self._complain(place, "folder_file_not_removed", error)
            return
        self._complaints.pop(place, None)
        self._candidates.done(place)
        if not removed:
            for other in (place, set_aside(place)):
                self._candidates.noticed(other)

    def _wait(self, place: str, error: GatewayError) -> None:
        """Nothing is taken in now: pause, longer each time, with this file and all in the queue."""
        now = self._reactor.seconds()
        if now >= self._paused_until:
            self._paused_until = now + self._pause
            self._log.warning("folder_waits", seconds=self._pause, error=str(error))
            self._pause = min(self._pause * 2, MAX_PAUSE_SECONDS)
        self._candidates.later(place, self._paused_until)
        while self._queue:
            other, _ = self._queue.popleft()
            self._candidates.later(other, self._paused_until)

    def _complain(self, place: str, event: str, error: GatewayError) -> None:
        """Log a trouble, once as long as it is the same."""
        if self._complaints.get(place) != str(error):
            self._complaints[place] = str(error)
            self._log.warning(event, error=error.what, remedy=error.remedy)
