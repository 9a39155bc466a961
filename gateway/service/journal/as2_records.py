"""AS2 messages in the journal: what came, what went, and the receipt of each.

A receipt of ours is written in the transaction that makes the message ours, so that a resend finds
it; a message of ours is written before it is first sent, so that every attempt sends the same
bytes under the same Message-ID. The bodies lie in the spool, which counts them.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.model.as2 import Headers, Mdn, Security
from gateway.service.journal.payload_records import add_payload_reference
from gateway.service.journal.tables import As2State, as2_messages

IN: Final = "in"
OUT: Final = "out"


class As2Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `as2_messages`. `mic` as in a receipt: "base64, sha-256".

    `content_sha256` is that of what was inside, `raw_sha256` that of the body as it travelled.
    `certificate` (DER) is the signer's: of the message that came in, of the receipt that came back.
    """

    direction: str
    partner: str
    message_id: str
    content_sha256: str
    interchange_id: str
    at: dt.datetime
    state: As2State
    as2_from: str
    as2_to: str
    headers: Headers
    raw_sha256: str
    raw_size: int
    mic: str | None
    security: Security
    mdn_mode: str
    mdn_url: str | None = None
    mdn: Mdn | None = None
    mdn_at: dt.datetime | None = None
    certificate: bytes | None = None
    outbox_message_id: str | None = None
    error: str | None = None


_CONVERTED = ("mdn", "headers", "security")
_PLAIN = [name for name in As2Row.__struct_fields__ if name not in _CONVERTED]
_SELECT = sa.select(
    *(as2_messages.c[name] for name in _PLAIN),
    as2_messages.c.headers,
    as2_messages.c.security,
    as2_messages.c.mdn_headers,
    as2_messages.c.mdn_body,
)
_ADD = sa.insert(as2_messages).inline()
# Unordered: asked for an order, SQLite goes through all of a partner's messages by their number.
_OF_MESSAGE = _SELECT.add_columns(as2_messages.c.id).where(
    as2_messages.c.partner == sa.bindparam("b_partner"),
    as2_messages.c.direction == sa.bindparam("b_direction"),
    as2_messages.c.message_id == sa.bindparam("b_message_id"),
)
_OF_INTERCHANGE = _SELECT.where(as2_messages.c.interchange_id == sa.bindparam("b_id")).order_by(
    as2_messages.c.id
)
_OF_OUTBOX = _SELECT.where(as2_messages.c.outbox_message_id == sa.bindparam("b_id"))
_LAST_RECEIVED = (
    sa.select(as2_messages.c.security)
    .where(as2_messages.c.partner == sa.bindparam("b_partner"), as2_messages.c.direction == IN)
    .order_by(as2_messages.c.id.desc())
    .limit(1)
)
_THE_SENT = sa.and_(
    as2_messages.c.partner == sa.bindparam("b_partner"),
    as2_messages.c.direction == OUT,
    as2_messages.c.message_id == sa.bindparam("b_message_id"),
)
_SENT = (
    sa.update(as2_messages)
    .where(_THE_SENT, as2_messages.c.state == As2State.PACKED)
    .values(state=As2State.SENT)
)
_RECEIPTED = (
    sa.update(as2_messages)
    .where(_THE_SENT, as2_messages.c.state != As2State.RECEIPTED)
    .values(
        state=sa.bindparam("b_state"),
        mdn_headers=sa.bindparam("b_headers"),
        mdn_body=sa.bindparam("b_body"),
        mdn_at=sa.bindparam("b_now"),
        certificate=sa.bindparam("b_certificate"),
        error=sa.bindparam("b_error"),
    )
)

_VOUCHED = (
    sa.update(as2_messages)
    .where(
        as2_messages.c.partner == sa.bindparam("b_partner"),
        as2_messages.c.direction == IN,
        as2_messages.c.message_id == sa.bindparam("b_message_id"),
        as2_messages.c.content_sha256 == sa.bindparam("b_content_sha256"),
        as2_messages.c.mdn_body.is_(None),
    )
    .values(
        mic=sa.bindparam("b_mic"),
        mdn_mode=sa.bindparam("b_mode"),
        mdn_url=sa.bindparam("b_url"),
        mdn_headers=sa.bindparam("b_headers"),
        mdn_body=sa.bindparam("b_body"),
        mdn_at=sa.bindparam("b_now"),
    )
)


