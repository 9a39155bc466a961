"""Requests from a real RabbitMQ: answered, buried with the reason, or brought again, never lost."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pika
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from gateway.config.settings import Rabbitmq
from gateway.core.explain import own_finding
from gateway.errors import GatewayError, WorkerDied, WorkersBroken
from gateway.service.amqp_consumer import DEADLY, PREFETCH, RequestConsumer
from gateway.service.status_requests import Answer, Asked
from tests.broker import Broker, Message
from tests.publishing import Log, until
from tests.service.test_asyncapi import validator

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

REFUSED = own_finding("REQUEST-FLUX", name="é.xml")


MESSAGES = {"edi.status.answer": "statusAnswer", "edi.status.refused": "refusedStatusRequest"}


def fits_the_contract(message: Message) -> None:
    """Its properties and headers are as docs/asyncapi.yaml describes them."""
    properties = {key: value for key, value in vars(message.properties).items() if value}
    headers = properties.pop("headers")
    pointer = f"#/components/messages/{MESSAGES[properties['type']]}"
    validator(f"{pointer}/x-amqp-properties").validate(properties)
    validator(f"{pointer}/headers").validate(headers)


class FakeRequests:
    """Accepts what is asked, but for "refuse", "fail" and "bug"; remembers every attempt."""

    def __init__(self) -> None:
        self.outcomes = Counter[str]()
        self.seen: list[Asked] = []
        self.failing = True

    async def answer(self, asked: Asked) -> Answer:
        """As the body says."""
        self.seen.append(asked)
        if self.failing and asked.body.startswith(b"fail"):
            raise WorkersBroken("no judge starts")
        if self.failing and asked.body.startswith(b"bug"):
            raise RuntimeError("unforeseen")
        if self.failing and asked.body.startswith(b"kill"):
            raise WorkerDied("the judge ended")
        if asked.body.startswith(b"refuse"):
            return Answer(body={"outcome": "refused"}, findings=(REFUSED,))
        return Answer(body={"outcome": "accepted", "request": asked.name})

    def given_up(self, asked: Asked, attempts: int, error: GatewayError) -> Answer:
        """As the real ones do."""
        finding = own_finding("REQUEST-UNCHECKED", attempts=attempts, error=error)
        return Answer(body={"outcome": "refused"}, findings=(finding,))


class BackOffice:
    """Who publishes to the queue of a consumer under test, with a queue for the answers."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.requests = FakeRequests()
        self.log = Log()
        self.queue = f"requests-{uuid.uuid4()}"
        self.replies = f"{self.queue}.replies"
        self.consumer = self.another()

    def another(self, first_pause: float = 0.2, **settings: Any) -> RequestConsumer:
        """A consumer of this queue."""
        fake: Any = self.requests
        return RequestConsumer(
            reactor,
            Rabbitmq(
                host="127.0.0.1",
                port=self.broker.port,
                reconnect_min_seconds=0.05,
                reconnect_max_seconds=0.5,
                requests_queue=self.queue,
                **settings,
            ),
            password="guest",
            requests=fake,
            log=self.log,
            rng=random.Random(7),
            first_pause=first_pause,
        )

    async def start(self) -> None:
        """Start it and wait until it consumes."""
        await self.consumer.start()
        await until(lambda: self.log.named("status_requests_consumed"))

    async def ask(self, *bodies: bytes, reply_to: str | None = None, **properties: Any) -> None:
        """Publish requests, one after the other."""

        def publish() -> None:
            connection = self.broker.connect()
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare(self.replies, durable=True)
            for body in bodies:
                channel.basic_publish(
                    "",
                    self.queue,
                    body,
                    pika.BasicProperties(
                        reply_to=self.replies if reply_to is None else reply_to or None,
                        **{"correlation_id": "c-1", **properties},
                    ),
                )
            connection.close()

        await deferToThread(publish)

    async def take(self, queue: str, count: int = 1) -> list[Message]:
        """What is in a queue."""
        taken: list[Message] = await deferToThread(self.broker.take, queue, count, timeout=10.0)
        for each in taken:
            fits_the_contract(each)
        return taken

    async def left(self, queue: str) -> int:
        """Messages that wait in a queue, those in somebody's hands not counted."""

        def count() -> int:
            connection = self.broker.connect()
            declared = connection.channel().queue_declare(queue, passive=True)
            connection.close()
            return int(declared.method.message_count)

        number: int = await deferToThread(count)
        return number


@pytest_twisted.async_yield_fixture
async def office(broker: Broker) -> AsyncIterator[BackOffice]:
    """A back office whose consumer ends with the test."""
    made = BackOffice(broker)
    yield made
    await made.consumer.stop(0.1)


@ensureDeferred
async def test_what_is_accepted_is_answered_and_gone(office: BackOffice) -> None:
    """The reply names the request; nothing is left in the queue, nor among the dead letters."""
    await office.start()
    await office.ask(b"good", message_id="m-1")
    (reply,) = await office.take(office.replies)
    assert json.loads(reply.body) == {"outcome": "accepted", "request": "m-1"}
    assert (reply.properties.correlation_id, reply.properties.type) == ("c-1", "edi.status.answer")
    assert reply.properties.headers["cloudEvents:subject"] == "m-1"
    await office.consumer.stop()
    assert await office.left(office.queue) == await office.left(f"{office.queue}.dead") == 0


