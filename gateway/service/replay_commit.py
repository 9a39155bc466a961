"""Judged again for good: the verdicts are taken back, and the interchange goes through once more.

    interchange  acknowledged ─▶ opened      then as after its receipt, to the acknowledgement
    documents    published ─▶ extracted      judged by the rules of the day that was chosen

Consumers get each result again as a new revision, the partner a new report that replaces the one
before. Asking again while it is under way is refused, so nothing is judged twice at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.model.lifecycle import InterchangeState
from gateway.service import settle
from gateway.service.control import CommandRefused, Handler
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.payloads_gone import refuse_purged
from gateway.service.replay import Try
from gateway.spool import Spool

_NOT_YET = {
    InterchangeState.QUARANTINED: "Have it judged with: edi-gateway quarantine release {id}",
    InterchangeState.SETTLED: "Its acknowledgement is not delivered yet. Wait for that; what holds"
    " it up says: edi-gateway show {id}",
    InterchangeState.REFUSED: "Its acknowledgement is not delivered yet. Wait for that; what holds"
    " it up says: edi-gateway show {id}",
}
_UNDER_WAY = "It is being judged now. Wait until it is acknowledged: edi-gateway show {id}"


class TakenBack(msgspec.Struct, frozen=True):
    """What is judged again: the interchange as it was, and how many of its documents."""

    interchange: records.InterchangeRow
    documents: int


def take_back(
    conn: Connection, interchange_id: str, rules: dt.date | None, now: dt.datetime
) -> TakenBack:
    """Open the interchange again. Raises `CommandRefused` unless it came to its end."""
    row = records.interchange(conn, interchange_id)
    if row is None:
        raise CommandRefused(
            f"There is no interchange {interchange_id}.",
            remedy="Find it with: edi-gateway interchanges",
        )
    refuse_purged(conn, row.id, "judged again")
    if row.state is not InterchangeState.ACKNOWLEDGED:
        raise CommandRefused(
            f"Interchange {row.id} is {row.state}, so it cannot be judged again.",
            remedy=_NOT_YET.get(row.state, _UNDER_WAY).format(id=row.id),
        )
    cause = "replayed by an operator"
    if rules is not None:
        cause += f" with the rules of {rules}"
    steps = records.take_back(conn, row.id, rules_on=rules, cause=cause, now=now)
    documents = sum(1 for step in steps if step.ordinal)
    if not documents:
        raise CommandRefused(
            f"Interchange {row.id} has no document with a verdict.",
            remedy="Its documents were discarded; have its sender send them again.",
        )
    records.add_outbox_many(conn, settle.events_of(row.interchange(), steps, row.flow))
    return TakenBack(row, documents)


class Replaying:
    """Answers `replay.commit`; `handlers` is what `Control` wants.

    `resume` (interchange id, partner) has the line go on with an interchange; `outbox_written`
    says that there is something to send.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        spool: Spool,
        in_thread: InThread,
        resume: Callable[[str, str], Awaitable[None]],
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._resume = resume
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"replay.commit": self.commit}

    async def commit(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have it judged again: `{"interchange", "documents": how many}`.

        It is on its way when this answers, and not judged yet. Raises `CommandRefused`.
        """
        wanted = msgspec.convert(arguments, Try)
        taken = await self.judge_again(wanted)
        assert taken is not None
        return {"interchange": taken.interchange.id, "documents": taken.documents}

    async def judge_again(
        self, wanted: Try, once: Callable[[Connection], bool] = lambda _conn: True
    ) -> TakenBack | None:
        """Take the verdicts back and have the line go on; None when `once` says it was done.

        `once` is asked in the transaction that takes them back. Raises `CommandRefused`.
        """
        await self._payload_is_there(wanted.interchange)
        now = self._now()
        taken = await self._journal.write(
            "replay",
            lambda conn: (
                take_back(conn, wanted.interchange, wanted.rules, now) if once(conn) else None
            ),
        )
        if taken is None:
            return None
        row = taken.interchange
        self._outbox_written()
        self._log.info(
            "replayed",
            interchange=row.id,
            partner=row.partner,
            flow=row.flow,
            rules=str(wanted.rules or "as received"),
            documents=taken.documents,
        )
        await self._resume(row.id, row.partner)
        return taken

    async def _payload_is_there(self, interchange_id: str) -> None:
        """Before anything is taken back: without the payload nothing could be said again."""
        row = await self._journal.read(
            "interchange", lambda conn: records.interchange(conn, interchange_id)
        )
        gone = await self._journal.read(
            "purged", lambda conn: records.purged_of(conn, interchange_id)
        )
        if row is None or gone is not None:
            return  # said by `take_back`
        if not await self._in_thread(self._spool.path(row.sha256).is_file):
            raise CommandRefused(
                f"The bytes of interchange {row.id} are not in the spool any more.",
                remedy=f"Ask {row.partner} to send {row.name} again.",
            )
