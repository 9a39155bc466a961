"""One channel on one connection: what it declares, publishes, gets confirmed, and its end.

A session lives until its connection or its channel ends, whichever comes first; then everything
in flight fails, and the publisher opens another session. Reopening the channel alone would save
one handshake and cost a second way of failing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import pika
from pika import exceptions, spec
from twisted.internet import defer

from gateway import faults
from gateway.config.settings import Rabbitmq
from gateway.errors import BrokerUnavailable, GatewayError, PublicationImpossible
from gateway.model.publication import Publication
from gateway.service.amqp_confirms import Confirms, Message
from gateway.service.amqp_connection import BrokerConnection, unavailable
from gateway.service.amqp_topology import declarations
from gateway.service.message_headers import properties_of

WINDOW_BYTES = 32 * 1024 * 1024
"""Bodies in flight: what a broker that reads slowly can make this process hold."""

CLOSE_SECONDS = 2.0
"""For the closing handshake."""

DECLARE_SECONDS = 1.0
"""So long after a message came back for want of a queue all of them are declared again. Not at
once: RabbitMQ has to tell the consumers of the deleted queue first, or some are told nothing and
get nothing from the new one."""

_STOPPING = "The gateway is stopping."

_SIZE_LIMIT = re.compile(r"message size \d+ is larger than (?:configured )?max size (\d+)")


Declaration = tuple[str, str, dict[str, Any]]
"""A name for people, a method of the channel, its arguments."""

Arrived = Callable[[Any, Any, Any, bytes], None]
"""What pika calls with a message: its channel, how it came, its properties, its body."""


class Session:
    """`ended` fires once, with the reason, as soon as nothing can be published any more.

    `tests`: whether any partner is a test, so that its exchanges must be there. `largest` is the
    broker's limit on bodies, known once it closed the channel over one.
    """

    def __init__(
        self,
        connection: BrokerConnection,
        settings: Rabbitmq,
        *,
        reactor: Any,
        confirm_seconds: float,
        tests: Callable[[], bool],
        log: Any,
    ) -> None:
        self.confirms = Confirms(settings.window, WINDOW_BYTES)
        self.ended: defer.Deferred[BrokerUnavailable] = defer.Deferred()
        self.blocked = False
        self.largest: int | None = None
        self.on_blocked: Callable[[], None] = lambda: None
        """Called whenever `blocked` changes."""
        self._connection = connection
        self._settings = settings
        self._reactor = reactor
        self._confirm_seconds = confirm_seconds
        self._tests = tests
        self._log = log
        self._channel: Any = None
        self._asked: defer.Deferred[Any] | None = None
        self._sweeper: Any = None
        self._over = False
        self._declaring: Any = None
        connection.on_lost(self._on_connection_lost)
        connection.amqp.add_on_connection_blocked_callback(self._on_blocked)
        connection.amqp.add_on_connection_unblocked_callback(self._on_unblocked)

    @property
    def connection(self) -> BrokerConnection:
        """What the session is on, for whoever needs a channel of its own there."""
        return self._connection

    async def open(self) -> None:
        """Open the channel, declare the topology, switch confirms on.

        Raises `BrokerUnavailable`; after any failure, cancellation included, the connection is
        on its way out.
        """
        try:
            self._channel = await self._ask(self._connection.amqp.channel, "on_open_callback")
            self._channel.add_on_close_callback(self._on_channel_closed)
            self._channel.add_on_return_callback(self._on_return)
            if self._settings.declare:
                await self._declare(declarations(tests=self._tests()))
            await self._ask(self._channel.confirm_delivery, ack_nack_callback=self._on_confirm)
        except BaseException:
            self._connection.abort()
            raise
        self._sweep(0)

    def publish(self, publication: Publication) -> defer.Deferred[None]:
        """Send when there is room; see `Confirms.submit`."""
        return self.send(
            publication.exchange.value,
            publication.routing_key,
            publication.body,
            {"headers": publication.headers, **properties_of(publication)},
            mandatory=publication.mandatory,
        )

    def send(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any],
        *,
        mandatory: bool,
    ) -> defer.Deferred[None]:
        """The same of any message; `properties` hold at least a `message_id`."""
        id_ = str(properties["message_id"])

        def send() -> None:
            try:
                with faults.around("amqp.publish"):
                    self._channel.basic_publish(
                        exchange, routing_key, body, pika.BasicProperties(**properties), mandatory
                    )
            except exceptions.AMQPError as error:
                if self._channel.is_open:
                    raise _cannot_be_written(id_, error) from error
                raise unavailable(error, self._settings) from error
            except (ValueError, TypeError, OverflowError) as error:
                raise _cannot_be_written(id_, error) from error

        return self.confirms.submit(id_, len(body), send)

    async def consume(
        self, queue: str, prefetch: int, declared: Iterable[Declaration], arrived: Arrived
    ) -> None:
        """Have the messages of a queue brought to `arrived`, at most `prefetch` not yet answered.

        `declared`: what to declare first. Raises `BrokerUnavailable`. The session ends when the
        broker ends the consumer (its queue was deleted, say).
        """
        if self._settings.declare:
            await self._declare(declared)
        await self._ask(self._channel.basic_qos, prefetch_count=prefetch)
        self._channel.add_on_cancel_callback(lambda _: self._connection.leave())
        await self._ask(self._channel.basic_consume, queue=queue, on_message_callback=arrived)

    def settle(self, tag: int, *, taken: bool) -> None:
        """Tell the broker that a message is done with, or is to come again.

        Once the channel is gone there is nothing to tell: all of them come again.
        """
        if self._over or not self._channel.is_open:
            return
        with faults.around("amqp.settle"):
            if taken:
                self._channel.basic_ack(tag)
            else:
                self._channel.basic_nack(tag, requeue=True)

    def leave(self) -> None:
        """End the session, in good order."""
        self._connection.leave()

    async def close(self, grace: float) -> None:
        """Let what is in flight be confirmed, for at most `grace` seconds, then take leave.

        Takes at most `CLOSE_SECONDS` more, whatever the broker does.
        """
        self.confirms.refuse(lambda _: BrokerUnavailable(_STOPPING))
        await self._within(grace, self.confirms.idle())
        gone: defer.Deferred[None] = defer.Deferred()
        self._connection.on_lost(lambda _: gone.callback(None))
        self._connection.leave()
        await self._within(CLOSE_SECONDS, gone)
        self._connection.abort()
        self._end(BrokerUnavailable(_STOPPING), lambda _: BrokerUnavailable(_STOPPING))

    async def _within(self, seconds: float, event: defer.Deferred[None]) -> None:
        event.addTimeout(seconds, self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await event

    async def _declare(self, declared: Iterable[Declaration]) -> None:
        for what, method, arguments in declared:
            try:
                await self._ask(getattr(self._channel, method), **arguments)
            except BrokerUnavailable as error:
                if self._connection.reason is not None:
                    raise  # the connection went, so it says nothing about this declaration
                raise BrokerUnavailable(
                    f"RabbitMQ refused to declare {what}: {error.what}",
                    remedy="If it exists with other properties, delete it or make it as in"
                    " conf/rabbitmq-definitions.json; if the user may not declare, import that"
                    " file and set rabbitmq.declare = false.",
                ) from None

    def _ask(self, method: Any, callback: str = "callback", **arguments: Any) -> Any:
        """Call a method of pika that answers through a callback; fails when the session ends."""
        asked: defer.Deferred[Any] = defer.Deferred()
        self._asked = asked

        def answered(answer: Any) -> None:
            if not asked.called:
                asked.callback(answer)

        if self._over:
            asked.errback(BrokerUnavailable("The connection to RabbitMQ ended."))
        else:
            method(**arguments, **{callback: answered})
        return asked

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        with faults.around("amqp.confirm"):
            if isinstance(method, spec.Basic.Ack):
                self.confirms.acked(method.delivery_tag, multiple=method.multiple)
            else:
                self.confirms.nacked(method.delivery_tag, multiple=method.multiple)

    def _on_return(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        why = (
            f"{method.reply_code} {method.reply_text}, exchange {method.exchange},"
            f" routing key {method.routing_key}"
        )
        if not self.confirms.returned(properties.message_id, why):
            self._log.warning("unknown_message_returned", id=properties.message_id, reason=why)
        if self._settings.declare and not self._over and self._declaring is None:
            self._declaring = self._reactor.callLater(DECLARE_SECONDS, self._declare_again)

    def _declare_again(self) -> None:
        """A queue was deleted, perhaps: what came back finds one at its next attempt.

        Nobody waits for answers: a broker that refuses closes the channel, and the next session,
        which declares everything too, says why.
        """
        self._declaring = None
        if self._channel.is_open:
            for _, method, arguments in declarations(tests=self._tests()):
                getattr(self._channel, method)(**arguments)

    def _on_blocked(self, _connection: Any, frame: Any) -> None:
        reason = str(frame.method.reason)
        self.blocked = True
        self._log.warning("broker_blocked", reason=reason)
        self.confirms.refuse(
            lambda _: BrokerUnavailable(
                f"RabbitMQ takes no messages now: {reason}.",
                remedy="It is short of memory or disk; publishing resumes by itself.",
            )
        )
        self.on_blocked()

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self.blocked = False
        self._log.info("broker_unblocked")
        self.confirms.accept()
        self.on_blocked()

    def _on_channel_closed(self, _channel: Any, reason: Exception) -> None:
        if not isinstance(reason, exceptions.ChannelClosedByBroker):
            return  # the connection ended: `lost` tells why
        text = f"{reason.reply_code} {reason.reply_text}"
        found = _SIZE_LIMIT.search(text)
        limit = self.largest = int(found[1]) if found else None

        def for_message(message: Message) -> GatewayError:
            if limit is not None and message.size > limit:
                return too_large(message.message_id, message.size, limit)
            return BrokerUnavailable(f"RabbitMQ closed the channel: {text}.")

        self._end(BrokerUnavailable(f"RabbitMQ closed the channel: {text}."), for_message)
        self._connection.leave()

    def _on_connection_lost(self, reason: Exception) -> None:
        self._end(
            unavailable(reason, self._settings), lambda _: unavailable(reason, self._settings)
        )

    def _end(self, error: BrokerUnavailable, reason: Any) -> None:
        if self._over:
            return
        self._over = True
        for timer in (self._sweeper, self._declaring):
            if timer is not None and timer.active():
                timer.cancel()
        self.ended.callback(error)
        self.confirms.fail(reason)
        if self._asked is not None and not self._asked.called:
            self._asked.errback(error)

    def _sweep(self, newest: int) -> None:
        """Give up on what was in flight a whole period ago: its queue has no leader, say.

        The others go on. Were it confirmed after all, the message has been sent twice, under
        one `message_id`.
        """
        if not self.blocked:
            self.confirms.expire(newest, self._confirm_seconds)
        self._sweeper = self._reactor.callLater(
            self._confirm_seconds, self._sweep, self.confirms.newest
        )


def too_large(message_id: str, size: int, limit: int) -> PublicationImpossible:
    """The broker closes the channel over such a message, so it is better not sent."""
    return PublicationImpossible(
        f"Message {message_id} has {size} bytes; RabbitMQ takes at most {limit}.",
        remedy="Raise max_message_size in rabbitmq.conf, or lower outbox.inline_bytes so that"
        " such bodies travel as a claim check.",
    )


def _cannot_be_written(id_: str, error: Exception) -> PublicationImpossible:
    return PublicationImpossible(
        f"Message {id_} cannot be written as AMQP: {error!r}.",
        remedy="Its routing key or a header is too long or of the wrong type; please report it.",
    )
