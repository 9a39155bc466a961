"""Invoice numbers that another system accepted: taken into the journal as an operator asks.

Page by page, each a transaction of its own between those of the line. Doing it twice adds nothing,
so an import that broke off is simply started again. A number that was wrong is forgotten; one that
a document of ours holds is not, for the document is accepted. Statuses that lifecycle messages told
of an invoice are linked with it when it is imported, and wait again when it is forgotten.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.core.uniqueness import InvoiceKey
from gateway.service import imported_statuses
from gateway.service.control import CommandRefused, Handler
from gateway.service.holds import Reason, Who
from gateway.service.imported_statuses import Linked
from gateway.service.journal import (
    Journal,
    delivery_records,
    records,
    status_records,
    uniqueness_records,
)
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.known_invoices import FORGOTTEN, subject_of
from gateway.service.journal.uniqueness_records import Held, import_invoices, known_invoices
from gateway.service.settle import outgoing_of
from gateway.service.status_messages import linked_event

AT_ONCE: Final = 500
"""Invoices in one command: the journal has other work that must not wait long."""
MAX_NUMBER: Final = 200
"""Characters of an invoice number."""
MAX_SOURCE: Final = 120
"""Characters of the name of a table."""
FIRST_YEAR, LAST_YEAR = 1900, 2999


class Named(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One invoice: its seller's key (`core.uniqueness`), its number, its year of issue."""

    seller: Annotated[str, msgspec.Meta(pattern=r"^(siren:[0-9]{9}|vat:[A-Z]{2}[0-9A-Z+*]{2,18})$")]
    number: Annotated[str, msgspec.Meta(pattern=r"^\S(.*\S)?$", max_length=MAX_NUMBER)]
    year: Annotated[int, msgspec.Meta(ge=FIRST_YEAR, le=LAST_YEAR)]


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `invoices.import`. `dry_run`: only say how many are new.

    `source`: the name of the table they stand in.
    """

    invoices: Annotated[tuple[Named, ...], msgspec.Meta(max_length=AT_ONCE)]
    source: Annotated[str, msgspec.Meta(max_length=MAX_SOURCE)] = ""
    dry_run: bool = False


class Wrong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `invoices.forget`. `dry_run`: only say whether it could be."""

    by: Who
    invoice: Named
    reason: Reason
    dry_run: bool = False


class InvoiceImport:
    """Answers `invoices.import` and `invoices.forget`; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"invoices.import": self.take, "invoices.forget": self.forget}

    async def take(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"added": how many nobody held, "known": the others, "linked": how many statuses}`."""
        page = msgspec.convert(arguments, Page)
        keys = {_key(each) for each in page.invoices}
        linked = 0
        if page.dry_run:
            known = await self._journal.read("invoices", lambda conn: known_invoices(conn, keys))
            added = len(keys) - known
        else:
            now = self._now()
            added, linked = await self._journal.write(
                "import_invoices", lambda conn: _import(conn, keys, page.source or None, now)
            )
            known = len(page.invoices) - added
            self._log.info("invoices_imported", added=added, known=known, linked=linked)
            if linked:
                self._outbox_written()
        return {"added": added, "known": len(page.invoices) - added, "linked": linked}

    async def forget(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"imported_at", "source", "statuses": how many wait for the invoice from now on}`."""
        wrong = msgspec.convert(arguments, Wrong)
        key = _key(wrong.invoice)
        now = self._now()
        if wrong.dry_run:
            held, statuses = await self._journal.read(
                "invoice", lambda conn: _forgettable(conn, key)
            )
        else:
            held, statuses = await self._journal.write(
                "forget_invoice", lambda conn: _forget(conn, key, wrong, now)
            )
            self._log.info(
                "invoice_forgotten",
                seller=key.seller,
                number=key.number,
                year=key.year,
                by=wrong.by,
                reason=wrong.reason,
            )
        return {
            "imported_at": held.since.isoformat(),
            "source": held.source,
            "statuses": statuses,
        }


def _key(named: Named) -> InvoiceKey:
    return InvoiceKey(named.seller, named.number, named.year)


def _import(
    conn: Connection, keys: Collection[InvoiceKey], source: str | None, now: dt.datetime
) -> tuple[int, int]:
    """How many are new, and how many statuses waited for them."""
    added = import_invoices(conn, keys, now, source=source)
    linked = imported_statuses.link(conn, keys, now)
    records.add_outbox_many(conn, [each for one in linked for each in _told(conn, one, now)])
    return added, len(linked)


def _told(conn: Connection, linked: Linked, now: dt.datetime) -> Iterator[records.Outgoing]:
    """The event that a status belongs to an imported invoice."""
    message, ordinal = linked.row.interchange_id or "", linked.row.ordinal
    source = records.interchange(conn, message)
    document = records.document(conn, message, ordinal)
    if source is not None and document is not None:
        teller = source.interchange()
        event = linked_event(teller, document.flow, linked, None, now)
        yield outgoing_of(teller, event, ordinal, "event", records.BROKER)


def _imported(conn: Connection, key: InvoiceKey) -> Held:
    """The imported invoice. Raises `CommandRefused` when nobody or a document holds it."""
    held = uniqueness_records.invoice_held(conn, key)
    seller = key.seller.partition(":")[2]
    if held is None:
        raise CommandRefused(
            f"Nobody holds the invoice {key.number} of {seller} of {key.year}.",
            remedy=f"See which are known: edi-gateway invoices find {seller} NUMBER",
        )
    if not held.imported:
        holder = held.holder
        raise CommandRefused(
            f"The invoice {key.number} of {seller} of {key.year} was not imported: it is document"
            f" {holder.ordinal} ({holder.document}) of interchange {holder.interchange}, sent by"
            f" {holder.partner} in {holder.file}.",
            remedy="Only imported numbers can be forgotten. An accepted document gives its number"
            f" back when a replay rejects it: edi-gateway replay {holder.interchange} --dry-run",
        )
    return held


def _forgettable(conn: Connection, key: InvoiceKey) -> tuple[Held, int]:
    """The imported invoice, and how many statuses were told of it."""
    return _imported(conn, key), len(status_records.statuses_of_imported(conn, key))


def _forget(conn: Connection, key: InvoiceKey, wrong: Wrong, now: dt.datetime) -> tuple[Held, int]:
    held = _imported(conn, key)
    uniqueness_records.forget_invoice(conn, key)
    statuses = imported_statuses.unlink(conn, key)
    delivery_records.add_intervention(
        conn,
        Intervention(
            at=now, action=FORGOTTEN, by=wrong.by, subject=subject_of(key), reason=wrong.reason
        ),
    )
    return held, statuses
