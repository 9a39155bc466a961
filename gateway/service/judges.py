"""The judges as intake sees them: a job goes in, a judgement comes out, or an opened archive."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.config import Configuration
from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import WorkerDied
from gateway.model.interchange import Interchange
from gateway.model.job import (
    JudgeAnswer,
    JudgeJob,
    MessageAnswer,
    MessageJob,
    SvrlAnswer,
    SvrlJob,
    WorkerBoot,
)
from gateway.model.partner import Partner
from gateway.model.verdict import Accepted, Finding
from gateway.service.worker_budget import Allowance, Budget


class Judging(Protocol):
    """Whatever judges."""

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """Judge one payload; `alone`: while no other large or dangerous one is judged."""
        ...


class Checking(Protocol):
    """Whatever checks lifecycle messages of ours."""

    async def check(
        self, messages: Sequence[bytes], on: dt.date, partner: str
    ) -> tuple[tuple[Finding, ...], ...]:
        """What is wrong with each."""
        ...


class Reporting(Judging, Protocol):
    """Whatever judges, and reports on documents in SVRL."""

    async def svrl(self, job: SvrlJob, *, alone: bool = False) -> int:
        """Have the report written: its size in bytes."""
        ...


class Workers(Protocol):
    """A pool of worker processes that answer bytes with bytes."""

    async def run(self, payload: bytes, *, partner: str = "", alone: bool = False) -> bytes:
        """The worker's answer to one job. Partners take turns."""
        ...


class BudgetedWorkers(Protocol):
    """A pool whose jobs may take the more the larger they are."""

    async def run(self, payload: bytes, *, partner: str, size: int, alone: bool) -> bytes:
        """The worker's answer to one job about `size` bytes. Partners take turns."""
        ...


def judge_boot(configuration: Configuration) -> bytes:
    """What a judge learns when it starts."""
    return msgspec.msgpack.encode(
        WorkerBoot(
            flows=tuple(configuration.flows.values()),
            rule_packs=str(configuration.rule_packs),
            scratch=str(configuration.state / "scratch"),
            directory=str(configuration.state / "directory"),
            limits=configuration.settings.documents,
            containers=configuration.settings.containers,
        )
    )


def judging_budget(settings: JudgeSettings) -> Budget:
    """What judging a document may take."""
    return Budget(
        time=Allowance(
            "judges.time_limit_seconds",
            settings.time_limit_seconds,
            settings.time_limit_seconds_per_mb,
            settings.large_time_limit_seconds,
        ),
        memory=Allowance(
            "judges.memory_limit_mb",
            settings.memory_limit_mb,
            settings.memory_limit_mb_per_mb,
            settings.large_memory_limit_mb,
        ),
        large_bytes=settings.large_bytes,
    )


def job_for(
    interchange: Interchange, partner: Partner, path: Path, *, unpack_to: Path, disk_bytes: int
) -> JudgeJob:
    """The job of judging a payload at `path`, or of unpacking it when it is an archive.

    The rule packs must be valid on the day it was received, however late it is judged.
    """
    return JudgeJob(
        path=str(path),
        name=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        partner=partner.name,
        partner_flows=partner.flows,
        on=interchange.judged_on,
        unpack_to=str(unpack_to),
        disk_bytes=max(0, disk_bytes),
    )


def member_job(
    interchange: Interchange, partner: Partner, path: Path, *, name: str, sha256: str, size: int
) -> JudgeJob:
    """The job of judging one member of an archive, unpacked at `path`."""
    return JudgeJob(
        path=str(path),
        name=name,
        archive=interchange.envelope.name,
        sha256=sha256,
        size=size,
        partner=partner.name,
        partner_flows=partner.flows,
        on=interchange.judged_on,
    )


class Judges:
    """Speaks the judges' language (MessagePack of `JudgeJob` and `JudgeAnswer`) to their pool.

    `unmapped` counts, by flow, what accepted documents held beside the canonical invoice.
    """

    def __init__(self, workers: BudgetedWorkers) -> None:
        self.unmapped = Counter[str]()
        self._workers = workers
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(JudgeAnswer).decode
        self._decode_checked = msgspec.msgpack.Decoder(MessageAnswer).decode
        self._decode_svrl = msgspec.msgpack.Decoder(SvrlAnswer).decode

    async def check(
        self, messages: Sequence[bytes], on: dt.date, partner: str
    ) -> tuple[tuple[Finding, ...], ...]:
        """What the official rules object to in each lifecycle message; a turn of `partner`.

        Raises `GatewayError` when it could not be found out: then none is known to be valid.
        """
        job = MessageJob(messages=tuple(messages), on=on)
        size = sum(len(message) for message in messages)
        raw = await self._workers.run(self._encode(job), partner=partner, size=size, alone=False)
        try:
            findings = self._decode_checked(raw).findings
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerDied(f"A worker answered with something else: {error}.") from error
        if len(findings) != len(messages):
            raise WorkerDied(f"Of {len(messages)} messages a worker checked {len(findings)}.")
        return findings

    async def svrl(self, job: SvrlJob, *, alone: bool = False) -> int:
        """Have an SVRL report written, in the time a document of this size may take: its size.

        Raises `GatewayError` when there is none: the pack is gone, or took too long.
        """
        document = job.document
        raw = await self._workers.run(
            self._encode(job), partner=document.partner or "", size=document.size, alone=alone
        )
        try:
            return self._decode_svrl(raw).size
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerDied(f"A worker answered with something else: {error}.") from error

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """Judge one payload, or open it when it is an archive.

        Raises `WorkerDied`, `WorkerTimeout` or `WorkersBroken` when the worker, not the
        document, failed. An answer nobody can read is such a failure: counted and retried like
        the others, so that the document ends in quarantine and not in an endless loop.
        """
        raw = await self._workers.run(
            self._encode(job), partner=job.partner or "", size=job.size, alone=alone
        )
        try:
            answer = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkerDied(
                f"A worker answered with something that is no judgement: {error}.",
                remedy="Its program may have been replaced while it ran: restart the gateway.",
            ) from error
        judgement = answer.judgement
        if (judgement is None) == (answer.unpacked is None):
            raise WorkerDied(
                "A worker answered with neither a judgement nor an opened archive, or with both.",
                remedy="This is a fault in the gateway; please report it.",
            )
        if judgement is not None and judgement.sha256 != job.sha256:
            raise WorkerDied(
                f"A worker answered for payload {judgement.sha256}, not for {job.sha256}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        if judgement is not None and isinstance(judgement.verdict, Accepted):
            self.unmapped[judgement.flow or "none"] += judgement.unmapped
        return answer
