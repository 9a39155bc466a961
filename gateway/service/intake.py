"""The door: bytes become an interchange that is ours, and start on their journey.

`receive` returns only when bytes and journal row are on disk; whoever called it may then tell
the partner "received". Everything after that (`journey`) is driven by what the journal holds, so
that a crash at any moment loses nothing: at start-up `start` takes up every unfinished
interchange where it stands, before new files are taken.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import IntakeRefused
from gateway.model.interchange import (
    Envelope,
    Environment,
    Interchange,
    Transport,
    new_interchange_id,
)
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Partner
from gateway.service import arrive
from gateway.service.antivirus import Scanner
from gateway.service.backlog import Backlog
from gateway.service.closing import Closer
from gateway.service.journal import Journal, records
from gateway.service.journey import Journey
from gateway.service.judges import Judging
from gateway.service.line_metrics import LineMetrics
from gateway.service.verdicts import Verdicts
from gateway.spool import Spool


class Arrival(Protocol):
    """A file a receiver has written and fsynced on the spool's file system.

    `path` None: it has put it into the spool.
    """

    partner: str
    name: str
    sha256: str
    size: int

    @property
    def path(self) -> Path | None:
        """Where it lies now."""
        ...


Beside = Callable[[Connection, Interchange, records.Receipt], None]
"""What a receiver writes in the transaction that makes a file ours; what it raises undoes both."""

InThread = Callable[..., Awaitable[Any]]
"""Runs a blocking function in the spool's own threads."""


class Intake:
    """Takes files in and sees each through to its verdict."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: InThread,
        judges: Judging,
        partners: Mapping[str, Partner],
        scratch: Path,
        settings: IntakeSettings,
        judging: JudgeSettings,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        scanner: Scanner | None = None,
        time_zone: str = LegalIdentity().time_zone,
        metrics: LineMetrics | None = None,
        event_written: Callable[[], None] | None = None,
    ) -> None:
        """`event_written`: as `outbox_written`, when there is nothing but events for the broker."""
        self._metrics = metrics = metrics or LineMetrics()
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._settings = settings
        self._outbox_written = outbox_written
        self._event_written = event_written or outbox_written
        self._log = log
        self._now = now
        self._partners = partners
        verdicts = Verdicts(
            journal=journal,
            spool=spool,
            in_thread=in_thread,
            judges=judges,
            partners=partners,
            scratch=scratch,
            judging=judging,
            inline_bytes=inline_bytes,
            outbox_written=outbox_written,
            log=log,
            now=now,
            scanner=scanner,
            time_zone=time_zone,
            metrics=metrics,
        )
        self.statuses = verdicts.statuses
        closer = Closer(
            journal=journal,
            spool=spool,
            in_thread=in_thread,
            partners=partners,
            scratch=scratch,
            inline_bytes=inline_bytes,
            now=now,
        )
        self._journey = Journey(
            verdicts,
            closer,
            journal=journal,
            spool=spool,
            in_thread=in_thread,
            scratch=scratch,
            settings=settings,
            retry_seconds=judging.retry_seconds,
            outbox_written=outbox_written,
            now=now,
            metrics=metrics,
        )
        self._backlog = verdicts.line = Backlog(
            reactor,
            journal=journal,
            work=self._see_through,
            max_in_flight=settings.max_in_flight,
            retry_seconds=judging.retry_seconds,
            log=log,
        )
        self._fresh: dict[str, Interchange] = {}
        """Received a moment ago and queued: these need not be looked up again."""
        self._open = False
        self._free_checked = -1.0
        self._free_mb = 0

    # ---- receiving

    async def receive(
        self,
        arrival: Arrival,
        transport: Transport,
        *,
        claim_key: str | None = None,
        beside: Beside | None = None,
    ) -> str:
        """Make a file ours: the interchange id, once bytes and journal row are on disk.

        A resend of the same bytes under the same name (or `claim_key`, where the transport has
        something better) by the same partner finds the interchange it already made, whose answer
        goes out once more. Raises
        `IntakeRefused`, `SpoolError` or `JournalError`: then nothing was promised and the partner
        still owns the file.
        """
        self.ready()
        now = self._now()
        partner = self._partners.get(arrival.partner)
        interchange = Interchange(
            id=new_interchange_id(int(now.timestamp() * 1000), os.urandom(10)),
            envelope=Envelope(
                partner=arrival.partner, name=arrival.name, transport=transport, received_at=now
            ),
            sha256=arrival.sha256,
            size=arrival.size,
            environment=partner.environment if partner is not None else Environment.PRODUCTION,
        )
        if arrival.path is not None:
            await self._in_thread(self._spool.adopt, arrival.path, arrival.sha256, arrival.size)

        policy = partner.uniqueness if partner is not None else None

        def write(conn: Connection) -> records.Receipt:
            receipt = arrive.receive(conn, interchange, now, claim_key=claim_key, policy=policy)
            if beside is not None:
                beside(conn, interchange, receipt)
            return receipt

        receipt = await self._journal.write("receive", write, urgent=True)
        self._metrics.received(interchange, new=receipt.new)
        self._log.info(
            "interchange_received" if receipt.new else "interchange_resent",
            interchange=receipt.interchange_id,
            partner=arrival.partner,
            flow=None,
            name=arrival.name,
            size=arrival.size,
            sha256=arrival.sha256,
        )
        if not receipt.new:
            self._outbox_written()  # its answer goes out once more
        else:
            self._event_written()
            if self._backlog.add(receipt.interchange_id, arrival.partner):
                self._fresh[receipt.interchange_id] = interchange
        return str(receipt.interchange_id)

    def ready(self) -> None:
        """Whether a file would be taken now: raises `IntakeRefused` (or `SpoolError`) if not.

        Quick enough to be asked before each body: the disk is looked at every second.
        """
        if not self._open:
            raise IntakeRefused(
                "The gateway is stopping and takes no new files.", remedy="Send it again later."
            )
        instant = time.monotonic()
        if instant - self._free_checked >= 1.0:
            self._free_checked, self._free_mb = instant, self._spool.free_mb()
        if self._free_mb < self._settings.min_free_mb:
            raise IntakeRefused(  # whose first sentence the partner reads
                "The gateway is short of disk space and takes no new files now.",
                remedy=f"Free space: {self._free_mb} MB are left, intake.min_free_mb is"
                f" {self._settings.min_free_mb}. The partner sends the file again.",
            )

    async def start(self) -> None:
        """Take up unfinished work, then open for new files."""
        await self._backlog.start()
        self._open = True

    async def stop(self, grace: float) -> None:
        """Take nothing new; let what is being judged finish for at most `grace` seconds.

        What does not finish stays in the journal and resumes at the next start.
        """
        self._open = False
        self._fresh.clear()
        await self._backlog.stop(grace)

    @property
    def in_flight(self) -> int:
        """How many interchanges are being judged now."""
        return self._backlog.in_flight

    @property
    def waiting(self) -> int:
        """How many known interchanges wait for a judge."""
        return self._backlog.waiting

    async def resume(self, interchange_id: str, partner: str) -> None:
        """An operator released or discarded something: go on with this interchange."""
        self._backlog.add(interchange_id, partner)

    async def _see_through(self, interchange_id: str) -> None:
        fresh = self._fresh.pop(interchange_id, None)
        if fresh is not None:
            await self._journey.begin(fresh)
        else:
            await self._journey.resume(interchange_id)
