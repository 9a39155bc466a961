"""What waits and what is overdue, as the journal says, and the disk below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread

from gateway.model.as2 import As2Access, As2Send, MdnMode, Security
from gateway.model.lifecycle import InterchangeState
from gateway.model.partner import Partner
from gateway.service import arrive, settle
from gateway.service.journal import Journal, records
from gateway.service.journal.as2_records import OUT
from gateway.service.journal.tables import As2State
from gateway.service.standing_metrics import SECONDS, StandingWatch
from tests.service.journalling import NOW, SHA256, an_interchange, later


class Watched:
    """A journal with interchanges of two partners, and a watch whose clock the test moves."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.journal = journal
        self.now = NOW
        self.https_until: dt.datetime | None = None
        self.clock = task.Clock()
        self.partners = {
            "acme": Partner(
                name="acme",
                sla_minutes=15,
                as2=As2Access(id="ACME", send=As2Send(mdn=MdnMode.ASYNC, mdn_timeout_seconds=600)),
            ),
            "other": Partner(name="other", sla_minutes=30),
            "gone": Partner(name="gone", sla_minutes=1, enabled=False),
            "patient": Partner(name="patient"),
        }
        self.watch = StandingWatch(
            self.clock,
            journal=journal,
            partners=self.partners,
            state=folder,
            https_until=lambda: self.https_until,
            in_thread=deferToThread,
            log=structlog.get_logger(),
            now=lambda: self.now,
        )

    def samples(self) -> dict[tuple[str, str], float]:
        """(name, partner or "") → value."""
        return {
            (sample.name.removeprefix("edi_gateway_"), sample.labels.get("partner", "")): (
                sample.value
            )
            for metric in self.watch.metrics()
            for sample in metric.samples
        }


