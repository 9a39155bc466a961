"""A real consumer of everything the gateway publishes: takes, remembers, acknowledges.

It comes back when the broker does, and waits for a queue that was deleted: it declares nothing
itself after the start, so that what it gets then was declared by the gateway.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
from pika import exceptions

from gateway.model.publication import Exchange
from gateway.service.amqp_topology import QUEUES, declarations
from tests.broker import Broker

EVENTS = "torture.events"
DELIVERY_COUNT = "x-delivery-count"
"""RabbitMQ's own, in what it delivers again from a quorum queue: nobody sent that."""
_AGAIN_SECONDS = 0.3


class Taken(msgspec.Struct, frozen=True):
    """A message as it came."""

    exchange: str
    routing_key: str
    correlation_id: str
    type: str
    headers: dict[str, Any]
    body: bytes


class Consumer(threading.Thread):
    """Drains the gateway's queues, and one of its own for the events nobody is bound to."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(name="consumer", daemon=True)
        self._broker = broker
        self._ended = threading.Event()
        self._ready = threading.Event()
        self.taken: dict[str, Taken] = {}
        """Message id → the message, as it came first."""
        self.deliveries = 0
        self.redelivered = 0
        self.altered: list[str] = []
        """Ids of messages that came again with another content."""
        self.last = time.monotonic()
        self.connections = 0
        """How often it began to consume."""
        self.trouble: BaseException | None = None

    def begin(self) -> None:
        """Start; return once everything published from now on will be seen."""
        self.start()
        if not self._ready.wait(60):
            raise AssertionError(f"the consumer could not begin: {self.trouble}")

    def end(self) -> None:
        """Stop, and wait until it has."""
        self._ended.set()
        self.join(60)

    def run(self) -> None:
        """Take messages until told to stop, over as many connections as it takes."""
        try:
            while not self._ended.is_set():
                try:
                    self._connect()
                except (exceptions.AMQPError, OSError):  # the broker is away, or a queue is
                    if not self._ready.is_set():
                        raise
                    self._ended.wait(_AGAIN_SECONDS)
        except BaseException as error:
            self.trouble = error

    def _connect(self) -> None:
        connection = self._broker.connect()
        try:
            self._consume(connection)
        finally:
            if connection.is_open:
                connection.close()

    def _consume(self, connection: Any) -> None:
        channel = connection.channel()
        if not self._ready.is_set():
            self._declare(channel)
        queues = (*(queue.name for queue in QUEUES), EVENTS)
        for queue in queues:  # before the first message, which would only be given back
            channel.queue_declare(queue, passive=True)
        channel.basic_qos(prefetch_count=200)
        cancelled = threading.Event()  # by the broker: a queue was deleted
        channel.add_on_cancel_callback(lambda _: cancelled.set())
        for queue in queues:
            channel.basic_consume(queue, self._take)
        self.connections += 1
        self._ready.set()
        while not self._ended.is_set() and not cancelled.is_set():
            connection.process_data_events(time_limit=0.2)
        if self._ended.is_set():
            channel.queue_delete(EVENTS)

    def _declare(self, channel: Any) -> None:
        for _, method, arguments in declarations():
            getattr(channel, method)(**arguments)
        channel.queue_declare(EVENTS, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(EVENTS, Exchange.EVENTS.value, "#")

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        message = Taken(
            method.exchange,
            method.routing_key,
            properties.correlation_id,
            properties.type,
            {k: v for k, v in properties.headers.items() if k != DELIVERY_COUNT},
            body,
        )
        self.deliveries += 1
        self.redelivered += method.redelivered
        if self.taken.setdefault(properties.message_id, message) != message:
            self.altered.append(properties.message_id)
        channel.basic_ack(method.delivery_tag)
        self.last = time.monotonic()
