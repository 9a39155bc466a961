"""Statuses of invoices that partners tell: weighed, recorded, published, linked when late.

    message ─ weigh ─▶ Weighed, one for each status ─▶ body of the publication
                              └─ record: the same once more, in the transaction of the verdict

Weighing only reads. The body is made of it before the transaction (it may be too large for a
message, and then lies in the spool first), and the transaction weighs again: when an invoice came
in between, nothing is written, and it all begins anew. So what is published is what is recorded.

Whom to believe: a partner speaks of the invoices it sent, of those of its `parties`, or of all
(`statuses` in its file). What it says of others is kept, is no part of their lifecycle, and its
sender hears the same as for an invoice that is not here: nobody can ask us who sent what.

An invoice that another system accepted is known by its number alone (invoice_lives).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.core.cdar.order import Given, Order, order_of
from gateway.core.cdar.told import ToldMessage, ToldStatus
from gateway.core.uniqueness import InvoiceKey, seller_key, within
from gateway.model.interchange import Environment, Interchange
from gateway.model.partner import Statuses
from gateway.model.standing import Direction, Standing
from gateway.service.imported_statuses import Linked
from gateway.service.invoice_lives import given, life_of, may_speak
from gateway.service.journal import status_records
from gateway.service.journal.status_records import Invoice, StatusRow


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """A status and how it stands. `invoice` is there when one is known, believed or not."""

    told: ToldStatus
    key: str
    seller: str | None
    said_at: dt.datetime | None
    standing: Standing
    order: Order | None = None
    invoice: Invoice | None = None


def weigh(
    conn: Connection,
    interchange: Interchange,
    ordinal: int,
    message: ToldMessage,
    rights: Statuses,
    zone: str,
) -> tuple[Weighed, ...]:
    """How each status of a message stands. Writes nothing.

    `zone`: of the times in messages, which have none.
    """
    seen: set[str] = set()
    said: dict[tuple[str, int], list[Given]] = {}
    weighed = []
    for told in message.statuses:
        one = _weighed(conn, interchange, ordinal, message, told, rights, zone, seen, said)
        seen.add(one.key)
        weighed.append(one)
    return tuple(weighed)


def _weighed(
    conn: Connection,
    interchange: Interchange,
    ordinal: int,
    message: ToldMessage,
    told: ToldStatus,
    rights: Statuses,
    zone: str,
    seen: set[str],
    said: dict[tuple[str, int], list[Given]],
) -> Weighed:
    partner = interchange.envelope.partner
    key = _key(message, told)
    seller = seller_key(told.seller.value) if told.seller is not None else None
    one = Weighed(
        told=told,
        key=key,
        seller=seller,
        said_at=_aware(told.said_at, zone),
        standing=Standing.FLUX if told.of_flux else Standing.UNKNOWN,
    )
    before = status_records.status_named(conn, partner, Direction.RECEIVED, key)
    own = before is not None and (before.interchange_id, before.ordinal) == (
        interchange.id,
        ordinal,
    )
    if key in seen or (before is not None and not own):
        return msgspec.structs.replace(one, standing=Standing.REPEATED)
    if told.of_flux or seller is None or not told.number or told.issued is None:
        return one
    environment = interchange.environment
    invoice = status_records.find_invoice(conn, seller, told.number, told.issued, environment)
    number = InvoiceKey(within(environment, seller), told.number, told.issued.year)
    life = life_of(conn, partner, rights, invoice, number, but=(interchange.id, ordinal))
    if life is None:
        return one
    one = msgspec.structs.replace(one, invoice=invoice)
    if not life.believed:
        return msgspec.structs.replace(one, standing=Standing.NOT_BELIEVED)
    if life.place not in said:
        said[life.place] = life.given()
    order = order_of(told.status, one.said_at, said[life.place])
    if own and before is not None and before.order is not None:
        order = Order(before.order)  # it stood so when it came; what came since changes nothing
    said[life.place].append(Given(told.status, one.said_at))
    return msgspec.structs.replace(one, standing=life.standing, order=order)


def record(
    conn: Connection,
    interchange: Interchange,
    ordinal: int,
    message: ToldMessage,
    weighed: Iterable[Weighed],
    rights: Statuses,
    now: dt.datetime,
    *,
    again: bool,
) -> None:
    """Write what was weighed in the same transaction. Judged again, a message replaces itself."""
    partner = interchange.envelope.partner
    kept = {row.key: row for row in status_records.statuses_told_by(conn, interchange.id, ordinal)}
    status_records.drop_told(conn, interchange.id, ordinal)
    written: set[str] = set()
    for one in weighed:
        if one.standing is Standing.REPEATED:
            _count_repeat(conn, partner, one, written, again=again, now=now)
            continue
        written.add(one.key)
        row = _row(interchange, ordinal, message, one, rights, now)
        earlier = kept.get(one.key)
        if earlier is not None:
            row = msgspec.structs.replace(
                row,
                recorded_at=earlier.recorded_at,
                linked_at=earlier.linked_at,
                repeats=earlier.repeats,
                repeated_at=earlier.repeated_at,
            )
        status_records.add_status(conn, row)


def _count_repeat(
    conn: Connection,
    partner: str,
    one: Weighed,
    written: set[str],
    *,
    again: bool,
    now: dt.datetime,
) -> None:
    """Count a repetition; not that inside one message, and not again when it is judged again."""
    if one.key in written or again:
        return
    row = status_records.status_named(conn, partner, Direction.RECEIVED, one.key)
    if row is not None:
        status_records.status_repeated(conn, row.id, now)


def _row(
    interchange: Interchange,
    ordinal: int,
    message: ToldMessage,
    one: Weighed,
    rights: Statuses,
    now: dt.datetime,
) -> StatusRow:
    told, invoice = one.told, one.invoice
    return StatusRow(
        direction=Direction.RECEIVED.value,
        partner=interchange.envelope.partner,
        key=one.key,
        message_id=message.id,
        interchange_id=interchange.id,
        ordinal=ordinal,
        number=told.number or "",
        issued=None if told.issued is None else told.issued.isoformat(),
        seller=one.seller,
        invoice_interchange_id=None if invoice is None else invoice.interchange_id,
        invoice_ordinal=None if invoice is None else invoice.ordinal,
        status=told.status,
        reasons=list(told.reasons),
        said_at=one.said_at,
        issuer=msgspec.to_builtins(message.issuer) or {},
        standing=one.standing.value,
        order=None if one.order is None else one.order.value,
        rights=msgspec.to_builtins(rights),
        recorded_at=now,
    )


def link(
    conn: Connection,
    invoice: Invoice,
    sellers: Sequence[str],
    number: str,
    issued: str,
    now: dt.datetime,
    environment: Environment = Environment.PRODUCTION,
) -> list[Linked]:
    """Give an invoice that is accepted now the statuses that came before it.

    `sellers`: the keys its seller is known by. One that was imported as well (its partner is only
    warned of repetitions) takes over what was told of it.
    """
    waiting = [
        row
        for row in status_records.statuses_waiting(conn, number, environment)
        if row.issued == issued and row.seller in sellers
    ]
    real = environment is Environment.PRODUCTION and issued[:4].isdecimal()
    for seller in sellers if real else ():
        key = InvoiceKey(seller, number, int(issued[:4]))
        told = status_records.statuses_of_imported(conn, key)
        waiting += [row for row in told if row.issued == issued]
    linked = []
    said = given(conn, invoice) if waiting else []
    for row in waiting:
        standing, order = Standing.NOT_BELIEVED, None
        if may_speak(row.partner, msgspec.convert(row.rights, Statuses), invoice):
            standing, order = Standing.RECORDED, order_of(row.status, row.said_at, said)
            said.append(Given(row.status, row.said_at))
        status_records.link_status(conn, row.id, invoice, standing, order, now)
        linked.append(Linked(row, standing, order))
    return linked


def record_sent(
    conn: Connection,
    *,
    invoice: Invoice,
    number: str,
    issued: str,
    partner: str,
    message_id: str,
    status: str,
    reasons: Sequence[str],
    said_at: dt.datetime,
    issuer: dict[str, Any],
    now: dt.datetime,
) -> bool:
    """Record a status that we give an invoice, with the message that tells it; False: it is there.

    To be called in the transaction that writes the message into the outbox. `message_id` is that
    of the lifecycle message (MDT-4), `partner` whom it goes to, `issuer` who gives the status.
    """
    key = _digest(message_id, status, invoice.seller, number, issued)
    if status_records.status_named(conn, partner, Direction.SENT, key) is not None:
        return False
    order = order_of(status, said_at, given(conn, invoice, told_to=partner))
    status_records.add_status(
        conn,
        StatusRow(
            direction=Direction.SENT.value,
            partner=partner,
            key=key,
            message_id=message_id,
            interchange_id=None,
            ordinal=0,
            number=number,
            issued=issued,
            seller=invoice.seller,
            invoice_interchange_id=invoice.interchange_id,
            invoice_ordinal=invoice.ordinal,
            status=status,
            reasons=list(reasons),
            said_at=said_at,
            issuer=issuer,
            standing=Standing.RECORDED.value,
            order=order.value,
            rights={},
            recorded_at=now,
        ),
    )
    return True


def _key(message: ToldMessage, told: ToldStatus) -> str:
    """Of what a status says. The same message sent again gives the same keys, another does not."""
    seller = None if told.seller is None else told.seller.value
    issued = None if told.issued is None else told.issued.isoformat()
    said = None if told.said_at is None else told.said_at.isoformat()
    return _digest(message.id, told.status, seller, told.number, issued, said, *told.reasons)


def _digest(*parts: str | None) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _aware(time: dt.datetime | None, zone: str) -> dt.datetime | None:
    if time is None:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=ZoneInfo(zone))
    return time.astimezone(dt.UTC)
