"""Who holds a file's name, its bytes, an invoice: unique keys, taken with an accepted verdict.

A key is taken in the transaction that accepts a document, and given back when a replay rejects it
after all. So what was rejected holds nothing and may come again, and of two that are judged at
once the second to be written finds the key taken. Conflicts are no errors of the database: a
transaction that others share goes on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.core.uniqueness import FluxKey, Holder, InvoiceKey
from gateway.service.journal.ready import Ready
from gateway.service.journal.tables import documents, flux_keys, interchanges, invoice_keys


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice and who holds it. `source`: the table it was imported from, if that was kept."""

    key: InvoiceKey
    since: dt.datetime
    holder: Holder
    source: str | None = None

    @property
    def imported(self) -> bool:
        """Whether another system accepted it, and no document of ours holds it."""
        return self.holder.interchange is None


def _unless_taken(table: sa.Table) -> dict[str, Any]:
    """An insert that a taken key turns into nothing, on either database."""
    return {
        "sqlite": sqlite.insert(table).inline().on_conflict_do_nothing(),
        "postgresql": postgresql.insert(table).inline().on_conflict_do_nothing(),
    }


_TAKE_FLUX = _unless_taken(flux_keys)
_TAKE_INVOICE = _unless_taken(invoice_keys)

_B_ID: sa.BindParameter[str] = sa.bindparam("b_id")
_B_ORDINAL: sa.BindParameter[int] = sa.bindparam("b_ordinal")
_THE_INVOICE = sa.and_(
    invoice_keys.c.seller == sa.bindparam("b_seller"),
    invoice_keys.c.year == sa.bindparam("b_year"),
    invoice_keys.c.number == sa.bindparam("b_number"),
)


def _flux_by(column: sa.ColumnElement[Any]) -> Ready:
    """The interchange that holds a partner's key in this column."""
    return Ready(
        sa.select(
            flux_keys.c.interchange_id,
            flux_keys.c.partner,
            interchanges.c.name,
            interchanges.c.sha256,
            interchanges.c.received_at,
        )
        .join(interchanges, interchanges.c.id == flux_keys.c.interchange_id)
        .where(flux_keys.c.partner == sa.bindparam("b_partner"), column == sa.bindparam("b_key"))
    )


_FLUX_BY_NAME = _flux_by(flux_keys.c.name)
_FLUX_BY_SHA256 = _flux_by(flux_keys.c.sha256)
_HOLDS_FLUX = sa.select(flux_keys.c.interchange_id).where(flux_keys.c.interchange_id == _B_ID)
_DROP_FLUX = sa.delete(flux_keys).where(flux_keys.c.interchange_id == _B_ID)
_DROP_USELESS_FLUX = _DROP_FLUX.where(
    ~sa.exists().where(documents.c.interchange_id == _B_ID, documents.c.verdict == "accepted")
)
_INVOICE_HOLDER = (
    sa.select(
        invoice_keys.c.interchange_id,
        invoice_keys.c.ordinal,
        invoice_keys.c.taken_at,
        invoice_keys.c.source,
        interchanges.c.partner,
        interchanges.c.name,
        interchanges.c.sha256,
        interchanges.c.received_at,
        documents.c.name.label("document"),
    )
    .outerjoin(interchanges, interchanges.c.id == invoice_keys.c.interchange_id)
    .outerjoin(
        documents,
        sa.and_(
            documents.c.interchange_id == invoice_keys.c.interchange_id,
            documents.c.ordinal == invoice_keys.c.ordinal,
        ),
    )
    .where(_THE_INVOICE)
)
_INVOICES_OF = sa.select(invoice_keys.c.seller, invoice_keys.c.number, invoice_keys.c.year).where(
    invoice_keys.c.interchange_id == _B_ID, invoice_keys.c.ordinal == _B_ORDINAL
)
_DROP_INVOICE = sa.delete(invoice_keys).where(_THE_INVOICE)


def flux_holders(conn: sa.Connection, key: FluxKey) -> list[Holder]:
    """The interchanges that hold these bytes, and this name, of the partner: those, then this."""
    found = []
    for holding, value in ((_FLUX_BY_SHA256, key.sha256), (_FLUX_BY_NAME, key.name)):
        if value is None:
            continue
        named = {"b_partner": key.partner, "b_key": value}
        if holding.first(conn, named) is None:  # nearly always
            continue
        row = conn.execute(holding.statement, named).first()
        if row is not None:
            found.append(
                Holder(
                    interchange=row.interchange_id,
                    partner=row.partner,
                    file=row.name,
                    sha256=row.sha256,
                    received_at=row.received_at,
                )
            )
    return found


