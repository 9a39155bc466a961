"""Delivery that goes wrong: held, refused, away, cut short. Nothing is lost or left uncounted."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import (
    DeliveryFailed,
    DeliveryRefused,
    DeliveryUnderWay,
    DestinationAway,
    GatewayError,
    JournalError,
    MessageReturned,
)
from gateway.model.interchange import Interchange
from gateway.service.breaker import Breaker, Pauses
from gateway.service.journal import Journal, delivery_records, records
from gateway.service.journal.delivery_records import Hold
from gateway.service.journal.queue_records import queues
from gateway.service.outbox import Outbox
from tests.service.test_outbox import NOW, FakeBroker, settled, until

FAST = OutboxSettings(
    poll_seconds=0.02,
    retry_min_seconds=0.01,
    retry_max_seconds=0.05,
    breaker_failures=3,
    dead_after_refusals=3,
)
SLOW = msgspec.structs.replace(FAST, retry_min_seconds=1000.0, retry_max_seconds=1000.0)


class Channel:
    """A partner's side: does what the test says, remembers what it was handed."""

    def __init__(self) -> None:
        self.handed: list[str] = []
        self.error: Callable[[records.OutboxRow], Exception | None] = lambda _: None

    async def send(self, row: records.OutboxRow) -> None:
        """Take it, or not."""
        self.handed.append(row.filename or "?")
        error = self.error(row)
        if error is not None:
            raise error


