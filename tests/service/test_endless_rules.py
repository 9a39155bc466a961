"""Schematron without an end costs its document one attempt, and nobody else anything."""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from pathlib import Path

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.errors import WorkerTimeout
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import JudgeAnswer, JudgeJob, WorkerBoot
from gateway.model.verdict import Rejected
from gateway.samples import sample_bytes
from gateway.service.workers import WorkerPool
from tests.schematron_sources import NAME, UBL, pattern, rule, rules
from tests.service.test_workers import Log

FOR_EVER = "some $a in 1 to 1000000000, $b in 1 to 1000000000 satisfies $a * $b * count(//*) lt 0"
CHAIN = Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=(NAME,))


def job(folder: Path, flow: str) -> bytes:
    """A job of the good UBL invoice by this flow."""
    data = sample_bytes("ubl-invoice.xml")
    path = folder / "invoice.xml"
    path.write_bytes(data)
    return msgspec.msgpack.encode(
        JudgeJob(
            path=str(path),
            name=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            partner=None,
            partner_flows=None,
            on=dt.date(2026, 10, 1),
            flow=flow,
        )
    )


@ensureDeferred
async def test_rules_without_an_end_are_stopped_with_their_worker(tmp_path: Path) -> None:
    """The job fails by its time limit; the next worker judges other flows by their own rules.

    The rules travel with the flow: no file is read for them any more.
    """
    (tmp_path / "endless").mkdir()
    endless = rules(
        tmp_path / "endless",
        UBL + pattern(rule("/ubl:Invoice", f'<assert id="A" test="not({FOR_EVER})">x</assert>')),
    )
    good = rules(
        tmp_path, UBL + pattern(rule("/ubl:Invoice", '<assert id="B" test="0">x</assert>'))
    )
    good = msgspec.structs.replace(good, name="./other.sch")
    flows = (
        Flow(name="endless", chain=(CHAIN,), partner_rules=(endless,)),
        Flow(
            name="good",
            chain=(msgspec.structs.replace(CHAIN, rules=("./other.sch",)),),
            partner_rules=(good,),
        ),
    )
    for file in tmp_path.rglob("*.sch"):
        file.unlink()
    boot = WorkerBoot(flows=flows, rule_packs=str(tmp_path / "packs"), scratch=str(tmp_path))
    pool = WorkerPool(
        reactor,
        command=[sys.executable, "-m", "gateway.worker"],
        boot=msgspec.msgpack.encode(boot),
        size=1,
        time_limit=5.0,
        boot_limit=60.0,
        memory_limit_mb=2000,
        log=Log(),
    )
    try:
        await pool.start()
        with pytest.raises(WorkerTimeout):
            await pool.run(job(tmp_path, "endless"))
        answer = msgspec.msgpack.decode(await pool.run(job(tmp_path, "good")), type=JudgeAnswer)
    finally:
        await pool.stop(0)

    assert answer.judgement is not None
    assert isinstance(answer.judgement.verdict, Rejected)
    assert [finding.pack for finding in answer.judgement.verdict.findings] == ["./other.sch"]
