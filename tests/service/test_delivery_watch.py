"""The watch over deliveries: one alarm when something is late, one word when it is over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor, task

from gateway.errors import DeliveryRefused
from gateway.model.lifecycle import InterchangeState
from gateway.service import arrive, delivery_watch, late_alerts
from gateway.service.delivery_metrics import delivery_metrics
from gateway.service.delivery_watch import SECONDS, DeliveryWatch
from gateway.service.journal import Journal, delivery_records, given_records, records
from gateway.service.journal.delivery_records import Circuit, Hold
from tests.service.test_outbox import NOW, interchange, settled

DAY = dt.timedelta(days=1)


class Watched:
    """A journal with a watch whose clock the test moves."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.clock = task.Clock()
        self.now = NOW
        self.said = structlog.testing.CapturingLogger()
        self.watch = self.new_watch()

    def events(self) -> list[tuple[str, Any]]:
        """What the log says."""
        return [(call.kwargs["event"], call.kwargs.get("count")) for call in self.said.calls]

    def new_watch(self) -> DeliveryWatch:
        """As after a restart."""
        self.watch = DeliveryWatch(
            self.clock,
            journal=self.journal,
            late_hours=24,
            committed=(),
            log=structlog.wrap_logger(self.said, processors=[]),
            now=lambda: self.now,
        )
        return self.watch

    async def published(self, number: int) -> list[dict[str, Any]]:
        """Bodies of what `edi.events` is told of this interchange being late."""
        rows: list[records.OutboxRow] = await self.journal.read(
            "t", lambda conn: records.outbox_of(conn, interchange(number).id)
        )
        alerts = [row for row in rows if row.type == "edi.event.alert"]
        assert all((row.exchange, row.destination) == ("edi.events", "broker") for row in alerts)
        return [json.loads(row.body) for row in alerts]

    async def deliver(self, number: int) -> None:
        """Everything of this interchange arrives."""
        id_ = interchange(number).id

        def write(conn: Any) -> None:
            rows = records.outbox_of(conn, id_)
            records.mark_delivered(conn, [row.id for row in rows], self.now)
            records.move_interchange(
                conn, id_, InterchangeState.ACKNOWLEDGED, cause=None, now=self.now
            )

        await self.journal.write("t", write)


@async_yield_fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Two interchanges are settled, their acknowledgements wait."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    await settled(journal, 1)
    await settled(journal, 2)
    yield Watched(journal)
    await journal.close()


@ensureDeferred
async def test_late_is_told_once_and_once_that_it_is_over(watched: Watched) -> None:
    """Not before the day is over, not at every look, for each interchange by itself."""
    watched.now = NOW + DAY
    await watched.watch.look()
    assert watched.events() == []
    watched.now += dt.timedelta(seconds=1)
    for _ in range(3):
        await watched.watch.look()
    assert watched.events() == [("acknowledgements_late", 2)]
    await watched.deliver(1)
    for _ in range(2):
        await watched.watch.look()
    assert watched.events()[1:] == [("acknowledgements_late_over", 1)]
    await watched.deliver(2)
    seen = await watched.watch.look()
    assert watched.events()[2:] == [("acknowledgements_late_over", 1)]
    assert seen.late == ()


@ensureDeferred
async def test_the_alarm_says_what_keeps_each_of_them(watched: Watched) -> None:
    """The broker, the partner, a hold, quarantine, judges: whoever reads it knows where to look."""
    one, two, three, four = (interchange(number) for number in (1, 2, 3, 4))

    def write(conn: Any) -> None:
        (row,) = [
            row
            for row in records.outbox_of(conn, one.id)
            if (row.kind, row.destination) == ("report", "broker")
        ]
        records.mark_failed(conn, row.id, error="no queue", next_attempt_at=NOW)
        for each in (three, four):
            arrive.receive(conn, each, NOW)
        records.move_interchange(
            conn, four.id, InterchangeState.QUARANTINED, cause="pack missing", now=NOW
        )

    await watched.journal.write("t", write)
    watched.now = NOW + 2 * DAY
    await watched.watch.look()
    (call,) = watched.said.calls
    assert call.method_name == "warning"
    why = {each["interchange"]: each["why"] for each in call.kwargs["about"]}
    assert why == {
        one.id: "no queue",
        two.id: "its acknowledgement to broker waits",
        three.id: "it is not judged to the end yet",
        four.id: "it is in quarantine: pack missing",
    }
    assert "edi-gateway queues" in call.kwargs["remedy"]
    everything = Hold(
        partner="", flow="", destination="", reason="r", placed_by="me", placed_at=NOW
    )
    await watched.journal.write("t", lambda c: delivery_records.place_hold(c, everything))
    await watched.new_watch().look()
    about = watched.said.calls[-1].kwargs["about"]
    assert about[0]["why"] == "its acknowledgement to broker is held"