@async_yield_fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal of its own."""
    opened = Journal(reactor, tmp_path / "journal.sqlite")
    await opened.open()
    yield opened
    await opened.close()


async def received(journal: Journal, number: int, partner: str) -> str:
    """An interchange that came `number` seconds after NOW."""
    one = an_interchange(number, partner=partner)
    await journal.write("t", lambda conn: arrive.receive(conn, one, later(number)))
    return one.id


@ensureDeferred
async def test_before_the_first_look_there_is_nothing(tmp_path: Path, journal: Journal) -> None:
    """Rather than zeros that would mean that all is well."""
    watched = Watched(tmp_path, journal)
    assert watched.samples() == {}
    seen = await watched.watch.look()
    assert watched.watch.seen is seen
    assert watched.samples()["quarantined_interchanges", ""] == 0
    assert ("unfinished_interchanges", "acme") not in watched.samples()


@ensureDeferred
async def test_what_waits_by_partner_and_how_long(tmp_path: Path, journal: Journal) -> None:
    """The oldest counts; what is in quarantine waits for somebody else."""
    watched = Watched(tmp_path, journal)
    for number, partner in ((1, "acme"), (7, "acme"), (3, "other")):
        await received(journal, number, partner)
    stuck = await received(journal, 4, "other")
    await journal.write(
        "t",
        lambda conn: records.move_interchange(
            conn, stuck, InterchangeState.QUARANTINED, cause="x", now=later(9)
        ),
    )
    watched.now = later(61)
    await watched.watch.look()
    found = watched.samples()
    assert (
        found["unfinished_interchanges", "acme"],
        found["unfinished_interchanges", "other"],
    ) == (
        2,
        1,
    )
    assert found["unfinished_oldest_seconds", "acme"] == 60
    assert found["unfinished_oldest_seconds", "other"] == 58
    assert found["quarantined_interchanges", ""] == 1
    watched.now = later(91)
    assert watched.samples()["standing_age_seconds", ""] == 30
    assert watched.samples()["unfinished_oldest_seconds", "acme"] == 90


@ensureDeferred
async def test_who_was_promised_an_answer_sooner(tmp_path: Path, journal: Journal) -> None:
    """Each partner by its own sla_minutes; who was promised nothing, or is disabled, is not in."""
    watched = Watched(tmp_path, journal)
    for number, partner in enumerate(watched.partners):
        await received(journal, number, partner)
    await received(journal, 600, "acme")
    for minutes, expected in ((15, {}), (16, {"acme": 1}), (31, {"acme": 2, "other": 1})):
        watched.now = NOW + dt.timedelta(minutes=minutes)
        seen = await watched.watch.look()
        assert {name: each.number for name, each in seen.unanswered.items()} == expected
    assert watched.samples()["sla_missed_oldest_seconds", "acme"] == 31 * 60


@ensureDeferred
async def test_an_answer_that_left_is_not_missed(tmp_path: Path, journal: Journal) -> None:
    """Settled is not enough, acknowledged is."""
    watched = Watched(tmp_path, journal)
    id_ = await received(journal, 0, "acme")
    watched.now = NOW + dt.timedelta(hours=1)

    async def to(state: InterchangeState) -> int:
        await journal.write(
            "t", lambda conn: records.move_interchange(conn, id_, state, cause=None, now=NOW)
        )
        return len((await watched.watch.look()).unanswered)

    assert [await to(state) for state in _TO_THE_END] == [1, 1, 1, 0]


_TO_THE_END = (
    *(InterchangeState.OPENED, InterchangeState.JUDGED),
    *(InterchangeState.SETTLED, InterchangeState.ACKNOWLEDGED),
)


def sent_by_as2(conn: Any, number: int) -> None:
    """A report that acme took by AS2, `number` seconds after NOW, and owes the receipt of."""
    one = an_interchange(number)
    arrive.receive(conn, one, later(number))
    event = next(row for row in records.outbox_of(conn, one.id))
    outgoing = settle.outgoing_of(
        one, event.publication(), 0, "report", "as2", f"{number}.report.xml"
    )
    made = records.Outgoing(
        **{
            **{name: getattr(outgoing, name) for name in type(outgoing).__struct_fields__},
            "publication": _named(outgoing.publication, f"report-{number}"),
        }
    )
    records.add_outbox_many(conn, [made])
    records.add_as2_message(
        conn,
        records.As2Row(
            direction=OUT,
            partner="acme",
            message_id=f"<{number}@hub>",
            content_sha256=SHA256,
            interchange_id=one.id,
            at=later(number),
            state=As2State.SENT,
            as2_from="HUB",
            as2_to="ACME",
            headers=(),
            raw_sha256=SHA256,
            raw_size=1,
            mic=None,
            security=Security(),
            mdn_mode="async",
            outbox_message_id=f"report-{number}",
        ),
    )


def _named(publication: Any, name: str) -> Any:
    from msgspec.structs import replace

    return replace(publication, message_id=name)


@ensureDeferred
async def test_receipts_that_do_not_come(tmp_path: Path, journal: Journal) -> None:
    """Overdue from as2.send.mdn_timeout_seconds on; the oldest says since when."""
    watched = Watched(tmp_path, journal)
    for number in (0, 100):
        await journal.write("t", lambda conn, number=number: sent_by_as2(conn, number))
    for seconds, missing in ((600, 0), (601, 1), (701, 2)):
        watched.now = later(seconds)
        seen = await watched.watch.look()
        assert sum(each.number for each in seen.mdns.values()) == missing
    assert seen.mdns["acme"].since == later(600)
    watched.now = later(705)
    assert watched.samples()["mdns_missing_oldest_seconds", "acme"] == 105


@ensureDeferred
async def test_disk_and_certificate(tmp_path: Path, journal: Journal) -> None:
    """Of the file system of the state directory; of the HTTP listener, when it has one."""
    watched = Watched(tmp_path, journal)
    watched.https_until = NOW + dt.timedelta(days=30)
    await watched.watch.look()
    found = watched.samples()
    assert 0 < found["disk_free_bytes", ""] < found["disk_size_bytes", ""]
    assert found["journal_bytes", ""] > 1000
    assert found["https_certificate_expiry_days", ""] == 30
    watched.https_until = None
    await watched.watch.look()
    assert ("https_certificate_expiry_days", "") not in watched.samples()


@ensureDeferred
async def test_a_look_that_fails_is_tried_again(tmp_path: Path, journal: Journal) -> None:
    """What was seen before stays, with its age; nothing else stops."""
    watched = Watched(tmp_path, journal)
    await watched.watch.look()
    watched.watch._state = tmp_path / "absent"
    watched.watch.start()
    watched.now = later(SECONDS)
    watched.clock.advance(SECONDS)
    await watched.watch.stop()
    assert watched.samples()["standing_age_seconds", ""] == SECONDS


@pytest.mark.parametrize("asked", ["unfinished", "quarantined", "unanswered", "mdns"])
@ensureDeferred
async def test_only_what_waits_is_read(journal: Journal, asked: str) -> None:
    """By an index: a look costs the same however much was ever received."""
    from gateway.service.journal import standing_records as asking
    from gateway.service.journal.engine import driver

    statement: Any = {
        "unfinished": asking._UNFINISHED,
        "quarantined": asking._QUARANTINED,
        "unanswered": asking._UNANSWERED,
        "mdns": asking._AWAITED,
    }[asked]

    def plan(conn: Any) -> list[str]:
        given = {"b_before": NOW, "b_partners": ["acme", "other"]} if asked == "unanswered" else {}
        compiled = statement.params(given).compile(
            dialect=conn.dialect, compile_kwargs={"render_postcompile": True}
        )
        values = [None] * len(compiled.positiontup)
        rows = driver(conn).execute(f"EXPLAIN QUERY PLAN {compiled}", values)
        return [row[3] for row in rows]

    lines = await journal.read("t", plan)
    tables = [line for line in lines if line.startswith(("SCAN", "SEARCH"))]
    assert tables
    assert all("INDEX" in line or "ROWID" in line.upper() for line in tables), lines
    assert not [line for line in lines if line.startswith("SCAN") and "unfinished" not in line]
