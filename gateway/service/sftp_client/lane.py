"""The one connection to a partner's server, and whose turn it is.

What is to be done there is cut into steps: a listing, one file, one report. Steps run in threads,
one at a time, in the order in which they were asked for, over a connection that is opened when
one is needed and kept for a little while.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from twisted.internet import defer

from gateway.errors import GatewayError
from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.connection import Connection, Patience
from gateway.service.sftp_client.errors import RemoteAway
from gateway.service.sftp_client.health import Health
from gateway.service.sftp_client.session import Session

LINGER_SECONDS = 10.0
"""How long an idle connection is kept."""

T = TypeVar("T")


class InThread(Protocol):
    """Runs a blocking function in a thread of the clients' own."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Its result, in the reactor."""
        ...


class Lane:
    """All traffic with one partner's server. To be used from the reactor's thread only."""

    def __init__(
        self,
        reactor: Any,
        remote: SftpRemote,
        *,
        patience: Patience,
        in_thread: InThread,
        health: Health,
        recovered: Callable[[], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._remote = remote
        self._patience = patience
        self._in_thread = in_thread
        self.health = health
        self._recovered = recovered
        self._log = log
        self._turn = defer.DeferredLock()
        self._connection: Connection | None = None
        self._used = 0.0
        self._stopped = False
        self.on_trouble: Callable[[], None] = lambda: None

    async def step(self, work: Callable[[Session], T], *, in_doubt: bool = True) -> T:
        """Do one thing there, after those asked for before. `work` runs in a thread.

        Not `in_doubt`: fail at once while the server is known to be in trouble. Raises
        `RemoteAway`, and whatever `work` raises. A step cannot be cancelled, only cut.
        """
        await self._turn.acquire()
        try:
            if self._stopped:
                raise RemoteAway("The gateway is stopping.")
            if not in_doubt and self.health.trouble is not None:
                raise RemoteAway(self.health.trouble.what, remedy=self.health.trouble.remedy)
            try:
                result: T = await self._in_thread(self._work, work)
            except RemoteAway as error:
                self._failed(error)
                raise
            except GatewayError:
                self._well()  # as far as the connection goes
                raise
            self._well()
            return result
        finally:
            self._used = self._reactor.seconds()
            self._turn.release()

    def _work(self, work: Callable[[Session], T]) -> T:
        """In a thread."""
        connection = self._connection
        if connection is None or not connection.alive:
            connection = Connection(self._remote, self._patience)
            self._connection = connection
            if self._stopped:  # looked at after it can be cut
                raise RemoteAway("The gateway is stopping.")
        try:
            if not connection.alive:
                connection.open()
            return work(connection.session)
        except GatewayError as error:
            if not isinstance(error, RemoteAway):
                raise
            connection.cut()
            if connection.hung:
                raise RemoteAway(
                    f"{self._remote.host} port {self._remote.port} did not answer in time.",
                    remedy="Ask the partner whether its server is overloaded.",
                ) from None
            raise
        except BaseException:
            connection.cut()  # who knows what is still under way on it
            raise
        finally:
            connection.rest()

    def _failed(self, error: RemoteAway) -> None:
        if not self._stopped and self.health.failed(error):
            self._log.warning("sftp_remote_away", error=str(error))
            self.on_trouble()

    def _well(self) -> None:
        if self.health.well():
            self._log.info("sftp_remote_back")
            self._recovered()

    def watch(self) -> None:
        """To be called every second: ends what hangs, and what nobody needs any more."""
        connection = self._connection
        if connection is None:
            return
        if connection.overdue():
            connection.hung = True
            connection.cut()
        idle = self._reactor.seconds() - self._used
        if not self._turn.locked and idle > LINGER_SECONDS:
            self._connection = None
            connection.cut()

    @property
    def busy(self) -> bool:
        """Whether a thread is at work."""
        return bool(self._turn.locked)

    def cut(self) -> None:
        """End all traffic, now and for good; steps under way and those that wait fail."""
        self._stopped = True
        if self._connection is not None:
            self._connection.cut()
