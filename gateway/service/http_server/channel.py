"""One connection: Twisted reads the bytes of HTTP/1.1, and here stand the limits it lacks.

    head ─▶ admitted? ─▶ body ─▶ handler ─▶ answer ─▶ next head          (kept alive)
      └────────┴──────────┴─▶ refuse: answer, hear no more, hang up

What could be read in two ways is not read at all: of two lengths, or a length beside chunks, a
proxy in front of us might have believed the other, and what is body to the one is a request to
the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import interfaces
from twisted.internet.protocol import connectionDone
from twisted.web import http

from gateway.service.http_server import limits
from gateway.service.http_server.desk import Desk
from gateway.service.http_server.request import HttpRequest
from gateway.service.http_server.tls import fingerprint
from gateway.service.http_server.values import Answer, RequestHead, later, plain
from gateway.service.http_server.wire import head_of, target_of, wants_close

BAD_REQUEST = plain(400, "This is no HTTP/1.1 request that can be understood in one way only.")
TOO_SLOW = plain(408, "The request took too long to arrive.")
LONG_TARGET = plain(414, "The request target is too long.")
LARGE_HEAD = plain(431, "The header fields are too large or too many.")
FULL = later(503, "Too many connections are open. Try again.", limits.BUSY_RETRY_SECONDS)

MAX_LENGTH_DIGITS = 18

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})


class HttpChannel(http.HTTPChannel):
    """`full`: too many are connected already, so this one is only told so."""

    requestFactory: Any = HttpRequest  # noqa: N815  # Twisted's name
    transport: Any
    callLater: Callable[..., Any]  # noqa: N815  # Twisted's name
    _handlingRequest: bool  # noqa: N815  # Twisted's name
    _networkProducer: Any  # noqa: N815  # Twisted's name
    _path: Any

    def __init__(self, desk: Desk, *, full: bool) -> None:
        super().__init__()
        self.desk = desk
        self._full = full
        self._deaf = False
        self._held = False
        self._peer = ""
        self._secure = False
        self._certificate: str | None = None
        self._ending: Any = None
        self._give_up_at = 0.0
        self._folded = False
        self._head_since: float | None = None
        self._body_since = 0.0
        self._body_bytes = 0
        self._held_since = 0.0
        # Not `timeOut`, which Twisted makes None while no timer runs.
        self._patience = float(desk.settings.idle_timeout_seconds)
        # 431 comes from here; Twisted's own limits, which answer 400, stand just behind.
        self.MAX_LENGTH = self._most = desk.settings.max_header_bytes
        self.totalHeadersSize = 2 * self._most
        self.maxHeaders = 2 * limits.MAX_HEADER_FIELDS

    # ---- the connection

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        """Somebody connected."""
        (self.desk.turned_away if self._full else self.desk.channels).add(self)
        self._secure = interfaces.ISSLTransport.providedBy(self.transport)
        self._peer = str(getattr(self.transport.getPeer(), "host", ""))
        super().connectionMade()
        if self._full:
            self.desk.log.warning("http_connections_full", peer=self._peer)
            self.refuse(FULL)

    def connectionLost(self, reason: Any = connectionDone) -> None:  # noqa: N802 - Twisted's
        """The client is gone."""
        self._stop_ending()
        self._deaf = True
        super().connectionLost(reason)
        self.desk.channels.discard(self)
        self.desk.turned_away.discard(self)
        self.desk.gone()

    def end(self) -> None:
        """Close after the request under way, or now if there is none."""
        self.persistent = 0
        if not self.requests and self._head_since is None:
            self.loseConnection()

    def abort(self) -> None:
        """Hang up."""
        self._deaf = True
        self._networkProducer.unregisterProducer()
        self.transport.abortConnection()

    def loseConnection(self) -> None:  # noqa: N802  # Twisted's name
        """Close when everything is sent, which must happen within the idle timeout."""
        super().loseConnection()
        if self._ending is None:
            self._ending = self.callLater(self._patience, self.abort)

    def timeoutConnection(self) -> None:  # noqa: N802  # Twisted's name
        """The client has said nothing for too long."""
        if self._deaf or (self._head_since is None and not self.requests):
            self.loseConnection()  # between two requests this is no fault
        else:
            self.refuse(TOO_SLOW)

    def refuse(self, answer: Answer) -> None:
        """Answer now, whatever is still to come, and hang up once the client could read it."""
        if self._deaf:
            return
        self._deaf = True
        self.persistent = 0
        asked = self.requests[-1].method if self.requests else b""
        body = b"" if asked == b"HEAD" else answer.body
        self.transport.write(self.head_of(answer, len(answer.body)) + body)
        for request in self.requests:
            request.abandon()
        self.setTimeout(None)
        self.clearLineBuffer()
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        if self._secure:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
        self._give_up_at = self.desk.reactor.seconds() + limits.LINGER_SECONDS
        self._stop_ending()
        self._ending = self.callLater(limits.LINGER_IDLE_SECONDS, self.abort)

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802  # Twisted's name
        self._complain(BAD_REQUEST)

    def _complain(self, answer: Answer) -> None:
        if not self._deaf:
            self.desk.log.info("http_refused", peer=self._peer, status=answer.status)
        self.refuse(answer)

    def _stop_ending(self) -> None:
        ending, self._ending = self._ending, None
        if ending is not None and ending.active():
            ending.cancel()

    # ---- bytes come

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        """Bytes of whatever part of a request."""
        if self._deaf:
            self._overhear()
            return
        if self.line_mode and not self._handlingRequest and data:
            now = self.desk.reactor.seconds()
            if self._head_since is None:
                self._head_since = now
            elif now - self._head_since > self._patience:
                self._complain(TOO_SLOW)
                return
        super().dataReceived(data)

    def _overhear(self) -> None:
        """More of what was refused: the client has not read our answer yet."""
        if self.desk.reactor.seconds() > self._give_up_at:
            self.transport.abortConnection()
        elif self._ending is not None and self._ending.active():
            self._ending.reset(limits.LINGER_IDLE_SECONDS)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        """A line of the head."""
        if self._deaf:
            return
        if self._receivedHeaderSize + len(line) > self._most:
            self.lineLengthExceeded(line)
            return
        self._folded = self._folded or line[:1] in (b" ", b"\t")
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        """One line alone is too long."""
        self._complain(LARGE_HEAD if self._receivedHeaderSize else LONG_TARGET)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802  # Twisted's name
        """A header field, unfolded."""
        if self._deaf:
            return False
        if self._receivedHeaderCount >= limits.MAX_HEADER_FIELDS:
            self._complain(LARGE_HEAD)
            return False
        name, _, value = line.partition(b":")
        folded, self._folded = self._folded, False
        if not self._unambiguous(name.lower(), value.strip(b" \t"), folded):
            self._complain(BAD_REQUEST)
            return False
        if not super().headerReceived(line) or self._deaf:
            return False
        field = (name.decode("latin-1"), value.strip(b" \t").decode("latin-1"))
        self.requests[-1].fields.append(field)
        return True

    def _unambiguous(self, name: bytes, value: bytes, folded: bool) -> bool:
        """Whether a length can be meant in one way only; Twisted refuses two of them."""
        if folded and name in _FRAMING:
            return False  # over two lines, it may be read or not
        if name == b"content-length":
            return len(value) <= MAX_LENGTH_DIGITS
        if name == b"transfer-encoding":
            # No other coding is undone here, and HTTP/1.0 knows none (RFC 9112 §6.1).
            return value.lower() == b"chunked" and self._version == b"HTTP/1.1"
        return True

    def allHeadersReceived(self) -> None:  # noqa: N802  # Twisted's name
        """The head is complete."""
        self._head_since = None
        if self._deaf:
            return
        request: HttpRequest = self.requests[-1]
        headers = tuple(request.fields)
        if self._version == b"HTTP/1.1" and sum(key.lower() == "host" for key, _ in headers) != 1:
            self._complain(BAD_REQUEST)
            return
        if self.desk.stopping or wants_close(headers, self._version):
            self.persistent = 0
        self._body_since, self._body_bytes = self.desk.reactor.seconds(), 0
        path, query = target_of(self._path)
        if self._secure and self._certificate is None:
            self._certificate = fingerprint(self.transport)
        head = RequestHead(
            method=self._command.decode("ascii"),
            path=path,
            query=query,
            headers=headers,
            length=self.length,
            peer=self._peer,
            secure=self._secure,
            client_certificate_sha256=self._certificate,
        )
        request.begin(head, self._command, self._version)

    def allContentReceived(self) -> None:  # noqa: N802  # Twisted's name
        """The request is complete."""
        if not self._deaf:
            super().allContentReceived()
            self._savedTimeOut = self._patience  # for the next request; while held, none is set

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        """Bytes of a body, or of what follows while a handler works."""
        if self._deaf:
            return
        if not self._handlingRequest:
            self._body_bytes += len(data)
            elapsed = self.desk.reactor.seconds() - self._body_since
            if (
                elapsed > self._patience
                and self._body_bytes < elapsed * limits.MIN_BYTES_PER_SECOND
            ):
                self._complain(TOO_SLOW)
                return
        super().rawDataReceived(data)

    # ---- what a request asks of its connection

    def head_of(self, answer: Answer, length: int) -> bytes:
        """The head of an answer, as bytes."""
        return head_of(
            answer.status,
            answer.headers,
            length=length,
            close=not self.persistent,
            date=self.desk.date(),
        )

    def send_continue(self) -> None:
        """Let a client that asked before sending go on."""
        self._send100Continue()

    def hold(self) -> None:
        """Stop reading: the disk is slower than the client."""
        if not self._deaf:
            self._held, self._held_since = True, self.desk.reactor.seconds()
            self.setTimeout(None)
            self._networkProducer.pauseProducing()

    def go_on(self) -> None:
        """Read on. The time we made the client wait is not counted against it."""
        if self._held and not self._deaf:
            self._body_since += self.desk.reactor.seconds() - self._held_since
            self._held = False
            if not self._handlingRequest:
                self.setTimeout(self._patience)
            if not self._waitingForTransport:
                self._networkProducer.resumeProducing()

    def resumeProducing(self) -> None:  # noqa: N802  # Twisted's name
        """The transport has sent what it had."""
        super().resumeProducing()
        if self._held:
            self._networkProducer.pauseProducing()
