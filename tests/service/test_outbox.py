"""The outbox: what is committed is sent until it is confirmed, and marked once."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import BrokerUnavailable, MessageReturned
from gateway.model.interchange import Envelope, Interchange, Transport
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.publication import Publication
from gateway.model.verdict import Accepted, Judgement, Language
from gateway.service import answering, arrive, consequences, messages, settle
from gateway.service.destination import LINGER_SECONDS
from gateway.service.journal import Journal, records
from gateway.service.outbox import Outbox

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
FAST = OutboxSettings(poll_seconds=0.05, retry_min_seconds=0.01, retry_max_seconds=0.05)


class FakeBroker:
    """Says yes, unless told otherwise; remembers everything it was handed."""

    def __init__(self) -> None:
        self.available = True
        self.handed: list[Publication] = []
        self.refuse: Callable[[Publication], Exception | None] = lambda _: None

    async def publish(self, publication: Publication) -> None:
        """Take it, or raise what the test wants."""
        error = self.refuse(publication)
        if error is not None:
            raise error
        self.handed.append(publication)

    def of(self, exchange: str) -> list[Publication]:
        """What one exchange got."""
        return [p for p in self.handed if p.exchange == exchange]


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor turn until `condition` holds, for a bounded time."""
    for _ in range(1000):
        if condition():
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError("never happened")


def accepted(name: str = "a.xml") -> Judgement:
    """A judgement that accepts."""
    return Judgement(
        document=name,
        sha256="0" * 64,
        size=3,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile=None,
        verdict=Accepted(invoice=b'{"invoice_number":"FA-1"}'),
    )


def interchange(number: int = 1, partner: str = "acme") -> Interchange:
    """An interchange that has just been received."""
    return Interchange(
        id=f"018bcfe5-6800-7fff-bfff-{number:012d}",
        envelope=Envelope(
            partner=partner, name=f"{number}.xml", transport=Transport.SFTP, received_at=NOW
        ),
        sha256=f"{number:064d}",
        size=3,
    )


async def settled(journal: Journal, number: int = 1, partner: str = "acme") -> Interchange:
    """Bring an interchange with one accepted document as far as settled."""
    one = interchange(number, partner)
    judgement = accepted()
    subject = consequences.payload_of(one)
    result = consequences.result_of(one, subject, judgement, Language.FR, NOW)
    closing = answering.Closing(
        state=InterchangeState.SETTLED,
        flow=judgement.flow,
        revision=1,
        reports=(
            answering.FormSent(
                publication=messages.report_publication(
                    one,
                    b"<InterchangeReport/>",
                    sha256="0" * 64,
                    filename=f"{number}.report.xml",
                    flow=judgement.flow,
                    revision=1,
                    now=NOW,
                ),
                filename=f"{number}.report.xml",
            ),
        ),
        cause=None,
    )
    await journal.write("t", lambda conn: arrive.receive(conn, one, NOW))
    await journal.write(
        "t",
        lambda conn: settle.settle_document(
            conn, one, subject, judgement, result, retry=None, now=NOW
        ),
    )
    await journal.write("t", lambda conn: answering.close_interchange(conn, one, closing, now=NOW))
    return one