def take_flux(conn: sa.Connection, key: FluxKey, interchange_id: str, now: dt.datetime) -> bool:
    """Take name and bytes for the interchange; False when it has nothing of them now.

    Either it holds them already, or another one does.
    """
    row = {
        "interchange_id": interchange_id,
        "partner": key.partner,
        "name": key.name,
        "sha256": key.sha256,
        "taken_at": now,
    }
    return conn.execute(_TAKE_FLUX[conn.dialect.name], row).rowcount > 0


def holds_flux(conn: sa.Connection, interchange_id: str) -> bool:
    """Whether the interchange holds a name or bytes."""
    return conn.execute(_HOLDS_FLUX, {"b_id": interchange_id}).first() is not None


def drop_flux(conn: sa.Connection, interchange_id: str) -> None:
    """Give back the name and the bytes."""
    conn.execute(_DROP_FLUX, {"b_id": interchange_id})


def drop_useless_flux(conn: sa.Connection, interchange_id: str) -> None:
    """Give back the name and the bytes of an interchange of which nothing is accepted any more."""
    conn.execute(_DROP_USELESS_FLUX, {"b_id": interchange_id})


def take_invoice(
    conn: sa.Connection, key: InvoiceKey, interchange_id: str, ordinal: int, now: dt.datetime
) -> Holder | None:
    """Take the invoice for a document; the holder, if that is another document."""
    row = {
        "seller": key.seller,
        "number": key.number,
        "year": key.year,
        "interchange_id": interchange_id,
        "ordinal": ordinal,
        "taken_at": now,
    }
    if conn.execute(_TAKE_INVOICE[conn.dialect.name], row).rowcount:
        return None
    held = invoice_held(conn, key)
    if held is None:
        raise LookupError(f"{key} was taken a moment ago")
    holder = held.holder
    return None if (holder.interchange, holder.ordinal) == (interchange_id, ordinal) else holder


def invoice_held(conn: sa.Connection, key: InvoiceKey) -> Held | None:
    """Who holds an invoice; None: nobody."""
    found = conn.execute(_INVOICE_HOLDER, _named(key)).first()
    if found is None:
        return None
    holder = Holder(
        interchange=found.interchange_id,
        partner=found.partner,
        ordinal=found.ordinal,
        file=found.name or "",
        sha256=found.sha256 or "",
        received_at=found.received_at,
        document=found.document or "",
    )
    return Held(key=key, since=found.taken_at, holder=holder, source=found.source)


def drop_invoices(
    conn: sa.Connection, interchange_id: str, ordinal: int, *, but: InvoiceKey | None = None
) -> None:
    """Give back what a document holds, except for `but`: a replay may read another number."""
    rows = conn.execute(_INVOICES_OF, {"b_id": interchange_id, "b_ordinal": ordinal}).all()
    for row in rows:
        key = InvoiceKey(row.seller, row.number, row.year)
        if key != but:
            conn.execute(_DROP_INVOICE, _named(key))


def import_invoices(
    conn: sa.Connection, keys: Iterable[InvoiceKey], now: dt.datetime, *, source: str | None = None
) -> int:
    """Take invoices that another system accepted; how many of them nobody held.

    `source`: the name of the table they stand in.
    """
    rows = [
        {
            "seller": key.seller,
            "number": key.number,
            "year": key.year,
            "interchange_id": None,
            "ordinal": 0,
            "taken_at": now,
            "source": source,
        }
        for key in keys
    ]
    if not rows:
        return 0
    return conn.execute(_TAKE_INVOICE[conn.dialect.name], rows).rowcount


def known_invoices(conn: sa.Connection, keys: Iterable[InvoiceKey]) -> int:
    """How many of these different invoices somebody holds."""
    return sum(invoice_held(conn, key) is not None for key in keys)


def forget_invoice(conn: sa.Connection, key: InvoiceKey) -> None:
    """Give back an invoice, whoever holds it."""
    conn.execute(_DROP_INVOICE, _named(key))


def _named(key: InvoiceKey) -> dict[str, Any]:
    return {"b_seller": key.seller, "b_year": key.year, "b_number": key.number}
