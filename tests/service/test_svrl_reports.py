"""SVRL reports on documents that were judged: made once, kept for a while, bounded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Intake as IntakeSettings
from gateway.core.directory import NAME as DIRECTORY
from gateway.errors import GatewayError, WorkersStopped, WorkerTimeout
from gateway.model.job import JudgeAnswer, JudgeJob, SvrlJob
from gateway.model.partner import Partner
from gateway.model.verdict import PackReference
from gateway.service import svrl_reports
from gateway.service.control import CommandRefused
from gateway.service.journal.purge_records import begin_purge
from gateway.service.svrl_reports import FAILURE_SECONDS, KEPT_SECONDS, SvrlReports
from tests.service.house import JUDGING, REJECTED, FakeJudges, House
from tests.service.test_replay import archive
from tests.service.test_replay_commit import acknowledged

PACK = PackReference("en16931-ubl", "1.3.16", "a" * 64)
HOUSE = PackReference("./house.sch", "1", "b" * 64)


class Reporters(FakeJudges):
    """Judges by two packs, that write a report where they are told to."""

    def __init__(self) -> None:
        super().__init__(REJECTED)
        self.reports: list[SvrlJob] = []
        self.read: list[bytes] = []
        self.fails: list[Exception] = []
        self.shut: defer.Deferred[None] | None = None

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """As the others, and the judgement names packs."""
        answer = await super().judge(job, alone=alone)
        if answer.judgement is None:
            return answer
        rules = (PACK, HOUSE, PackReference(DIRECTORY, "2026", "c" * 64))
        return JudgeAnswer(judgement=msgspec.structs.replace(answer.judgement, rules=rules))

    async def svrl(self, job: SvrlJob, *, alone: bool = False) -> int:
        """The name of the pack, for a report."""
        self.reports.append(job)
        if self.shut is not None:
            await self.shut
        self.read.append(Path(job.document.path).read_bytes())
        if self.fails:
            raise self.fails.pop(0)
        Path(job.into).write_bytes(job.pack.pack.encode())
        return len(job.pack.pack)


def desk(
    house: House,
    judges: Reporters,
    clock: task.Clock,
    partners: Mapping[str, Partner] | None = None,
) -> SvrlReports:
    """Who answers the command."""
    known = {"acme": Partner(name="acme", flows=("ctc-fr-invoice",))}
    return SvrlReports(
        clock,
        journal=house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        judges=judges,
        partners=known if partners is None else partners,
        scratch=house.scratch,
        settings=IntakeSettings(min_free_mb=0),
        judging=JUDGING,
        log=structlog.wrap_logger(house.said, processors=[]),
    )


def ask(id_: str, document: int = 1, pack: str = PACK.sha256) -> dict[str, Any]:
    """Arguments of the command."""
    return {"interchange": id_, "document": document, "pack": pack}


async def judged(house: House, judges: Reporters, name: str, data: bytes) -> str:
    """An interchange that came to its end."""
    return await acknowledged(house, await house.intake(judges), name, data)


@ensureDeferred
async def test_made_once_and_kept_for_a_while(house: House) -> None:
    """By the pack of the judgement, on the kept bytes; when it expires its file is gone."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    first = await reports.make(ask(id_))
    assert first["name"] == "a.xml.en16931-ubl.svrl.xml"
    assert Path(first["path"]).read_bytes() == b"en16931-ubl"
    assert first["size"] == len(b"en16931-ubl")
    assert judges.read == [b"<a/>"]
    assert (judges.reports[0].pack, judges.reports[0].document.partner) == (PACK, "acme")
    assert await reports.make(ask(id_)) == first
    other = await reports.make(ask(id_, pack=HOUSE.sha256))
    assert other["name"] == "a.xml.house.sch.svrl.xml"
    assert len(judges.reports) == 2
    clock.advance(KEPT_SECONDS)
    for _ in range(100):
        if not Path(first["path"]).exists() and not Path(other["path"]).exists():
            break
        await deferToThread(lambda: None)
    assert not Path(first["path"]).exists()
    assert not Path(other["path"]).exists()
    await reports.make(ask(id_))
    assert len(judges.reports) == 3


