"""The lifecycle of invoices that another system accepted: it belongs to a number, to no document.

imported   ─▶ statuses that waited for the number are linked with it
told       ─▶ weighed against what was told before (service.statuses)
forgotten  ─▶ they wait again, until the invoice comes
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from gateway.core.cdar.order import Given, Order, order_of
from gateway.core.uniqueness import InvoiceKey
from gateway.model.interchange import Environment
from gateway.model.partner import Statuses
from gateway.model.standing import Standing
from gateway.service.invoice_lives import (
    given_to_imported,
    is_imported,
    may_speak_of_imported,
)
from gateway.service.journal import status_records
from gateway.service.journal.status_records import StatusRow


class Linked(msgspec.Struct, frozen=True):
    """A status whose invoice came after it: the row as it was, and how it stands now."""

    row: StatusRow
    standing: Standing
    order: Order | None


def link(conn: Connection, keys: Iterable[InvoiceKey], now: dt.datetime) -> list[Linked]:
    """Give invoices that are imported now the statuses that came before them."""
    linked = []
    for key in keys:
        waiting = [
            row
            for row in status_records.statuses_waiting(conn, key.number, Environment.PRODUCTION)
            if status_records.speaks_of(row, key)
        ]
        if not waiting or not is_imported(conn, key):
            continue
        said = given_to_imported(conn, key)
        for row in waiting:
            standing, order = Standing.NOT_BELIEVED, None
            if may_speak_of_imported(msgspec.convert(row.rights, Statuses), key):
                standing, order = Standing.IMPORTED, order_of(row.status, row.said_at, said)
                said.append(Given(row.status, row.said_at))
            status_records.link_status(conn, row.id, None, standing, order, now)
            linked.append(Linked(row, standing, order))
    return linked


def unlink(conn: Connection, key: InvoiceKey) -> int:
    """Have its statuses wait for the invoice again; how many these are."""
    rows = status_records.statuses_of_imported(conn, key)
    for row in rows:
        status_records.link_status(conn, row.id, None, Standing.UNKNOWN, None, None)
    return len(rows)
