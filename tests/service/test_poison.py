"""Documents that crash their judge, hang it or eat memory, many in a row: the rest is served.

Real worker processes, so real crashes; what they do is written in the document. `make torture`
sends a thousand, `make test` fewer.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.model.interchange import Transport
from gateway.model.job import JudgeAnswer, JudgeJob
from gateway.model.verdict import Judgement
from gateway.service import workers
from gateway.service.intake import Intake
from gateway.service.journal import records
from gateway.service.workers import WorkerPool
from tests.service.house import ACCEPTED, House
from tests.service.test_workers import COMMAND, Log

pytestmark = pytest.mark.alone

COUNT = "EDI_GATEWAY_POISON"
"""How many poisonous documents."""
FEW = 60
KINDS = {
    "hang": {"do": "hang"},
    "memory": {"do": "memory", "mb": 120},
    "crash": {"do": "crash"},
}
PLAN = ("hang", "memory", "memory", *["crash"] * 17)
TIME_LIMIT = 1.0
MEMORY_LIMIT_MB = 80
SERVED_SECONDS = 15.0
"""A good document of another partner has its verdict within this, whatever the machine does."""
EVENTS = 12
"""So many publications at most for one document that ends in quarantine."""


class Poisoned:
    """The judges of a pool of fake workers: a document is the order it gives them."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """Accepted, if the worker lives."""
        order = KINDS.get(job.name.partition("-")[0])
        payload = json.dumps(order).encode() if order else b"good"
        await self._pool.run(payload, partner=job.partner or "", size=job.size, alone=alone)
        return JudgeAnswer(
            judgement=Judgement(
                document=job.name,
                sha256=job.sha256,
                size=job.size,
                flow="ctc-fr-invoice",
                syntax="ubl",
                document_type="invoice",
                profile=None,
                verdict=ACCEPTED,
            )
        )


class Meanwhile:
    """Another partner's good documents, one after the other; how long each one took."""

    def __init__(self, house: House, intake: Intake) -> None:
        self._house = house
        self._intake = intake
        self.took: list[float] = []
        self.over = False

    async def run(self) -> None:
        """Until `over`."""
        while not self.over:
            number = len(self.took)
            began = time.monotonic()
            arrival = self._house.arrival(
                f"good-{number}.xml", b"<good>%d</good>" % number, partner="other"
            )
            id_ = await self._intake.receive(arrival, Transport.SFTP)
            while (await self._house.row(id_)).state != "settled":
                assert time.monotonic() < began + SERVED_SECONDS, "a good document waits too long"
                await task.deferLater(reactor, 0.05)
            self.took.append(time.monotonic() - began)
            await task.deferLater(reactor, 0.1)


@pytest.mark.timeout(3600)
@ensureDeferred
async def test_poison_in_a_row_leaves_the_rest_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All end in quarantine, whole; others are judged meanwhile; workers are not worn out."""
    monkeypatch.setattr(workers, "CRASH_PAUSE_MAX", 0.05)
    count = int(os.environ.get(COUNT) or FEW)
    log = Log()
    pool = WorkerPool(
        reactor, command=COMMAND, boot=b"{}", size=2, time_limit=TIME_LIMIT, boot_limit=60.0,
        memory_limit_mb=MEMORY_LIMIT_MB, log=log,
    )  # fmt: skip
    await pool.start()
    intake = await house.intake(Poisoned(pool))
    meanwhile = Meanwhile(house, intake)
    try:
        serving = defer.Deferred.fromCoroutine(meanwhile.run())
        names = [f"{PLAN[number % len(PLAN)]}-{number}.xml" for number in range(count)]
        ids = {}
        for name in names:
            arrival = house.arrival(name, f"<{name}/>".encode())
            ids[name] = await intake.receive(arrival, Transport.SFTP)
        await _until_all(house, "quarantined", count)
        meanwhile.over = True
        await serving
        for name, id_ in ids.items():
            await _assert_in_quarantine(house, id_, name)
        assert len(meanwhile.took) >= count / 20, "too few were served meanwhile to prove much"
        _assert_no_storm(pool, log, count)
        last = await intake.receive(house.arrival("well.xml", b"<well/>"), Transport.SFTP)
        await house.reaches(last, "settled")
        print(f"{count} poisonous, {len(meanwhile.took)} good: at most {max(meanwhile.took):.1f} s")
    finally:
        meanwhile.over = True
        await intake.stop(1)
        await pool.stop(0)


async def _until_all(house: House, state: str, count: int) -> None:
    """Until so many interchanges stand there; none of them takes long."""
    known, since = -1, time.monotonic()
    while known < count:
        rows = await house.journal.read(
            "t", lambda conn: records.list_interchanges(conn, limit=1_000_000)
        )
        found = sum(row.state == state for row in rows)
        if found > known:
            known, since = found, time.monotonic()
        assert time.monotonic() < since + 60, f"{known} of {count} are {state}, and no more"
        await task.deferLater(reactor, 0.3)


async def _assert_in_quarantine(house: House, id_: str, name: str) -> None:
    """With its bytes, its reason, one report, and so many events and no more."""
    row = await house.row(id_)
    assert house.spool.path(row.sha256).read_bytes() == f"<{name}/>".encode()
    said: dict[str, Any] = {"crash": "SIGSEGV", "hang": "took more than", "memory": "more than"}
    assert said[name.partition("-")[0]] in (row.cause or "")
    assert len({each.message_id for each in await house.outbox(id_, "report")}) == 2
    assert len(await house.outbox(id_, "event")) <= EVENTS
    assert await house.outbox(id_, "document") == []


def _assert_no_storm(pool: WorkerPool, log: Log, count: int) -> None:
    """Each document cost two workers, and nobody thinks that judges cannot start.

    On a machine that is too busy a good one may take too long for once.
    """
    status = pool.status()
    assert status.broken is None
    assert 2 * count <= status.deaths <= 2 * count + max(2, count // 20)
    assert len(log.named("worker_started")) <= status.deaths + 2
    assert not log.named("worker_boot_failed")