@ensureDeferred
async def test_a_member_of_an_archive(house: House) -> None:
    """It is found in it by its place, and nothing that was unpacked is left."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "b.tar.gz", archive("1.xml", "2.xml", "3.xml"))
    made = await desk(house, judges, clock).make(ask(id_, document=2))
    assert made["name"].startswith("2.xml.")
    assert judges.read == [b"<a>2.xml</a>"]
    assert judges.reports[0].document.archive == "b.tar.gz"
    assert [path.name for path in (house.scratch / "svrl").iterdir()] == [Path(made["path"]).name]


@ensureDeferred
async def test_a_partner_who_is_gone(house: House) -> None:
    """What it sent can still be reported on."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    made = await desk(house, judges, clock, {}).make(ask(id_))
    assert Path(made["path"]).is_file()


@pytest.mark.parametrize(
    "change", [{"pack": "d" * 64}, {"document": 2}, {"interchange": "0197"}, {"pack": "c" * 64}]
)
@ensureDeferred
async def test_nothing_of_that_kind(house: House, change: dict[str, Any]) -> None:
    """Another version than the one that judged, another document, and what is no rule pack."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    with pytest.raises(CommandRefused, match="No document that was judged by these rules"):
        await desk(house, judges, clock).make(ask(id_) | change)
    assert judges.reports == []


@ensureDeferred
async def test_what_is_purged(house: House) -> None:
    """Its bytes are gone, and a report that is still kept is not given away."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    await reports.make(ask(id_))
    await house.journal.write(
        "t", lambda conn: begin_purge(conn, id_, by="ada", archive=None, now=house.now())
    )
    with pytest.raises(CommandRefused, match="cannot be reported on in SVRL: it was purged"):
        await reports.make(ask(id_))


@ensureDeferred
async def test_what_failed_is_not_tried_again_at_once(house: House) -> None:
    """It may have cost a judge; the reason is told again, and it is tried again later."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    judges.fails = [WorkerTimeout("It took longer than 60 s.")]
    with pytest.raises(WorkerTimeout):
        await reports.make(ask(id_))
    with pytest.raises(CommandRefused, match="a moment ago: It took longer than 60 s"):
        await reports.make(ask(id_))
    await reports.make(ask(id_, pack=HOUSE.sha256))  # another pack is another matter
    assert len(judges.reports) == 2
    clock.advance(FAILURE_SECONDS)
    await reports.make(ask(id_))
    assert len(judges.reports) == 3


@ensureDeferred
async def test_a_gateway_that_stops_has_not_failed(house: House) -> None:
    """Asked again, it is tried again."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    judges.fails = [WorkersStopped("The workers are being stopped.")]
    with pytest.raises(GatewayError):
        await reports.make(ask(id_))
    await reports.make(ask(id_))
    assert len(judges.reports) == 2


@ensureDeferred
async def test_one_at_a_time_and_only_so_many_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who ask for the same have it made once; beyond the limit somebody is told to wait."""
    monkeypatch.setattr(svrl_reports, "MOST_WAITING", 1)
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    judges.shut = defer.Deferred()
    first, second = (defer.Deferred.fromCoroutine(reports.make(ask(id_))) for _ in "ab")
    while not judges.reports or not reports.waiting:
        await deferToThread(lambda: None)
    with pytest.raises(CommandRefused, match="Other SVRL reports are being made"):
        await reports.make(ask(id_))
    judges.shut.callback(None)
    assert await first == await second
    assert len(judges.reports) == 1


@ensureDeferred
async def test_only_a_few_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(svrl_reports, "KEPT", 1)
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    reports = desk(house, judges, clock)
    first = await reports.make(ask(id_))
    second = await reports.make(ask(id_, pack=HOUSE.sha256))
    assert not Path(first["path"]).exists()
    assert Path(second["path"]).exists()


@ensureDeferred
async def test_no_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun that the disk could not hold."""
    judges, clock = Reporters(), task.Clock()
    id_ = await judged(house, judges, "a.xml", b"<a/>")
    monkeypatch.setattr(house.spool, "free_mb", lambda: 5)
    with pytest.raises(CommandRefused, match="no room"):
        await desk(house, judges, clock).make(ask(id_))
    assert judges.reports == []
