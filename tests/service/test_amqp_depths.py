"""How much waits at a real RabbitMQ: asked beside what is published, never waited for."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Rabbitmq
from gateway.service import amqp_depths
from gateway.service.amqp import AmqpPublisher
from gateway.service.amqp_depths import Depths
from gateway.service.amqp_topology import queue_names
from gateway.service.broker_queues import BrokerQueues, Known
from tests.broker import Broker
from tests.publishing import Log, a_publication, until

ACCEPTED = "edi.documents.accepted"
MISSING = "edi.nobody.made.this"


@pytest_twisted.async_yield_fixture
async def publisher(broker: Broker) -> AsyncIterator[AmqpPublisher]:
    """One that is connected, and has declared its queues."""
    made = AmqpPublisher(
        reactor,
        Rabbitmq(host="127.0.0.1", port=broker.port, reconnect_min_seconds=0.05),
        password="guest",
        log=Log(),
        rng=random.Random(7),
    )
    await made.start()
    await until(lambda: made.available)
    yield made
    await made.stop(0.1)


async def heard(depths: Depths) -> BrokerQueues:
    """What is known once the broker has answered, or not in time."""
    await until(lambda: depths.known().known not in (Known.ASKED, Known.AWAY))
    return depths.known()


@pytest.mark.broker
@ensureDeferred
async def test_what_waits_and_who_takes_it(
    broker: Broker, publisher: AmqpPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages and consumers of each queue, by no channel that stays; asked again when old."""
    monkeypatch.setattr(amqp_depths, "KEPT_SECONDS", 0.2)
    await publisher.publish(a_publication(1))
    await publisher.publish(a_publication(2))
    depths = Depths(reactor, publisher, lambda: queue_names(tests=False))
    assert depths.known() == BrokerQueues(known=Known.ASKED)
    found = await heard(depths)
    assert found.known is Known.ANSWERED
    assert found.at is not None
    assert [each.queue for each in found.queues] == queue_names(tests=False)
    assert [each.consumers for each in found.queues] == [0, 0, 0]
    # A quorum queue counts what it got a moment later.
    await until(lambda: depths.known().queues[0].messages == 2)
    assert [each.messages for each in depths.known().queues[1:]] == [0, 0]
    connection = await deferToThread(broker.connect)
    await deferToThread(connection.channel().basic_consume, ACCEPTED, lambda *_: None)
    await until(lambda: depths.known().queues[0].consumers == 1)
    await deferToThread(connection.close)
    assert publisher.session is not None
    open_channels = publisher.session.connection.amqp._channels
    await until(lambda: len(open_channels) == 1)
    await publisher.publish(a_publication(3))


@pytest.mark.broker
@ensureDeferred
async def test_a_queue_that_is_not_there(publisher: AmqpPublisher) -> None:
    """The broker closes a channel over it, and neither the others nor publishing suffer."""
    session = publisher.session
    names = [MISSING, ACCEPTED, f"{MISSING}.dead"]
    found = await heard(Depths(reactor, publisher, lambda: names))
    assert found.known is Known.ANSWERED
    first, middle, last = found.queues
    assert (first.messages, first.consumers) == (None, None)
    assert first.error.startswith("404 NOT_FOUND")
    assert middle.messages == 0
    assert last.error.startswith("404 NOT_FOUND")
    await publisher.publish(a_publication(1))
    assert publisher.session is session


@pytest.mark.broker
@ensureDeferred
async def test_a_broker_that_hangs_goes_away_and_comes_back(
    broker: Broker, publisher: AmqpPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up in time, told as away, and asked anew on the next connection."""
    monkeypatch.setattr(amqp_depths, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(amqp_depths, "LONGEST_SECONDS", 0.5)
    depths = Depths(reactor, publisher, lambda: [ACCEPTED])
    broker.freeze()
    found = await heard(depths)
    assert (found.known, found.error) == (Known.SILENT, "no answer within 0.5 s")
    asked = depths._asking
    for _ in range(5):  # one channel hangs there, and no more are opened beside it
        assert depths.known().known is Known.SILENT
    assert depths._asking is asked
    broker.kill()
    await until(lambda: publisher.session is None and publisher.last_error is not None)
    away = depths.known()
    assert away.known is Known.AWAY
    assert away.error
    await deferToThread(broker.start)
    await until(lambda: publisher.available)
    assert (await heard(depths)).known is Known.ANSWERED


def test_without_a_broker_and_with_one_that_is_short_of_memory() -> None:
    """Both are told at once, and nobody is asked."""
    clock = task.Clock()

    def names() -> list[str]:
        raise AssertionError("nobody is to be asked")

    assert Depths(clock, None, names).known() == BrokerQueues(known=Known.FILES)
    blocked: Any = SimpleNamespace(session=SimpleNamespace(blocked=True), last_error=None)
    assert Depths(clock, blocked, names).known() == BrokerQueues(known=Known.BLOCKED)
    assert clock.getDelayedCalls() == []


def test_the_queues_there_should_be() -> None:
    """Those of results; of tests, where a partner is one; of requests, where they are taken."""
    assert queue_names(tests=False) == [
        "edi.documents.accepted",
        "edi.documents.rejected",
        "edi.acknowledgements",
    ]
    more = queue_names(tests=True, requests_queue="edi.requests")
    assert more[3:] == [
        "edi.test.documents.accepted",
        "edi.test.documents.rejected",
        "edi.test.acknowledgements",
        "edi.requests",
        "edi.requests.dead",
    ]
