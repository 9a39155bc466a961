"""What intake hears from the judges: a judgement on its own document, or that a worker failed."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from pytest_twisted import ensureDeferred

from gateway.errors import WorkerDied
from gateway.model.job import JudgeAnswer, JudgeJob, Unpacked
from gateway.model.verdict import Accepted, Judgement, Rejected
from gateway.service.judges import Judges

JOB = JudgeJob(
    path="/spool/a",
    name="a.xml",
    sha256="a" * 64,
    size=3,
    partner="acme",
    partner_flows=(),
    on=dt.date(2026, 3, 1),
)


class FakePool:
    """Answers with these bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def run(self, payload: bytes, *, partner: str, size: int, alone: bool) -> bytes:
        """The bytes, whatever the job."""
        self.asked = (partner, size, alone)
        return self.answer


def judgement(sha256: str) -> Judgement:
    """An accepting judgement on the payload with this hash."""
    return Judgement(
        document="a.xml",
        sha256=sha256,
        size=3,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile=None,
        verdict=Accepted(invoice=b"{}"),
    )


@ensureDeferred
async def test_a_judgement_comes_back_as_it_was_given() -> None:
    """The pool's bytes are the judgement; the pool hears whose turn it is, and for how much."""
    said = JudgeAnswer(judgement=judgement(JOB.sha256))
    pool = FakePool(msgspec.msgpack.encode(said))
    assert await Judges(pool).judge(JOB, alone=True) == said
    assert pool.asked == ("acme", 3, True)


@ensureDeferred
async def test_what_accepted_documents_held_beside_the_invoice_is_counted() -> None:
    """By flow, for the metric; of a rejected document nothing was published that could lack it."""
    accepted = msgspec.structs.replace(judgement(JOB.sha256), unmapped=3)
    rejected = msgspec.structs.replace(accepted, verdict=Rejected(findings=()))
    pool = FakePool(msgspec.msgpack.encode(JudgeAnswer(judgement=accepted)))
    judges = Judges(pool)
    await judges.judge(JOB)
    await judges.judge(JOB)
    pool.answer = msgspec.msgpack.encode(JudgeAnswer(judgement=rejected))
    await judges.judge(JOB)
    assert judges.unmapped == {"ctc-fr-invoice": 6}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xc1",
        b"\xa2\xff\xfe",
        msgspec.msgpack.encode({"verdict": "accepted"}),
        msgspec.msgpack.encode(JudgeAnswer(judgement=judgement("b" * 64))),
        msgspec.msgpack.encode(
            JudgeAnswer(judgement=judgement(JOB.sha256), unpacked=Unpacked(members=1))
        ),
    ],
    ids=["empty", "no msgpack", "no utf-8", "neither", "another document's", "both"],
)
@ensureDeferred
async def test_an_answer_that_is_no_judgement_on_this_document_is_a_failed_worker(
    answer: bytes,
) -> None:
    """It is counted as an attempt and retried, never taken for a verdict, never looped over."""
    with pytest.raises(WorkerDied):
        await Judges(FakePool(answer)).judge(JOB)