class Line:
    """An outbox on a journal of its own."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.broker = FakeBroker()
        self.channel = Channel()
        self.said = structlog.testing.CapturingLogger()
        self.outboxes: list[Outbox] = []

    def start(self, settings: OutboxSettings = FAST, **more: Any) -> Outbox:
        """Begin sending."""
        outbox = Outbox(
            reactor,
            journal=self.journal,
            broker=self.broker,
            channels={"sftp": self.channel.send},
            settings=settings,
            log=structlog.wrap_logger(self.said, processors=[]),
            rng=random.Random(1),
            **more,
        )
        outbox.start()
        self.outboxes.append(outbox)
        return outbox

    async def report(self, one: Interchange) -> records.OutboxRow:
        """The report on its way to the partner."""
        rows = await self.journal.read("t", lambda conn: records.outbox_of(conn, one.id))
        (row,) = [row for row in rows if (row.kind, row.destination) == ("report", "sftp")]
        return row

    async def until_report(self, one: Interchange, what: Callable[[Any], bool]) -> Any:
        """Wait until the report's row is so."""
        for _ in range(500):
            row = await self.report(one)
            if what(row):
                return row
            await task.deferLater(reactor, 0.01)
        raise AssertionError(f"never happened: {row.state} {row.attempts} {row.last_error}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the log says under this name."""
        return [call.kwargs for call in self.said.calls if call.kwargs.get("event") == name]

    async def write(self, work: Callable[..., Any]) -> Any:
        """On the journal."""
        return await self.journal.write("t", work)


@async_yield_fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """Everything answers."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    line = Line(journal)
    yield line
    for outbox in line.outboxes:
        await outbox.stop(1)
    await journal.close()


def hold(**about: str) -> Hold:
    """Of a partner, a flow, a destination."""
    everything = {"partner": "", "flow": "", "destination": ""}
    return Hold(**{**everything, **about}, reason="r", placed_by="me", placed_at=NOW)


# ---- holds


@pytest.mark.parametrize(
    ("about", "held"),
    [
        ({"partner": "acme"}, True),
        ({"flow": "ctc-fr-invoice"}, True),
        ({"destination": "sftp"}, True),
        ({"partner": "acme", "flow": "ctc-fr-invoice", "destination": "sftp"}, True),
        ({}, True),
        ({"partner": "other"}, False),
        ({"flow": "b2g-invoice"}, False),
        ({"destination": "as2"}, False),
        ({"partner": "acme", "flow": "b2g-invoice"}, False),
        ({"partner": "other", "destination": "sftp"}, False),
    ],
)
@ensureDeferred
async def test_what_is_held_is_not_tried_and_leaves_when_it_is_let_go(
    line: Line, about: dict[str, str], held: bool
) -> None:
    """A hold is meant for what has all it names; anything else goes on."""
    one = await settled(line.journal)
    assert await line.write(lambda conn: delivery_records.place_hold(conn, hold(**about)))
    assert not await line.write(lambda conn: delivery_records.place_hold(conn, hold(**about)))
    outbox = line.start(committed=["ctc-fr-invoice"])
    if held:
        await task.deferLater(reactor, 0.2)
        assert line.channel.handed == []
        assert (await line.report(one)).attempts == 0
        await line.write(lambda conn: delivery_records.lift_hold(conn, hold(**about), NOW))
        outbox.wake()
    await line.until_report(one, lambda row: row.state == "delivered")


@ensureDeferred
async def test_letting_go_sends_at_once_what_was_to_wait_longer(line: Line) -> None:
    """An operator who resumes has mended the cause: the pause after a failure is over too."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DeliveryFailed("no")
    outbox = line.start(SLOW)
    await line.until_report(one, lambda row: row.attempts == 1)
    await line.write(lambda conn: delivery_records.place_hold(conn, hold()))
    line.channel.error = lambda _: None
    now = dt.datetime.now(dt.UTC)
    assert await line.write(lambda conn: delivery_records.lift_hold(conn, hold(), now)) == 1
    outbox.wake()
    row = await line.until_report(one, lambda row: row.state == "delivered")
    assert row.attempts == 2


# ---- in order


@ensureDeferred
async def test_an_acknowledgement_waits_until_its_results_are_confirmed(line: Line) -> None:
    """Neither the partner nor the broker hears how it ended before the result is safe."""
    line.broker.refuse = lambda p: (
        MessageReturned("no queue") if p.exchange == "edi.documents" else None
    )
    one = await settled(line.journal)
    line.start(msgspec.structs.replace(FAST, dead_after_refusals=0))
    await until(lambda: len(line.broker.of("edi.events")) > 3)
    await task.deferLater(reactor, 0.3)
    assert line.channel.handed == []
    assert line.broker.of("edi.acknowledgements") == []
    (queue,) = [each for each in await line.journal.read("t", queues) if each.destination == "sftp"]
    assert (queue.waiting, queue.before_turn) == (1, 1)
    line.broker.refuse = lambda _: None
    await line.until_report(one, lambda row: row.state == "delivered")
    await until(lambda: len(line.broker.of("edi.acknowledgements")) == 1)
    kinds = [p.exchange for p in line.broker.handed if p.exchange != "edi.events"]
    assert kinds == ["edi.documents", "edi.acknowledgements"]


@pytest.mark.parametrize("seed", range(5))
@ensureDeferred
async def test_whatever_fails_no_acknowledgement_is_ever_ahead(line: Line, seed: int) -> None:
    """Random failures of both sides, many interchanges, restarts in between: the order holds."""
    rng = random.Random(seed)
    ones = [await settled(line.journal, number) for number in range(1, 9)]
    confirmed: set[str] = set()
    ahead: list[str] = []

    async def publish(publication: Any) -> None:
        await task.deferLater(reactor, rng.random() * 0.01)
        if rng.random() < 0.4:
            raise MessageReturned("no queue")
        if publication.exchange == "edi.documents":
            confirmed.add(publication.correlation_id)
        if publication.exchange == "edi.acknowledgements":
            ahead.extend({publication.correlation_id} - confirmed)

    def to_partner(row: records.OutboxRow) -> Exception | None:
        ahead.extend({row.interchange_id} - confirmed)
        return DeliveryFailed("no") if rng.random() < 0.4 else None

    line.broker.publish = publish  # type: ignore[method-assign]
    line.channel.error = to_partner
    for _ in range(3):
        outbox = line.start(msgspec.structs.replace(FAST, dead_after_refusals=0, batch=3))
        await task.deferLater(reactor, 0.15)
        await outbox.stop(0.01)
    line.start(msgspec.structs.replace(FAST, dead_after_refusals=0))
    for one in ones:
        await line.until_report(one, lambda row: row.state == "delivered")
    assert ahead == []


# ---- refused by the other side


@ensureDeferred
async def test_what_is_refused_too_often_is_dead_visible_and_can_be_revived(line: Line) -> None:
    """It is not tried any more, and nothing says that the partner has its answer."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DeliveryRefused("not for us")
    outbox = line.start()
    row = await line.until_report(one, lambda row: row.state == "dead")
    assert (row.attempts, row.refusals, row.last_error) == (3, 3, "not for us")
    await task.deferLater(reactor, 0.2)
    assert len(line.channel.handed) == 3
    (said,) = line.events("outbox_dead")
    assert said["interchange"] == one.id
    assert f"edi-gateway resend {one.id}" in said["remedy"]
    (queue,) = [each for each in await line.journal.read("t", queues) if each.dead]
    assert (queue.destination, queue.partner, queue.waiting) == ("sftp", "acme", 0)
    assert queue.last_error == "not for us"
    found = await line.journal.read("t", lambda conn: records.interchange(conn, one.id))
    assert found.state == "settled"
    line.channel.error = lambda _: None
    await line.write(lambda conn: records.once_more(conn, [row.id], NOW))
    outbox.wake()
    row = await line.until_report(one, lambda row: row.state == "delivered")
    assert (row.attempts, row.refusals) == (4, 0)


@ensureDeferred
async def test_a_destination_that_does_not_answer_kills_no_message(line: Line) -> None:
    """Only what is said of the message itself counts, however often it was tried."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DeliveryFailed("no answer")
    line.start()
    row = await line.until_report(one, lambda row: row.attempts > 6)
    assert (row.state, row.refusals) == ("pending", 0)


@ensureDeferred
async def test_a_no_that_comes_later_counts_without_an_attempt(line: Line) -> None:
    """An asynchronous receipt refuses what was posted, and counted, before."""
    one = await settled(line.journal)
    outbox = line.start(SLOW)
    row = await line.until_report(one, lambda row: row.state == "delivered")
    await line.write(lambda conn: records.once_more(conn, [row.id], NOW + dt.timedelta(days=9999)))
    for number in range(3):
        row = await line.report(one)
        assert (row.state, row.refusals) == ("pending", number)
        await outbox.record_refusal(row, DeliveryRefused("no"))
    row = await line.report(one)
    assert (row.state, row.attempts) == ("dead", 1)
    assert len(line.events("outbox_dead")) == 1


# ---- counted exactly


@ensureDeferred
async def test_an_attempt_that_a_crash_cut_short_is_counted(line: Line) -> None:
    """It is noted before it begins: the next start counts what has no outcome."""
    one = await settled(line.journal)
    never: defer.Deferred[None] = defer.Deferred()

    async def hang(_: records.OutboxRow) -> None:
        line.channel.handed.append("hangs")
        await never

    send, line.channel.send = line.channel.send, hang  # type: ignore[method-assign]
    outbox = line.start()
    await until(lambda: line.channel.handed == ["hangs"])
    assert (await line.report(one)).attempts == 0
    await outbox.stop(0.01)
    assert (await line.report(one)).attempts == 0
    line.channel.send = send  # type: ignore[method-assign]
    line.start(SLOW)
    row = await line.until_report(one, lambda row: row.state == "delivered")
    assert row.attempts == 2
    assert await line.write(delivery_records.count_interrupted) == 0


@ensureDeferred
async def test_what_goes_on_by_itself_is_one_attempt_however_often_it_is_asked(line: Line) -> None:
    """Until its outcome is there, nothing is counted; then once."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DeliveryUnderWay("slow", seconds=0.01)
    outbox = line.start()
    await until(lambda: len(line.channel.handed) >= 3)
    row = await line.report(one)
    assert (row.state, row.attempts) == ("pending", 0)
    await outbox.stop(1)
    await outbox.record(row, None)
    row = await line.report(one)
    assert (row.state, row.attempts) == ("delivered", 1)
    assert await line.write(delivery_records.count_interrupted) == 0


# ---- circuits


@ensureDeferred
async def test_a_partner_that_does_not_answer_gets_one_message_at_a_time(line: Line) -> None:
    """The others wait and lose no attempt; when it answers, all of them go."""
    ones = [await settled(line.journal, number) for number in range(1, 21)]
    line.channel.error = lambda _: DeliveryFailed("no answer")
    settings = msgspec.structs.replace(FAST, batch=3)
    outbox = line.start(settings)
    await until(lambda: len(line.events("destination_away")) == 1)
    tried = len(line.channel.handed)
    await task.deferLater(reactor, 0.5)
    probed = len(line.channel.handed) - tried
    assert 2 <= probed <= 25  # 0.05 s at most between two, 0.025 at least
    await outbox.stop(1)
    rows = [await line.report(one) for one in ones]
    assert sum(row.attempts for row in rows) == len(line.channel.handed)
    (circuit,) = await line.journal.read("t", delivery_records.open_circuits)
    assert (circuit.destination, circuit.partner, circuit.error) == ("sftp", "acme", "no answer")
    assert circuit.failures >= 3
    line.channel.error = lambda _: None
    line.start(settings)
    for one in ones:
        await line.until_report(one, lambda row: row.state == "delivered")
    assert await line.journal.read("t", delivery_records.open_circuits) == []
    assert len(line.events("destination_away")) == 1
    assert len(line.events("destination_answers")) == 1


@ensureDeferred
async def test_known_to_be_away_costs_no_attempt_and_outlives_a_restart(line: Line) -> None:
    """Whoever goes there says so before anything is sent; afterwards it is probed at once."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DestinationAway("its server is down")
    outbox = line.start(SLOW)
    await until(lambda: len(line.events("destination_away")) == 1)
    await task.deferLater(reactor, 0.1)
    assert len(line.channel.handed) == 1
    row = await line.report(one)
    assert (row.attempts, row.state) == (0, "pending")
    await outbox.stop(1)
    line.channel.error = lambda _: None
    line.start(SLOW)
    row = await line.until_report(one, lambda row: row.state == "delivered")
    assert row.attempts == 1
    assert len(line.events("destination_answers")) == 1


@ensureDeferred
async def test_word_that_it_is_back_is_followed_at_once(line: Line) -> None:
    """Nobody waits for the next probe."""
    one = await settled(line.journal)
    line.channel.error = lambda _: DestinationAway("its server is down")
    outbox = line.start(SLOW)
    await until(lambda: len(line.events("destination_away")) == 1)
    line.channel.error = lambda _: None
    outbox.try_now()
    await line.until_report(one, lambda row: row.state == "delivered")


@ensureDeferred
async def test_a_broker_that_is_away_for_long_is_told_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the moment a start takes; since when and why is there for whoever looks."""
    one = await settled(line.journal)
    line.broker.available = False
    line.broker.last_error = "connection refused"  # type: ignore[attr-defined]
    outbox = line.start()
    await task.deferLater(reactor, 0.2)
    assert line.events("destination_away") == []
    monkeypatch.setattr("gateway.service.destination.AWAY_SECONDS", 0.1)
    await until(lambda: len(line.events("destination_away")) == 1)
    await task.deferLater(reactor, 0.2)
    (circuit,) = await line.journal.read("t", delivery_records.open_circuits)
    assert (circuit.destination, circuit.partner) == ("broker", "")
    assert circuit.error == "connection refused"
    await outbox.stop(1)
    line.start()  # a restart does not tell it again
    await task.deferLater(reactor, 0.3)
    assert len(line.events("destination_away")) == 1
    line.broker.available = True
    await line.until_report(one, lambda row: row.state == "delivered")
    assert len(line.events("destination_answers")) == 1
    assert await line.journal.read("t", delivery_records.open_circuits) == []


def test_other_partners_of_the_same_channel_are_not_concerned() -> None:
    """A circuit is one partner's; a refusal shows that somebody answers."""
    breaker = Breaker("as2", failures=2, pauses=Pauses(FAST, random.Random(1)))
    away: GatewayError = DeliveryFailed("no")
    assert not breaker.hear("acme", away, NOW)
    assert not breaker.hear("zeta", away, NOW)
    assert not breaker.hear("acme", DeliveryRefused("no"), NOW)
    assert not breaker.hear("acme", away, NOW)
    assert breaker.hear("acme", away, NOW)
    assert list(breaker.open) == ["acme"]
    assert breaker.probes(NOW) == []
    assert breaker.probes(NOW + dt.timedelta(seconds=1)) == ["acme"]
    assert breaker.hear("acme", DeliveryRefused("not this one"), NOW)
    assert breaker.open == {}


def test_pauses_double_up_to_a_bound_and_are_spread() -> None:
    """Between half of it and all of it, and no two gateways at the same moment."""
    settings = OutboxSettings(retry_min_seconds=1.0, retry_max_seconds=60.0)
    pauses = Pauses(settings, random.Random(7))
    for attempts in range(100):
        whole = min(2.0**attempts, 60.0)
        drawn = {pauses.after(attempts).total_seconds() for _ in range(20)}
        assert len(drawn) > 10
        assert all(whole / 2 <= pause <= whole for pause in drawn)
    one, other = (Pauses(settings, random.Random(7)) for _ in range(2))
    assert [one.after(3) for _ in range(5)] == [other.after(3) for _ in range(5)]


def test_messages_that_were_under_way_together_fail_once() -> None:
    """A batch of them asks for no longer pause than one: who answers again is found soon."""
    settings = msgspec.structs.replace(FAST, retry_min_seconds=1.0, retry_max_seconds=300.0)
    breaker = Breaker("sftp", failures=3, pauses=Pauses(settings, random.Random(1)))
    heard = [breaker.hear("acme", DeliveryFailed("disk full"), NOW) for _ in range(500)]
    assert heard == [False, False, True] + [False] * 497
    assert breaker.open["acme"].failures == 3
    assert breaker.open["acme"].next_probe_at <= NOW + dt.timedelta(seconds=1)
    later = NOW + dt.timedelta(seconds=1)
    assert breaker.probes(later) == ["acme"]
    assert breaker.hear("acme", DeliveryFailed("disk full"), later)
    assert breaker.open["acme"].failures == 4
    assert later < breaker.open["acme"].next_probe_at <= later + dt.timedelta(seconds=2)


def test_what_was_not_kept_was_not_heard() -> None:
    """What the journal lost of an outcome is not remembered either, of these partners alone."""
    breaker = Breaker("sftp", failures=2, pauses=Pauses(FAST, random.Random(1)))
    away: GatewayError = DeliveryFailed("no")
    for name in ("one", "two", "two", "other"):
        breaker.hear(name, away, NOW)
    circuit = breaker.open["two"]

    def hear_in_vain() -> None:
        with breaker.unless_lost(["one", "two", "new"]):
            breaker.hear("one", away, NOW)
            breaker.hear("two", None, NOW)
            breaker.hear("new", DestinationAway("no"), NOW)
            breaker.hear("other", away, NOW)
            assert sorted(breaker.open) == ["new", "one", "other"]
            raise JournalError("disk full")

    with pytest.raises(JournalError):
        hear_in_vain()
    assert breaker.open == {"two": circuit, "other": breaker.open["other"]}
    assert breaker.hear("one", away, NOW), "its first failure is still known"
    with breaker.unless_lost(["two"]):
        breaker.hear("two", None, NOW)
    assert "two" not in breaker.open


@ensureDeferred
async def test_a_full_disk_that_keeps_no_outcome_stalls_no_destination(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages and journal fail together; both work again, and the messages leave at once."""
    ones = [await settled(line.journal, number) for number in range(1, 41)]
    full = True
    line.channel.error = lambda _: DeliveryFailed("No space left on device.") if full else None
    write = line.journal.write

    async def refuses(name: str, work: Callable[..., Any], **more: Any) -> Any:
        if full and name == "outbox_outcome":
            raise JournalError("The journal could not outbox_outcome: disk full.")
        return await write(name, work, **more)

    monkeypatch.setattr(line.journal, "write", refuses)
    outbox = line.start(
        msgspec.structs.replace(FAST, retry_min_seconds=1.0, retry_max_seconds=300.0),
        committed=("ctc-fr-invoice",),
    )
    sftp = outbox.destinations[1]
    await until(lambda: len([e for e in line.events("outbox_failed") if _is_sftp(e)]) > 1)
    assert sftp.breaker.open == {}
    assert line.events("destination_away") == []
    assert len(line.channel.handed) >= 80, "tried again, though nothing came of the first time"
    full = False
    for one in ones:
        await line.until_report(one, lambda row: row.state == "delivered")


def _is_sftp(event: dict[str, Any]) -> bool:
    return event["destination"] == "sftp"


@ensureDeferred
async def test_while_the_journal_refuses_who_wakes_it_is_not_answered_with_failure_after_failure(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files come in all the time: each wakes every destination."""
    await settled(line.journal)

    async def refuses(*_: Any, **__: Any) -> Any:
        raise JournalError("disk full")

    outbox = line.start(msgspec.structs.replace(FAST, poll_seconds=0.3))
    line.channel.error = lambda _: DeliveryFailed("no")
    monkeypatch.setattr(line.journal, "read", refuses)
    for _ in range(60):
        outbox.wake()
        await task.deferLater(reactor, 0.01)
    assert 2 <= len([e for e in line.events("outbox_failed") if _is_sftp(e)]) <= 4
