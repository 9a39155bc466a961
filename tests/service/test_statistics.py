"""Running totals: written with the verdicts, right after replays, checked against the journal."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer
from twisted.internet.threads import deferToThread

from gateway.model.interchange import Environment, Transport
from gateway.model.verdict import Accepted, Undetermined
from gateway.service.intake import Intake
from gateway.service.journal import records
from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.search_find import search
from gateway.service.journal.statistics_read import Cause, Extent, Volume, causes, volumes
from gateway.service.journal.tables import searchable, totals
from gateway.service.statistics import Statistics
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House
from tests.service.searching import FIRST, SearchedJournal, refused
from tests.service.test_replay_commit import acknowledged, deliver
from tests.service.test_replay_commit import desk as replaying


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with nothing in it: making one takes longer than anything here."""
    path = tmp_path_factory.mktemp("empty") / "journal.sqlite"
    SearchedJournal(path).engine.dispose()
    return path


@pytest.fixture
def journal(empty: Path, tmp_path: Path) -> Iterator[SearchedJournal]:
    made = SearchedJournal(Path(shutil.copy(empty, tmp_path)))
    yield made
    made.engine.dispose()


def counted(journal: SearchedJournal, *by: str, **extent: Any) -> list[Volume]:
    """What the totals say."""
    with journal.reading() as conn:
        return volumes(conn, by, Extent(**extent))


def caused(journal: SearchedJournal, *by: str, **extent: Any) -> list[Cause]:
    """What the totals say of rejections."""
    with journal.reading() as conn:
        return causes(conn, Extent(**extent), by=by)


def some_year(journal: SearchedJournal) -> None:
    """Two months, two partners, three formats."""
    february = FIRST + dt.timedelta(days=31)
    journal.judged(pdf=True, syntax="cii", transport=Transport.AS2)
    journal.judged(verdict=refused("BR-1", "BR-2", "BR-1"), partner="other")
    journal.judged(at=february, verdict=refused("BR-1"), syntax="cii")
    journal.judged(at=february + dt.timedelta(days=1))
    journal.judged(at=february, verdict=Undetermined("no pack"))


def test_volumes_by_everything(journal: SearchedJournal) -> None:
    """By month, day, channel, format and partner, and by several; the undetermined do not count."""
    some_year(journal)
    assert counted(journal) == [Volume((), 2, 2)]
    assert counted(journal, "month") == [Volume(("2026-01",), 1, 1), Volume(("2026-02",), 1, 1)]
    assert counted(journal, "day", since=dt.date(2026, 2, 1)) == [
        Volume(("2026-02-15",), 0, 1),
        Volume(("2026-02-16",), 1, 0),
    ]
    assert counted(journal, "channel") == [Volume(("as2",), 1, 0), Volume(("sftp",), 1, 2)]
    assert counted(journal, "format") == [
        Volume(("cii",), 0, 1),
        Volume(("factur-x",), 1, 0),
        Volume(("ubl",), 1, 1),
    ]
    assert counted(journal, "partner", "month", partner="other") == [
        Volume(("other", "2026-01"), 0, 1)
    ]
    (everything,) = counted(journal, "flow")
    assert everything.rejection_rate == 0.5


def test_parts_of_months_are_counted_by_days(journal: SearchedJournal) -> None:
    """Whole ones by the totals of months; both say the same."""
    some_year(journal)
    part = {"since": dt.date(2026, 1, 15), "until": dt.date(2026, 2, 15)}
    assert counted(journal, "month", **part) == [
        Volume(("2026-01",), 1, 1),
        Volume(("2026-02",), 0, 1),
    ]
    whole = {"since": dt.date(2026, 2, 1), "until": dt.date(2026, 2, 28)}
    assert counted(journal, "month", **whole) == [Volume(("2026-02",), 1, 1)]
    assert counted(journal, since=dt.date(2027, 1, 1)) == []


