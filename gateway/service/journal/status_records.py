"""The lifecycle of invoices: which statuses they were given, by whom, in which message.

A status is kept once, under a key made of what it says (`key`), its partner and its direction. One
whose invoice is not here waits under the invoice's number, and is linked when the invoice comes.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.core.cdar.order import Order
from gateway.core.uniqueness import InvoiceKey, seller_key, within
from gateway.model.interchange import INVOICE_SYNTAXES, Environment
from gateway.model.standing import Direction, Standing
from gateway.service.journal.tables import (
    OF_IMPORTED,
    UNKNOWN,
    documents,
    interchanges,
    invoice_keys,
    invoice_statuses,
)


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted invoice. `seller` and `buyer` are keys (core.uniqueness), where they have one."""

    interchange_id: str
    ordinal: int
    partner: str
    seller: str | None
    buyer: str | None


class StatusRow(msgspec.Struct, frozen=True, kw_only=True):
    """One status, in the order of the table's columns.

    `interchange_id` and `ordinal`: the message as it came; of a status we gave there is none.
    `invoice_interchange_id` and `invoice_ordinal`: the invoice, where it is known. `issuer`: who
    says so. `rights`: whose invoices the partner could speak of when it said so. `repeats`: how
    often the same message came again.
    """

    id: int = 0
    direction: str
    partner: str
    key: str
    message_id: str
    interchange_id: str | None
    ordinal: int
    number: str
    issued: str | None
    seller: str | None
    invoice_interchange_id: str | None
    invoice_ordinal: int | None
    status: str
    reasons: list[str]
    said_at: dt.datetime | None
    issuer: dict[str, Any]
    standing: str
    order: str | None
    rights: dict[str, Any]
    recorded_at: dt.datetime
    linked_at: dt.datetime | None = None
    repeats: int = 0
    repeated_at: dt.datetime | None = None


_COLUMNS: Final = StatusRow.__struct_fields__
_ROW: Final = sa.select(*(invoice_statuses.c[name] for name in _COLUMNS))
_ADD: Final = sa.insert(invoice_statuses).inline()
_NAMED: Final = _ROW.where(
    invoice_statuses.c.partner == sa.bindparam("b_partner"),
    invoice_statuses.c.direction == sa.bindparam("b_direction"),
    invoice_statuses.c.key == sa.bindparam("b_key"),
)
_OF_INVOICE: Final = _ROW.where(
    invoice_statuses.c.invoice_interchange_id == sa.bindparam("b_id"),
    invoice_statuses.c.invoice_ordinal == sa.bindparam("b_ordinal"),
).order_by(invoice_statuses.c.id)
_OF_INTERCHANGE: Final = _ROW.where(
    invoice_statuses.c.invoice_interchange_id == sa.bindparam("b_id")
).order_by(invoice_statuses.c.id)
_TOLD_IN: Final = _ROW.where(invoice_statuses.c.interchange_id == sa.bindparam("b_id")).order_by(
    invoice_statuses.c.id
)
_TOLD_BY: Final = _ROW.where(
    invoice_statuses.c.interchange_id == sa.bindparam("b_id"),
    invoice_statuses.c.ordinal == sa.bindparam("b_ordinal"),
).order_by(invoice_statuses.c.id)
_WAITING: Final = _ROW.where(
    UNKNOWN,
    invoice_statuses.c.number == sa.bindparam("b_number"),
    sa.exists().where(
        interchanges.c.id == invoice_statuses.c.interchange_id,
        interchanges.c.environment == sa.bindparam("b_environment"),
    ),
).order_by(invoice_statuses.c.id)
_OF_IMPORTED: Final = _ROW.where(
    OF_IMPORTED, invoice_statuses.c.number == sa.bindparam("b_number")
).order_by(invoice_statuses.c.id)
_COUNT_WAITING: Final = sa.select(sa.func.count()).select_from(invoice_statuses).where(UNKNOWN)
_REPEATED: Final = (
    sa.update(invoice_statuses)
    .where(invoice_statuses.c.id == sa.bindparam("b_id"))
    .values(repeats=invoice_statuses.c.repeats + 1, repeated_at=sa.bindparam("b_now"))
)
_LINK: Final = (
    sa.update(invoice_statuses)
    .where(invoice_statuses.c.id == sa.bindparam("b_id"))
    .values(
        invoice_interchange_id=sa.bindparam("b_invoice"),
        invoice_ordinal=sa.bindparam("b_invoice_ordinal"),
        standing=sa.bindparam("b_standing"),
        order=sa.bindparam("b_order"),
        linked_at=sa.bindparam("b_now"),
    )
)
_DROP: Final = sa.delete(invoice_statuses).where(
    invoice_statuses.c.interchange_id == sa.bindparam("b_id"),
    invoice_statuses.c.ordinal == sa.bindparam("b_ordinal"),
    invoice_statuses.c.direction == Direction.RECEIVED.value,
)
_INVOICE: Final = sa.select(
    documents.c.interchange_id,
    documents.c.ordinal,
    interchanges.c.partner,
    documents.c.seller_id,
    documents.c.buyer_id,
).join(interchanges, interchanges.c.id == documents.c.interchange_id)
_ACCEPTED: Final = sa.and_(
    documents.c.verdict == "accepted",
    documents.c.syntax.in_([syntax.value for syntax in INVOICE_SYNTAXES]),
    documents.c.issue_date == sa.bindparam("b_issued"),
    interchanges.c.environment == sa.bindparam("b_environment"),
)
_BY_KEY: Final = _INVOICE.join(
    invoice_keys,
    sa.and_(
        invoice_keys.c.interchange_id == documents.c.interchange_id,
        invoice_keys.c.ordinal == documents.c.ordinal,
    ),
).where(
    invoice_keys.c.seller == sa.bindparam("b_seller"),
    invoice_keys.c.year == sa.bindparam("b_year"),
    invoice_keys.c.number == sa.bindparam("b_number"),
    _ACCEPTED,
)
_BY_NUMBER: Final = (
    _INVOICE.where(documents.c.invoice_number == sa.bindparam("b_number"), _ACCEPTED)
    .order_by(documents.c.interchange_id.desc(), documents.c.ordinal.desc())
    .limit(1000)
)