def add_as2_message(conn: sa.Connection, row: As2Row) -> None:
    """Enter a message and count its raw body, which must be in the spool."""
    values: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    values["headers"] = row.headers
    values["security"] = msgspec.to_builtins(row.security)
    values["mdn_headers"] = row.mdn.headers if row.mdn else sa.null()
    values["mdn_body"] = row.mdn.body if row.mdn else None
    conn.execute(_ADD, values)
    add_payload_reference(conn, row.raw_sha256, size=row.raw_size, now=row.at)


def as2_messages_named(
    conn: sa.Connection, partner: str, direction: str, message_id: str
) -> list[As2Row]:
    """The messages of a partner under this Message-ID, the first first: hardly ever several."""
    parameters = {"b_partner": partner, "b_direction": direction, "b_message_id": message_id}
    rows = conn.execute(_OF_MESSAGE, parameters).all()
    return [_row(found) for found in sorted(rows, key=lambda found: found.id)]


def as2_messages_of(conn: sa.Connection, interchange_id: str) -> list[As2Row]:
    """Everything that travelled by AS2 for one interchange, in order."""
    return [_row(found) for found in conn.execute(_OF_INTERCHANGE, {"b_id": interchange_id})]


def as2_message_for(conn: sa.Connection, outbox_message_id: str) -> As2Row | None:
    """The message made of this row of the outbox, if it was packed already."""
    found = conn.execute(_OF_OUTBOX, {"b_id": outbox_message_id}).first()
    return None if found is None else _row(found)


def as2_last_received(conn: sa.Connection, partner: str) -> str | None:
    """Which certificate of ours the partner's newest message was encrypted for (SHA-256)."""
    security = conn.execute(_LAST_RECEIVED, {"b_partner": partner}).scalar()
    return None if security is None else msgspec.convert(security, Security).decrypted_with


def as2_sent(conn: sa.Connection, partner: str, message_id: str) -> None:
    """It is with the partner, whose asynchronous receipt is waited for."""
    conn.execute(_SENT, {"b_partner": partner, "b_message_id": message_id})


def as2_receipted(
    conn: sa.Connection,
    partner: str,
    message_id: str,
    mdn: Mdn,
    *,
    error: str | None,
    certificate: bytes | None,
    now: dt.datetime,
) -> bool:
    """Keep a receipt; `error`: what it complains of. False if a good one was there before."""
    values = {
        "b_partner": partner,
        "b_message_id": message_id,
        "b_state": As2State.REFUSED if error else As2State.RECEIPTED,
        "b_headers": mdn.headers,
        "b_body": mdn.body,
        "b_now": now,
        "b_certificate": certificate,
        "b_error": error,
    }
    return conn.execute(_RECEIPTED, values).rowcount > 0


def as2_vouched(conn: sa.Connection, row: As2Row) -> bool:
    """Keep the receipt of a message that came in and had none; False if it had one already."""
    assert row.mdn is not None
    values = {
        "b_partner": row.partner,
        "b_message_id": row.message_id,
        "b_content_sha256": row.content_sha256,
        "b_mic": row.mic,
        "b_mode": row.mdn_mode,
        "b_url": row.mdn_url,
        "b_headers": row.mdn.headers,
        "b_body": row.mdn.body,
        "b_now": row.mdn_at,
    }
    return conn.execute(_VOUCHED, values).rowcount > 0


def _row(found: Any) -> As2Row:
    named = found._mapping
    mdn = None
    if named["mdn_body"] is not None:
        mdn = Mdn(headers=_headers(named["mdn_headers"]), body=named["mdn_body"])
    return As2Row(
        **{name: named[name] for name in _PLAIN},
        headers=_headers(named["headers"]),
        security=msgspec.convert(named["security"], Security),
        mdn=mdn,
    )


def _headers(pairs: list[list[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)
