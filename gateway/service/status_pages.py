"""One page of the statuses that an interchange is owed: composed, checked, written.

A page that has been told of before costs its reading alone: it may be begun again whenever.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.core.acknowledgement.flux_state import technical_errors
from gateway.core.acknowledgement.report import document_of
from gateway.core.cdar.checking import is_valid
from gateway.model.interchange import Interchange
from gateway.model.legal import LegalIdentity
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.verdict import Severity
from gateway.service.journal import Journal, given_records, records
from gateway.service.journal.given_records import Owed
from gateway.service.judges import Checking
from gateway.service.portal import portal_among
from gateway.service.status_composing import Composed, Composer
from gateway.service.status_giving import give, was_refused
from gateway.service.status_turns import PAGE
from gateway.spool import Spool


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a page. `total`: documents of the interchange; `given_up`: nobody asks."""

    total: int
    faults: list[str]
    given_up: bool = False


class StatusPages:
    """Makes the messages of a page, has them checked, and writes those that are valid."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        checking: Checking,
        partners: Mapping[str, Partner],
        we: LegalIdentity,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._checking = checking
        self._partners = partners
        self._we = we
        self._inline_bytes = inline_bytes
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    async def tell(self, owed: Owed, after: int) -> Told:
        """Tell of the documents `after` + 1 to `after` + PAGE, and with the first page of the file.

        Every message that is valid is in the outbox then.
        """
        partner = self._partners.get(owed.partner)
        if partner is None:
            return Told(total=0, faults=[without_partner(owed.partner)])
        if not partner.acknowledgements.statuses:
            return Told(total=0, faults=[], given_up=True)

        def read(conn: Connection) -> tuple[records.InterchangeRow, list[records.DocumentRow], Any]:
            row = records.interchange(conn, owed.interchange_id)
            if row is None:
                raise LookupError(f"interchange {owed.interchange_id} is not in the journal")
            rows = records.documents_page(conn, row.id, after=after, limit=PAGE)
            return row, rows, given_records.given_between(conn, row.id, after + 1, after + PAGE)

        row, rows, before = await self._journal.read("statuses_page", read)
        composer = Composer(
            interchange=row.interchange(), partner=partner, we=self._we, at=owed.since
        )
        faults: list[str] = []
        if after == 0 and (row.state is InterchangeState.REFUSED or row.documents_total == 1):
            faults += await self._refusal(composer, row, rows)
        composed = await self._in_thread(composer.messages, rows, before)
        faults += await self._send(composer.interchange, row.flow, composed)
        return Told(total=row.documents_total, faults=faults)

    async def _refusal(
        self,
        composer: Composer,
        row: records.InterchangeRow,
        rows: Sequence[records.DocumentRow],
    ) -> list[str]:
        """The message about a file that could not be used as a whole."""
        refused, before = await self._journal.read(
            "refused",
            lambda conn: (
                was_refused(conn, row.id),
                given_records.given_between(conn, row.id, 0, 0),
            ),
        )
        if not refused:
            return []
        errors = [
            error
            for each in rows
            if each.judgement is not None and each.state is not DocumentState.DISCARDED
            for error in technical_errors(
                document_of(records.load_judgement(each), each.ordinal, each.state), row.sha256
            )
        ]
        composed = composer.refusal(errors, before)
        return await self._send(composer.interchange, row.flow, composed)

    async def _send(
        self, interchange: Interchange, flow: str | None, composed: Sequence[Composed]
    ) -> list[str]:
        """Check messages and write those that are valid; what is wrong with the others."""
        if not composed:
            return []
        now = self._now()
        findings = await self._checking.check(
            [each.body for each in composed], now.date(), interchange.envelope.partner
        )
        valid = []
        faults = []
        for each, found in zip(composed, findings, strict=True):
            if is_valid(found):
                stored = None
                if len(each.body) > self._inline_bytes:
                    stored = await self._in_thread(self._spool.store, [each.body])
                valid.append((each, stored))
            else:
                first = next(one for one in found if one.severity is Severity.ERROR)
                faults.append(
                    f"{each.filename} is not valid and was not sent: {first.rule}: {first.message}"
                )
        if valid:
            written = await self._journal.write(
                "give_statuses",
                partial(
                    give,
                    interchange=interchange,
                    flow=flow,
                    valid=valid,
                    now=now,
                    portal=portal_among(self._partners),
                ),
            )
            if written:
                self._outbox_written()
                self._log.info(
                    "statuses_given",
                    interchange=interchange.id,
                    partner=interchange.envelope.partner,
                    flow=flow,
                    messages=written,
                )
        return faults


def without_partner(name: str) -> str:
    """Why nobody can be told, and what to do."""
    return (
        f"The partner {name} is not in the configuration any more, so nothing says how it is to be"
        f" told. Put {name}.toml back among the partners (with enabled = false where nothing more"
        ' is to come from it): it is told then. With acknowledgements.cdar = "off" in it, and'
        " portal not true, what is owed is given up."
    )
