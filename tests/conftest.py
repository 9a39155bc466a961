"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.service.amqp_topology import EXCHANGES, QUEUES
from tests.broker import Broker, require_rabbitmq


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