def find_invoice(
    conn: sa.Connection,
    seller: str,
    number: str,
    issued: dt.date,
    environment: Environment = Environment.PRODUCTION,
) -> Invoice | None:
    """The accepted invoice of this seller (a key of core.uniqueness), number and day.

    Where several are (they need not be unique), the one that holds the invoice, else the newest.
    """
    wanted = {
        "b_number": number,
        "b_issued": issued.isoformat(),
        "b_environment": environment.value,
    }
    key = {"b_seller": within(environment, seller), "b_year": issued.year}
    row = conn.execute(_BY_KEY, {**wanted, **key}).first()
    if row is not None:
        return _invoice(row, seller)
    for each in conn.execute(_BY_NUMBER, wanted):
        if seller_key(each.seller_id or "") == seller:
            return _invoice(each, seller)
    return None


def _invoice(row: Any, seller: str) -> Invoice:
    return Invoice(
        interchange_id=row.interchange_id,
        ordinal=row.ordinal,
        partner=row.partner,
        seller=seller,
        buyer=seller_key(row.buyer_id or ""),
    )


def add_status(conn: sa.Connection, row: StatusRow) -> None:
    """Keep a status. Raises IntegrityError when it is there (`status_named`)."""
    values = msgspec.structs.asdict(row)
    del values["id"]
    conn.execute(_ADD, values)


def status_named(
    conn: sa.Connection, partner: str, direction: Direction, key: str
) -> StatusRow | None:
    """The status that is kept under this key."""
    wanted = {"b_partner": partner, "b_direction": direction.value, "b_key": key}
    row = conn.execute(_NAMED, wanted).first()
    return None if row is None else _row(row)


def status_repeated(conn: sa.Connection, id_: int, now: dt.datetime) -> None:
    """Count that the same message told it again."""
    conn.execute(_REPEATED, {"b_id": id_, "b_now": now})


def statuses_of_invoice(conn: sa.Connection, interchange_id: str, ordinal: int) -> list[StatusRow]:
    """Everything that was said of an invoice, in the order it came, believed or not."""
    found = conn.execute(_OF_INVOICE, {"b_id": interchange_id, "b_ordinal": ordinal})
    return [_row(row) for row in found]


def statuses_about(conn: sa.Connection, interchange_id: str) -> list[StatusRow]:
    """Everything that was said of any invoice of an interchange."""
    return [_row(row) for row in conn.execute(_OF_INTERCHANGE, {"b_id": interchange_id})]


def statuses_told_in(conn: sa.Connection, interchange_id: str) -> list[StatusRow]:
    """Every status that was first told by a message of this interchange."""
    return [_row(row) for row in conn.execute(_TOLD_IN, {"b_id": interchange_id})]


def statuses_told_by(conn: sa.Connection, interchange_id: str, ordinal: int) -> list[StatusRow]:
    """Every status that was first told by this message."""
    found = conn.execute(_TOLD_BY, {"b_id": interchange_id, "b_ordinal": ordinal})
    return [_row(row) for row in found]


def statuses_waiting(conn: sa.Connection, number: str, environment: Environment) -> list[StatusRow]:
    """Statuses of an invoice with this number that was not here when they came."""
    wanted = {"b_number": number, "b_environment": environment.value}
    return [_row(row) for row in conn.execute(_WAITING, wanted)]


def statuses_of_imported(conn: sa.Connection, key: InvoiceKey) -> list[StatusRow]:
    """Everything that was said of an invoice that another system accepted, believed or not."""
    found = conn.execute(_OF_IMPORTED, {"b_number": key.number})
    return [row for row in map(_row, found) if speaks_of(row, key)]


def speaks_of(row: StatusRow, key: InvoiceKey) -> bool:
    """Whether a status means the invoice of this key, of which only the year is known."""
    named = (row.seller, row.number, (row.issued or "")[:4])
    return named == (key.seller, key.number, f"{key.year:04}")


def count_waiting(conn: sa.Connection) -> int:
    """How many statuses speak of invoices that are not here."""
    return int(conn.execute(_COUNT_WAITING).scalar_one())


def link_status(
    conn: sa.Connection,
    id_: int,
    invoice: Invoice | None,
    standing: Standing,
    order: Order | None,
    now: dt.datetime | None,
) -> None:
    """The invoice came that the status speaks of; None: it is imported, or known no more."""
    conn.execute(
        _LINK,
        {
            "b_id": id_,
            "b_invoice": None if invoice is None else invoice.interchange_id,
            "b_invoice_ordinal": None if invoice is None else invoice.ordinal,
            "b_standing": standing.value,
            "b_order": None if order is None else order.value,
            "b_now": now,
        },
    )


def drop_told(conn: sa.Connection, interchange_id: str, ordinal: int) -> None:
    """Forget what a message told: it is judged again."""
    conn.execute(_DROP, {"b_id": interchange_id, "b_ordinal": ordinal})


def _row(row: Any) -> StatusRow:
    return StatusRow(**dict(zip(_COLUMNS, row, strict=True)))
