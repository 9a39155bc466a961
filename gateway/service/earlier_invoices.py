"""Numbers for invoices that were accepted before numbers were held, or while nobody compared them.

A gateway of an earlier version wrote no unique keys; what it accepted would be accepted again.
`invoices.backfill` goes through the journal, the oldest first, a page for each command: it reads
the canonical invoice of every accepted document that holds nothing and takes its number for it.
Where that was purged, what the journal lists of the document has to do.
Of two with the same number the first holds it and the other is told; neither becomes another
verdict. Done twice it adds nothing, so one that broke off is simply started again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.core.uniqueness import InvoiceKey, invoice_key
from gateway.model.partner import Partner, Uniqueness
from gateway.service.control import Handler
from gateway.service.journal import Journal
from gateway.service.journal.earlier_records import (
    Earlier,
    Place,
    earlier_page,
    still_accepted,
)
from gateway.service.journal.uniqueness_records import invoice_held, take_invoice
from gateway.spool import Spool

AT_ONCE: Final = 200
"""Documents in one command: the journal has other work that must not wait long."""


class Backfill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `invoices.backfill`. `after`: the last of the page before; none: the first."""

    after: Place | None = None
    dry_run: bool = False


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted document whose number another one holds. No `holder`: it was imported."""

    document: str
    name: str
    partner: str
    seller: str
    number: str
    year: int
    holder: str | None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a page gave. `off`: of partners whose invoices are not compared.

    `without_seller`: nothing to compare by. `listed`: their canonical invoice is gone, what the
    journal lists of them gave the number. `unreadable`: neither did.
    """

    next: Place | None
    received_at: dt.datetime | None
    documents: int
    added: int
    repeats: tuple[Repeat, ...]
    off: int
    without_seller: int
    listed: int
    unreadable: tuple[str, ...]


class EarlierInvoices:
    """Answers `invoices.backfill`; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        spool: Spool,
        partners: Mapping[str, Partner],
        in_thread: Callable[..., Awaitable[Any]],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._partners = partners
        self._in_thread = in_thread
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"invoices.backfill": self.backfill}

    async def backfill(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`Looked`, as JSON. `next` is where to go on; None: that was all."""
        wanted = msgspec.convert(arguments, Backfill)
        page = await self._journal.read(
            "earlier_invoices", lambda conn: earlier_page(conn, wanted.after, AT_ONCE)
        )
        compared = [each for each in page.invoices if self._compared(each.partner)]
        read = [await self._read(each) for each in compared]
        gone = [each for each in read if each.key is None and each.seller]
        listed = [msgspec.structs.replace(each, key=each.listed) for each in gone if each.listed]
        keyed = [each for each in (*read, *listed) if each.key is not None]
        keyed.sort(key=lambda each: (each.place.interchange, each.place.ordinal))
        added, repeats = await self._take(keyed, dry_run=wanted.dry_run)
        looked = Looked(
            next=page.last,
            received_at=page.received_at,
            documents=page.documents,
            added=added,
            repeats=repeats,
            off=len(page.invoices) - len(compared),
            without_seller=sum(not each.seller for each in read),
            listed=len(listed),
            unreadable=tuple(_name(each.place) for each in gone if each.listed is None),
        )
        answer: dict[str, Any] = msgspec.to_builtins(looked)
        return answer

    def _compared(self, partner: str) -> bool:
        known = self._partners.get(partner)
        return (known.uniqueness if known is not None else Uniqueness()).invoice != "off"

    async def _read(self, earlier: Earlier) -> Earlier:
        """With the key of an invoice that lies in the spool."""
        if earlier.payload is None:
            return earlier
        try:
            key = await self._in_thread(_key_in, self._spool.path(earlier.payload))
        except OSError as error:
            self._log.warning(
                "earlier_invoice_unreadable",
                document=_name(earlier.place),
                payload=earlier.payload,
                error=str(error),
            )
            return earlier
        return msgspec.structs.replace(earlier, key=key, seller=key is not None)

    async def _take(
        self, invoices: Sequence[Earlier], *, dry_run: bool
    ) -> tuple[int, tuple[Repeat, ...]]:
        now = self._now()
        if not invoices:
            return 0, ()
        if dry_run:
            return await self._journal.read("earlier_held", lambda conn: _would(conn, invoices))
        added, repeats = await self._journal.write(
            "earlier_invoices", lambda conn: _take(conn, invoices, now)
        )
        if added or repeats:
            self._log.info("earlier_invoices_taken", added=added, repeats=len(repeats))
        return added, repeats


def _key_in(path: Path) -> InvoiceKey | None:
    return invoice_key(path.read_bytes())


def _take(
    conn: Connection, invoices: Sequence[Earlier], now: dt.datetime
) -> tuple[int, tuple[Repeat, ...]]:
    """Take the numbers that nobody holds; how many, and who has one that is held."""
    added, repeats = 0, []
    for each in invoices:
        if each.key is None or not still_accepted(conn, each.place):
            continue
        holder = take_invoice(conn, each.key, each.place.interchange, each.place.ordinal, now)
        if holder is None:
            added += 1
        else:
            repeats.append(_repeat(each, each.key, _place(holder.interchange, holder.ordinal)))
    return added, tuple(repeats)


def _would(conn: Connection, invoices: Sequence[Earlier]) -> tuple[int, tuple[Repeat, ...]]:
    """What `_take` would give, as far as one page can say."""
    added, repeats = 0, []
    seen: dict[InvoiceKey, Place | None] = {}
    for each in invoices:
        if each.key is None:
            continue
        if each.key not in seen:
            held = invoice_held(conn, each.key)
            if held is None:
                added += 1
                seen[each.key] = each.place
                continue
            seen[each.key] = _place(held.holder.interchange, held.holder.ordinal)
        repeats.append(_repeat(each, each.key, seen[each.key]))
    return added, tuple(repeats)


def _repeat(earlier: Earlier, key: InvoiceKey, holder: Place | None) -> Repeat:
    return Repeat(
        document=_name(earlier.place),
        name=earlier.name,
        partner=earlier.partner,
        seller=key.seller,
        number=key.number,
        year=key.year,
        holder=None if holder is None else _name(holder),
    )


def _place(interchange: str | None, ordinal: int) -> Place | None:
    return None if interchange is None else Place(interchange, ordinal)


def _name(place: Place) -> str:
    return f"{place.interchange}/{place.ordinal}"
