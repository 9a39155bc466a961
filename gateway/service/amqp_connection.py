"""One TCP or TLS connection to RabbitMQ, the login on it, and the reason it ended.

pika speaks the protocol; Twisted moves the bytes. What is added here is what pika's Twisted
adapter lacks: the real reason of a failure (it keeps "connection done"), and a way out when the
other side no longer reads (it waits for ever).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pika
from pika import exceptions
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet import defer, ssl
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from gateway.config.settings import Rabbitmq, RabbitmqTls
from gateway.errors import BrokerUnavailable, ConfigurationError

CONNECT_SECONDS = 10.0
"""For TCP (each address of the host name)."""

LEAVE_SECONDS = 2.0
"""How long the other side may take to read our last words."""

_CONNECTION_FORCED, _INTERNAL_ERROR = 320, 541
"""AMQP 0-9-1, section 1.2: an operator intervened; an unforeseen error of the broker's."""

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----(?:(?!-----BEGIN ).)+?-----END CERTIFICATE-----\s*", re.DOTALL
)


class BrokerConnection(TwistedProtocolConnection):  # type: ignore[misc]  # pika is untyped
    """The connection pika makes on Twisted, with a `reason` once it has ended."""

    def __init__(self, settings: Rabbitmq, password: str, reactor: Any) -> None:
        super().__init__(
            pika.ConnectionParameters(
                host=settings.host,
                port=settings.port,
                virtual_host=settings.virtual_host,
                credentials=pika.PlainCredentials(settings.username, password),
                heartbeat=settings.heartbeat_seconds,
                client_properties={"product": "edi-gateway"},
            ),
            custom_reactor=reactor,
        )
        self._clock = reactor
        self.opened: defer.Deferred[Any] = self.ready  # pika lets go of it once it fired
        self.reason: Exception | None = None
        self._watchers: list[Callable[[Exception], None]] = []

    @property
    def amqp(self) -> Any:
        """The protocol's side: channels with their callbacks, blocked and unblocked."""
        return self._impl

    def makeConnection(self, transport: Any) -> None:  # noqa: N802  # Twisted's name
        """Twisted hands over the connected transport."""
        transport.setTcpNoDelay(True)
        super().makeConnection(_Leaving(transport, self._clock))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802  # Twisted's
        """Twisted says that the transport is gone."""
        lost: Any = self._impl._error or reason.value
        self.reason = lost
        self.transport.gone()
        super().connectionLost(reason)
        for watcher in self._watchers:
            watcher(lost)

    def on_lost(self, watcher: Callable[[Exception], None]) -> None:
        """Call `watcher` with the reason when the connection has ended; now, if it has."""
        if self.reason is not None:
            watcher(self.reason)
        else:
            self._watchers.append(watcher)

    def leave(self) -> None:
        """Close in good order: channel, connection, transport; `on_lost` tells when it is done."""
        if self._impl.is_open:
            self._impl.close()

    def abort(self) -> None:
        """Drop the transport now."""
        if self.transport is not None and self.reason is None:
            self.transport.abort()


