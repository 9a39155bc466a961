"""Receipts of ours on their way: in the answer, to RabbitMQ, and to the sender's URL.

A receipt is written with the message it vouches for. An asynchronous one leaves through the
outbox, so that it survives a restart and a sender that is away.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Final

from sqlalchemy import Connection

from gateway.core.as2 import MAX_MDN_BYTES
from gateway.model.as2 import Mdn, MdnMode
from gateway.model.interchange import Interchange
from gateway.model.publication import Exchange, Publication, message_id
from gateway.service import messages
from gateway.service.http_server import Answer, plain
from gateway.service.journal import records
from gateway.service.settle import BROKER

MAX_BYTES: Final = MAX_MDN_BYTES
CHANNEL: Final = "as2-mdn"
"""Destination, in the outbox, of receipts that go to a URL."""

URL_HEADER: Final = "mdn-url"
MESSAGE_ID_HEADER: Final = "as2-message-id"
TAKEN: Final = plain(200, "The message was received. Its receipt follows, if one was asked for.")
_SAFE_ID: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def new_id(our_id: str) -> str:
    """A Message-ID of ours (RFC 5322 §3.6.4), unique without asking anybody."""
    return f"<{uuid.uuid4()}@{host_part(our_id)}>"


def host_part(our_id: str) -> str:
    """Our AS2 name as the right side of a Message-ID."""
    return "".join(character for character in our_id if character in _SAFE_ID) or "edi-gateway"


def answer(mode: MdnMode, mdn: Mdn | None) -> Answer:
    """The HTTP answer: with the receipt when it is asked for at once, else a bare 200."""
    if mode is not MdnMode.SYNC or mdn is None:
        return TAKEN
    # Of two Date fields in one answer, clients take either: the server writes its own.
    headers = tuple(each for each in mdn.headers if each[0].lower() != "date")
    return Answer(200, headers, mdn.body)


def publish(
    conn: Connection,
    interchange: Interchange,
    interchange_id: str,
    row: records.As2Row,
    mdn: Mdn,
) -> None:
    """Put the receipt in the outbox: for RabbitMQ always, for the sender's URL if it wants that."""
    publication = messages.mdn_publication(
        interchange,
        mdn.body,
        content_type=_content_type(mdn),
        sha256=hashlib.sha256(mdn.body).hexdigest(),
        filename=f"{interchange_id}.mdn",
        now=row.at,
    )
    outgoing = [_outgoing(row, interchange_id, publication, BROKER)]
    if row.mdn_mode == MdnMode.ASYNC.value and row.mdn_url is not None:
        number = 0
        if interchange_id != interchange.id:  # a file that came before, in a message of its own
            number = len(_sent_to_urls(conn, interchange_id))
        outgoing.append(_to_url(row, interchange_id, mdn, row.mdn_url, row.at, number))
    records.add_outbox_many(conn, outgoing)


def send_again(conn: Connection, row: records.As2Row, url: str | None, now: dt.datetime) -> None:
    """The sender repeats its message: its receipt goes to the URL once more, the same one."""
    if row.mdn is None or url is None:
        return
    sent = _sent_to_urls(conn, row.interchange_id)
    own = [each for each in sent if each.headers.get(MESSAGE_ID_HEADER) == row.message_id]
    if any(each.delivered_at is None for each in own):
        records.release_backoff(conn, CHANNEL, now)
        return
    outgoing = _to_url(row, row.interchange_id, row.mdn, url, now, len(sent))
    records.add_outbox_many(conn, [outgoing])


def _sent_to_urls(conn: Connection, interchange_id: str) -> list[records.OutboxRow]:
    """The receipts about an interchange that went, or go, to a URL: of all its messages."""
    rows = records.outbox_of(conn, interchange_id, ordinals=(0,))
    return [each for each in rows if each.destination == CHANNEL]


def _to_url(
    row: records.As2Row, interchange_id: str, mdn: Mdn, url: str, now: dt.datetime, number: int
) -> records.Outgoing:
    publication = Publication(
        message_id=message_id(interchange_id, 0, CHANNEL, number),
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key=f"{messages.NO_FLOW}.mdn",
        content_type=_content_type(mdn),
        type="edi.acknowledgement.mdn",
        correlation_id=interchange_id,
        timestamp=now,
        headers={URL_HEADER: url, "flow": messages.NO_FLOW, MESSAGE_ID_HEADER: row.message_id},
        body=mdn.body,
    )
    return _outgoing(row, interchange_id, publication, CHANNEL)


def _outgoing(
    row: records.As2Row, interchange_id: str, publication: Publication, destination: str
) -> records.Outgoing:
    return records.Outgoing(
        publication=publication,
        interchange_id=interchange_id,
        ordinal=0,
        kind="mdn",
        destination=destination,
        partner=row.partner,
        filename=f"{interchange_id}.mdn",
    )


def _content_type(mdn: Mdn) -> str:
    return next(value for name, value in mdn.headers if name.lower() == "content-type")
