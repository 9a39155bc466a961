"""SVRL of a document that was judged before, from a judge: by the very rules that judged it."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import msgspec
import pytest
from lxml import etree

from gateway import frames
from gateway.core.schematron.catalogue import default_rule_packs
from gateway.core.schematron.svrl import SVRL, violations
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import JudgeJob, SvrlAnswer, SvrlJob, WorkerBoot
from gateway.model.verdict import Judgement, PackReference
from gateway.samples import sample_bytes
from tests.official_packs import official
from tests.schematron_sources import NAME, UBL, pattern, rule, rules
from tests.test_worker import FLOW, boot, judgement, spoken, stored

ASSERTED = '<assert id="ACME-1" test="cbc:ID = \'nothing\'">The number is not ours.</assert>'


@pytest.fixture
def house_flow(tmp_path: Path) -> Flow:
    """A flow with Schematron of its own, which no sample obeys."""
    made = rules(tmp_path, UBL + pattern(rule("/ubl:Invoice", ASSERTED)))
    chain = Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=(NAME,))
    return Flow(name="house", chain=(chain,), partner_rules=(made,))


def plain(path: Path, data: bytes) -> JudgeJob:
    """A document to judge."""
    return JudgeJob(
        path=str(path),
        name="invoice.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner="acme",
        partner_flows=None,
        on=dt.date(2026, 10, 1),
    )


def asked(tmp_path: Path, job: JudgeJob, pack: PackReference, most: int = 10_000_000) -> SvrlJob:
    """For the report of a pack, into `report.xml`."""
    return SvrlJob(document=job, pack=pack, into=str(tmp_path / "report.xml"), most_bytes=most)


def answers(boot_frame: bytes, *jobs: JudgeJob | SvrlJob) -> list[tuple[bytes, bytes]]:
    """What the worker says to each job."""
    said = [(frames.JOB, msgspec.msgpack.encode(job)) for job in jobs]
    code, heard = spoken((frames.BOOT, boot_frame), *said)
    assert code == 0
    return heard[1:]


def judged_by(boot_frame: bytes, job: JudgeJob) -> Judgement:
    """The judgement on it."""
    (answer,) = answers(boot_frame, job)
    return judgement(answer)


def test_rules_beside_the_flow(tmp_path: Path, house_flow: Flow) -> None:
    """It has what the judgement has, and more: the rule that fired, the test that failed."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    booted, job = boot(tmp_path, house_flow), plain(path, data)
    judged = judged_by(booted, job)
    (pack,) = judged.rules
    (answer,) = answers(booted, asked(tmp_path, job, pack))
    assert answer[0] == frames.DONE, answer[1]
    svrl = (tmp_path / "report.xml").read_bytes()
    assert msgspec.msgpack.decode(answer[1], type=SvrlAnswer).size == len(svrl)
    root = etree.fromstring(svrl)
    assert root.tag == f"{{{SVRL}}}schematron-output"
    (failed,) = root.iter(f"{{{SVRL}}}failed-assert")
    assert failed.get("id") == "ACME-1"
    assert failed.get("test") == "cbc:ID = 'nothing'"
    assert failed.get("location")
    assert root.find(f"{{{SVRL}}}fired-rule") is not None
    assert [each.rule for each in violations(svrl)] == [each.rule for each in judged.findings]


def test_an_official_pack_by_its_sum(tmp_path: Path) -> None:
    """As shipped, it finds what the optimised form has found when it judged."""
    official("en16931-ubl")
    path = tmp_path / "faulty.xml"
    data = sample_bytes("ubl-invoice-faulty.xml")
    path.write_bytes(data)
    packs = str(default_rule_packs())
    booted = msgspec.msgpack.encode(
        WorkerBoot(flows=(FLOW,), rule_packs=packs, scratch=str(tmp_path))
    )
    job = plain(path, data)
    judged = judged_by(booted, job)
    (pack,) = judged.rules
    (answer,) = answers(booted, asked(tmp_path, job, pack))
    assert answer[0] == frames.DONE, answer[1]
    found = violations((tmp_path / "report.xml").read_bytes())
    assert sorted(each.rule for each in found) == sorted(each.rule for each in judged.findings)
    assert found


def test_other_rules_than_those_that_judged_say_nothing(tmp_path: Path, house_flow: Flow) -> None:
    """A version that is gone, rules that were changed, a pack nobody knows: each is said."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    gone = "0" * 64
    job = plain(path, data)
    heard = answers(
        boot(tmp_path, house_flow),
        *(
            asked(tmp_path, job, PackReference(name, "1", gone))
            for name in (NAME, "en16931-ubl", "nobody-knows")
        ),
    )
    assert [kind for kind, _ in heard] == [frames.FAILED] * 3
    assert "not here any more" in heard[0][1].decode()
    assert "not here any more" in heard[1][1].decode()
    assert "nobody-knows" in heard[2][1].decode()
    assert not (tmp_path / "report.xml").exists()


@pytest.mark.parametrize("fault", ["missing", "changed", "too large", "no xml"])
def test_what_cannot_be_reported_on(tmp_path: Path, house_flow: Flow, fault: str) -> None:
    """It fails this job alone, with the reason; the next one is done."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    booted = boot(tmp_path, house_flow)
    (pack,) = judged_by(booted, plain(path, data)).rules
    good = asked(tmp_path, plain(path, data), pack)
    other = tmp_path / "other.xml"
    document, most = plain(other, data), good.most_bytes
    if fault == "changed":
        other.write_bytes(data + b"\n")
    elif fault == "too large":
        other.write_bytes(data)
        most = 10
    elif fault == "no xml":
        other.write_bytes(b"no xml")
        document = plain(other, b"no xml")
    first, second = answers(booted, asked(tmp_path, document, pack, most), good)
    words = {
        "missing": "cannot be read",
        "changed": "is not what was received",
        "too large": "more than 10 are not given away",
        "no xml": "no rules were asked",
    }
    assert first[0] == frames.FAILED
    assert words[fault] in first[1].decode()
    assert second[0] == frames.DONE
