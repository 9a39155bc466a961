"""Workers as one pool that never goes away: a reload puts a new one in the old one's place.

Workers learn once, when they start: crypto workers keys and certificates, judges flows and rules.
So new ones are started beside the old; when every one of them is ready, new jobs are theirs, and
the old ones end when the last job that was given to them, or waits for them, is done. Nothing is
refused meanwhile, and what began with a certificate or a rule ends with it. New workers that do not
start leave everything as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.python.failure import Failure

from gateway.service.worker_jobs import PoolStatus
from gateway.service.workers import WorkerPool


class ReplaceableWorkers:
    """`make` builds a pool, not started, for a boot frame.

    `files` stands for what the workers read beside it: when it differs, they are replaced too.
    """

    def __init__(
        self, make: Callable[[bytes], WorkerPool], boot: bytes, *, log: Any, files: str = ""
    ) -> None:
        self._make = make
        self._learnt = (boot, files)
        self._pool = make(boot)
        self._log = log
        self._prepared: WorkerPool | None = None
        self._under_way: Counter[WorkerPool] = Counter()
        self._leaving: dict[WorkerPool, defer.Deferred[None] | None] = {}

    async def start(self) -> None:
        """Start them; also again, after they broke. Raises `WorkersBroken`, in their words."""
        await self._pool.start()

    def status(self) -> PoolStatus:
        """A snapshot for people: of those that take new jobs."""
        return self._pool.status()

    async def run(
        self, payload: bytes, *, partner: str = "", size: int = 0, alone: bool = False
    ) -> bytes:
        """As `WorkerPool.run`."""
        pool = self._pool
        self._under_way[pool] += 1
        try:
            return await pool.run(payload, partner=partner, size=size, alone=alone)
        finally:
            self._under_way[pool] -= 1
            self._let_go(pool)

    async def prepare(self, boot: bytes, files: str = "") -> Callable[[], None]:
        """Start others with this boot frame; the answer puts them in place, at once.

        Whoever does not want them any more calls `give_up`. Raises `WorkersBroken`, in their words;
        then none of them is left.
        """
        if (boot, files) == self._learnt and self._pool.status().broken is None:
            return lambda: None
        pool = self._make(boot)
        try:
            await pool.start()
        except BaseException:
            await pool.stop(0.0)
            raise
        self._prepared = pool
        return lambda: self._switch(pool, (boot, files))

    async def give_up(self) -> None:
        """End those that were started and not put in place."""
        pool, self._prepared = self._prepared, None
        if pool is not None:
            await pool.stop(0.0)

    async def stop(self, grace: float) -> None:
        """Let running jobs finish for `grace` seconds, then end every process, old ones too."""
        stopping = [
            defer.Deferred.fromCoroutine(pool.stop(grace))
            for pool, ending in self._leaving.items()
            if ending is None
        ]
        stopping += [ending for ending in self._leaving.values() if ending is not None]
        await self._pool.stop(grace)
        await defer.DeferredList(stopping, consumeErrors=True)

    def _switch(self, pool: WorkerPool, learnt: tuple[bytes, str]) -> None:
        old, self._pool, self._learnt = self._pool, pool, learnt
        self._prepared = None
        self._leaving[old] = None
        self._log.info("workers_replaced", jobs_left_to_the_old=self._under_way[old])
        self._let_go(old)

    def _let_go(self, pool: WorkerPool) -> None:
        """End a pool that was replaced and has nothing to do any more."""
        if self._under_way[pool]:
            return
        del self._under_way[pool]
        if pool not in self._leaving or self._leaving[pool] is not None:
            return
        ending = defer.Deferred.fromCoroutine(pool.stop(0.0))
        self._leaving[pool] = ending

        def ended(result: Any) -> None:
            del self._leaving[pool]
            if isinstance(result, Failure):
                self._log.error("workers_left", error=repr(result.value))

        ending.addBoth(ended)
