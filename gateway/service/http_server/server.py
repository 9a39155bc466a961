"""The listener: one port, HTTP or TLS, for every route."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred  # noqa: A004
from twisted.web import http

from gateway.config.settings import Http
from gateway.service.http_server import limits
from gateway.service.http_server.body import InThread
from gateway.service.http_server.channel import HttpChannel
from gateway.service.http_server.desk import Desk
from gateway.service.http_server.tls import Secrets, context_factory
from gateway.service.http_server.values import Handler
from gateway.service.listening import cannot_listen, listen

LAST_WORDS_SECONDS = 0.2
"""How long "the gateway is stopping" may take to reach those whose work was cut off."""
HANG_UP_SECONDS = 5.0


class HttpServer:
    """Listens where `settings` say, or on the socket `given`; requests go to their routes.

    `routes`: an exact path, or a prefix that ends in "/"; of several prefixes the longest counts.
    Bodies are written into `incoming`, which is on the spool's file system. `section`: where the
    settings stand, for what people read.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        settings: Http,
        routes: Mapping[str, Handler],
        incoming: Path,
        in_thread: InThread,
        log: Any,
        given: socket.socket | None = None,
        section: str = "http",
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._given = given
        self._section = section
        self._log = log
        self._desk = Desk(
            reactor,
            settings=settings,
            routes=routes,
            incoming=incoming,
            in_thread=in_thread,
            log=log,
        )
        self._listener: Any = None
        self._secrets: Secrets | None = None

    @property
    def port(self) -> int:
        """The port listened on; 0 before `start`."""
        return int(self._listener.getHost().port) if self._listener is not None else 0

    @property
    def connections(self) -> int:
        """How many clients are connected, without those turned away."""
        return len(self._desk.channels)

    @property
    def certificate_until(self) -> dt.datetime | None:
        """When the certificate in use expires, whatever its file holds now; None without one."""
        return self._secrets.until if self._secrets is not None else None

    def under_way(self, key: str) -> int:
        """How many requests of one key (a partner) are under way."""
        return self._desk.under_way(key)

    async def start(self) -> None:
        """Listen. Raises `AddressUnavailable`, `ConfigurationError` (unusable certificates)."""
        factory = _Factory(self._desk)
        tls = self._settings.tls
        self._secrets = Secrets(context_factory(tls, self._section)) if tls.enabled else None
        self._desk.stopping = False
        try:
            listener = listen(
                self._reactor,
                factory,
                self._given,
                interface=self._settings.listen,
                port=self._settings.port,
                backlog=limits.LISTEN_BACKLOG,
                secrets=self._secrets,
            )
        except error.CannotListenError as failure:
            raise cannot_listen(
                self._section, self._settings.listen, self._settings.port, failure.socketError
            ) from failure
        self._listener = listener
        self._log.info(
            f"{self._section}_listening",
            listen=listener.getHost().host,
            port=self.port,
            tls=self._settings.tls.enabled,
        )

    def prepare(self, settings: Http | None = None) -> Callable[[], None]:
        """Get ready for what is in the files of TLS now, and for other limits; the answer takes it.

        Connections go on with what they began with. Raises `ConfigurationError` for files that
        cannot be used. Address, port and the names of the files stay as they are.
        """
        own = self._settings.tls
        fresh = context_factory(own, self._section) if own.enabled else None

        def take() -> None:
            if settings is not None:
                self._desk.settings = settings
            if fresh is not None and self._secrets is not None:
                self._secrets.replace(fresh)

        return take

    async def stop(self, grace: float) -> None:
        """Take nothing new; what is under way may finish for `grace` seconds."""
        desk = self._desk
        desk.stopping = True
        listener, self._listener = self._listener, None
        if listener is not None:
            await maybeDeferred(listener.stopListening)
        for channel in list(desk.channels):
            channel.end()
        if grace > 0:
            await self._until_empty(grace)
        for work in list(desk.work):
            work.cancel()
        await self._until_empty(LAST_WORDS_SECONDS)
        for channel in [*desk.channels, *desk.turned_away]:
            channel.abort()
        await self._until_empty(HANG_UP_SECONDS)

    async def _until_empty(self, seconds: float) -> None:
        waiting: Deferred[None] = self._desk.empty()
        waiting.addTimeout(seconds, self._reactor)
        with contextlib.suppress(TimeoutError):
            await waiting


class _Factory(http.HTTPFactory):
    noisy = False

    def __init__(self, desk: Desk) -> None:
        super().__init__(timeout=desk.settings.idle_timeout_seconds, reactor=desk.reactor)
        self._desk = desk

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  # Twisted's name
        desk = self._desk
        full = len(desk.channels) >= desk.settings.max_connections
        if desk.stopping or (full and len(desk.turned_away) >= limits.TURNED_AWAY_AT_ONCE):
            return None
        channel = HttpChannel(desk, full=full)
        channel.factory = self
        channel.callLater = desk.reactor.callLater
        channel.timeOut = desk.settings.idle_timeout_seconds  # what Twisted's timer counts
        return channel

    # Twisted would keep an access log of its own, and a timer for its dates.

    def startFactory(self) -> None:  # noqa: N802  # Twisted's name
        """Nothing to prepare."""

    def stopFactory(self) -> None:  # noqa: N802  # Twisted's name
        """Nothing to let go of."""

    def log(self, request: http.Request) -> None:
        """What matters is logged where it happens."""
