"""Judged again for comparison: what would be different is told, and nothing is written."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.config.settings import Intake as IntakeSettings
from gateway.errors import WorkerDied
from gateway.model.interchange import Transport
from gateway.model.partner import Partner
from gateway.service import replay
from gateway.service.control import CommandRefused
from gateway.service.replay import Replay
from tests.service.house import ACCEPTED, JUDGING, NO_PACK, REJECTED, FakeJudges, House

ACME = {"acme": Partner(name="acme", flows=("ctc-fr-invoice",))}


def desk(house: House, judges: Any, partners: dict[str, Partner] = ACME) -> Replay:
    """Who answers the command."""
    return Replay(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        judges=judges,
        partners=partners,
        scratch=house.scratch,
        settings=IntakeSettings(min_free_mb=0),
        judging=JUDGING,
        log=structlog.wrap_logger(house.said, processors=[]),
    )


async def received(house: House, judges: FakeJudges, name: str, data: bytes) -> str:
    """An interchange that came and was settled."""
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(name, data), Transport.SFTP)
    await house.reaches(id_, "settled")
    return id_


def archive(*names: str) -> bytes:
    """A tar.gz of small files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            data = f"<a>{name}</a>".encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


async def everything(house: House) -> list[Any]:
    """All rows of all tables."""

    def dump(conn: Any) -> list[Any]:
        return list(conn.connection.driver_connection.iterdump())

    return await house.journal.read("t", dump)


@ensureDeferred
async def test_the_same_verdict_is_no_difference(house: House) -> None:
    """Nothing would change, nothing was written, and nothing is left in the scratch folder."""
    judges = FakeJudges(REJECTED)
    id_ = await received(house, judges, "a.xml", b"<a/>")
    before = await everything(house)
    answer = await desk(house, judges).attempt({"interchange": id_})
    assert answer == {"interchange": id_, "documents": 1, "changed": 0, "differences": []}
    assert await everything(house) == before
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_another_verdict_names_the_rules(house: House) -> None:
    """What was rejected would be accepted: the rule it violates no more is named."""
    id_ = await received(house, FakeJudges(REJECTED), "a.xml", b"<a/>")
    before = await everything(house)
    answer = await desk(house, FakeJudges(ACCEPTED)).attempt({"interchange": id_})
    assert answer["changed"] == 1
    (found,) = answer["differences"]
    assert (found["before"], found["after"]) == ("rejected", "accepted")
    assert (found["gone"], found["new"]) == (("BR-CO-15",), ())
    assert await everything(house) == before


@ensureDeferred
async def test_the_rules_of_another_day_judge(house: House) -> None:
    """Without a day it is that of the receipt."""
    judges = FakeJudges(ACCEPTED)
    id_ = await received(house, judges, "a.xml", b"<a/>")
    tried = FakeJudges(ACCEPTED)
    await desk(house, tried).attempt({"interchange": id_, "rules": "2027-01-31"})
    await desk(house, tried).attempt({"interchange": id_})
    row = await house.row(id_)
    assert [str(job.on) for job in tried.jobs] == ["2027-01-31", str(row.received_at.date())]


@ensureDeferred
async def test_an_archive_is_judged_member_by_member(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held against its own row, page after page; the differences come in order."""
    monkeypatch.setattr(replay, "PAGE", 2)
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"1.xml": REJECTED}
    names = [f"{number}.xml" for number in range(5)]
    id_ = await received(house, judges, "b.tar.gz", archive(*names))
    tried = FakeJudges(ACCEPTED)
    tried.by_name = {"3.xml": REJECTED}
    answer = await desk(house, tried).attempt({"interchange": id_})
    assert (answer["documents"], answer["changed"]) == (5, 2)
    told = [(each["document"], each["name"], each["after"]) for each in answer["differences"]]
    assert told == [(2, "1.xml", "accepted"), (4, "3.xml", "rejected")]
    assert [job.name for job in tried.jobs] == names
    assert list(house.scratch.iterdir()) == []


@pytest.mark.parametrize("failure", [NO_PACK, WorkerDied("Worker 7 ended by itself.")])
@ensureDeferred
async def test_what_cannot_be_judged_would_be_undetermined(house: House, failure: Any) -> None:
    """A rule that could not run, or a judge that died: never a verdict, and the reason is told."""
    id_ = await received(house, FakeJudges(ACCEPTED), "a.xml", b"<a/>")
    answer = await desk(house, FakeJudges(failure)).attempt({"interchange": id_})
    (found,) = answer["differences"]
    assert (found["before"], found["after"]) == ("accepted", "undetermined")
    assert found["cause"] in ("pack missing", "Worker 7 ended by itself.")


@ensureDeferred
async def test_what_is_not_there_is_said(house: House) -> None:
    """An unknown interchange, and one whose partner is gone."""
    id_ = await received(house, FakeJudges(ACCEPTED), "a.xml", b"<a/>")
    with pytest.raises(CommandRefused, match="There is no interchange 0197"):
        await desk(house, FakeJudges(ACCEPTED)).attempt({"interchange": "0197"})
    with pytest.raises(CommandRefused, match="came from acme, who is no partner any more"):
        await desk(house, FakeJudges(ACCEPTED), {}).attempt({"interchange": id_})
