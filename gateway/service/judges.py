"""The judges as intake sees them: a job goes in, a judgement comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from gateway.errors import WorkerDied
from gateway.model.interchange import Interchange
from gateway.model.job import JudgeJob
from gateway.model.partner import Partner
from gateway.model.verdict import Judgement


class Judging(Protocol):
    """Whatever judges."""

    async def judge(self, job: JudgeJob) -> Judgement:
        """Judge one payload."""
        ...


class Workers(Protocol):
    """A pool of worker processes that answer bytes with bytes."""

    async def run(self, payload: bytes) -> bytes:
        """The worker's answer to one job."""
        ...


def job_for(interchange: Interchange, partner: Partner, path: Path) -> JudgeJob:
    """The job of judging the one document of an interchange, whose payload is at `path`.

    The rule packs must be valid on the day it was received, however late it is judged.
    """
    return JudgeJob(
        path=str(path),
        name=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        partner=partner.name,
        partner_flows=partner.flows,
        on=interchange.envelope.received_at.date(),
    )


class Judges:
    """Speaks the judges' language (MessagePack of `JudgeJob` and `Judgement`) to their pool."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Judgement).decode

    async def judge(self, job: JudgeJob) -> Judgement:
        """Judge one payload.

        Raises `WorkerDied`, `WorkerTimeout` or `WorkersBroken` when the worker, not the
        document, failed. An answer nobody can read is such a failure: counted and retried like
        the others, so that the document ends in quarantine and not in an endless loop.
        """
        answer = await self._workers.run(self._encode(job))
        try:
            judgement = self._decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerDied(
                f"A worker answered with something that is no judgement: {error}.",
                remedy="Its program may have been replaced while it ran: restart the gateway.",
            ) from error
        if judgement.sha256 != job.sha256:
            raise WorkerDied(
                f"A worker answered for payload {judgement.sha256}, not for {job.sha256}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        return judgement
