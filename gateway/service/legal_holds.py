"""An operator's `legal-hold add` and `remove`: what must be kept, whatever its age.

Of a partner, whether it is one now or was one, or of a single interchange. It says nothing about
delivery: that is `hold`. Who placed or lifted it, when and why stays in the journal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.service.control import CommandRefused, Handler
from gateway.service.holds import Reason, Who
from gateway.service.journal import delivery_records, records
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.legal_hold_records import (
    LegalHold,
    legal_subject,
    lift_legal_hold,
    place_legal_hold,
)
from gateway.service.journal.purge_records import purged_of
from gateway.service.journal.tables import interchanges
from gateway.service.purging import Writing


class LegalHoldWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of both: a partner, or an interchange. Lifting has its reason as well."""

    by: Who
    reason: Reason
    partner: str = ""
    interchange: str = ""


class LegalHolds:
    """Answers an operator's commands; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Writing,
        *,
        partners: Container[str],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._partners = partners
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"legal-hold.add": self.add, "legal-hold.remove": self.remove}

    async def add(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"subject", "new": whether it was not held before, "purged": what is gone already}`."""
        wanted = _wanted(arguments)
        now = self._now()
        hold = LegalHold(
            partner=wanted.partner,
            interchange_id=wanted.interchange,
            reason=" ".join(wanted.reason.split()),
            placed_by=wanted.by,
            placed_at=now,
        )

        def write(conn: Connection) -> tuple[bool, str | None]:
            gone = self._check(conn, wanted)
            new = place_legal_hold(conn, hold)
            if new:
                _note(conn, "legal-hold add", hold.subject, wanted, now)
            return new, gone

        new, gone = await self._journal.write("legal_hold", write)
        if new:
            self._log.warning(
                "legal_hold_placed", subject=hold.subject, by=wanted.by, reason=hold.reason
            )
        return {"subject": hold.subject, "new": new, "purged": gone}

    async def remove(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"subject"}`. Raises `CommandRefused` when nothing was held so."""
        wanted = _wanted(arguments)
        subject = legal_subject(wanted.partner, wanted.interchange)
        now = self._now()

        def write(conn: Connection) -> bool:
            lifted = lift_legal_hold(conn, wanted.partner, wanted.interchange)
            if lifted:
                _note(conn, "legal-hold remove", subject, wanted, now)
            return lifted

        if not await self._journal.write("legal_hold", write):
            raise CommandRefused(
                f"There is no legal hold of {subject}.", remedy="See: edi-gateway legal-hold list"
            )
        self._log.warning("legal_hold_lifted", subject=subject, by=wanted.by, reason=wanted.reason)
        return {"subject": subject}

    def _check(self, conn: Connection, wanted: LegalHoldWanted) -> str | None:
        """What is meant must exist; how it was purged, if it was."""
        if wanted.interchange:
            if records.interchange(conn, wanted.interchange) is None:
                raise CommandRefused(
                    f"There is no interchange {wanted.interchange}.",
                    remedy="Find it with: edi-gateway interchanges --search TEXT",
                )
            gone = purged_of(conn, wanted.interchange)
            return None if gone is None else gone.words
        sent = sa.select(interchanges.c.id).where(interchanges.c.partner == wanted.partner)
        if wanted.partner not in self._partners and not conn.execute(sent.limit(1)).first():
            raise CommandRefused(
                f'There is no partner "{wanted.partner}", and nothing came from one.',
                remedy="See: edi-gateway partner list",
            )
        return None


def _wanted(arguments: dict[str, Any]) -> LegalHoldWanted:
    wanted = msgspec.convert(arguments, LegalHoldWanted)
    if bool(wanted.partner) == bool(wanted.interchange):
        raise CommandRefused(
            "A legal hold is of a partner, or of one interchange.", remedy="Name one of them."
        )
    return wanted


def _note(
    conn: Connection, action: str, subject: str, wanted: LegalHoldWanted, now: dt.datetime
) -> None:
    done = Intervention(
        at=now,
        action=action,
        by=wanted.by,
        subject=subject,
        reason=" ".join(wanted.reason.split()),
        interchange_id=wanted.interchange or None,
    )
    delivery_records.add_intervention(conn, done)
