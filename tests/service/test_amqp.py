"""Publishing to a real RabbitMQ: what arrives, what comes back, what happens when it goes away."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from gateway.config.settings import Rabbitmq, RabbitmqTls
from gateway.errors import (
    BrokerUnavailable,
    ConfigurationError,
    GatewayError,
    MessageReturned,
    PublicationRefused,
)
from gateway.model.publication import Exchange, Publication
from gateway.resources import data_folder
from gateway.service.amqp import AmqpPublisher, Backoff
from gateway.service.amqp_session import DECLARE_SECONDS
from gateway.service.amqp_topology import QUEUES, declarations, definitions
from tests.broker import MAX_MESSAGE_BYTES, Broker, free_port
from tests.publishing import INTERCHANGE, MOMENT, Log, a_publication, until

pytestmark = pytest.mark.broker

ACCEPTED = "edi.documents.accepted"

Start = Callable[..., Any]


class Running:
    """A publisher under test, with what it logged and how often it became available."""

    def __init__(self, publisher: AmqpPublisher, log: Log) -> None:
        self.publisher = publisher
        self.log = log
        self.times_available = 0
        publisher.on_available = self._available

    def _available(self) -> None:
        assert self.publisher.available
        self.times_available += 1

    async def outcome(self, publication: Publication) -> str:
        """`confirmed`, or the name of the error."""
        try:
            await self.publisher.publish(publication)
        except GatewayError as error:
            return type(error).__name__
        return "confirmed"

    async def outcomes(self, publications: list[Publication]) -> list[str]:
        """The outcome of each, all offered at once."""
        return await defer.gatherResults(
            [defer.Deferred.fromCoroutine(self.outcome(each)) for each in publications]
        )


@pytest_twisted.async_yield_fixture
async def start() -> AsyncIterator[Start]:
    """Starts publishers that end with the test."""
    running: list[Running] = []

    async def start_one(
        port: int, *, password: str = "guest", wait: bool = True, confirm: float = 60.0, **more: Any
    ) -> Running:
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "reconnect_min_seconds": 0.05,
            "reconnect_max_seconds": 0.5,
            **more,
        }
        log = Log()
        one = Running(
            AmqpPublisher(
                reactor,
                Rabbitmq(**settings),
                password=password,
                log=log,
                rng=random.Random(7),
                setup_seconds=5.0,
                confirm_seconds=confirm,
            ),
            log,
        )
        running.append(one)
        await one.publisher.start()
        if wait:
            await until(lambda: one.publisher.available)
        return one

    yield start_one
    for each in running:
        await each.publisher.stop(0.1)


def ids(publications: list[Publication]) -> set[str]:
    return {publication.message_id for publication in publications}


async def in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """A blocking call, while the reactor goes on."""
    return await deferToThread(function, *arguments, **named)


@ensureDeferred
async def test_message_arrives_with_its_properties_and_headers(
    broker: Broker, start: Start
) -> None:
    """A consumer gets the very bytes, the properties of the contract and the headers."""
    running = await start(broker.port)
    sent = a_publication(body=b'{"invoice_number": "FA-\xc3\xa9t\xc3\xa9"}', filename="été.xml")
    await running.publisher.publish(sent)
    [message] = await in_thread(broker.take, ACCEPTED, 1)
    assert message.body == sent.body
    assert message.exchange == "edi.documents"
    assert message.routing_key == sent.routing_key
    properties = message.properties
    assert properties.message_id == sent.message_id
    assert properties.correlation_id == INTERCHANGE
    assert properties.timestamp == int(MOMENT.timestamp())
    assert properties.content_type == "application/json"
    assert properties.delivery_mode == 2
    assert properties.type == "edi.document.invoice"
    assert properties.app_id == "edi-gateway"
    assert properties.headers == sent.headers


@ensureDeferred
async def test_each_message_arrives_once_in_the_queue_of_its_kind(
    broker: Broker, start: Start
) -> None:
    """Accepted, rejected and acknowledgements are three queues; nothing is doubled or lost."""
    running = await start(broker.port)
    accepted = [a_publication(n) for n in range(1, 301)]
    rejected = [a_publication(n, routing_key="none.none.rejected") for n in range(301, 401)]
    reports = [
        a_publication(n, exchange=Exchange.ACKNOWLEDGEMENTS, routing_key="none.report")
        for n in range(401, 451)
    ]
    everything = [*accepted, *rejected, *reports]
    random.Random(3).shuffle(everything)
    assert set(await running.outcomes(everything)) == {"confirmed"}
    for queue, expected in zip(
        [queue.name for queue in QUEUES], [accepted, rejected, reports], strict=True
    ):
        arrived = await in_thread(broker.take, queue, len(expected))
        assert Counter(m.message_id for m in arrived) == Counter(ids(expected))


@ensureDeferred
async def test_returned_message_is_the_one_without_a_queue(broker: Broker, start: Start) -> None:
    """Among many in flight, exactly the unroutable ones fail; every other is confirmed."""
    running = await start(broker.port)
    publications = [
        a_publication(n, routing_key="nobody.binds.this" if n % 7 == 0 else "a.ubl.accepted")
        for n in range(1, 401)
    ]
    outcomes = await running.outcomes(publications)
    expected = [
        "MessageReturned" if p.routing_key == "nobody.binds.this" else "confirmed"
        for p in publications
    ]
    assert outcomes == expected
    with pytest.raises(MessageReturned, match=r"edi\.documents, routing key nobody\.binds\.this"):
        await running.publisher.publish(publications[6])


@ensureDeferred
async def test_a_deleted_queue_is_declared_again(broker: Broker, start: Start) -> None:
    """What came back for want of it finds it at the next attempt, over the same connection."""
    running = await start(broker.port)
    connection = await in_thread(broker.connect)
    for _ in range(2):
        await in_thread(connection.channel().queue_delete, ACCEPTED)
        for _ in range(2):  # consumers of the old one hear of its end meanwhile
            assert await running.outcome(a_publication(1)) == "MessageReturned"
        await deferLater(reactor, DECLARE_SECONDS + 0.1)
        assert await running.outcome(a_publication(1)) == "confirmed"
    assert running.times_available == 1
    connection.close()


@ensureDeferred
async def test_a_deleted_queue_stays_deleted_where_others_declare(
    broker: Broker, start: Start
) -> None:
    """With `declare = false` the administrator makes it again; the message waits."""
    connection = await in_thread(broker.connect)
    await in_thread(_declare_all, connection)
    running = await start(broker.port, declare=False)
    await in_thread(connection.channel().queue_delete, ACCEPTED)
    for _ in range(3):
        assert await running.outcome(a_publication(1)) == "MessageReturned"
    await in_thread(_declare_all, connection)
    assert await running.outcome(a_publication(1)) == "confirmed"
    connection.close()


def _declare_all(connection: Any) -> None:
    channel = connection.channel()
    for _, method, arguments in declarations():
        getattr(channel, method)(**arguments)


@ensureDeferred
async def test_event_nobody_listens_to_is_no_failure(broker: Broker, start: Start) -> None:
    """Events are not mandatory: without a queue they are confirmed and gone."""
    running = await start(broker.port)
    event = a_publication(exchange=Exchange.EVENTS, routing_key="none.received", mandatory=False)
    assert await running.outcome(event) == "confirmed"


@ensureDeferred
async def test_window_bounds_what_is_in_flight(broker: Broker, start: Start) -> None:
    """However many are offered, at most `window` messages are sent and unconfirmed."""
    running = await start(broker.port, window=10)
    seen: list[int] = []

    async def watched(publication: Publication) -> None:
        await running.publisher.publish(publication)
        seen.append(running.publisher.in_flight)

    publishing = [defer.Deferred.fromCoroutine(watched(a_publication(n))) for n in range(1, 201)]
    assert running.publisher.in_flight == 10
    await defer.gatherResults(publishing)
    assert len(seen) == 200
    assert max(seen) <= 10
    assert running.publisher.in_flight == 0


@ensureDeferred
async def test_nothing_is_lost_when_the_broker_restarts_in_mid_flow(
    broker: Broker, start: Start
) -> None:
    """Sent again after every failure, each message is in the queue when all are confirmed."""
    running = await start(broker.port)
    publications = [a_publication(n, body=b"x" * 2000) for n in range(1, 1501)]
    attempts: Counter[str] = Counter()
    confirmed = 0

    async def deliver(publication: Publication) -> None:
        nonlocal confirmed
        while True:
            await until(lambda: running.publisher.available)
            attempts[publication.message_id] += 1
            outcome = await running.outcome(publication)
            if outcome == "confirmed":
                confirmed += 1
                return
            # A queue that is shutting down may also refuse; never is there "no queue".
            assert outcome in {"BrokerUnavailable", "PublicationRefused"}

    async def lane(part: list[Publication]) -> None:
        for publication in part:
            await deliver(publication)

    lanes = [defer.Deferred.fromCoroutine(lane(publications[n::50])) for n in range(50)]
    await until(lambda: confirmed >= 100)
    await in_thread(broker.stop)
    assert not running.publisher.available
    assert confirmed < len(publications)
    assert await running.outcome(publications[0]) == "BrokerUnavailable"
    await in_thread(broker.start)
    await defer.gatherResults(lanes)
    arrived = await in_thread(broker.take, ACCEPTED, len(publications))
    copies = Counter(message.message_id for message in arrived)
    assert set(copies) == ids(publications)
    assert all(copies[each] <= attempts[each] for each in copies)
    assert running.times_available == 2
    assert running.log.named("broker_away")


@ensureDeferred
async def test_lost_connection_fails_what_is_in_flight(broker: Broker, start: Start) -> None:
    """Whoever waits for a confirm, or for a place in the window, hears that the broker is gone."""
    running = await start(broker.port, window=5)
    broker.freeze()
    pending = defer.Deferred.fromCoroutine(
        running.outcomes([a_publication(n) for n in range(1, 21)])
    )
    assert running.publisher.in_flight == 5
    broker.kill()
    assert set(await pending) == {"BrokerUnavailable"}
    assert not running.publisher.available
    assert running.publisher.in_flight == 0


@ensureDeferred
async def test_broker_that_appears_later_is_found(broker: Broker, start: Start) -> None:
    """`start` returns with the broker away; once it is there, publishing works."""
    await in_thread(broker.stop)
    running = await start(broker.port, wait=False)
    await until(lambda: len(running.log.named("broker_away")) >= 2)
    with pytest.raises(BrokerUnavailable, match="refused"):
        await running.publisher.publish(a_publication())
    assert running.times_available == 0
    await in_thread(broker.start)
    await until(lambda: running.publisher.available)
    assert running.times_available == 1
    assert await running.outcome(a_publication()) == "confirmed"


@ensureDeferred
async def test_broker_that_accepts_and_says_nothing_is_given_up(
    broker: Broker, start: Start
) -> None:
    """A hanging broker is left after the time for setting up, and tried again."""
    broker.freeze()
    running = await start(broker.port, wait=False)
    await until(lambda: running.log.named("broker_away"))
    assert "did not answer within 5 seconds" in running.log.named("broker_away")[0]["error"]
    broker.thaw()
    await until(lambda: running.publisher.available)


@ensureDeferred
async def test_listener_that_fails_does_not_end_the_connection(
    broker: Broker, start: Start
) -> None:
    """A fault in who is told "available" is logged; publishing works."""
    running = await start(broker.port, wait=False)

    def fail() -> None:
        raise RuntimeError("a fault of ours")

    running.publisher.on_available = fail
    await until(lambda: running.log.named("on_available_failed"))
    assert await running.outcome(a_publication()) == "confirmed"


@ensureDeferred
async def test_heartbeats_keep_an_idle_connection(broker: Broker, start: Start) -> None:
    """With nothing to publish, both sides still hear each other, over one connection."""
    running = await start(broker.port, heartbeat_seconds=1)
    amqp = running.publisher._session._connection.amqp
    sent, received = amqp.frames_sent, amqp.frames_received
    await until(lambda: amqp.frames_sent >= sent + 8 and amqp.frames_received >= received + 4)
    assert running.publisher.available
    assert running.times_available == 1


@ensureDeferred
async def test_heartbeats_find_out_a_dead_broker(broker: Broker, start: Start) -> None:
    """A broker that hangs without closing the connection is noticed, and left."""
    running = await start(broker.port, heartbeat_seconds=1)
    broker.freeze()
    # More than the socket takes, so that closing in good order could not end either.
    pending = defer.Deferred.fromCoroutine(
        running.outcomes([a_publication(n, body=b"x" * 1_000_000) for n in range(1, 31)])
    )
    await until(lambda: not running.publisher.available)
    assert set(await pending) == {"BrokerUnavailable"}
    assert "missed heartbeats" in running.log.named("broker_away")[0]["error"]
    broker.thaw()
    await until(lambda: running.publisher.available)


@ensureDeferred
async def test_stop_ends_with_the_broker_away(broker: Broker, start: Start) -> None:
    """Stopping between two attempts to connect does not wait for the next one."""
    running = await start(
        free_port(), wait=False, reconnect_min_seconds=300.0, reconnect_max_seconds=300.0
    )
    await until(lambda: running.log.named("broker_away"))
    await defer.Deferred.fromCoroutine(running.publisher.stop()).addTimeout(10, reactor)
    assert not running.publisher.available


@pytest.mark.parametrize("connected", [True, False])
@ensureDeferred
async def test_stop_ends_with_the_broker_hanging(
    broker: Broker, start: Start, connected: bool
) -> None:
    """A broker that answers nothing does not keep the gateway from stopping."""
    if connected:
        running = await start(broker.port)
        broker.freeze()
        pending = defer.Deferred.fromCoroutine(running.outcome(a_publication()))
    else:
        broker.freeze()
        running = await start(broker.port, wait=False)
        pending = defer.Deferred.fromCoroutine(running.outcome(a_publication()))
    await defer.Deferred.fromCoroutine(running.publisher.stop(1.0)).addTimeout(20, reactor)
    assert await pending == "BrokerUnavailable"
    assert await running.outcome(a_publication()) == "BrokerUnavailable"
    broker.thaw()


@ensureDeferred
async def test_stop_waits_for_confirms_and_leaves_in_good_order(
    broker: Broker, start: Start
) -> None:
    """What is in flight at a stop is confirmed, not failed and sent again at the next start."""
    running = await start(broker.port)
    pending = defer.Deferred.fromCoroutine(
        running.outcomes([a_publication(n) for n in range(1, 101)])
    )
    await running.publisher.stop()
    assert set(await pending) == {"confirmed"}

    def said() -> str:
        return broker.output().rpartition("accepting AMQP connection")[2]

    await until(lambda: "closing AMQP connection" in said())
    assert "client unexpectedly closed" not in said()


@ensureDeferred
async def test_too_large_message_is_refused_alone(broker: Broker, start: Start) -> None:
    """The broker closes the channel over it once; then the gateway knows the limit itself."""
    running = await start(broker.port)
    large = a_publication(1, body=b"x" * (MAX_MESSAGE_BYTES + 1))
    with pytest.raises(PublicationRefused, match=f"at most {MAX_MESSAGE_BYTES}") as caught:
        await running.publisher.publish(large)
    assert "max_message_size" in caught.value.remedy
    await until(lambda: running.publisher.available)
    assert running.times_available == 2
    for _ in range(3):
        assert await running.outcome(large) == "PublicationImpossible"
    assert await running.outcome(a_publication(2)) == "confirmed"
    assert await running.outcome(a_publication(3, body=b"x" * MAX_MESSAGE_BYTES)) == "confirmed"
    assert running.times_available == 2


@ensureDeferred
async def test_neighbours_of_a_too_large_message_can_be_sent_again(
    broker: Broker, start: Start
) -> None:
    """Only the message that broke the channel is blamed for it."""
    running = await start(broker.port)
    many = [a_publication(n) for n in range(1, 51)]
    many[25] = a_publication(26, body=b"x" * (MAX_MESSAGE_BYTES + 1))
    outcomes = await running.outcomes(many)
    assert outcomes[25] == "PublicationImpossible"
    assert set(outcomes[:25] + outcomes[26:]) <= {"confirmed", "BrokerUnavailable"}
    await until(lambda: running.publisher.available)
    again = [p for p, outcome in zip(many, outcomes, strict=True) if outcome != "confirmed"]
    assert set(await running.outcomes([p for p in again if p is not many[25]])) <= {"confirmed"}
    arrived = await in_thread(broker.take, ACCEPTED, 49)
    assert {m.message_id for m in arrived} == ids(many) - {many[25].message_id}


@ensureDeferred
async def test_full_queue_refuses_the_message(broker: Broker, start: Start) -> None:
    """A negative confirm concerns one message: the connection stays, others go through."""
    running = await start(broker.port)
    connection = broker.connect()
    channel = connection.channel()
    try:
        channel.queue_declare(
            "tests.full",
            durable=True,
            arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
        )
        channel.queue_bind("tests.full", "edi.documents", "only.this.full")
        full = [a_publication(n, routing_key="only.this.full") for n in range(1, 11)]
        outcomes = await running.outcomes(full)
        assert set(outcomes) == {"confirmed", "PublicationRefused"}
        assert await running.outcome(a_publication(11)) == "confirmed"
        assert running.times_available == 1
    finally:
        channel.queue_delete("tests.full")
        connection.close()


@ensureDeferred
async def test_message_that_is_never_confirmed_is_given_back(broker: Broker, start: Start) -> None:
    """After a while the outbox gets it back, to try again, instead of waiting for ever."""
    running = await start(broker.port, confirm=1.0)
    broker.freeze()
    with pytest.raises(PublicationRefused, match="did not confirm"):
        await running.publisher.publish(a_publication())
    broker.thaw()
    assert await running.outcome(a_publication(2)) == "confirmed"


@ensureDeferred
async def test_unwritable_message_harms_nobody(broker: Broker, start: Start) -> None:
    """A routing key longer than AMQP allows is refused here; the channel never sees it."""
    running = await start(broker.port)
    wrong = a_publication(1, routing_key="x" * 256)
    outcomes = await running.outcomes([a_publication(2), wrong, a_publication(3)])
    assert outcomes == ["confirmed", "PublicationImpossible", "confirmed"]
    assert running.times_available == 1


@ensureDeferred
async def test_blocked_broker_is_left_in_peace(broker: Broker, start: Start) -> None:
    """While the broker is short of memory nothing is sent; afterwards everything goes on."""
    running = await start(broker.port)
    await in_thread(broker.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        first = defer.Deferred.fromCoroutine(running.outcome(a_publication(1)))
        await until(lambda: not running.publisher.available)
        with pytest.raises(BrokerUnavailable, match="takes no messages now: low on memory"):
            await running.publisher.publish(a_publication(2))
        assert running.log.named("broker_blocked")
        assert running.times_available == 1
    finally:
        await in_thread(broker.ctl, "set_vm_memory_high_watermark", "0.4")
    await until(lambda: running.publisher.available)
    assert running.times_available == 2
    assert await first == "confirmed"
    assert await running.outcome(a_publication(2)) == "confirmed"


@ensureDeferred
async def test_missing_exchange_is_named(broker: Broker, start: Start) -> None:
    """Without declaring, a broker that lacks the exchange closes the channel and says so."""
    running = await start(broker.port, declare=False)
    with pytest.raises(BrokerUnavailable, match=r"404 NOT_FOUND - no exchange 'edi\.documents'"):
        await running.publisher.publish(a_publication())
    await until(lambda: running.times_available >= 2)
    assert "no exchange" in running.log.named("broker_away")[0]["error"]


@ensureDeferred
async def test_exchange_with_other_properties_is_reported(broker: Broker, start: Start) -> None:
    """A declaration the broker refuses names what and what to do, and is tried again."""
    connection = broker.connect()
    connection.channel().exchange_declare("edi.acknowledgements", "direct", durable=True)
    running = await start(broker.port, wait=False)
    await until(lambda: len(running.log.named("broker_away")) >= 2)
    away = running.log.named("broker_away")[0]
    assert "refused to declare exchange edi.acknowledgements" in away["error"]
    assert "inequivalent arg 'type'" in away["error"]
    assert "rabbitmq.declare = false" in away["remedy"]
    connection.channel().exchange_delete("edi.acknowledgements")
    connection.close()
    await until(lambda: running.publisher.available)


def test_definitions_file_is_the_topology() -> None:
    """What a sysadmin imports and what the gateway declares are the same."""
    file = data_folder("conf") / "rabbitmq-definitions.json"
    assert json.loads(file.read_text()) == definitions()


@ensureDeferred
async def test_imported_definitions_are_what_the_gateway_declares(
    broker: Broker, start: Start
) -> None:
    """RabbitMQ takes the file; declaring on top of it changes nothing, and messages arrive."""
    file = data_folder("conf") / "rabbitmq-definitions.json"
    await in_thread(broker.ctl, "import_definitions", str(file.resolve()))
    importing = await start(broker.port, declare=False)
    assert await importing.outcome(a_publication(1)) == "confirmed"
    declaring = await start(broker.port, declare=True)
    assert await declaring.outcome(a_publication(2)) == "confirmed"
    assert not declaring.log.named("broker_away")
    assert len(await in_thread(broker.take, ACCEPTED, 2)) == 2


@ensureDeferred
async def test_tls_with_the_right_authority(broker: Broker, start: Start, tmp_path: Path) -> None:
    """Publishing over TLS, showing a client certificate that the broker checks."""
    own = broker.authority.issue_cert("gateway.example")
    (tmp_path / "own.pem").write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    tls = RabbitmqTls(
        enabled=True,
        ca_file=str(broker.ca_file),
        certificate_file=str(tmp_path / "own.pem"),
        key_file=str(tmp_path / "own.key"),
        server_name="localhost",
    )
    running = await start(broker.tls_port, tls=tls)
    assert set(await running.outcomes([a_publication(n) for n in range(1, 101)])) == {"confirmed"}
    assert len(await in_thread(broker.take, ACCEPTED, 100)) == 100


@pytest.mark.parametrize("wrong", ["authority", "name"])
@ensureDeferred
async def test_tls_trusts_no_stranger(
    broker: Broker, start: Start, tmp_path: Path, wrong: str
) -> None:
    """Another authority, or a certificate for another name, is refused and explained."""
    ca_file = broker.ca_file
    if wrong == "authority":
        ca_file = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(ca_file)
    name = "elsewhere.example" if wrong == "name" else "localhost"
    tls = RabbitmqTls(enabled=True, ca_file=str(ca_file), server_name=name)
    running = await start(broker.tls_port, wait=False, tls=tls)
    await until(lambda: running.log.named("broker_away"))
    away = running.log.named("broker_away")[0]
    assert away["error"].startswith("TLS with RabbitMQ at 127.0.0.1")
    assert "rabbitmq.tls" in away["remedy"]
    assert await running.outcome(a_publication()) == "BrokerUnavailable"


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file"])
@ensureDeferred
async def test_unusable_tls_file_stops_the_start(start: Start, tmp_path: Path, key: str) -> None:
    """A file that is absent, or is no PEM, is a configuration error that names the setting."""
    files = {"certificate_file": tmp_path / "own.pem", "key_file": tmp_path / "own.key"}
    own = trustme.CA().issue_cert("gateway.example")
    own.cert_chain_pems[0].write_to_path(files["certificate_file"])
    own.private_key_pem.write_to_path(files["key_file"])
    files[key] = tmp_path / "wrong.pem"
    for content in (None, b"not PEM"):
        if content is not None:
            files[key].write_bytes(content)
        tls = RabbitmqTls(enabled=True, **{name: str(file) for name, file in files.items()})
        with pytest.raises(ConfigurationError, match=rf"rabbitmq\.tls\.{key}: .*wrong\.pem"):
            await start(free_port(), wait=False, tls=tls)


@ensureDeferred
async def test_wrong_password_is_explained_and_never_shown(
    broker: Broker, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator reads which user was refused; the password is in no log and no repr."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="pika")
    running = await start(broker.port, password="not-the-password", wait=False)
    await until(lambda: running.log.named("broker_away"))
    away = running.log.named("broker_away")[0]
    assert "refused the login of user 'guest'" in away["error"]
    assert "password_file" in away["remedy"]
    everything = caplog.text + repr(running.log.events) + repr(running.publisher)
    assert "not-the-password" not in everything
    assert "pika" in {record.name.partition(".")[0] for record in caplog.records}


@ensureDeferred
async def test_missing_virtual_host_is_explained(broker: Broker, start: Start) -> None:
    """A virtual host that does not exist is named, with what to do."""
    running = await start(broker.port, wait=False, virtual_host="invoices")
    await until(lambda: running.log.named("broker_away"))
    away = running.log.named("broker_away")[0]
    assert "virtual host 'invoices'" in away["error"]
    assert "rabbitmq.virtual_host" in away["remedy"]


def test_backoff_doubles_between_its_bounds_with_jitter() -> None:
    """Each wait is at most twice the one before, never over the longest, never under a half."""
    backoff = Backoff(1.0, 60.0, random.Random(1))
    waits = [backoff.next() for _ in range(2000)]
    for attempt, wait in enumerate(waits):
        full = min(60.0, 2.0 ** min(attempt, 6))
        assert full / 2 <= wait <= full
    assert len({round(wait, 6) for wait in waits}) > 1900
    backoff.reset()
    assert backoff.next() <= 1.0
