"""A round at a partner's folder: look, fetch what is ready, hand it over, clear it away there.

A file is cleared away only when it is durable here. If that fails it is not fetched again: it is
remembered, and only the clearing is tried again. After a restart nothing is remembered; then the
same file is fetched once more and found to be the interchange it already made.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet import defer

from gateway.errors import GatewayError, IntakeRefused
from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.clearing import clear, inside
from gateway.service.sftp_client.download import download
from gateway.service.sftp_client.errors import (
    NotCleared,
    RemoteAway,
    RemoteChanged,
    RemoteRefused,
)
from gateway.service.sftp_client.lane import InThread, Lane
from gateway.service.sftp_client.looks import Found, Looks, Ready
from gateway.service.sftp_client.session import Session
from gateway.service.sftp_server.arrival import Upload
from gateway.spool import Spool

FILES_AT_ONCE = 4
"""One on the wire, the others on their way into the journal."""
MAX_OWED = 1000
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 30.0, 3600.0
NAMES_LOGGED = 5

Receive = Callable[[Upload], Awaitable[str]]


@dataclass(slots=True)
class _Later:
    """A file with which something did not work, and when to try again."""

    ready: Ready
    attempts: int = 0
    at: float = 0.0

    def postpone(self, now: float) -> None:
        self.at = now + min(FIRST_RETRY_SECONDS * 2**self.attempts, LAST_RETRY_SECONDS)
        self.attempts = min(self.attempts + 1, 30)


class Fetching:
    """Rounds at one partner's folder."""

    def __init__(
        self,
        lane: Lane,
        remote: SftpRemote,
        *,
        partner: str,
        spool: Spool,
        receive: Receive,
        in_thread: InThread,
        max_bytes: int,
        min_free_mb: int,
        log: Any,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lane = lane
        self._remote = remote
        self._partner = partner
        self._spool = spool
        self._receive = receive
        self._in_thread = in_thread
        self._min_free_mb = min_free_mb
        self._log = log
        self._clock = clock
        self._looks = Looks(
            stable_seconds=remote.stable_seconds,
            marker_suffix=remote.marker_suffix,
            max_bytes=max_bytes,
        )
        self._owed: dict[bytes, _Later] = {}
        """Received, and not cleared away yet."""
        self._troubled: dict[bytes, _Later] = {}
        """Could not be fetched."""
        self._halted: GatewayError | None = None
        self._complaints: dict[str, list[tuple[str, str]]] = {}

    async def round(self) -> float:
        """One round; returns after how many seconds the next one makes sense.

        Raises `RemoteAway`; `RemoteRefused` when the folder cannot be listed; `IntakeRefused`,
        `SpoolError` or `JournalError` when nothing more can be taken in now.
        """
        self._halted = None
        found = await self._lane.step(self._look)
        for each in found.passed_over:
            self._log.warning(
                "sftp_remote_passed_over", name=each.name, error=f"{each.why} {each.remedy}".strip()
            )
        try:
            await self._clear_owed()
            if len(self._owed) >= MAX_OWED:
                raise NotCleared(
                    f"{len(self._owed)} files were fetched from {self._remote.fetch_from} and"
                    " could not be removed there.",
                    remedy="Ask the partner for the right to delete or move them.",
                )
            queue = iter(self._due(found))
            # DeferredList waits for all of them, also when one fails.
            await defer.DeferredList(
                [defer.Deferred.fromCoroutine(self._take_all(queue)) for _ in range(FILES_AT_ONCE)],
                consumeErrors=True,
            )
        finally:
            self._complain()
        if self._halted is not None:
            raise self._halted
        if found.more:
            return min(1.0, self._remote.poll_seconds)
        if found.waiting:
            return min(max(self._remote.stable_seconds, 0.1), self._remote.poll_seconds)
        return self._remote.poll_seconds

    def halt(self, error: GatewayError) -> None:
        """Start with no further file."""
        if self._halted is None:
            self._halted = error

    def _look(self, session: Session) -> Found:
        """In a thread."""
        with closing(session.listing(self._remote.fetch_from.encode())) as listing:
            return self._looks.look(listing, self._clock())

    def _due(self, found: Found) -> Sequence[tuple[bytes, Ready | None]]:
        """What to fetch now: names, and what is known of them."""
        now = self._clock()
        candidates: list[tuple[bytes, Ready | None]] = [
            *((ready.name, ready) for ready in found.ready),
            *((name, None) for name in found.marked),
        ]
        return [
            (name, ready)
            for name, ready in candidates
            if not _stands(self._owed.get(name), ready)
            and (name not in self._troubled or self._troubled[name].at <= now)
        ]

    # ---- one file

    async def _take_all(self, queue: Iterator[tuple[bytes, Ready | None]]) -> None:
        for name, ready in queue:
            if self._halted is not None:
                return
            try:
                await self._take(name, ready)
            except GatewayError as error:
                self.halt(error)
            except Exception as error:
                self._log.exception("sftp_remote_fault", error=repr(error))
                self.halt(
                    IntakeRefused(
                        f"Fetching failed in a way nobody thought of: {error!r}.",
                        remedy="This is a fault in the gateway; please report it.",
                    )
                )

    async def _take(self, name: bytes, ready: Ready | None) -> None:
        told = Found()
        try:
            fetched = await self._lane.step(lambda session: self._fetch(session, name, ready, told))
        except RemoteChanged:
            self._looks.forget(name)
            return
        except RemoteRefused as error:
            self._looks.forget(name)
            if not error.gone:
                self._put_off(self._troubled, name, ready, "sftp_remote_not_fetched", error)
            return
        if fetched is None:
            return
        self._troubled.pop(name, None)
        ready, upload = fetched
        try:
            interchange = await self._receive(upload)
        finally:
            await self._in_thread(_discard, upload)
        self._log.debug("sftp_remote_fetched", interchange=interchange, name=ready.text)
        self._owed[name] = _Later(ready)
        await self._clear(name)

    def _fetch(
        self, session: Session, name: bytes, ready: Ready | None, told: Found
    ) -> tuple[Ready, Upload] | None:
        """In a thread."""
        path = inside(self._remote.fetch_from, name)
        if ready is None:  # there is a marker; is there a file?
            ready = self._looks.usable(name, session.look(path), told)
            if ready is None or _stands(self._owed.get(name), ready):
                return None
        free_mb = self._spool.free_mb() - ready.size // 1_000_000
        if free_mb < self._min_free_mb:
            raise IntakeRefused(
                f"The disk has no room for a file of {ready.size} bytes.",
                remedy=f"Free space: {free_mb} MB would be left, intake.min_free_mb is"
                f" {self._min_free_mb}. The file stays with the partner until then.",
            )
        into = self._spool.incoming
        return ready, download(session, path, ready, partner=self._partner, into=into)

    # ---- clearing away

    async def _clear_owed(self) -> None:
        now = self._clock()
        for name in [name for name, later in self._owed.items() if later.at <= now]:
            await self._clear(name)

    async def _clear(self, name: bytes) -> None:
        later = self._owed[name]
        try:
            same = await self._lane.step(lambda session: clear(session, self._remote, later.ready))
        except RemoteAway:
            raise  # still owed, and due as soon as the server is back
        except RemoteRefused as error:
            self._put_off(self._owed, name, later.ready, "sftp_remote_not_cleared", error)
            return
        del self._owed[name]
        self._looks.forget(name)
        if not same:
            self._log.info("sftp_remote_replaced", name=later.ready.text)

    def _put_off(
        self,
        among: dict[bytes, _Later],
        name: bytes,
        ready: Ready | None,
        event: str,
        error: RemoteRefused,
    ) -> None:
        later = among.get(name)
        if later is None:
            text = name.decode("utf-8", "replace")
            later = among[name] = _Later(ready or Ready(name, text, -1, None))
        if later.attempts == 0:
            self._complaints.setdefault(event, []).append((later.ready.text, str(error)))
        later.postpone(self._clock())
        if len(self._troubled) > MAX_OWED:
            del self._troubled[next(iter(self._troubled))]

    def _complain(self) -> None:
        """One line for each kind of trouble, however many files have it for the first time."""
        complaints, self._complaints = self._complaints, {}
        for event, about in complaints.items():
            remedy = (
                "Check move_to, and ask the partner for the right to delete or move files in"
                " fetch_from; these are received, and not fetched again."
                if event == "sftp_remote_not_cleared"
                else "Ask the partner for the right to read them."
            )
            self._log.warning(
                event,
                count=len(about),
                names=[name for name, _ in about[:NAMES_LOGGED]],
                errors=sorted({error for _, error in about})[:NAMES_LOGGED],
                remedy=remedy,
            )


def _stands(later: _Later | None, ready: Ready | None) -> bool:
    """Whether that very file was received already. Of a marked one nothing is known yet."""
    return later is not None and ready is not None and later.ready == ready


def _discard(upload: Upload) -> None:
    """In a thread. Usually it is in the spool by now, and nothing is there."""
    with suppress(OSError):
        upload.path.unlink(missing_ok=True)