def test_causes_of_rejections(journal: SearchedJournal) -> None:
    """Each rule counts once for a document, however often it was broken."""
    some_year(journal)
    assert caused(journal) == [Cause((), "BR-1", 2), Cause((), "BR-2", 1)]
    assert caused(journal, partner="acme") == [Cause((), "BR-1", 1)]
    assert caused(journal, "month") == [
        Cause(("2026-01",), "BR-1", 1),
        Cause(("2026-01",), "BR-2", 1),
        Cause(("2026-02",), "BR-1", 1),
    ]


@pytest.mark.parametrize("by", [("week",), ("month", "day"), ("flow", "flow")])
def test_by_something_else(journal: SearchedJournal, by: tuple[str, ...]) -> None:
    """Refused, whoever asks."""
    with pytest.raises(ValueError, match="statistics are by some of"):
        counted(journal, *by)
    with pytest.raises(ValueError, match="statistics are by some of"):
        caused(journal, *by)


def test_tests_of_partners_are_counted_apart(journal: SearchedJournal) -> None:
    """Whatever they send to try us is no business."""
    journal.judged()
    journal.judged(environment=Environment.TEST, verdict=refused("BR-1"))
    assert (counted(journal), caused(journal)) == ([Volume((), 1, 0)], [])
    assert counted(journal, environment="test") == [Volume((), 0, 1)]
    assert counted(journal, "environment", environment=None) == [
        Volume(("production",), 1, 0),
        Volume(("test",), 0, 1),
    ]


def test_judged_again_counts_once(journal: SearchedJournal) -> None:
    """As what it is now; one without a verdict any more does not count."""
    one = journal.judged(verdict=refused("BR-1"))
    journal.again(one, verdict=Accepted(b""))
    assert (counted(journal), caused(journal)) == ([Volume((), 1, 0)], [])
    journal.again(one, verdict=refused("BR-2", "BR-3"))
    assert counted(journal) == [Volume((), 0, 1)]
    assert [each.rule for each in caused(journal)] == ["BR-2", "BR-3"]
    journal.again(one, verdict=Undetermined("no pack"))
    assert (counted(journal), caused(journal)) == ([], [])


def test_what_strangers_write_makes_no_totals(journal: SearchedJournal) -> None:
    """A profile that no flow takes would be a row of its own, for each that somebody thinks of."""
    for number in range(3):
        journal.judged(flow=None, profile=f"urn:{number}", verdict=refused("ROUTE-UNKNOWN-PROFILE"))
    assert counted(journal, "profile") == [Volume(("",), 0, 3)]


# --- in the line ---


def desk(house: House) -> Statistics:
    """Who answers the commands."""
    return Statistics(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        log=structlog.wrap_logger(house.said, processors=[]),
    )


async def rebuilt(house: House, **arguments: Any) -> tuple[int, int]:
    """Every page and every month, as the command does it: how many entered, how many wrong."""
    asked, entered, wrong = desk(house), 0, 0
    after = month = None
    while True:
        answer = await asked.enter({"after": after, **arguments})
        entered += answer["entered"]
        after = answer["next"]
        if after is None:
            break
    while True:
        answer = await asked.check({"month": month, **arguments})
        wrong += answer["wrong"]
        month = answer["next"]
        if month is None:
            return entered, wrong


async def everything(house: House) -> list[Volume]:
    """All that is counted."""
    return await house.journal.read("t", lambda conn: volumes(conn, ["partner"], Extent()))