@ensureDeferred
async def test_a_status_that_waits_behind_a_report_that_left_is_late_too(watched: Watched) -> None:
    """A day counts from when it was given; what is sent again counts from then."""
    for number in (1, 2):
        await watched.deliver(number)

    def later(conn: Any) -> None:
        (row,) = [
            row
            for row in records.outbox_of(conn, interchange(2).id)
            if (row.kind, row.destination) == ("report", "broker")
        ]
        status = records.Outgoing(
            publication=msgspec.structs.replace(
                row.publication(), message_id="status", timestamp=NOW + 5 * DAY
            ),
            interchange_id=row.interchange_id,
            ordinal=1,
            kind="cdar",
            destination="sftp",
            partner="acme",
            filename="s.xml",
        )
        records.add_outbox_many(conn, [status])

    await watched.journal.write("t", later)
    watched.now = NOW + 6 * DAY
    assert (await watched.watch.look()).late == ()
    watched.now += dt.timedelta(seconds=1)
    (late,) = (await watched.watch.look()).late
    assert (late.interchange, late.state) == (interchange(2).id, "acknowledged")
    (call,) = watched.said.calls
    assert call.kwargs["about"][0]["why"] == "its acknowledgement to sftp waits"


@ensureDeferred
async def test_statuses_that_are_owed_for_a_day_are_late(watched: Watched) -> None:
    """From the verdict on, though the report has left; a replay does not begin the day anew."""
    one = interchange(1)
    for number in (1, 2):
        await watched.deliver(number)

    def owe(conn: Any) -> None:
        given_records.owe(conn, one.id, "acme", NOW)
        given_records.owe(conn, one.id, "acme", NOW + DAY / 2)

    await watched.journal.write("t", owe)
    watched.now = NOW + DAY
    seen = await watched.watch.look()
    assert (seen.late, seen.owed) == ((), given_records.OwedNumbers(1, 0, 0))
    watched.now += dt.timedelta(seconds=1)
    seen = await watched.watch.look()
    assert [each.interchange for each in seen.late] == [one.id]
    assert seen.owed == given_records.OwedNumbers(1, 0, 1)
    (call,) = watched.said.calls
    assert call.kwargs["event"] == "acknowledgements_late"
    assert call.kwargs["about"][0]["why"] == "statuses of its invoices are being made"
    (alert,) = await watched.published(1)
    assert (alert["to"], alert["cause"]) == ("acknowledgement-late", call.kwargs["about"][0]["why"])

    def pay(conn: Any) -> None:
        owed = given_records.owed_of(conn, one.id)
        assert owed is not None
        given_records.paid(conn, owed)

    await watched.journal.write("t", pay)
    assert (await watched.watch.look()).late == ()
    assert watched.events()[1:] == [("acknowledgements_late_over", 1)]
    assert [alert["to"] for alert in await watched.published(1)] == [
        "acknowledgement-late",
        "acknowledgement-late-over",
    ]


@ensureDeferred
async def test_the_alarm_says_why_statuses_cannot_be_sent(watched: Watched) -> None:
    """And metrics count those by themselves."""
    one = interchange(1)
    await watched.deliver(1)

    def fail(conn: Any) -> None:
        given_records.owe(conn, one.id, "acme", NOW)
        owed = given_records.owed_of(conn, one.id)
        assert owed is not None
        given_records.owed_later(conn, owed, "F1 is not valid", NOW)

    await watched.journal.write("t", fail)
    watched.now = NOW + 2 * DAY
    seen = await watched.watch.look()
    why = {each["interchange"]: each["why"] for each in watched.said.calls[0].kwargs["about"]}
    assert why[one.id] == "statuses of its invoices cannot be sent: F1 is not valid"
    samples = {
        tuple(sample.labels.values()): sample.value
        for metric in delivery_metrics(seen, watched.now)
        for sample in metric.samples
        if sample.name == "edi_gateway_statuses_owed"
    }
    assert samples == {("all",): 1, ("failed",): 1, ("late",): 1}


@ensureDeferred
async def test_late_is_published_once_whoever_is_restarted(watched: Watched) -> None:
    """Once when it begins, once when it is over, and again when it begins again."""
    watched.now = NOW + 2 * DAY
    for _ in range(2):
        await watched.watch.look()
        await watched.new_watch().look()
    (alert,) = await watched.published(1)
    assert alert["to"] == "acknowledgement-late"
    assert alert["cause"] == "its acknowledgement to broker waits"
    await watched.deliver(1)
    await watched.new_watch().look()
    await watched.watch.look()
    began, over = await watched.published(1)
    assert (over["to"], over["cause"], over["since"]) == (
        "acknowledgement-late-over",
        None,
        began["since"],
    )
    assert len(await watched.published(2)) == 1
    await watched.journal.write(
        "t", lambda conn: given_records.owe(conn, interchange(1).id, "acme", NOW)
    )
    watched.now += dt.timedelta(minutes=1)
    await watched.watch.look()
    assert [each["to"] for each in await watched.published(1)] == [
        "acknowledgement-late",
        "acknowledgement-late-over",
        "acknowledgement-late",
    ]


