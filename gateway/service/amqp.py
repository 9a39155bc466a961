"""Publishes to RabbitMQ: connects, stays connected, and says what became of every message.

`publish` returns once the broker has confirmed the message. Nothing is buffered here: while the
broker is away a publication fails at once and waits in the outbox, which is told through
`on_available` when it can try again. Delivery is at-least-once: what was in flight when the
connection broke is sent again under the same `message_id`.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IStreamClientEndpoint

from gateway.config.settings import Rabbitmq
from gateway.errors import BrokerUnavailable
from gateway.model.publication import Publication
from gateway.service.amqp_connection import broker_endpoint, connect, unavailable
from gateway.service.amqp_session import Session, too_large

SETUP_SECONDS = 30.0
"""From the first packet to confirms switched on; a broker that accepts and says nothing."""

CONFIRM_SECONDS = 60.0
"""A message not confirmed for one to two such periods is given back to the outbox."""


class Backoff:
    """Seconds between attempts: doubled each time, between two bounds, spread by half."""

    def __init__(self, shortest: float, longest: float, rng: random.Random) -> None:
        self._shortest = shortest
        self._longest = longest
        self._rng = rng
        self._attempts = 0

    def next(self) -> float:
        """How long to wait before the next attempt."""
        seconds = min(self._longest, self._shortest * 2.0 ** min(self._attempts, 60))
        self._attempts += 1
        return seconds * (1 - self._rng.random() / 2)

    def reset(self) -> None:
        """The last attempt was good."""
        self._attempts = 0


class AmqpPublisher:
    """The broker, as the outbox sees it.

    `available` tells whether publishing makes sense now; `on_available` is called whenever it
    begins to. `last_error` is what an operator should read while it does not. `tests`: whether
    there are partners who need the exchanges for tests.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Rabbitmq,
        *,
        password: str | None,
        log: Any,
        rng: random.Random,
        tests: Callable[[], bool] = lambda: False,
        setup_seconds: float = SETUP_SECONDS,
        confirm_seconds: float = CONFIRM_SECONDS,
    ) -> None:
        self.available = False
        self.on_available: Callable[[], None] | None = None
        self.last_error: BrokerUnavailable | None = None
        self._reactor = reactor
        self._settings = settings
        self._password = _password(settings, password)
        self._log = log
        self._backoff = Backoff(settings.reconnect_min_seconds, settings.reconnect_max_seconds, rng)
        self._setup_seconds = setup_seconds
        self._confirm_seconds = confirm_seconds
        self._tests = tests
        self._session: Session | None = None
        self._largest: int | None = None
        self._stopping = False
        self._loop: defer.Deferred[None] | None = None

    async def start(self) -> None:
        """Begin connecting, without waiting: the broker may be away for long.

        Raises `ConfigurationError` if the TLS files cannot be used.
        """
        endpoint = broker_endpoint(self._reactor, self._settings)
        self._loop = defer.Deferred.fromCoroutine(self._keep_connected(endpoint))

    async def stop(self, grace: float = 5.0) -> None:
        """Let messages in flight be confirmed for at most `grace` seconds, then disconnect.

        Returns within `grace` and a few seconds more, also when the broker is away or hangs.
        """
        self._stopping = True
        self.available = False
        if self._session is not None:
            await self._session.close(grace)
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(defer.CancelledError):
                await loop

    async def publish(self, publication: Publication) -> None:
        """Return once the broker has confirmed the message; wait while the window is full.

        Raises `BrokerUnavailable` (the broker is away: all messages wait), `MessageReturned` or
        `PublicationRefused` (this message waits, others go on).
        """
        if self._session is None:
            raise self._away()
        size = len(publication.body)
        if self._largest is not None and size > self._largest:
            raise too_large(publication.message_id, size, self._largest)
        await self._session.publish(publication)

    @property
    def session(self) -> Session | None:
        """What is connected now, for whoever wants more of it than to publish."""
        return self._session

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet confirmed."""
        return 0 if self._session is None else self._session.confirms.in_flight

    async def _keep_connected(self, endpoint: IStreamClientEndpoint) -> None:
        while not self._stopping:
            try:
                session = await self._open(endpoint)
            except defer.CancelledError:
                raise
            except Exception as error:
                self.last_error = (
                    error
                    if isinstance(error, BrokerUnavailable)
                    else unavailable(error, self._settings)
                )
            else:
                self.last_error = await self._use(session)
            if not self._stopping:
                await self._pause(self.last_error)

    async def _open(self, endpoint: IStreamClientEndpoint) -> Session:
        opening = defer.Deferred.fromCoroutine(self._open_session(endpoint))
        opening.addTimeout(self._setup_seconds, self._reactor)
        try:
            return await opening
        except defer.TimeoutError:
            raise BrokerUnavailable(
                f"RabbitMQ at {self._settings.host}:{self._settings.port} did not answer within"
                f" {self._setup_seconds:g} seconds.",
                remedy="Check that it is RabbitMQ that listens there, and its log.",
            ) from None

    async def _open_session(self, endpoint: IStreamClientEndpoint) -> Session:
        connection = await connect(endpoint, self._settings, self._password, self._reactor)
        session = Session(
            connection,
            self._settings,
            reactor=self._reactor,
            confirm_seconds=self._confirm_seconds,
            tests=self._tests,
            log=self._log,
        )
        await session.open()
        return session

    async def _use(self, session: Session) -> BrokerUnavailable:
        """Offer the session to `publish` until it ends."""

        def tell() -> None:
            was, self.available = self.available, not session.blocked and not self._stopping
            if self.available and not was and self.on_available is not None:
                try:
                    self.on_available()
                except Exception as error:
                    # Whoever is told must not be able to end the connection.
                    self._log.error("on_available_failed", error=repr(error))

        self._session = session
        self._log.info("broker_connected", host=self._settings.host, port=self._settings.port)
        since = self._reactor.seconds()
        session.on_blocked = tell
        tell()
        try:
            ended = await session.ended
        finally:
            self._session = None
            self.available = False
        # The limit is forgotten with the connection's next end: the broker may have been given
        # another one when it was restarted.
        self._largest = session.largest
        lived = self._reactor.seconds() - since
        if session.confirms.confirmed or lived > self._settings.reconnect_max_seconds:
            self._backoff.reset()
        return ended

    async def _pause(self, error: BrokerUnavailable) -> None:
        seconds = self._backoff.next()
        self._log.warning(
            "broker_away",
            error=error.what,
            remedy=error.remedy,
            retry_in_seconds=round(seconds, 1),
        )
        pause: defer.Deferred[None] = defer.Deferred()
        timer = self._reactor.callLater(seconds, pause.callback, None)
        try:
            await pause
        finally:
            if timer.active():
                timer.cancel()

    def _away(self) -> BrokerUnavailable:
        if self.last_error is None:
            return BrokerUnavailable("Not connected to RabbitMQ yet.")
        return BrokerUnavailable(self.last_error.what, remedy=self.last_error.remedy)


def _password(settings: Rabbitmq, password: str | None) -> str:
    """RabbitMQ's own default where nothing is set: it lets `guest` in from loopback only."""
    if password is not None:
        return password
    return "guest" if settings.username == "guest" else ""
