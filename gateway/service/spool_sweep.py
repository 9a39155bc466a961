"""Payloads that belong to nobody: found now and then, and removed once they are old enough.

A file is in the spool before the journal says whose it is. Where the second step does not follow,
because the gateway was killed in between or the message turned out to be a resend, the file stays
for nothing. It is removed when it was adopted long ago and no row of the journal names it.

Nothing that is about to get its row is removed. Adopting a payload, also one that lay there
already, makes it young; only what was old *before* the journal was asked is removed, if it still is
at that very moment. A receiver has `KEEP_HOURS` from adopting a file to committing its row, where
it takes milliseconds.

While payloads are copied for a backup nothing is removed; the sweep then comes an hour later.

A journal restored from a backup does not know what was received since: to it those payloads are
nobody's. Copy the spool aside before starting a gateway on such a journal.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from twisted.internet import defer, task

from gateway.errors import GatewayError, SpoolHeld
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.journal.direct import DirectJournal
from gateway.spool import Spool

KEEP_HOURS: Final = 24.0
EVERY_SECONDS: Final = 86_400.0
HELD_SECONDS: Final = 3_600.0
BATCH: Final = 200
"""So many payloads at a time: others wait for the journal and for the spool's threads, too."""

PREFIXES: Final = tuple(f"{number:02x}" for number in range(256))


class Swept(msgspec.Struct, frozen=True):
    """What one sweep removed."""

    files: int = 0
    size: int = 0


class Sweeper:
    """Sweeps at once and then every day. `keep_hours` 0: never."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal | DirectJournal,
        spool: Spool,
        in_thread: InThread,
        log: Any,
        keep_hours: float = KEEP_HOURS,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._reactor = reactor
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._log = log
        self._keep_hours = keep_hours
        self._now = now
        self._going: defer.Deferred[None] | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is to be removed, however old and whoever's."""
        return self._keep_hours <= 0

    def start(self) -> None:
        """Begin; the journal must be open and the spool prepared."""
        if not self.keeps_all:
            self._going = defer.Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """Leave the rest for the next time."""
        going, self._going = self._going, None
        if going is None:
            return
        going.cancel()
        with contextlib.suppress(defer.CancelledError):
            await going

    async def sweep(self) -> Swept:
        """Remove what is old and nobody's. Raises `SpoolError` (`SpoolHeld`) or `JournalError`."""
        before = (self._now() - dt.timedelta(hours=self._keep_hours)).timestamp()
        files = size = 0
        for prefix in PREFIXES:
            old = await self._in_thread(self._spool.older_than, prefix, before)
            for batch in _batches(old):
                named = await self._named(batch)
                for sha256 in batch:
                    if sha256 not in named:
                        gone = await self._in_thread(self._spool.discard_older, sha256, before)
                        if gone is not None:
                            files, size = files + 1, size + gone
        return Swept(files, size)

    async def _named(self, sums: Sequence[str]) -> set[str]:
        return await self._journal.read(
            "named_payloads", lambda conn: records.named_payloads(conn, sums)
        )

    async def _run(self) -> None:
        while True:
            pause = EVERY_SECONDS
            try:
                swept = await self.sweep()
            except SpoolHeld as error:
                pause = HELD_SECONDS
                self._log.info("spool_sweep_put_off", reason=error.what)
            except GatewayError as error:
                self._log.warning("spool_not_swept", error=error.what, remedy=error.remedy)
            else:
                if swept.files:
                    self._log.info("spool_swept", files=swept.files, size=swept.size)
            await task.deferLater(self._reactor, pause)


def _batches(sums: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(sums), BATCH):
        yield sums[start : start + BATCH]