@ensureDeferred
async def test_of_many_only_so_many_are_published_at_a_look(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next looks go on; nobody is over because a list was cut."""
    monkeypatch.setattr(late_alerts, "AT_ONCE", 1)
    watched.now = NOW + 2 * DAY
    for told in ((1, 0), (1, 1), (1, 1)):
        await watched.watch.look()
        assert (len(await watched.published(1)), len(await watched.published(2))) == told
    monkeypatch.setattr(delivery_watch, "MOST_LATE", 1)
    await watched.watch.look()
    assert len(await watched.published(2)) == 1
    assert watched.events() == [("acknowledgements_late", 2)]


@ensureDeferred
async def test_it_looks_every_minute_and_survives_a_look_that_fails(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that died silently would be worse than none."""
    watched.now = NOW + 2 * DAY
    looks = 0

    async def fails(*_: Any) -> Any:
        nonlocal looks
        looks += 1
        raise OSError("disk")

    monkeypatch.setattr(watched.journal, "read", fails)
    watched.watch.start()
    for expected in (1, 2, 3):
        assert looks == expected
        watched.clock.advance(SECONDS)
    await watched.watch.stop()
    watched.clock.advance(10 * SECONDS)
    assert looks == 4
    assert {event for event, _ in watched.events()} == {"delivery_watch_failed"}


@pytest.mark.parametrize("dead", [False, True])
@ensureDeferred
async def test_metrics_tell_what_waits_what_is_held_and_what_is_dead(
    watched: Watched, dead: bool
) -> None:
    """By destination; gauges that somebody can alert on."""

    def write(conn: Any) -> None:
        (row,) = [
            row
            for row in records.outbox_of(conn, interchange(1).id)
            if (row.kind, row.destination) == ("report", "sftp")
        ]
        refused = str(DeliveryRefused("no"))
        records.mark_failed(
            conn, row.id, error=refused, next_attempt_at=NOW, refused=True, dead=dead
        )
        delivery_records.place_hold(
            conn,
            Hold(
                partner="acme",
                flow="",
                destination="sftp",
                reason="r",
                placed_by="me",
                placed_at=NOW,
            ),
        )
        delivery_records.keep_circuit(
            conn,
            Circuit(
                destination="sftp",
                partner="acme",
                opened_at=NOW,
                failures=7,
                next_probe_at=NOW,
                error="no answer",
            ),
        )

    await watched.journal.write("t", write)
    watched.now = NOW + dt.timedelta(hours=25)
    seen = await watched.watch.look()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in delivery_metrics(seen, watched.now)
        for sample in metric.samples
    }
    messages = "edi_gateway_outbox_messages"
    assert samples[messages, "sftp", "waiting"] == (1 if dead else 2)
    assert samples[messages, "sftp", "held"] == (1 if dead else 2)
    assert samples[messages, "sftp", "dead"] == int(dead)
    assert samples[messages, "broker", "held"] == 0
    assert samples["edi_gateway_outbox_oldest_seconds", "sftp"] == 25 * 3600
    due = "edi_gateway_outbox_due_oldest_seconds"
    assert samples[due, "broker"] == 25 * 3600
    assert (due, "sftp") not in samples  # all of it is held, or dead
    assert samples["edi_gateway_destination_away", "sftp", "acme"] == 1
    assert samples["edi_gateway_holds",] == 1
    assert samples["edi_gateway_acknowledgements_late",] == 2


@ensureDeferred
async def test_what_is_to_be_sent_is_neither_held_nor_before_its_turn(watched: Watched) -> None:
    """The age that alerts go by: an acknowledgement counts once its results are confirmed."""

    async def due() -> dict[str, dt.datetime | None]:
        return {each.destination: each.oldest_due for each in (await watched.watch.look()).queues}

    assert await due() == {"broker": NOW, "sftp": None}

    def confirm(conn: Any) -> None:
        rows = records.outbox_of(conn, interchange(1).id)
        confirmed = [row.id for row in rows if row.kind == "document"]
        records.mark_delivered(conn, confirmed, NOW)

    await watched.journal.write("t", confirm)
    assert await due() == {"broker": NOW, "sftp": NOW}
    hold = Hold(
        partner="acme", flow="", destination="sftp", reason="r", placed_by="me", placed_at=NOW
    )
    await watched.journal.write("t", lambda conn: delivery_records.place_hold(conn, hold))
    assert await due() == {"broker": NOW, "sftp": None}
