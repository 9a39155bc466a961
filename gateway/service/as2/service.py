"""The AS2 service: its crypto workers, its HTTP handler, its two channels of the outbox."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.config import Configuration
from gateway.service.as2 import receipts
from gateway.service.as2.admission import Admission
from gateway.service.as2.crypto import Crypto, clear_after_the_dead, crypto_boot
from gateway.service.as2.partners import Relations
from gateway.service.as2.patience import Patience, Record
from gateway.service.as2.posting import Poster
from gateway.service.as2.receiving import As2Receiver, Receive
from gateway.service.as2.returning import As2Receipts
from gateway.service.as2.sending import As2Sender, Refuse
from gateway.service.http_server import Handler
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.replaceable_workers import ReplaceableWorkers
from gateway.service.workers import WorkerPool
from gateway.spool import Spool

ROUTE = "/as2"
MDN_CHANNEL = receipts.CHANNEL
BOOT_SECONDS = 60.0


class As2Service:
    """Built only where partners speak AS2."""

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        *,
        receive: Receive,
        ready: Callable[[], None],
        journal: Journal,
        spool: Spool,
        in_thread: InThread,
        otherwise: Callable[[records.OutboxRow], Awaitable[None]],
        record: Record,
        record_refusal: Refuse,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        settings = configuration.settings.as2
        scratch = self._scratch = Path(configuration.state) / "scratch"
        self._in_thread = in_thread

        def pool(boot: bytes) -> WorkerPool:
            return WorkerPool(
                reactor,
                command=[sys.executable, "-m", "gateway.crypto_worker"],
                boot=boot,
                size=settings.processes,
                time_limit=settings.time_limit_seconds,
                boot_limit=BOOT_SECONDS,
                memory_limit_mb=settings.memory_limit_mb,
                section="as2",
                log=log.bind(part="crypto"),
            )

        self.workers = ReplaceableWorkers(
            pool, crypto_boot(configuration), log=log.bind(part="crypto")
        )
        crypto = Crypto(self.workers, large_bytes=settings.large_bytes)
        known = self._relations = Relations(configuration.partners, settings.id)
        self._poster = Poster(
            reactor,
            seconds=settings.send_timeout_seconds,
            max_answer_bytes=receipts.MAX_BYTES,
        )
        self._receipts = As2Receipts(reactor, known, poster=self._poster, journal=journal, log=log)
        self._sender = As2Sender(
            known,
            mdn_url=settings.mdn_url,
            crypto=crypto,
            poster=self._poster,
            journal=journal,
            spool=spool,
            in_thread=in_thread,
            scratch=scratch,
            otherwise=otherwise,
            record_refusal=record_refusal,
            outbox_written=outbox_written,
            now=now,
            log=log,
        )
        self._channels = [
            Patience(
                reactor,
                way,
                record=record,
                log=log,
            )
            for way in (self._sender.deliver, self._receipts.deliver)
        ]
        self.outcomes: Counter[str] = Counter(
            dict.fromkeys(("received", "resent", "refused", "postponed"), 0)
        )
        """How many messages came in, by what became of them."""

        def count(outcome: str) -> None:
            self.outcomes[outcome] += 1

        self._receiver = As2Receiver(
            Admission(
                known,
                ready=ready,
                max_body_bytes=configuration.settings.http.max_body_bytes,
                log=log,
            ),
            crypto=crypto,
            receive=receive,
            journal=journal,
            in_thread=in_thread,
            scratch=scratch,
            returned=self._sender.returned,
            decline=self._receipts.decline,
            outbox_written=outbox_written,
            now=now,
            count=count,
            log=log,
        )

    @property
    def routes(self) -> dict[str, Handler]:
        """For the HTTP server."""
        return {ROUTE: self._receiver}

    async def deliver(self, row: records.OutboxRow) -> None:
        """Send an acknowledgement: the outbox's channel `as2`."""
        await self._channels[0].deliver(row)

    async def deliver_receipt(self, row: records.OutboxRow) -> None:
        """Send an asynchronous receipt: the outbox's channel `as2-mdn`."""
        await self._channels[1].deliver(row)

    async def start(self) -> None:
        """Start the crypto workers. Raises `WorkersBroken`, in their words."""
        await self.workers.start()

    async def prepare(self, configuration: Configuration) -> Callable[[], None]:
        """Get ready for other partners, certificates and keys; the answer takes them, at once.

        Messages under way end with those they began with. Raises `WorkersBroken` when no worker
        starts with them; then nothing is different.
        """
        put_in_place = await self.workers.prepare(crypto_boot(configuration))

        def take() -> None:
            put_in_place()
            self._relations.replace(configuration.partners)
            self._poster.forget_authorities()

        return take

    async def stop(self, grace: float) -> None:
        """Let running work finish for `grace` seconds."""
        await self._receipts.stop()
        for channel in self._channels:
            await channel.stop()
        await self.workers.stop(grace)
        await self._poster.stop()
        with contextlib.suppress(OSError):  # what stays goes at the next start
            await self._in_thread(clear_after_the_dead, self._scratch)
