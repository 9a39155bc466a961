"""The watch over deliveries: one alarm when something is late, one word when it is over."""

from __future__ import annotations

import datetime as dt
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
from gateway.service import arrive
from gateway.service.delivery_metrics import delivery_metrics
from gateway.service.delivery_watch import SECONDS, DeliveryWatch
from gateway.service.journal import Journal, delivery_records, records
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
        self.watch = DeliveryWatch(
            self.clock,
            journal=journal,
            late_hours=24,
            committed=(),
            log=structlog.wrap_logger(self.said, processors=[]),
            now=lambda: self.now,
        )

    def events(self) -> list[tuple[str, Any]]:
        """What the log says."""
        return [(call.kwargs["event"], call.kwargs.get("count")) for call in self.said.calls]

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
    again = DeliveryWatch(
        watched.clock,
        journal=watched.journal,
        late_hours=1,
        committed=(),
        log=structlog.wrap_logger(watched.said, processors=[]),
        now=lambda: watched.now,
    )
    await again.look()
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
async def test_it_looks_every_minute_and_survives_a_look_that_fails(watched: Watched) -> None:
    """A watch that died silently would be worse than none."""
    watched.now = NOW + 2 * DAY
    looks = 0

    async def fails() -> Any:
        nonlocal looks
        looks += 1
        raise OSError("disk")

    watched.watch.look = fails  # type: ignore[method-assign]
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
    assert samples["edi_gateway_destination_away", "sftp", "acme"] == 1
    assert samples["edi_gateway_holds",] == 1
    assert samples["edi_gateway_acknowledgements_late",] == 2