@ensureDeferred
async def test_what_is_refused_is_a_dead_letter_with_its_reason(office: BackOffice) -> None:
    """The body as it came; the reason in both languages in the headers; a reply as well."""
    await office.start()
    await office.ask(b"refuse \xff", message_id="m-1")
    (dead,) = await office.take(f"{office.queue}.dead")
    assert dead.body == b"refuse \xff"
    assert (dead.message_id, dead.properties.reply_to) == ("m-1", office.replies)
    assert dead.properties.headers["reason"].startswith("REQUEST-FLUX: ")
    assert "é.xml" in dead.properties.headers["reason-fr"]
    (found,) = json.loads(dead.properties.headers["findings"])
    assert found["rule"] == "REQUEST-FLUX"
    (reply,) = await office.take(office.replies)
    assert json.loads(reply.body)["outcome"] == "refused"
    await office.consumer.stop()
    assert await office.left(office.queue) == 0
    assert len(office.requests.seen) == 1


@ensureDeferred
async def test_a_reply_nobody_waits_for_holds_nothing_up(office: BackOffice) -> None:
    """No reply_to, one whose queue is gone, and one that names a queue of ours."""
    await office.start()
    for reply_to in ("", "gone", office.queue, "edi.documents.accepted"):
        await office.ask(b"good", reply_to=reply_to)
    await office.ask(b"last")
    await office.take(office.replies)
    await office.consumer.stop()
    assert len(office.requests.seen) == 5
    assert await office.left(office.queue) == await office.left("edi.documents.accepted") == 0
    assert len(office.log.named("status_request_reply_refused")) == 2


@ensureDeferred
async def test_a_message_without_a_usable_id_is_known_by_its_bytes(office: BackOffice) -> None:
    """None, empty, or no UTF-8."""
    await office.start()
    for properties in ({}, {"message_id": ""}, {"message_id": b"\xff\xfe"}):
        await office.ask(b"good", **properties)
    replies = await office.take(office.replies, 3)
    named = {json.loads(reply.body)["request"] for reply in replies}
    assert len(replies) == 3
    assert len(named) == 1
    assert named.pop().startswith("sha256:")


@pytest.mark.parametrize("body", [b"fail", b"bug"])
@ensureDeferred
async def test_what_fails_for_a_reason_of_ours_comes_again_ever_more_seldom(
    office: BackOffice, body: bytes
) -> None:
    """Pauses double: few attempts in a while, and none is lost; then it is accepted."""
    await office.start()
    await office.ask(body, message_id="m-1")
    await deferLater(reactor, 2.0)
    pauses = [each["again_in_seconds"] for each in office.log.named("status_request_postponed")]
    assert 2 <= len(pauses) <= 4
    assert pauses == [0.2 * 2.0**n for n in range(len(pauses))]
    assert office.requests.outcomes == {"postponed": len(pauses)}
    office.requests.failing = False
    (reply,) = await office.take(office.replies)
    assert json.loads(reply.body)["outcome"] == "accepted"
    await office.consumer.stop()
    assert await office.left(office.queue) == await office.left(f"{office.queue}.dead") == 0


@ensureDeferred
async def test_what_ends_the_judge_again_and_again_is_buried(office: BackOffice) -> None:
    """Others need the judge: after some attempts the request lies among the dead letters."""
    office.consumer = office.another(first_pause=0.01)
    await office.start()
    await office.ask(b"kill", message_id="m-1")
    await office.ask(b"good", message_id="m-2")
    replies = await office.take(office.replies, 2)
    assert [json.loads(each.body)["outcome"] for each in replies] == ["accepted", "refused"]
    (dead,) = await office.take(f"{office.queue}.dead")
    assert dead.body == b"kill"
    assert dead.properties.headers["reason"].startswith("REQUEST-UNCHECKED: ")
    assert len([each for each in office.requests.seen if each.body == b"kill"]) == DEADLY


@ensureDeferred
async def test_no_more_is_held_than_may_be(office: BackOffice) -> None:
    """A hundred requests that fail: so many are here at once, the others wait at the broker."""
    office.consumer = office.another(first_pause=60.0)
    await office.start()
    await office.ask(*(b"fail %d" % n for n in range(100)))
    await until(lambda: len(office.requests.seen) >= PREFETCH)
    await deferLater(reactor, 0.5)
    assert len(office.requests.seen) == PREFETCH
    assert await office.left(office.queue) == 100 - PREFETCH
    await office.consumer.stop()
    assert await office.left(office.queue) == 100


@ensureDeferred
async def test_it_goes_on_when_the_broker_comes_back(office: BackOffice) -> None:
    """A restart of the broker, then its queue deleted under us: both are got over."""
    await office.start()
    await deferToThread(office.broker.stop)
    await deferToThread(office.broker.start)
    await until(lambda: len(office.log.named("status_requests_consumed")) == 2)

    def delete() -> None:
        connection = office.broker.connect()
        connection.channel().queue_delete(office.queue)
        connection.close()

    await deferToThread(delete)
    await until(lambda: len(office.log.named("status_requests_consumed")) == 3)
    await office.ask(b"good", message_id="m-1")
    assert len(await office.take(office.replies)) == 1


@ensureDeferred
async def test_a_queue_that_cannot_be_had_is_told(office: BackOffice) -> None:
    """It is there with other properties, or, where others declare, not at all."""

    def other() -> None:
        connection = office.broker.connect()
        connection.channel().queue_declare(office.queue, durable=True)
        connection.close()

    await deferToThread(other)
    await office.consumer.start()
    await until(lambda: office.log.named("status_requests_not_consumed"))
    told = office.log.named("status_requests_not_consumed")[0]
    assert office.queue in told["error"]
    assert "dead letters" in told["remedy"]
    await office.consumer.stop(0.1)
    office.queue = f"{office.queue}-missing"
    office.consumer = office.another(declare=False)
    before = len(office.log.named("status_requests_not_consumed"))
    await office.consumer.start()
    await until(lambda: len(office.log.named("status_requests_not_consumed")) > before)
    assert len(office.log.named("broker_away")) < 30
