"""What a real judge may take for a document: its own time and memory, by its size."""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from pytest_twisted import blockon, ensureDeferred
from twisted.internet import reactor

from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import WorkerDied, WorkerTimeout
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import JudgeJob, WorkerBoot
from gateway.model.verdict import Accepted, Undetermined
from gateway.samples import sample_bytes
from gateway.service import consequences, workers
from gateway.service.consequences import payload_of
from gateway.service.judges import Judges, judging_budget
from gateway.service.workers import WorkerPool
from tests.service.journalling import an_interchange
from tests.service.test_workers import Log, start

FLOW = Flow(
    name="plain",
    chain=(Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=("en16931-ubl",)),),
)
PROGRAM = """
import sys, time
from gateway import worker
from gateway.core.pipeline import Judge
from gateway.core.schematron.runner import RulePacks

compile, judge = RulePacks.compile, Judge.judge

def slowly(self, name):
    time.sleep(2.5)
    compile(self, name)

def greedily(self, job, data):
    if job.name == "hoards.xml":
        self.hoard = b"x" * 600_000_000
        time.sleep(60)
    if job.name == "dawdles.xml":
        time.sleep(60)
    return judge(self, job, data)

RulePacks.compile, Judge.judge = slowly, greedily
sys.exit(worker.main())
"""
"""A judge that compiles slowly, and takes too much for documents of some names."""

Make = Callable[[JudgeSettings], Awaitable[Judges]]


@pytest.fixture
def judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes one such judge, with what its settings allow."""
    monkeypatch.setattr(workers, "WATCH_SECONDS", 0.05)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pools = []

    async def make(settings: JudgeSettings) -> Judges:
        boot = WorkerBoot(flows=(FLOW,), rule_packs=str(tmp_path / "packs"), scratch=str(tmp_path))
        pool = WorkerPool(
            reactor,
            command=[sys.executable, "-c", PROGRAM],
            boot=msgspec.msgpack.encode(boot),
            size=1,
            boot_limit=60,
            budget=judging_budget(settings),
            log=Log(),
        )
        pools.append(pool)
        await pool.start()
        return Judges(pool)

    yield make
    for pool in pools:
        blockon(start(pool.stop(0)))


def job(folder: Path, name: str) -> JudgeJob:
    """A job of the good UBL invoice under this name."""
    data = sample_bytes("ubl-invoice.xml")
    path = folder / name
    path.write_bytes(data)
    return JudgeJob(
        path=str(path),
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 10, 1),
    )


@ensureDeferred
async def test_compiling_is_no_time_of_the_first_document(judges: Make, tmp_path: Path) -> None:
    """It takes longer than a document may; the document gets its verdict all the same.

    Whether the judge begins before the document is there, or for it, is a matter of moments.
    """
    began = time.monotonic()
    judging = await judges(JudgeSettings(time_limit_seconds=2, time_limit_seconds_per_mb=0))
    answer = await judging.judge(job(tmp_path, "first.xml"))
    assert answer.judgement is not None
    assert isinstance(answer.judgement.verdict, Accepted)
    assert time.monotonic() - began > 2.5


@pytest.mark.parametrize(
    ("name", "error", "words", "setting"),
    [
        (
            "dawdles.xml",
            WorkerTimeout,
            r"took more than 2\.1 s \(2 \+ 10 × 0\.0 MB of document\) and was killed; it had used "
            r"\d+ MB of memory",
            "judges.time_limit_seconds or judges.time_limit_seconds_per_mb",
        ),
        (
            "hoards.xml",
            WorkerDied,
            r"used \d{3} MB of memory, more than the limit of 501 MB \(500 \+ 100 × 0\.0 MB of "
            r"document\), and was killed after \d\.\d s",
            "judges.memory_limit_mb or judges.memory_limit_mb_per_mb",
        ),
    ],
)
@ensureDeferred
async def test_a_document_that_takes_too_much_is_undetermined_and_no_other_is(
    judges: Make, tmp_path: Path, name: str, error: type[Exception], words: str, setting: str
) -> None:
    """Its cause says what it was allowed and what it took; its remedy which settings to raise."""
    judging = await judges(
        JudgeSettings(
            time_limit_seconds=2,
            time_limit_seconds_per_mb=10,
            memory_limit_mb=500,
            memory_limit_mb_per_mb=100,
        )
    )
    poison = start(judging.judge(job(tmp_path, name)))
    other = start(judging.judge(job(tmp_path, "other.xml")))
    with pytest.raises(error, match=words) as caught:
        await poison
    verdict = consequences.failed_by(payload_of(an_interchange()), caught.value).verdict
    assert isinstance(verdict, Undetermined)
    assert verdict.cause == str(caught.value).removesuffix(verdict.remedy).strip()
    assert setting in verdict.remedy
    answer = await other
    assert answer.judgement is not None
    assert isinstance(answer.judgement.verdict, Accepted)