@async_yield_fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal of its own."""
    opened = Journal(reactor, tmp_path / "journal.sqlite")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def broker() -> FakeBroker:
    """A broker that says yes."""
    return FakeBroker()


def outbox_for(
    journal: Journal,
    broker: FakeBroker,
    files: list[str],
    *,
    settings: OutboxSettings = FAST,
    committed: Collection[str] = (),
    **channels: Any,
) -> Outbox:
    """An outbox with a channel that writes file names into a list."""

    async def to_partner(row: records.OutboxRow) -> None:
        files.append(row.filename or "?")

    return Outbox(
        reactor,
        journal=journal,
        broker=broker,
        channels={"sftp": to_partner, **channels},
        settings=settings,
        committed=committed,
        log=structlog.get_logger(),
    )


async def state_of(journal: Journal, one: Interchange) -> tuple[str, list[str]]:
    """The states of an interchange and of its documents."""
    row = await journal.read("t", lambda conn: records.interchange(conn, one.id))
    documents = await journal.read("t", lambda conn: records.documents_of(conn, one.id))
    return row.state, [document.state for document in documents]


@ensureDeferred
async def test_everything_committed_is_sent_and_the_states_follow(
    journal: Journal, broker: FakeBroker
) -> None:
    """Result, report and events go out; the document is published, the interchange acknowledged."""
    files: list[str] = []
    one = await settled(journal)
    outbox = outbox_for(journal, broker, files)
    outbox.start()
    await until(lambda: any(p.routing_key.endswith(".acknowledged") for p in broker.handed))
    await outbox.stop(5)
    assert await state_of(journal, one) == (
        InterchangeState.ACKNOWLEDGED,
        [DocumentState.PUBLISHED],
    )
    assert [p.routing_key for p in broker.of("edi.documents")] == ["ctc-fr-invoice.ubl.accepted"]
    assert [p.routing_key for p in broker.of("edi.acknowledgements")] == ["ctc-fr-invoice.report"]
    states = {p.routing_key.rsplit(".", 1)[1] for p in broker.of("edi.events")}
    assert states >= {"received", "opened", "extracted", "accepted", "judged", "settled"}
    assert len(files) == 1
    counts = await journal.read("t", records.counts)
    assert counts.outbox == {}


@ensureDeferred
async def test_many_files_at_once_do_not_make_idle_destinations_look_again_and_again(
    journal: Journal, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file wakes all of them; one with nothing to send looks ten times a second at most."""
    looks: list[str] = []
    read = journal.read

    def counted(name: str, work: Callable[[Any], Any]) -> Any:
        looks.append(name)
        return read(name, work)

    monkeypatch.setattr(journal, "read", counted)
    files: list[str] = []
    outbox = outbox_for(journal, broker, files, settings=OutboxSettings(poll_seconds=60))
    outbox.start()
    began = time.monotonic()
    for _ in range(200):
        outbox.wake()
        await task.deferLater(reactor, 0.002)
    most = len(outbox.destinations) * ((time.monotonic() - began) / LINGER_SECONDS + 2)
    assert len(outbox.destinations) <= looks.count("due_outbox") <= most
    await settled(journal)
    outbox.wake()
    await until(lambda: any(p.routing_key.endswith(".acknowledged") for p in broker.handed))
    await outbox.stop(5)
    assert len(files) == 1


@ensureDeferred
async def test_a_broker_that_is_away_holds_back_no_acknowledgement_of_a_flow_that_says_so(
    journal: Journal, broker: FakeBroker
) -> None:
    """Of flows that only ask for `committed` they reach out/; all arrives once it is back."""
    files: list[str] = []
    broker.available = False
    await settled(journal)
    outbox = outbox_for(journal, broker, files, committed=["ctc-fr-invoice"])
    outbox.start()
    await until(lambda: len(files) == 1)
    assert broker.handed == []
    broker.available = True
    outbox.wake()
    await until(lambda: any(p.routing_key.endswith(".acknowledged") for p in broker.handed))
    await outbox.stop(5)
    ids = [p.message_id for p in broker.handed]
    assert len(ids) == len(set(ids))


@ensureDeferred
async def test_a_returned_message_stays_visible_with_its_reason_and_is_tried_again(
    journal: Journal, broker: FakeBroker
) -> None:
    """A message no queue takes stays pending with last_error; it leaves when a queue is there."""
    files: list[str] = []
    broken = [True]
    broker.refuse = lambda p: (
        MessageReturned("no queue is bound")
        if broken[0] and p.exchange == "edi.documents"
        else None
    )
    one = await settled(journal)
    outbox = outbox_for(journal, broker, files)
    outbox.start()
    await until(lambda: outbox.destinations[0].last_error == "no queue is bound")
    await until(lambda: len(broker.of("edi.events")) > 3)
    rows = await journal.read("t", lambda conn: records.outbox_of(conn, one.id))
    waiting = [row for row in rows if row.state == "pending" and row.kind == "document"]
    assert [row.last_error for row in waiting] == ["no queue is bound"]
    assert broker.of("edi.acknowledgements") == []
    broken[0] = False
    await until(lambda: len(broker.of("edi.documents")) == 1)
    await until(lambda: len(broker.of("edi.acknowledgements")) == 1)
    await outbox.stop(5)


@ensureDeferred
async def test_losing_the_broker_mid_batch_costs_no_message_and_counts_no_attempt(
    journal: Journal, broker: FakeBroker
) -> None:
    """BrokerUnavailable leaves the rows as they are: the broker's absence is not their fault."""
    files: list[str] = []
    away = [True]
    broker.refuse = lambda p: BrokerUnavailable("away") if away[0] else None
    one = await settled(journal)
    outbox = outbox_for(journal, broker, files)
    outbox.start()
    await until(lambda: outbox.destinations[0].last_error == "away")
    rows = await journal.read("t", lambda conn: records.outbox_of(conn, one.id))
    assert {row.attempts for row in rows if row.destination == "broker"} == {0}
    away[0] = False
    await until(lambda: any(p.routing_key.endswith(".acknowledged") for p in broker.handed))
    await outbox.stop(5)


