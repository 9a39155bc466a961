"""The clock is set forward and back: what waits, what is late, what expires, what is remembered."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import reactor, task

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import MessageReturned
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.clock_watch import ClockWatch
from gateway.service.delivery_watch import DeliveryWatch
from gateway.service.journal import Journal, clock_records, records
from gateway.service.outbox import Outbox
from gateway.service.sftp_server import expiry
from gateway.service.sftp_server.notes import NameLocks, Notes
from tests.service.journalling import due
from tests.service.test_outbox import NOW, FakeBroker, journal, settled, until

__all__ = ["journal"]

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
SET = pytest.mark.parametrize("by", [-30 * DAY, -DAY, -HOUR, HOUR, DAY, 30 * DAY], ids=str)


class Times:
    """The time of day, which may be set, and a clock that only goes forward."""

    def __init__(self) -> None:
        self.clock = task.Clock()
        self.set_by = dt.timedelta()

    def now(self) -> dt.datetime:
        """The time of day."""
        return NOW + dt.timedelta(seconds=self.clock.seconds()) + self.set_by


def watch(journal: Journal, times: Times, told: list[str]) -> tuple[ClockWatch, Any]:
    """A watch that looks when it is told to, and its log."""
    said = structlog.testing.CapturingLogger()
    made = ClockWatch(
        times.clock,
        journal=journal,
        told=lambda: told.append("told"),
        log=structlog.wrap_logger(said, processors=[]),
        now=times.now,
    )
    return made, said


@SET
@ensureDeferred
async def test_a_message_that_waits_is_tried_again_soon(journal: Journal, by: dt.timedelta) -> None:
    """However far the clock is set: nobody waits longer than the pause that was meant."""
    await settled(journal)
    times, broker = Times(), FakeBroker()
    refused: list[str] = []

    def refuse(publication: Any) -> Exception | None:
        refused.append(publication.message_id)
        return MessageReturned("no queue") if len(refused) < 4 else None

    broker.refuse = refuse

    async def to_partner(row: records.OutboxRow) -> None: ...

    outbox = Outbox(
        reactor,
        journal=journal,
        broker=broker,
        channels={"sftp": to_partner},
        settings=OutboxSettings(poll_seconds=0.05, retry_min_seconds=2.0, retry_max_seconds=4.0),
        committed=(),
        log=structlog.get_logger(),
        now=times.now,
    )
    told: list[str] = []
    clock, _ = watch(journal, times, told)
    await clock.start()
    await clock.stop()  # here it looks when it is told to
    outbox.start()
    await until(lambda: bool(refused))
    times.set_by = by
    times.clock.advance(0.5)
    await clock.look()
    if by > dt.timedelta():
        await until(lambda: len(refused) >= 4)
    else:
        before = len(refused)
        outbox.try_now()
        await until(lambda: len(refused) > before)
        for _ in range(4):
            times.clock.advance(4.0)
            outbox.wake()
            await task.deferLater(reactor, 0.1)
    await until(lambda: len(broker.of("edi.documents")) == 1)
    await outbox.stop(1)
    assert told == (["told"] if by < dt.timedelta() else [])


@SET
@ensureDeferred
async def test_what_was_set_is_told_once(journal: Journal, by: dt.timedelta) -> None:
    """One line for each time it is set, none for a clock that is steered."""
    times = Times()
    told: list[str] = []
    clock, said = watch(journal, times, told)
    await clock.start()
    await clock.stop()  # here it looks when it is told to
    for _ in range(10):
        times.clock.advance(1.0)
        times.set_by += dt.timedelta(milliseconds=50)
        await clock.look()
    assert said.calls == []
    times.set_by += by
    for _ in range(10):
        times.clock.advance(1.0)
        await clock.look()
    word = "clock_set_back" if by < dt.timedelta() else "clock_set_forward"
    (call,) = said.calls
    assert call.kwargs["event"] == word
    assert abs(call.kwargs["seconds"] - abs(by.total_seconds())) < 2


@ensureDeferred
async def test_a_journal_from_the_future_is_noticed_at_the_start(journal: Journal) -> None:
    """The clock was set back while no gateway ran: what waits is due at once."""
    await settled(journal)
    times = Times()
    told: list[str] = []
    times.set_by = -HOUR
    assert await journal.read("t", lambda conn: due(conn, times.now(), 9)) == []
    clock, said = watch(journal, times, told)
    await clock.start()
    await clock.stop()
    assert said.calls[0].kwargs["event"] == "clock_set_back"
    assert said.calls[0].kwargs["tried_at_once"] > 0
    assert told == ["told"]
    assert await journal.read("t", lambda conn: due(conn, times.now(), 9))
    assert await journal.write("t", lambda conn: clock_records.try_all_now(conn, times.now())) == 0


@SET
@ensureDeferred
async def test_late_is_told_by_the_clock_as_it_is(journal: Journal, by: dt.timedelta) -> None:
    """Too early or too late by what the clock is wrong, once, and over once it is right again."""
    await settled(journal)
    times = Times()
    said = structlog.testing.CapturingLogger()
    late = DeliveryWatch(
        times.clock,
        journal=journal,
        late_hours=24,
        committed=(),
        log=structlog.wrap_logger(said, processors=[]),
        now=times.now,
    )
    await late.look()
    times.set_by = by
    for _ in range(3):
        await late.look()
    alarms = [call.kwargs["event"] for call in said.calls]
    assert alarms == (["acknowledgements_late"] if by > DAY else [])
    times.set_by = dt.timedelta()
    for _ in range(3):
        seen = await late.look()
    assert seen.late == ()
    assert len(said.calls) == 2 * len(alarms), "it is told once that it is over"


@SET
def test_certificates_are_looked_at_by_the_clock_as_it_is(by: dt.timedelta) -> None:
    """Days left follow the clock, back and forth; nothing of an earlier look is remembered."""
    times = Times()
    ends = NOW + 10 * DAY
    held = SimpleNamespace(owner=None, certificate=SimpleNamespace(not_valid_after_utc=ends))
    settings = SimpleNamespace(as2=SimpleNamespace(expiry_warning_days=30))
    configuration: Any = SimpleNamespace(settings=settings, partners={}, held=[held])
    certificates = CertificateWatch(configuration, log=structlog.get_logger(), now=times.now)
    for set_by in (dt.timedelta(), by, dt.timedelta()):
        times.set_by = set_by
        ((_, days),) = certificates.days_left()
        assert days == (10 * DAY - set_by) / DAY


@SET
def test_partial_uploads_expire_by_their_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: dt.timedelta
) -> None:
    """A clock that is set back keeps them, one that is set forward ends the old ones: only those.

    They were never called received.
    """
    now = 1_800_000_000.0
    folder, out = tmp_path / "in", tmp_path / "out"
    for each in (folder, out):
        each.mkdir()
    fresh, foreign = folder / f"{'a' * 64}.part", folder / "something-else"
    for file in (fresh, foreign):
        file.write_bytes(b"half")
        os.utime(file, (now, now))
    monkeypatch.setattr("time.time", lambda: now + by.total_seconds())
    expiry.sweep(
        Notes(folder, visible_seconds=3600.0),
        NameLocks(folder),
        out,
        visible_seconds=3600.0,
        expiry_seconds=7 * 86_400.0,
        log=structlog.get_logger(),
    )
    assert fresh.exists() == (by < dt.timedelta(days=7))
    assert foreign.exists()
