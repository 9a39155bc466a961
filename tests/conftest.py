"""Fixtures that several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from gateway.service.amqp_topology import EXCHANGES, QUEUES
from tests.broker import Broker, require_rabbitmq


def pytest_runtest_setup() -> None:
    """Give Twisted back the signal that tells it of a child's end.

    SaxonC's runtime, when a test loads it into this process, puts SIGCHLD back to its default
    behind Python's back; the reactor would then wait for ever for processes that have ended. The
    gateway itself is not concerned: only judges load SaxonC, and they have no children.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    if callable(handler):
        signal.signal(signal.SIGCHLD, handler)
        signal.siginterrupt(signal.SIGCHLD, False)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One private RabbitMQ node for the whole run. Tests take `broker` instead."""
    require_rabbitmq()
    node = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture
def broker(rabbitmq: Broker) -> Iterator[Broker]:
    """The node, running, without any of the gateway's exchanges and queues."""
    rabbitmq.start()
    connection = rabbitmq.connect()
    channel = connection.channel()
    for queue in QUEUES:
        channel.queue_delete(queue.name)
    for exchange in EXCHANGES:
        channel.exchange_delete(exchange)
    connection.close()
    yield rabbitmq
    rabbitmq.start()