class _Leaving:
    """A transport whose `loseConnection` does not wait for ever for a reader that hangs."""

    def __init__(self, transport: Any, reactor: Any) -> None:
        self.write: Callable[[bytes], None] = transport.write
        self.abort: Callable[[], None] = transport.abortConnection
        self._transport = transport
        self._reactor = reactor
        self._timer: Any = None

    def loseConnection(self) -> None:  # noqa: N802  # Twisted's name
        self._transport.loseConnection()
        if self._timer is None:
            self._timer = self._reactor.callLater(LEAVE_SECONDS, self.abort)

    def gone(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


async def connect(
    endpoint: IStreamClientEndpoint, settings: Rabbitmq, password: str, reactor: Any
) -> BrokerConnection:
    """A connection that is logged in. Raises `BrokerUnavailable`; may be cancelled."""
    connection = BrokerConnection(settings, password, reactor)
    try:
        await connectProtocol(endpoint, connection)  # type: ignore[no-untyped-call]
        await connection.opened
    except defer.CancelledError:
        connection.abort()
        raise
    except Exception as error:
        connection.abort()
        raise unavailable(connection.reason or error, settings) from None
    return connection


def unavailable(error: Exception, settings: Rabbitmq) -> BrokerUnavailable:
    """What a connection failed or ended with, in an operator's words."""
    where = f"RabbitMQ at {settings.host}:{settings.port}"
    code = getattr(error, "reply_code", None)
    text = str(getattr(error, "reply_text", "")) or str(error) or type(error).__name__
    text = text.rstrip(".")
    if isinstance(error, exceptions.ConnectionClosedByBroker) and code == 403:
        return BrokerUnavailable(
            f"{where} refused the login of user {settings.username!r}: {text}.",
            remedy="Check rabbitmq.username and the file named by rabbitmq.password_file.",
        )
    if isinstance(error, exceptions.ConnectionClosedByBroker) and code == 530:
        return BrokerUnavailable(
            f"{where} refused virtual host {settings.virtual_host!r}: {text}.",
            remedy="Create it, or grant user "
            f"{settings.username!r} its permissions there; or mend rabbitmq.virtual_host.",
        )
    if code == _INTERNAL_ERROR:
        return BrokerUnavailable(
            f"{where} failed inside: {code} {text}.",
            remedy="Its own log says why. One that has just started after a crash may have left"
            " its queues behind: start it once more.",
        )
    if code == _CONNECTION_FORCED:
        return BrokerUnavailable(
            f"{where} ended the connection: {code} {text}.",
            remedy="It was stopped, or somebody closed the connection there; the gateway connects"
            " again by itself.",
        )
    if type(error).__module__.startswith(("OpenSSL", "service_identity")):
        reasons = [part for entry in error.args[:1] for part in _words(entry)]
        return BrokerUnavailable(
            f"TLS with {where} failed: {', '.join(reasons) or repr(error)}.",
            remedy="Check rabbitmq.tls: ca_file must hold the authority that signed the broker's"
            " certificate, and that certificate must name server_name (or the host).",
        )
    return BrokerUnavailable(
        f"{where}: {text}.",
        remedy="Check that it runs and that rabbitmq.host, port and tls.enabled are right.",
    )


def _words(entry: object) -> list[str]:
    """The readable parts of pyOpenSSL's nested tuples (library, function, reason)."""
    if isinstance(entry, str):
        return [entry] if entry else []
    if isinstance(entry, (list, tuple)):
        return [word for part in entry for word in _words(part)]
    return [str(entry)]


def broker_endpoint(reactor: Any, settings: Rabbitmq) -> IStreamClientEndpoint:
    """Where to connect to, with TLS if the settings say so. Raises `ConfigurationError`."""
    # mypy does not see that the class implements the (zope) interface.
    plain: Any = HostnameEndpoint(reactor, settings.host, settings.port, timeout=CONNECT_SECONDS)
    if not settings.tls.enabled:
        return cast("IStreamClientEndpoint", plain)
    name = settings.tls.server_name or settings.host
    client, chain = _client_certificate(settings.tls)
    options = ssl.optionsForClientTLS(
        name,
        trustRoot=_authorities(settings.tls),
        clientCertificate=client,
        extraCertificateOptions={"extraCertChain": chain} if chain else None,
    )
    return wrapClientTLS(options, plain)


def _authorities(tls: RabbitmqTls) -> Any:
    if not tls.ca_file:
        return ssl.platformTrust()  # type: ignore[no-untyped-call]
    return ssl.trustRootFromCertificates(  # type: ignore[no-untyped-call]
        [_certificate(pem, "ca_file", tls.ca_file) for pem in _blocks("ca_file", tls.ca_file)]
    )


def _client_certificate(tls: RabbitmqTls) -> tuple[Any, list[Any]]:
    """The certificate shown to the broker with its key, and the intermediate ones after it."""
    if not tls.certificate_file and not tls.key_file:
        return None, []
    first, *others = _blocks("certificate_file", tls.certificate_file)
    key = _read("key_file", tls.key_file)
    try:
        own = ssl.PrivateCertificate.loadPEM(first + b"\n" + key)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise _unusable("key_file", tls.key_file, f"{type(error).__name__}") from None
    chain = [_certificate(pem, "certificate_file", tls.certificate_file).original for pem in others]
    return own, chain


def _certificate(pem: bytes, key: str, file: str) -> Any:
    try:
        return ssl.Certificate.loadPEM(pem)
    except Exception as error:
        raise _unusable(key, file, str(error)) from None


def _blocks(key: str, file: str) -> list[bytes]:
    blocks = _PEM_CERTIFICATE.findall(_read(key, file))
    if not blocks:
        raise _unusable(key, file, "no PEM certificate in it")
    return blocks


def _read(key: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _unusable(key, file, error.strerror or str(error)) from None


def _unusable(key: str, file: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"rabbitmq.tls.{key}: {file or '(empty)'}: {why}.",
        remedy="Name a PEM file that the gateway's user can read.",
    )
