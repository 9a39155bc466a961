"""Takes requests for statuses from a queue of RabbitMQ, and answers them.

    delivery ─▶ answered: in the journal, or refused ─▶ dead letter, if refused ─▶ reply ─▶ ack
        └─ neither can be done now ─▶ pause, ever longer ─▶ nack: it comes again

On a connection of its own: RabbitMQ stops reading from one that publishes while it is short of
memory, and nothing here may hold a publication up. At most `PREFETCH` messages are here at once,
those that wait for a pause included; so what fails can never spin. Dead letter and reply are
confirmed before the ack. Whenever we die in between, the request comes again and finds itself in
the journal.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from functools import partial
from traceback import format_exception
from typing import Any, Final

import msgspec
from twisted.internet import defer

from gateway.config.settings import Rabbitmq
from gateway.errors import GatewayError, WorkerDied, WorkerTimeout
from gateway.model.publication import NAMESPACE
from gateway.service.amqp import AmqpPublisher
from gateway.service.amqp_session import Session
from gateway.service.amqp_topology import QUEUES, dead_letters_of, request_declarations
from gateway.service.message_headers import APP_ID, CLOUD_EVENTS_VERSION, PERSISTENT, SOURCE
from gateway.service.status_requests import Answer, Asked, StatusRequests, asked_in

PREFETCH: Final = 8
"""Requests that are not yet answered, at most: each may be as large as a request may."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 120.0
DEADLY: Final = 5
"""A request that ends the judge so often in a row is buried: others need that judge."""
_REMEMBERED: Final = 1000
"""Requests whose failures are counted at once."""

ANSWER_TYPE: Final = "edi.status.answer"
DEAD_TYPE: Final = "edi.status.refused"
_MOST_SHOWN: Final = 10
"""Findings in the headers of a dead letter, which must fit into one frame."""


