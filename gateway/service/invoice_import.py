"""Invoice numbers that another system accepted: taken into the journal as an operator asks.

Page by page, each a transaction of its own between those of the line. Doing it twice adds nothing,
so an import that broke off is simply started again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec

from gateway.core.uniqueness import InvoiceKey
from gateway.service.control import Handler
from gateway.service.journal import Journal
from gateway.service.journal.uniqueness_records import import_invoices, known_invoices

AT_ONCE: Final = 500
"""Invoices in one command: the journal has other work that must not wait long."""
MAX_NUMBER: Final = 200
"""Characters of an invoice number."""
FIRST_YEAR, LAST_YEAR = 1900, 2999


class Named(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One invoice: its seller's key (`core.uniqueness`), its number, its year of issue."""

    seller: Annotated[str, msgspec.Meta(pattern=r"^(siren:[0-9]{9}|vat:[A-Z]{2}[0-9A-Z+*]{2,18})$")]
    number: Annotated[str, msgspec.Meta(pattern=r"^\S(.*\S)?$", max_length=MAX_NUMBER)]
    year: Annotated[int, msgspec.Meta(ge=FIRST_YEAR, le=LAST_YEAR)]


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `invoices.import`. `dry_run`: only say how many are new."""

    invoices: Annotated[tuple[Named, ...], msgspec.Meta(max_length=AT_ONCE)]
    dry_run: bool = False


class InvoiceImport:
    """Answers `invoices.import`; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"invoices.import": self.take}

    async def take(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"added": how many nobody held, "known": the others}`."""
        page = msgspec.convert(arguments, Page)
        keys = {InvoiceKey(each.seller, each.number, each.year) for each in page.invoices}
        if page.dry_run:
            known = await self._journal.read("invoices", lambda conn: known_invoices(conn, keys))
            added = len(keys) - known
        else:
            now = self._now()
            added = await self._journal.write(
                "import_invoices", lambda conn: import_invoices(conn, keys, now)
            )
            self._log.info("invoices_imported", added=added, known=len(page.invoices) - added)
        return {"added": added, "known": len(page.invoices) - added}
