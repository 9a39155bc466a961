"""An operator's `hold` and `resume`: what must not be sent for now, and what may again.

A hold names a partner, a flow, a destination, or any two or all of them; what has all it names is
not tried. It is in the journal, so it outlives a restart. What is under way at that moment ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Container, Mapping
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection

from gateway.service.control import CommandRefused, Handler
from gateway.service.journal import Journal, delivery_records
from gateway.service.journal.delivery_records import Hold, Intervention, subject_of

MAX_REASON = 500
Reason = Annotated[str, msgspec.Meta(pattern=r"\S", max_length=MAX_REASON)]
Who = Annotated[str, msgspec.Meta(pattern=r"\S", max_length=100)]


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is meant; "" for any. `by`: who says so."""

    by: Who
    partner: str = ""
    flow: str = ""
    destination: str = ""


class HoldWanted(About, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `hold`."""

    reason: Reason


class ResumeWanted(About, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `resume`. `every`: all holds, whatever they name."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""
    every: bool = False


class Holds:
    """Answers an operator's commands; `handlers` is what `Control` wants.

    `partners` are those there are now; `flows` and `destinations` the words that mean something.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        partners: Container[str],
        flows: Collection[str],
        destinations: Collection[str],
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._partners = partners
        self._flows = flows
        self._destinations = destinations
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"hold": self.hold, "resume": self.resume}

    async def hold(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Send nothing of this any more: `{"subject", "new": whether it was not held before}`."""
        wanted = msgspec.convert(arguments, HoldWanted)
        self._check(wanted)
        now = self._now()
        hold = Hold(
            partner=wanted.partner,
            flow=wanted.flow,
            destination=wanted.destination,
            reason=" ".join(wanted.reason.split()),
            placed_by=wanted.by,
            placed_at=now,
        )

        def write(conn: Connection) -> bool:
            new = delivery_records.place_hold(conn, hold)
            if new:
                _note(conn, "hold", hold, wanted.by, hold.reason, now)
            return new

        new: bool = await self._journal.write("hold", write)
        if new:
            self._log.warning(
                "delivery_held",
                subject=hold.subject,
                by=wanted.by,
                reason=hold.reason,
                remedy="Nothing of it is sent until: edi-gateway resume",
            )
        return {"subject": hold.subject, "new": new}

    async def resume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Send again, at once: `{"resumed": [subjects], "left": [subjects still held]}`."""
        wanted = msgspec.convert(arguments, ResumeWanted)
        now = self._now()
        key = (wanted.partner, wanted.flow, wanted.destination)

        def write(conn: Connection) -> tuple[list[Hold], list[Hold]]:
            held = delivery_records.holds_in_force(conn)
            meant = [
                hold
                for hold in held
                if wanted.every or (hold.partner, hold.flow, hold.destination) == key
            ]
            for hold in meant:
                delivery_records.lift_hold(conn, hold, now)
                _note(conn, "resume", hold, wanted.by, wanted.reason, now)
            return meant, [hold for hold in held if hold not in meant]

        meant, left = await self._journal.write("resume", write)
        if not meant and not wanted.every:
            raise CommandRefused(
                f"There is no hold of {subject_of(*key)}.",
                remedy=_what_is_held(left),
            )
        for hold in meant:
            self._log.info(
                "delivery_resumed", subject=hold.subject, by=wanted.by, reason=wanted.reason or None
            )
        self._outbox_written()
        return {
            "resumed": [hold.subject for hold in meant],
            "left": [hold.subject for hold in left],
        }

    def _check(self, wanted: About) -> None:
        """A hold of something that does not exist would hold nothing, and nobody would notice."""
        if wanted.partner and wanted.partner not in self._partners:
            raise CommandRefused(
                f'There is no partner "{wanted.partner}".',
                remedy="See: edi-gateway partner list",
            )
        for word, name, known in (
            ("flow", wanted.flow, self._flows),
            ("destination", wanted.destination, self._destinations),
        ):
            if name and name not in known:
                raise CommandRefused(
                    f'There is no {word} "{name}".',
                    remedy=f"There are: {', '.join(sorted(known))}.",
                )


def _what_is_held(holds: Collection[Hold]) -> str:
    if not holds:
        return "Nothing is held."
    return "Held are: " + "; ".join(hold.subject for hold in holds) + "."


def _note(
    conn: Connection, action: str, hold: Hold, by: str, reason: str, now: dt.datetime
) -> None:
    done = Intervention(at=now, action=action, by=by, subject=hold.subject, reason=reason)
    delivery_records.add_intervention(conn, done)
