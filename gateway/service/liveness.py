"""The watchdog's food: given only while the gateway really works.

A process that runs is no proof. The reactor turns when this is called at all; the journal's writer
lives when it answers something written to it; judges and crypto workers live when at least one of
each takes jobs. What is missing is said once, in the log and to `systemctl status`. When it lasts
as long as `WatchdogSec=`, systemd kills the gateway and starts it again; the journal has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from twisted.internet import defer

from gateway.errors import JournalError
from gateway.service.journal import Journal
from gateway.service.worker_jobs import WORKING, PoolStatus

WORKERLESS_SECONDS: Final = 600.0
"""Without any worker intake goes on, and a restart cuts uploads off. So their own revival, every
minute, has ten chances before that is tried."""


class Liveness:
    """Calls `alive` at each `look` that finds everything at work. `tell`: what else it says."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        pools: Mapping[str, Callable[[], PoolStatus]],
        alive: Callable[[], None],
        tell: Callable[[str], None],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._pools = pools
        self._alive = alive
        self._tell = tell
        self._log = log
        self._asked: float | None = None
        self._at_work = dict.fromkeys(pools, reactor.seconds())
        self._missing = ""

    def look(self) -> None:
        """Ask the writer, unless it owes an answer; see to the workers meanwhile."""
        now = self._reactor.seconds()
        for name, status in self._pools.items():
            if any(worker.state in WORKING for worker in status().workers):
                self._at_work[name] = now
        if self._asked is None:
            self._asked = now
            defer.Deferred.fromCoroutine(self._ask())
        elif now > self._asked:
            self._say(f"the journal's writer has not answered for {now - self._asked:.0f} s")

    async def _ask(self) -> None:
        try:
            await self._journal.write("show that it is alive", _nothing)
        except JournalError as error:
            # A full disk or a lock: it answers, and starting again would mend nothing.
            self._log.debug("journal_refuses", error=str(error))
        self._asked = None
        self._say(self._workerless())

    def _workerless(self) -> str:
        now = self._reactor.seconds()
        for name, since in self._at_work.items():
            if now - since > WORKERLESS_SECONDS:
                return f"none of the {name} has worked for {now - since:.0f} s"
        return ""

    def _say(self, missing: str) -> None:
        if not missing:
            self._alive()
            if self._missing:
                self._log.info("alive_again", missing=self._missing)
        else:
            self._tell(f"Not alive: {missing}")
            if not self._missing:
                self._log.critical("not_alive", missing=missing)
        self._missing = missing


def _nothing(_: sa.Connection) -> None:
    """An empty transaction: begun and committed by the writer, and no page of the file changes."""
