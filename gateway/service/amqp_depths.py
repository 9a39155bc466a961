"""How much waits in the broker's own queues, beside what waits for the broker in ours.

Asked by passive declarations on a channel of its own: RabbitMQ closes the channel over a queue that
is not there, and that must not be the one that publishes. Whoever wants to know gets what was
answered last, at once, and has it asked anew when it is old; so neither a page nor anything else
ever waits for a broker. An answer takes at most a few seconds, or is given up.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from pika import exceptions
from twisted.internet import defer

from gateway.errors import BrokerUnavailable
from gateway.service.amqp import AmqpPublisher
from gateway.service.amqp_connection import BrokerConnection
from gateway.service.amqp_session import Session
from gateway.service.broker_queues import BrokerQueues, Depth, Known

KEPT_SECONDS: Final = 5.0
"""An answer is not asked for anew sooner."""
LONGEST_SECONDS: Final = 3.0
"""For all queues together."""


class Depths:
    """Asks over the connection of `publisher`; None where publications are files.

    `names`: the queues there should be.
    """

    def __init__(
        self,
        reactor: Any,
        publisher: AmqpPublisher | None,
        names: Callable[[], Sequence[str]],
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._reactor = reactor
        self._publisher = publisher
        self._names = names
        self._now = now
        self._last = BrokerQueues(known=Known.ASKED)
        self._of: Session | None = None
        self._asked_at = 0.0
        self._asking: _Beside | None = None
        self._heard: defer.Deferred[None] = defer.succeed(None)

    def known(self) -> BrokerQueues:
        """What is known at this moment; what is old is asked for anew, for the next look."""
        if self._publisher is None:
            return BrokerQueues(known=Known.FILES)
        session = self._publisher.session
        if session is None:
            error = self._publisher.last_error
            return BrokerQueues(known=Known.AWAY, error="" if error is None else error.what)
        if session.blocked:
            return BrokerQueues(known=Known.BLOCKED)
        if session is not self._of:  # what another connection said, or left open, is over
            self._of, self._asking = session, None
            self._last = BrokerQueues(known=Known.ASKED)
            self._ask(session)
        elif self._asking is None or self._asking.over:
            old = self._reactor.seconds() - self._asked_at >= KEPT_SECONDS
            if old:
                self._ask(session)
        return self._last

    async def answer(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """For the control socket: the same, once what is asked for is answered or given up."""
        found = self.known()
        if not self._heard.called:
            waiting: defer.Deferred[None] = defer.Deferred()
            self._heard.addBoth(lambda _: waiting.callback(None))
            await waiting
            found = self.known()
        told: dict[str, Any] = msgspec.to_builtins(found)
        return told

    def _ask(self, session: Session) -> None:
        self._asked_at = self._reactor.seconds()
        self._asking = _Beside(session.connection)
        self._heard = defer.Deferred.fromCoroutine(self._hear(session, self._asking))

    async def _hear(self, session: Session, beside: _Beside) -> None:
        asking = defer.Deferred.fromCoroutine(self._depths(beside))
        asking.addTimeout(LONGEST_SECONDS, self._reactor)
        try:
            queues = await asking
        except defer.TimeoutError:
            words = f"no answer within {LONGEST_SECONDS:g} s"
            found = BrokerQueues(known=Known.SILENT, error=words)
        except Exception as error:  # pika's own as well: it is asked again at the next look
            found = BrokerQueues(known=Known.SILENT, error=str(error) or repr(error))
        else:
            found = BrokerQueues(known=Known.ANSWERED, queues=queues, at=self._now())
        beside.close()
        if session is self._of:
            self._last = found

    async def _depths(self, beside: _Beside) -> tuple[Depth, ...]:
        return tuple([await beside.depth(name) for name in self._names()])


class _Beside:
    """A channel beside the one that publishes; another one after each that the broker closed."""

    def __init__(self, connection: BrokerConnection) -> None:
        self._connection = connection
        self._channel: Any = None
        self._waiting: defer.Deferred[Any] | None = None
        self._leaving = False

    @property
    def over(self) -> bool:
        """Whether nothing of it is left at the broker."""
        return self._leaving and (self._channel is None or self._channel.is_closed)

    async def depth(self, queue: str) -> Depth:
        """How much is in it. Raises `BrokerUnavailable`; may be cancelled."""
        if self._channel is None or self._channel.is_closed:
            await self._wait(self._open)
        try:
            answer = await self._wait(
                lambda answered: self._channel.queue_declare(queue, passive=True, callback=answered)
            )
        except exceptions.ChannelClosedByBroker as error:
            return Depth(queue=queue, error=f"{error.reply_code} {error.reply_text}")
        found = answer.method
        return Depth(queue=queue, messages=found.message_count, consumers=found.consumer_count)

    def close(self) -> None:
        """Leave, now or as soon as that is possible."""
        self._leaving = True
        if self._channel is not None and self._channel.is_open:
            with contextlib.suppress(exceptions.AMQPError):
                self._channel.close()

    def _open(self, _answered: Callable[[Any], None]) -> None:
        self._channel = self._connection.amqp.channel(on_open_callback=self._opened)
        self._channel.add_on_close_callback(self._closed)

    def _opened(self, channel: Any) -> None:
        if self._leaving:  # nobody waits any more
            channel.close()
        else:
            self._answered(channel)

    def _closed(self, _channel: Any, reason: Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.errback(reason)

    def _answered(self, answer: Any) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(answer)

    async def _wait(self, ask: Callable[[Callable[[Any], None]], None]) -> Any:
        waiting: defer.Deferred[Any] = defer.Deferred()
        self._waiting = waiting
        try:
            ask(self._answered)
            return await waiting
        except exceptions.ChannelClosedByBroker:
            raise
        except exceptions.AMQPError as error:
            raise BrokerUnavailable(f"The connection to RabbitMQ ended: {error!r}.") from error
