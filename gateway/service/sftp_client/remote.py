"""One partner's SFTP server: when to go there, and what to do when it is away."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet import defer

from gateway.errors import GatewayError
from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.errors import RemoteAway
from gateway.service.sftp_client.fetching import Fetching
from gateway.service.sftp_client.health import Health
from gateway.service.sftp_client.lane import Lane
from gateway.service.sftp_client.pushing import Pushing
from gateway.service.sftp_client.session import Session

FIRST_POLL_SECONDS = 5.0
"""Within so many seconds after the start; not all partners at the same moment."""

TRY_AGAIN_SECONDS = 60.0
"""At the latest, when the server is there but nothing can be fetched or taken in."""


class Remote:
    """The schedule of one partner. `fetching` None: nothing is fetched there."""

    def __init__(
        self,
        reactor: Any,
        remote: SftpRemote,
        *,
        lane: Lane,
        fetching: Fetching | None,
        pushing: Pushing,
        rng: random.Random,
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._settings = remote
        self.lane = lane
        self._fetching = fetching
        self.pushing = pushing
        self._rng = rng
        self._log = log
        self._rounds = Health(rng)
        self._stopping = False
        self._sleeping: defer.Deferred[None] | None = None
        self._loop: defer.Deferred[None] | None = None
        self._timer: Any = None
        lane.on_trouble = self._hurry

    def start(self) -> None:
        """Begin going there."""
        self._loop = defer.Deferred.fromCoroutine(self._run())
        self._loop.addErrback(
            lambda failure: self._log.critical("sftp_remote_given_up", error=repr(failure.value))
        )

    def ask_to_stop(self) -> None:
        """Finish the file that is under way, then end."""
        self._stopping = True
        if self._fetching is not None:
            self._fetching.halt(RemoteAway("The gateway is stopping."))
        self._wake()

    @property
    def stopped(self) -> bool:
        """Whether nothing goes on here any more."""
        return (self._loop is None or bool(self._loop.called)) and not self.lane.busy

    async def _run(self) -> None:
        soon = min(self._settings.poll_seconds, FIRST_POLL_SECONDS)
        await self._sleep(self._rng.uniform(0.0, soon))
        while not self._stopping:
            await self._sleep(await self._round())

    async def _round(self) -> float:
        """One round; how long to wait after it."""
        try:
            if self._fetching is not None:
                pause = await self._fetching.round()
            else:
                pause = self._settings.poll_seconds
                if self.lane.health.trouble is not None:
                    await self.lane.step(_knock)
        except RemoteAway:
            return self.lane.health.pause()
        except Exception as error:
            return self._failed(error)
        if self._rounds.well():
            self._log.info("sftp_remote_fetching_again")
        return pause

    def _failed(self, error: Exception) -> float:
        if self._stopping:
            return 0.0
        if not isinstance(error, GatewayError):
            self._log.exception("sftp_remote_fault", error=repr(error))
            error = GatewayError(repr(error))
        if self._rounds.failed(error):
            self._log.warning("sftp_remote_not_fetching", error=str(error))
        return min(self._rounds.pause(), max(self._settings.poll_seconds, TRY_AGAIN_SECONDS))

    async def _sleep(self, seconds: float) -> None:
        if self._stopping:
            return
        sleeping: defer.Deferred[None] = defer.Deferred()
        self._sleeping = sleeping
        timer = self._timer = self._reactor.callLater(seconds, self._wake)
        try:
            await sleeping
        finally:
            if timer.active():
                timer.cancel()

    def _hurry(self) -> None:
        """A report met trouble: reports wait until it is over, so find out before the next poll."""
        pause = self.lane.health.pause()
        timer = self._timer
        if timer is not None and timer.active():
            timer.reset(min(pause, max(0.0, timer.getTime() - self._reactor.seconds())))

    def _wake(self) -> None:
        sleeping, self._sleeping = self._sleeping, None
        if sleeping is not None:
            sleeping.callback(None)


def _knock(session: Session) -> None:
    """To have a session says that the server is there."""