class RequestConsumer:
    """`outcomes` counts requests by what became of them."""

    def __init__(
        self,
        reactor: Any,
        settings: Rabbitmq,
        *,
        password: str | None,
        requests: StatusRequests,
        log: Any,
        rng: random.Random,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self.outcomes = requests.outcomes
        self._reactor = reactor
        self._queue = settings.requests_queue
        self._requests = requests
        self._log = log
        self._first_pause = first_pause
        self._failures: dict[str, int] = {}
        self._working: set[defer.Deferred[None]] = set()
        self._consuming: Session | None = None
        self._connection = AmqpPublisher(reactor, settings, password=password, log=log, rng=rng)
        self._connection.on_available = self._connected

    async def start(self) -> None:
        """Begin connecting, without waiting. Raises `ConfigurationError` for the TLS files."""
        await self._connection.start()

    async def stop(self, grace: float = 5.0) -> None:
        """Take no more; whatever is not answered yet comes again at the next start."""
        for each in list(self._working):
            each.cancel()
        await self._connection.stop(grace)

    # ---- the queue

    def _connected(self) -> None:
        """Also called when a broker that was short of memory takes messages again."""
        session = self._connection.session
        if session is not None and session is not self._consuming:
            self._consuming = session
            defer.Deferred.fromCoroutine(self._consume(session))

    async def _consume(self, session: Session) -> None:
        try:
            await session.consume(
                self._queue,
                PREFETCH,
                request_declarations(self._queue),
                partial(self._arrived, session),
            )
        except Exception as error:  # pika's own as well: the connection is tried again
            self._log.error(
                "status_requests_not_consumed",
                queue=self._queue,
                error=str(error),
                remedy="Make the queue and that of its dead letters, or let the gateway do it:"
                " rabbitmq.declare = true, and a user that may.",
            )
            session.leave()
            return
        self._log.info("status_requests_consumed", queue=self._queue)

    def _arrived(
        self, session: Session, _channel: Any, method: Any, properties: Any, body: bytes
    ) -> None:
        asked = asked_in(body, _text(properties.message_id))
        working = defer.Deferred.fromCoroutine(
            self._handle(session, method.delivery_tag, properties, asked)
        )
        self._working.add(working)
        working.addErrback(self._broken_off)
        working.addBoth(self._done, working)

    def _broken_off(self, failure: Any) -> None:
        failure.trap(defer.CancelledError)

    def _done(self, _: object, working: defer.Deferred[None]) -> None:
        self._working.discard(working)

    # ---- one request

    async def _handle(self, session: Session, tag: int, properties: Any, asked: Asked) -> None:
        try:
            answer = await self._answer(asked)
            if answer.findings:
                await self._bury(session, properties, asked, answer)
            await self._reply(session, properties, asked, answer)
        except defer.CancelledError:
            raise
        except Exception as error:  # the message is not lost: it comes again
            await self._pause(asked, error)
            session.settle(tag, taken=False)
            return
        self._failures.pop(asked.key, None)
        session.settle(tag, taken=True)

    async def _answer(self, asked: Asked) -> Answer:
        try:
            return await self._requests.answer(asked)
        except (WorkerDied, WorkerTimeout) as error:
            attempts = self._failures.get(asked.key, 0) + 1
            if attempts < DEADLY:
                raise
            return self._requests.given_up(asked, attempts, error)

    async def _pause(self, asked: Asked, error: Exception) -> None:
        self.outcomes["postponed"] += 1
        failures = self._failures.pop(asked.key, 0) + 1
        if len(self._failures) >= _REMEMBERED:
            self._failures.clear()
        self._failures[asked.key] = failures
        seconds = min(LONGEST_PAUSE, self._first_pause * 2.0 ** min(failures - 1, 20))
        trace = {} if isinstance(error, GatewayError) else {"traceback": _trace(error)}
        self._log.error(
            "status_request_postponed",
            request=asked.name,
            error=str(error),
            attempt=failures,
            again_in_seconds=seconds,
            **trace,
        )
        pause: defer.Deferred[None] = defer.Deferred()
        timer = self._reactor.callLater(seconds, pause.callback, None)
        try:
            await pause
        finally:
            if timer.active():
                timer.cancel()

    async def _bury(self, session: Session, properties: Any, asked: Asked, answer: Answer) -> None:
        """The request as it came, among the dead letters, with the reasons in its headers."""
        first = answer.findings[0]
        shown = [
            {"rule": each.rule, "location": each.location, "message": each.message[:300]}
            for each in answer.findings[:_MOST_SHOWN]
        ]
        headers = {
            "reason": f"{first.rule}: {first.message}"[:1000],
            "reason-fr": (first.explanation.fr if first.explanation else first.message)[:1000],
            "findings": json.dumps(shown, ensure_ascii=False),
            "queue": self._queue,
        }
        told = {
            "message_id": asked.name,
            "correlation_id": _text(properties.correlation_id),
            "reply_to": _text(properties.reply_to),
            "content_type": _text(properties.content_type),
            "type": DEAD_TYPE,
            "app_id": APP_ID,
            "timestamp": int(time.time()),
            "delivery_mode": PERSISTENT,
            "headers": headers,
        }
        await session.send("", dead_letters_of(self._queue), asked.body, told, mandatory=True)

    async def _reply(self, session: Session, properties: Any, asked: Asked, answer: Answer) -> None:
        """To the queue that whoever asked named. One that is gone by now is no failure."""
        to = _text(properties.reply_to)
        if to is None:
            return
        if to in self._ours():
            self._log.warning("status_request_reply_refused", request=asked.name, reply_to=to)
            return
        id_ = str(uuid.uuid5(NAMESPACE, f"status-answer/{asked.key}/{answer.body['outcome']}"))
        told = {
            "message_id": id_,
            "correlation_id": _text(properties.correlation_id) or asked.name,
            "content_type": "application/json",
            "type": ANSWER_TYPE,
            "app_id": APP_ID,
            "timestamp": int(time.time()),
            "delivery_mode": PERSISTENT,
            "headers": {
                "cloudEvents:specversion": CLOUD_EVENTS_VERSION,
                "cloudEvents:id": id_,
                "cloudEvents:source": SOURCE,
                "cloudEvents:type": ANSWER_TYPE,
                "cloudEvents:subject": asked.name,
            },
        }
        await session.send("", to, msgspec.json.encode(answer.body), told, mandatory=False)

    def _ours(self) -> set[str]:
        """Queues that a reply has no place in: whoever asks may not be allowed to write there."""
        return {*(each.name for each in QUEUES), self._queue, dead_letters_of(self._queue)}


def _text(value: Any) -> str | None:
    """A property that says something; pika gives bytes for what is no UTF-8."""
    return value if isinstance(value, str) and value else None


def _trace(error: Exception) -> str:
    return "".join(format_exception(error))