@ensureDeferred
async def test_a_verdict_is_counted_with_it(house: House) -> None:
    """And found at once; a replay changes what it counts as."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges)
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    assert await everything(house) == [Volume(("acme",), 0, 1)]
    page = await house.journal.read("t", lambda conn: search(conn, Criteria(file="a.xml")))
    assert [(hit.interchange, hit.verdict) for hit in page.hits] == [(id_, "rejected")]
    judges.verdicts = [ACCEPTED]
    await replaying(house, intake).commit({"interchange": id_})
    await house.reaches(id_, "settled")
    await deliver(house, id_)
    assert await everything(house) == [Volume(("acme",), 1, 0)]
    assert await rebuilt(house, dry_run=True) == (0, 0)


async def two_judged(house: House) -> Intake:
    """One accepted, one rejected."""
    intake = await house.intake(FakeJudges(ACCEPTED, REJECTED), inline_bytes=1)
    for name in ("a.xml", "b.xml"):
        await acknowledged(house, intake, name, name.encode())
    return intake


@ensureDeferred
async def test_what_an_earlier_version_judged(house: House) -> None:
    """Found and counted, once; with the names of its canonical invoice, wherever that lies."""
    invoice = (
        b'{"invoice_number":"FA-1","seller":{"name":"Soci\xc3\xa9t\xc3\xa9"},"buyer":{"name":"B"},'
        b'"document_totals":{"invoice_total_amount_with_vat":"12.50"}}'
    )
    intake = await house.intake(FakeJudges(Accepted(invoice), REJECTED), inline_bytes=1)
    for name in ("a.pdf", "b.xml"):
        await acknowledged(house, intake, name, name.encode())

    def forget(conn: sa.Connection) -> None:
        for table in (searchable, totals):
            conn.execute(sa.delete(table))

    await house.journal.write("t", forget)
    assert await everything(house) == []
    assert (await rebuilt(house, dry_run=True))[0] == 2
    assert await everything(house) == []
    assert (await rebuilt(house))[0] == 2
    assert await rebuilt(house) == (0, 0)
    assert await everything(house) == [Volume(("acme",), 1, 1)]
    page = await house.journal.read(
        "t", lambda conn: search(conn, Criteria(seller="societe", amount_from=1250))
    )
    (hit,) = page.hits
    assert (hit.file, hit.format, hit.amount) == ("a.pdf", "factur-x", "12.50")


@ensureDeferred
async def test_totals_that_are_wrong_are_mended(house: House) -> None:
    """Too many, too few, of a day on which nothing came; and said, and not with a dry run."""
    await two_judged(house)

    def spoil(conn: sa.Connection) -> None:
        conn.execute(sa.update(totals).values(documents=totals.c.documents + 3))
        one = conn.execute(sa.select(totals).where(totals.c.grain == "day")).mappings().first()
        assert one is not None
        before = dt.date.fromisoformat(one["period"]).replace(day=1) - dt.timedelta(days=1)
        conn.execute(sa.insert(totals), dict(one) | {"period": before.isoformat()})
        conn.exec_driver_sql("DELETE FROM rejection_causes")

    await house.journal.write("t", spoil)
    entered, wrong = await rebuilt(house, dry_run=True)
    # Two verdicts and a cause of that day, a day that never was; months are held against days.
    assert entered == 0
    assert wrong >= 4
    assert (await rebuilt(house))[1] > wrong
    assert await rebuilt(house) == (0, 0)
    assert await everything(house) == [Volume(("acme",), 1, 1)]
    empty_rows = await house.journal.read(
        "t",
        lambda conn: conn.exec_driver_sql(
            "SELECT count(*) FROM totals WHERE documents = 0"
        ).scalar(),
    )
    assert empty_rows == 0


@ensureDeferred
async def test_verdicts_meanwhile_are_counted_once(house: House) -> None:
    """A difference stays what it was while others are written."""
    intake = await two_judged(house)
    await house.journal.write("t", lambda conn: conn.exec_driver_sql("DELETE FROM totals"))
    mending = defer.ensureDeferred(desk(house).check({}))
    id_ = await intake.receive(house.arrival("c.xml", b"c"), Transport.SFTP)
    await house.reaches(id_, "settled")
    await mending
    assert await rebuilt(house) == (0, 0)
    assert await everything(house) == [Volume(("acme",), 1, 2)]


@ensureDeferred
async def test_an_empty_journal_has_no_months(house: House) -> None:
    """Nothing to look at is nothing wrong."""
    assert await rebuilt(house) == (0, 0)
    rows = await house.journal.read("t", lambda conn: records.list_interchanges(conn))
    assert rows == []
