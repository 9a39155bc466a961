"""One POST to a partner's web server, body from a file, a bounded answer back."""

# ruff: noqa: N802 (the names of protocol methods are Twisted's)

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from twisted.internet import defer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    HTTPConnectionPool,
    ResponseDone,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers as WebHeaders

from gateway import faults
from gateway.errors import DeliveryFailed
from gateway.model.as2 import Headers
from gateway.service.as2.resolving import OutsideReactor
from gateway.service.as2.tls_words import what_failed

CONNECT_SECONDS: Final = 20.0
BYTES_PER_SECOND: Final = 100_000
"""A large body has so much more time than the usual limit."""


# Twisted's web client has no annotations.
_web_agent: Any = Agent
_policy: Any = BrowserLikePolicyForHTTPS
_trust: Any = trustRootFromCertificates
_connections: Any = HTTPConnectionPool
_producer: Any = FileBodyProducer


class Response(msgspec.Struct, frozen=True):
    """What the partner's server answered."""

    status: int
    headers: Headers
    body: bytes


class _Agent(NamedTuple):
    """What posts, and the connections it keeps open."""

    agent: Any
    connections: Any


class Poster:
    """Posts to partners. Follows no redirect: the URL of the partner's file is the one that counts.

    Connections stay open between messages, a few to each partner. They are kept apart by the
    authorities that vouched for them: another partner on the same server trusts others.
    """

    def __init__(self, reactor: Any, *, seconds: float, max_answer_bytes: int) -> None:
        self._reactor = reactor
        self._outside = OutsideReactor(reactor)
        self._seconds = seconds
        self._max_answer_bytes = max_answer_bytes
        self._agents: dict[str, _Agent] = {}
        self._dropped: list[defer.Deferred[Any]] = []

    async def post(
        self, url: str, headers: Headers, body: bytes | Path, *, ca_file: str = ""
    ) -> Response:
        """Send, and wait for the whole answer. Raises `DeliveryFailed` in words for an operator.

        `ca_file`: PEM of the authorities that vouch for the partner's server; "": the system's.
        """
        source: BinaryIO
        try:
            agent = self._agent(ca_file).agent
            source = io.BytesIO(body) if isinstance(body, bytes) else body.open("rb")
        except OSError as error:
            raise DeliveryFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        fields = WebHeaders()
        for name, value in headers:
            fields.addRawHeader(name, value)
        fields.setRawHeaders("User-Agent", ["edi-gateway"])
        producer = _producer(source)
        going: defer.Deferred[Response] = defer.Deferred.fromCoroutine(
            self._exchange(agent, url, fields, producer)
        )
        going.addTimeout(self._seconds + size / BYTES_PER_SECOND, self._reactor)
        try:
            return await going
        except defer.CancelledError:
            raise
        except defer.TimeoutError as error:
            raise DeliveryFailed(
                f"{url} did not answer within {self._seconds:g} s.",
                remedy="Ask the partner whether its server is up; as2.send_timeout_seconds.",
            ) from error
        except Exception as error:
            host = urlsplit(url).hostname or ""
            if host in self._outside.inside:
                raise leads_inside(url, self._outside.inside[host]) from error
            raise not_reached(url, error, ca_file) from error
        finally:
            # A server may say no before it has read all, and the rest is being sent still.
            with contextlib.suppress(AttributeError):  # so it says that it never began
                producer.stopProducing()
            source.close()

    def forget_authorities(self) -> None:
        """Read the files of authorities again: what they held before is trusted no longer."""
        agents, self._agents = self._agents, {}
        self._dropped = [each for each in self._dropped if not each.called]
        self._dropped += [each.connections.closeCachedConnections() for each in agents.values()]

    async def stop(self) -> None:
        """Close the idle connections."""
        self.forget_authorities()
        await defer.DeferredList(self._dropped, consumeErrors=True)

    async def _exchange(self, agent: Any, url: str, fields: WebHeaders, producer: Any) -> Response:
        with faults.around("as2.post"):
            asked = agent.request(b"POST", url.encode("ascii"), fields, producer)
        answer = await asked
        collected = _Collector(self._max_answer_bytes)
        answer.deliverBody(collected)
        with faults.around("as2.posted"):
            body = await collected.done
        pairs = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in answer.headers.getAllRawHeaders()
            for value in values
        )
        return Response(answer.code, pairs, body)

    def _agent(self, ca_file: str) -> _Agent:
        if ca_file not in self._agents:
            root = _authorities(Path(ca_file)) if ca_file else None
            connections = _connections(self._reactor, persistent=True)
            agent = _web_agent(
                self._outside,
                _policy(trustRoot=root),
                connectTimeout=CONNECT_SECONDS,
                pool=connections,
            )
            self._agents[ca_file] = _Agent(agent, connections)
        return self._agents[ca_file]


class _Collector(Protocol):
    """Gathers an answer's body, up to a size no receipt has."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0
        # Whoever stops waiting for an answer stops hearing it: it may drip on for ever.
        self.done: defer.Deferred[bytes] = defer.Deferred(lambda _: self._hang_up())
        self.transport: Any = None

    def dataReceived(self, data: bytes) -> None:
        """A piece of it."""
        self._size += len(data)
        if self._size > self._most:
            self._hang_up()
            if not self.done.called:
                self.done.errback(ValueError("the answer is larger than any receipt"))
            return
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was all; or it was cut off, which must not pass for all."""
        if self.done.called:
            return
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.done.callback(b"".join(self._parts))
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        self._parts.clear()
        if self.transport is not None:
            self.transport.loseConnection()


def not_reached(url: str, error: BaseException, ca_file: str) -> DeliveryFailed:
    """Why there was no answer. `ca_file` as for `Poster.post`."""
    what, remedy = what_failed(error, urlsplit(url).hostname or "", ca_file)
    return DeliveryFailed(f"{url} could not be reached: {what}.", remedy=remedy)


def leads_inside(url: str, address: str) -> DeliveryFailed:
    """The name in a URL resolves to this machine, or to what only this machine can reach."""
    return DeliveryFailed(
        f"{url} was not posted to: its name leads to {address}, which is this machine's own.",
        remedy="Ask the partner what its name is to resolve to. If you mean that address yourself,"
        " write it into the URL in place of the name.",
    )


def _authorities(ca_file: Path) -> Any:
    end = b"-----END CERTIFICATE-----"
    blocks = ca_file.read_bytes().split(end)
    return _trust(
        [
            Certificate.loadPEM(block[block.index(b"-----BEGIN") :] + end)
            for block in blocks
            if b"-----BEGIN CERTIFICATE-----" in block
        ]
    )
