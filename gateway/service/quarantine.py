"""The way out of quarantine, which only an operator opens: try again, or set aside.

    released     document ─▶ extracted: judged again, with all its attempts
    discarded    document ─▶ discarded: never judged; its partner is told why, and to send it again
    either way   interchange ─▶ opened: it goes on, and ends with a report that replaces the
                 provisional one

`release` and `discard` are plain functions on one transaction, like those of `settle`. Asking for
the same twice changes nothing the second time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection

from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service import settle
from gateway.service.control import CommandRefused, Handler
from gateway.service.journal import Journal, records
from gateway.service.journal.quarantine_records import quarantined_of
from gateway.service.journal.uniqueness_records import drop_invoices

AT_ONCE = 200
"""Documents moved in one transaction: the journal has other work that must not wait long."""

RELEASED = "released by an operator"

MAX_REASON = 500


class Moved(msgspec.Struct, frozen=True):
    """What a step out of quarantine changed: nothing, when `documents` is empty."""

    interchange: records.InterchangeRow
    documents: tuple[int, ...]


def release(
    conn: Connection, interchange_id: str, ordinals: Sequence[int] | None, now: dt.datetime
) -> Moved:
    """Have documents judged again as if for the first time; None: those in quarantine.

    At most `AT_ONCE` of these: call it until nothing moves. Raises `CommandRefused` for an
    interchange or a document that does not exist.
    """

    def move(ordinal: int) -> records.Transition:
        step = records.move_document(
            conn, interchange_id, ordinal, DocumentState.EXTRACTED, cause=RELEASED, now=now
        )
        records.set_retry(
            conn, interchange_id, ordinal, attempts=0, next_attempt_at=None, cause=RELEASED
        )
        return step

    return _move_out(conn, interchange_id, ordinals, move, RELEASED, now)


def discard(
    conn: Connection,
    interchange_id: str,
    ordinals: Sequence[int] | None,
    reason: str,
    now: dt.datetime,
) -> Moved:
    """Set documents aside for good; their partner reads the `reason`. Else like `release`."""

    def move(ordinal: int) -> records.Transition:
        step = records.move_document(
            conn, interchange_id, ordinal, DocumentState.DISCARDED, cause=reason, now=now
        )
        records.document_done(conn, interchange_id)
        drop_invoices(conn, interchange_id, ordinal)  # a replay may have brought it here
        return step

    return _move_out(conn, interchange_id, ordinals, move, "discarded by an operator", now)


def _move_out(
    conn: Connection,
    interchange_id: str,
    ordinals: Sequence[int] | None,
    move: Callable[[int], records.Transition],
    cause: str,
    now: dt.datetime,
) -> Moved:
    row = records.interchange(conn, interchange_id)
    if row is None:
        raise CommandRefused(
            f"There is no interchange {interchange_id}.",
            remedy="Find it with: edi-gateway quarantine list",
        )
    chosen = _in_quarantine(conn, row, ordinals)
    steps = [move(ordinal) for ordinal in chosen]
    # Opened with the first of them: should we die before the last, start-up goes on with it.
    if steps and row.state is InterchangeState.QUARANTINED:
        steps.append(
            records.move_interchange(
                conn, interchange_id, InterchangeState.OPENED, cause=cause, now=now
            )
        )
    records.add_outbox_many(conn, settle.events_of(row.interchange(), steps, row.flow))
    return Moved(row, tuple(chosen))


def _in_quarantine(
    conn: Connection, row: records.InterchangeRow, ordinals: Sequence[int] | None
) -> list[int]:
    if ordinals is None:
        return quarantined_of(conn, row.id, limit=AT_ONCE)
    chosen = []
    for ordinal in ordinals:
        document = records.document(conn, row.id, ordinal)
        if document is None:
            raise CommandRefused(
                f"Interchange {row.id} has no document {ordinal}; it has {row.documents_total}.",
                remedy=f"Look at it with: edi-gateway show {row.id}",
            )
        if document.state is DocumentState.QUARANTINED:
            chosen.append(ordinal)
    return chosen


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `quarantine.release`. Without `document` every one in quarantine is meant."""

    interchange: str
    document: Annotated[int, msgspec.Meta(ge=1)] | None = None

    @property
    def ordinals(self) -> list[int] | None:
        """The documents that are meant; None for every one in quarantine."""
        return None if self.document is None else [self.document]


class Discard(Release, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `quarantine.discard`. The partner reads the `reason`."""

    reason: Annotated[str, msgspec.Meta(pattern=r"\S", max_length=MAX_REASON)]


class Quarantine:
    """Answers an operator's commands; `handlers` is what `Control` wants.

    `resume` (interchange id, partner) has the line go on with an interchange; `outbox_written`
    says that there is something to send.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        resume: Callable[[str, str], Awaitable[None]],
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._resume = resume
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"quarantine.release": self.release, "quarantine.discard": self.discard}

    async def release(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have what is in quarantine judged again: `{"interchange", "documents": how many}`."""
        wanted = msgspec.convert(arguments, Release)
        step = partial(release, interchange_id=wanted.interchange, ordinals=wanted.ordinals)
        return await self._move("quarantine_released", step, None)

    async def discard(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Set what is in quarantine aside; answers like `release`."""
        wanted = msgspec.convert(arguments, Discard)
        reason = " ".join(wanted.reason.split())
        step = partial(
            discard, interchange_id=wanted.interchange, ordinals=wanted.ordinals, reason=reason
        )
        return await self._move("quarantine_discarded", step, reason)

    async def _move(
        self, event: str, step: Callable[..., Moved], reason: str | None
    ) -> dict[str, Any]:
        number = 0
        while True:
            now = self._now()
            moved: Moved = await self._journal.write(event, partial(step, now=now))
            number += len(moved.documents)
            if len(moved.documents) < AT_ONCE:
                break
        row = moved.interchange
        if number:
            self._outbox_written()
            self._log.info(
                event,
                interchange=row.id,
                partner=row.partner,
                flow=row.flow,
                documents=number,
                reason=reason,
            )
            await self._resume(row.id, row.partner)
        return {"interchange": row.id, "documents": number}
