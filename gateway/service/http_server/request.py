"""One request: admitted or refused by its head, then its body, its handler, its answer."""

from __future__ import annotations

import hashlib
from traceback import format_exception
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.web import http

from gateway import faults
from gateway.errors import GatewayError, SpoolError
from gateway.service.http_server import limits, sending
from gateway.service.http_server.body import Body
from gateway.service.http_server.desk import Desk
from gateway.service.http_server.values import (
    Admitted,
    Answer,
    Handler,
    Received,
    RequestHead,
    later,
    plain,
)

NOT_FOUND = plain(404, "There is nothing here.")
TOO_LARGE = plain(413, "The body is larger than this gateway takes.")
TOO_MANY = later(
    429, "Too many of your requests are under way. Try again.", limits.BUSY_RETRY_SECONDS
)
NO_EXPECTATION = plain(417, "Only the expectation 100-continue is understood.")
FAULT = plain(500, "The gateway failed. Its operator finds the cause in its log.")
NOT_TAKEN = later(
    503, "The gateway cannot take this now. Try again later.", limits.TROUBLE_RETRY_SECONDS
)
STOPPING = later(503, "The gateway is stopping. Try again later.", limits.BUSY_RETRY_SECONDS)


class HttpRequest(http.Request):
    """Twisted's request, with its body on disk and without its parsing of forms and cookies."""

    channel: Any
    method: bytes

    def __init__(self, channel: Any, queued: object = None) -> None:
        super().__init__(channel, False)
        self.desk: Desk = channel.desk
        self.fields: list[tuple[str, str]] = []
        self._head: RequestHead | None = None
        self._handler: Handler | None = None
        self._admitted: Admitted | None = None
        self._most = 0
        self._body: Body | None = None
        self._refusal: Answer | None = None
        self._work: Deferred[None] | None = None

    # ---- the channel tells what comes

    def begin(self, head: RequestHead, method: bytes, version: bytes) -> None:
        """The head is complete: refuse, or let the body come."""
        self.method, self.clientproto, self._head = method, version, head
        verdict = self._verdict(head)
        if isinstance(verdict, Answer):
            self.log_refusal(verdict)
            if head.length == 0:
                self._refusal = verdict  # there is no body to be spared: the connection may stay
            else:
                self.channel.refuse(verdict)
            return
        self._admitted = verdict
        if head.length != 0 or head.method not in ("GET", "HEAD"):
            self._body = Body(
                self.desk.incoming,
                self.desk.in_thread,
                hold=self.channel.hold,
                go_on=self.channel.go_on,
                failed=self._not_stored,
            )
        if head.length != 0 and version == b"HTTP/1.1" and head.get("Expect") is not None:
            self.channel.send_continue()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        """A part of the body came."""
        if self._body is None:
            return
        if self._body.size + len(data) > self._most:
            self.log_refusal(TOO_LARGE)
            self.channel.refuse(TOO_LARGE)
            return
        self._body.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """The body is complete."""
        if self._refusal is not None:
            self._say(self._refusal)
            return
        self._work = Deferred.fromCoroutine(self._run())
        if not self._work.called:
            self.desk.work.add(self._work)
            self._work.addCallback(self._worked)

    def abandon(self) -> None:
        """No more of this request will come, or the client is gone."""
        if self._work is None:
            self._over()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  # Twisted's name
        """The client is gone. A handler at work goes on; nobody hears its answer."""
        super().connectionLost(reason)
        if self.producer is not None:
            self.producer.stopProducing()
        self.abandon()

    # ---- deciding, working, answering

    def _verdict(self, head: RequestHead) -> Answer | Admitted:
        desk = self.desk
        self._handler = desk.route(head.path)
        if self._handler is None:
            return NOT_FOUND
        if desk.stopping:
            return STOPPING
        expectation = head.get("Expect")
        if expectation is not None and expectation.lower() != "100-continue":
            return NO_EXPECTATION
        try:
            verdict = self._handler.admit(head)
        except Exception as error:
            return self._fault(error)
        if isinstance(verdict, Answer):
            return verdict
        self._most = min(verdict.max_bytes, desk.settings.max_body_bytes)
        if head.length is not None and head.length > self._most:
            return TOO_LARGE
        if not desk.enter(verdict.key, verdict.max_connections):
            return TOO_MANY
        return verdict

    async def _run(self) -> None:
        try:
            answer = await self._handle()
        except SpoolError as error:
            self._complain(error)
            answer = NOT_TAKEN
        except CancelledError:
            answer = STOPPING
        except Exception as error:
            answer = self._fault(error)
        self._over()
        if answer.status >= 400:
            self.log_refusal(answer)
        await self._answer(answer)

    async def _handle(self) -> Answer:
        assert self._handler is not None
        assert self._head is not None
        assert self._admitted is not None
        body = self._body
        path = self.desk.incoming / "none"
        sha256 = _NOTHING
        content = None
        if body is not None:
            path = body.path
            content = body.taken() if self._admitted.small_in_memory else None
            if content is None:
                sha256 = await body.finish()
            else:
                sha256 = hashlib.sha256(content).hexdigest()
        return await self._handler.handle(
            Received(
                head=self._head,
                path=path,
                sha256=sha256,
                size=body.size if body else 0,
                key=self._admitted.key,
                content=content,
            )
        )

    async def _answer(self, answer: Answer) -> None:
        if self._disconnected:
            self.desk.log.info("http_answer_dropped", peer=self._peer(), status=answer.status)
            return
        if answer.file is None and len(answer.body) <= limits.SMALL_BYTES:
            self._say(answer)
            return
        try:
            await sending.stream(self, answer)
        except OSError as error:
            self._fault(error)
            self._say(FAULT)
        except (sending.CutShort, CancelledError) as error:
            # Its length was announced, so only the end of the connection says it is incomplete.
            self.desk.log.info("http_answer_cut_short", peer=self._peer(), error=str(error))
            if not self._disconnected:
                self.channel.abort()

    def _say(self, answer: Answer) -> None:
        if not self._disconnected:
            self.start(answer, len(answer.body), b"" if self.method == b"HEAD" else answer.body)
            self.finish()

    def start(self, answer: Answer, length: int, body: bytes = b"") -> None:
        """Send the head of an answer, and `body`."""
        self.startedWriting = 1
        head = self.channel.head_of(answer, length)
        with faults.around("http.reply"):
            self.channel.write(head + body)

    def _over(self) -> None:
        """Nothing more is expected of the client: let go of what was kept for it."""
        if self._body is not None:
            self._body.discard()
            self._body = None
        if self._admitted is not None:
            self.desk.leave(self._admitted.key)
            self._admitted = None

    def _worked(self, _: object) -> None:
        assert self._work is not None
        self.desk.work.discard(self._work)
        self.desk.gone()

    def _not_stored(self, error: SpoolError) -> None:
        """The disk refused while the body came."""
        self._complain(error)
        if self._work is None and not self._disconnected:
            self.channel.refuse(NOT_TAKEN)

    def _complain(self, error: SpoolError) -> None:
        self.desk.log.error("http_not_stored", peer=self._peer(), error=str(error))

    def _fault(self, error: BaseException) -> Answer:
        self.desk.log.error(
            "http_failed",
            peer=self._peer(),
            path=self._head.path[:200] if self._head else None,
            error=str(error) if isinstance(error, GatewayError) else repr(error),
            traceback="".join(format_exception(error)),
        )
        return FAULT

    def log_refusal(self, answer: Answer) -> None:
        """One line for what was refused."""
        if answer.told:
            return
        head = self._head
        self.desk.log.info(
            "http_refused",
            peer=self._peer(),
            status=answer.status,
            method=head.method[:20] if head else None,
            path=head.path[:200] if head else None,
        )

    def _peer(self) -> str | None:
        return self._head.peer if self._head is not None else None


_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The SHA-256 of no bytes at all."""
