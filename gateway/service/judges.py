"""The judges as intake sees them: a job goes in, a judgement comes out."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.model.job import JudgeJob
from gateway.model.verdict import Judgement


class Workers(Protocol):
    """A pool of worker processes that answer bytes with bytes."""

    async def run(self, payload: bytes) -> bytes:
        """The worker's answer to one job."""
        ...


class Judges:
    """Speaks the judges' language (MessagePack of `JudgeJob` and `Judgement`) to their pool."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Judgement).decode

    async def judge(self, job: JudgeJob) -> Judgement:
        """Judge one payload.

        Raises `WorkerDied`, `WorkerTimeout` or `WorkersBroken` when the worker, not the
        document, failed.
        """
        return self._decode(await self._workers.run(self._encode(job)))