@ensureDeferred
async def test_a_message_that_breaks_the_sender_holds_back_no_other(
    journal: Journal, broker: FakeBroker
) -> None:
    """Whatever goes wrong with one row, its neighbours are sent once and marked."""
    files: list[str] = []
    broker.refuse = lambda p: ValueError("broken") if p.exchange == "edi.documents" else None
    one = await settled(journal)
    outbox = outbox_for(journal, broker, files, committed=["ctc-fr-invoice"])
    outbox.start()
    await until(lambda: any(p.routing_key.endswith(".acknowledged") for p in broker.handed))
    await outbox.stop(5)
    ids = [p.message_id for p in broker.handed]
    assert len(ids) == len(set(ids))
    rows = await journal.read("t", lambda conn: records.outbox_of(conn, one.id))
    (poison,) = [row for row in rows if row.state == "pending"]
    assert poison.kind == "document"
    assert "broken" in (poison.last_error or "")


@ensureDeferred
async def test_a_batch_nothing_of_which_can_be_sent_does_not_hide_what_comes_after(
    journal: Journal, broker: FakeBroker
) -> None:
    """One folder of publications that cannot be written holds back only what goes there."""
    files: list[str] = []
    broker.refuse = lambda p: (
        BrokerUnavailable("folder not writable") if p.exchange == "edi.events" else None
    )
    await settled(journal)
    outbox = outbox_for(journal, broker, files, settings=msgspec.structs.replace(FAST, batch=2))
    outbox.start()
    await until(lambda: len(broker.of("edi.documents")) == 1)
    await until(lambda: len(broker.of("edi.acknowledgements")) == 1)
    await outbox.stop(5)


@ensureDeferred
async def test_the_answer_to_one_partner_does_not_wait_behind_the_messages_of_another(
    journal: Journal, broker: FakeBroker
) -> None:
    """Whoever came last gets the same share of each batch as the one with a mountain."""
    for number in range(1, 41):
        await settled(journal, number)
    await settled(journal, 41, "bravo")
    files: list[str] = []
    outbox = outbox_for(journal, broker, files, settings=msgspec.structs.replace(FAST, batch=8))
    outbox.start()
    await until(lambda: "41.report.xml" in files)
    id_ = interchange(41).id
    place = next(
        place
        for place, each in enumerate(broker.handed)
        if each.exchange == "edi.documents" and each.correlation_id == id_
    )
    before = sum(each.correlation_id == id_ for each in broker.handed[:place])
    assert place < 8 * (before // 4 + 1), "half of each batch was theirs"
    await until(lambda: len(files) == 41)
    await outbox.stop(5)


@ensureDeferred
async def test_a_destination_that_says_nothing_is_given_no_more_than_a_batch(
    journal: Journal, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much waits: that is in the journal, not in memory."""
    silent: list[defer.Deferred[None]] = []

    async def publish(publication: Publication) -> None:
        silent.append(defer.Deferred())
        await silent[-1]
        broker.handed.append(publication)

    monkeypatch.setattr(broker, "publish", publish)
    for number in range(1, 6):
        await settled(journal, number)
    files: list[str] = []
    outbox = outbox_for(journal, broker, files, settings=msgspec.structs.replace(FAST, batch=4))
    outbox.start()
    await until(lambda: len(silent) == 4)
    for _ in range(20):
        outbox.wake()
        await task.deferLater(reactor, 0.02)
    assert len(silent) == 4
    waiting = (await journal.read("t", records.counts)).outbox[settle.BROKER].pending
    assert waiting > 20
    for one in silent:
        one.callback(None)
    await until(lambda: len(silent) == 8)
    assert len(broker.handed) == 4
    await outbox.stop(0.2)
    assert (await journal.read("t", records.counts)).outbox[settle.BROKER].pending == waiting - 4


@ensureDeferred
async def test_stopping_leaves_what_is_not_confirmed_in_the_journal(
    journal: Journal, broker: FakeBroker
) -> None:
    """A broker that never confirms does not keep the outbox from stopping."""
    files: list[str] = []

    async def never(_: records.OutboxRow) -> None:
        await task.deferLater(reactor, 3600)

    one = await settled(journal)
    outbox = outbox_for(journal, broker, files, sftp=never)
    outbox.start()
    await until(lambda: len(broker.of("edi.documents")) == 1)
    await outbox.stop(0.2)
    rows = await journal.read("t", lambda conn: records.outbox_of(conn, one.id))
    assert [row.kind for row in rows if row.state == "pending" and row.destination == "sftp"] == [
        "report"
    ]
    for call in reactor.getDelayedCalls():  # type: ignore[attr-defined]
        assert call.getTime() - reactor.seconds() < 3000, "no timer is left behind"  # type: ignore[attr-defined]
