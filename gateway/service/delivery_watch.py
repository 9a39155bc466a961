"""Looks now and then at how deliveries stand: for the metrics, and to raise the alarm in time.

Platforms owe a status within a day. An interchange whose acknowledgement has not left by then, or
whose invoices' statuses have not a day after the verdict, is told of once when that begins and once
when it is over, whatever keeps it: judges, quarantine, a message that is not valid, the broker, the
partner's server, a hold. It is told of in the log and, by way of the outbox, to `edi.events`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.service.journal import Journal, delivery_records, given_records, queue_records
from gateway.service.late_alerts import Untold, ended, tell, untold, why_late
from gateway.service.looking import Looking

SECONDS: Final = 60.0
MOST_LATE: Final = 10_000
"""Late interchanges that are kept in mind."""
MOST_NAMED: Final = 10
"""Late interchanges that one line of the log names."""


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries stood at the last look."""

    queues: tuple[queue_records.Queue, ...] = ()
    holds: tuple[delivery_records.Hold, ...] = ()
    away: tuple[delivery_records.Circuit, ...] = ()
    late: tuple[queue_records.Late, ...] = ()
    owed: given_records.OwedNumbers = given_records.OwedNumbers()


class DeliveryWatch:
    """`seen` is what metrics show. `late_hours`: how long an acknowledgement may take."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        late_hours: int,
        committed: Collection[str],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._hours = late_hours
        self._late = dt.timedelta(hours=late_hours)
        self._committed = committed
        self._log = log
        self._now = now
        self.seen = Deliveries()
        self._looking = Looking(reactor, self.look, failed="delivery_watch_failed", log=log)

    def start(self) -> None:
        """Look at once, then every minute."""
        self._looking.start(SECONDS)

    async def stop(self) -> None:
        """Look no more, and let the look under way end."""
        await self._looking.stop()

    async def look(self) -> Deliveries:
        """Look now, and tell what began or ended since the last time."""
        before = {each.interchange for each in self.seen.late}
        now = self._now()
        seen, why, unsaid = await self._journal.read(
            "deliveries", lambda conn: self._read(conn, now, before)
        )
        self.seen = seen
        began = [each for each in seen.late if each.interchange not in before]
        over = ended(before, seen.late, complete=len(seen.late) < MOST_LATE)
        if began:
            self._log.warning(
                "acknowledgements_late",
                count=len(began),
                late=len(seen.late),
                hours=self._hours,
                about=[
                    {
                        "interchange": each.interchange,
                        "partner": each.partner,
                        "flow": each.flow,
                        "state": each.state.value,
                        "why": why.get(each.interchange),
                    }
                    for each in began[:MOST_NAMED]
                ],
                remedy="See what keeps each of them: edi-gateway show ID; what waits and what is"
                " held: edi-gateway queues; what could not be judged: edi-gateway quarantine list",
            )
        if over:
            self._log.info(
                "acknowledgements_late_over",
                count=len(over),
                late=len(seen.late),
                interchanges=over[:MOST_NAMED],
            )
        if unsaid.began or unsaid.over:
            await self._journal.write("late", lambda conn: tell(conn, unsaid, now))
        return seen

    def _read(
        self, conn: Connection, now: dt.datetime, before: Collection[str]
    ) -> tuple[Deliveries, dict[str, str], Untold]:
        late = queue_records.late_interchanges(conn, now - self._late, MOST_LATE)
        began = [each for each in late if each.interchange not in before][:MOST_NAMED]
        seen = Deliveries(
            queues=tuple(queue_records.queues(conn, committed=self._committed)),
            holds=tuple(delivery_records.holds_in_force(conn)),
            away=tuple(delivery_records.open_circuits(conn)),
            late=tuple(late),
            owed=given_records.owed_numbers(conn, now - self._late),
        )
        why = {each.interchange: why_late(conn, each) for each in began}
        return seen, why, untold(conn, late, complete=len(late) < MOST_LATE)
