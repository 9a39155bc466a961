"""What the journal knows of one invoice: who holds its number, and who was accepted without it.

Looked up by seller and number, and by the year of issue where it is given.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec
import sqlalchemy as sa

from gateway.core.uniqueness import InvoiceKey, seller_key
from gateway.model.interchange import INVOICE_SYNTAXES
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.tables import documents, interchanges, interventions, invoice_keys
from gateway.service.journal.uniqueness_records import Held, invoice_held

FORGOTTEN: Final = "invoices.forget"
"""The intervention that gave an imported number back."""
MAX_DOCUMENTS: Final = 100
"""Accepted documents with one invoice number that are looked at."""

_NEXT_YEAR: Final = sa.select(sa.func.min(invoice_keys.c.year)).where(
    invoice_keys.c.seller == sa.bindparam("b_seller"),
    invoice_keys.c.year > sa.bindparam("b_year"),
)
_ACCEPTED: Final = (
    sa.select(
        documents.c.interchange_id,
        documents.c.ordinal,
        documents.c.name,
        documents.c.seller_id,
        documents.c.issue_date,
        interchanges.c.partner,
        interchanges.c.name.label("file"),
        interchanges.c.received_at,
    )
    .join(interchanges, interchanges.c.id == documents.c.interchange_id)
    .where(
        documents.c.invoice_number == sa.bindparam("b_number"),
        documents.c.verdict == "accepted",
        documents.c.syntax.in_([syntax.value for syntax in INVOICE_SYNTAXES]),
        ~sa.exists().where(
            invoice_keys.c.interchange_id == documents.c.interchange_id,
            invoice_keys.c.ordinal == documents.c.ordinal,
        ),
    )
    .order_by(documents.c.interchange_id, documents.c.ordinal)
    .limit(MAX_DOCUMENTS)
)
_FORGOTTEN: Final = (
    sa.select(*(interventions.c[name] for name in Intervention.__struct_fields__))
    .where(interventions.c.action == FORGOTTEN)
    .order_by(interventions.c.id)
)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted document with the number, which holds nothing."""

    interchange: str
    ordinal: int
    document: str
    partner: str
    file: str
    received_at: dt.datetime
    issued: str | None


def subject_of(key: InvoiceKey) -> str:
    """What an intervention about an invoice says it is about."""
    return f"invoice {key.number} of {key.seller} of {key.year}"


def holders_of(conn: sa.Connection, seller: str, number: str, year: int | None) -> list[Held]:
    """Who holds the number, year by year."""
    years = [year] if year is not None else _years(conn, seller)
    found = (invoice_held(conn, InvoiceKey(seller, number, each)) for each in years)
    return [held for held in found if held is not None]


def _years(conn: sa.Connection, seller: str) -> list[int]:
    """The years of which invoices of this seller are known: one look into the key for each."""
    years: list[int] = []
    while True:
        after = {"b_seller": seller, "b_year": years[-1] if years else -1}
        found = conn.execute(_NEXT_YEAR, after).scalar()
        if found is None:
            return years
        years.append(found)


def accepted_without(
    conn: sa.Connection, seller: str, number: str, year: int | None
) -> list[Accepted]:
    """Accepted documents with this number that do not hold it, the oldest first.

    Their seller is the one that the journal's columns name, which may lack its scheme.
    """
    return [
        Accepted(
            interchange=row.interchange_id,
            ordinal=row.ordinal,
            document=row.name,
            partner=row.partner,
            file=row.file,
            received_at=row.received_at,
            issued=row.issue_date,
        )
        for row in conn.execute(_ACCEPTED, {"b_number": number})
        if seller_key(row.seller_id or "") == seller
        and (year is None or (row.issue_date or "").startswith(f"{year:04}"))
    ]


def forgotten(
    conn: sa.Connection, seller: str, number: str, year: int | None
) -> list[Intervention]:
    """When the number was forgotten, by whom and why. Operators do few such things."""
    begin = subject_of(InvoiceKey(seller, number, year or 0))
    if year is None:
        begin = begin.removesuffix("0")
    rows = [Intervention(**row._mapping) for row in conn.execute(_FORGOTTEN)]
    return [each for each in rows if each.subject.startswith(begin)]
