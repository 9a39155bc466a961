"""The public portal (PPF) as a destination: what it is told goes to it like to any partner.

It is the partner whose file has [portal]. Each message of it has a row of the outbox for every
channel that file names, under that partner's name: so attempts, pauses, circuit, hold and resend
are those of every partner. Without such a file RabbitMQ alone has its messages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection

from gateway.model.interchange import Interchange, Transport
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.service import answering, messages, settle
from gateway.service.journal import records


def portal_among(partners: Mapping[str, Partner]) -> Partner | None:
    """The partner that is the portal, if there is one and it is not switched off."""
    for partner in partners.values():
        if partner.portal is not None and partner.enabled:
            return partner
    return None


def ways_to_portal(
    interchange: Interchange, form: answering.FormSent, portal: Partner | None, ordinal: int
) -> list[records.Outgoing]:
    """A lifecycle message for the portal, once for each channel; the broker's row is another's."""
    payload = form.stored.sha256 if form.stored else None
    return [
        _way(interchange, form.publication, channel, portal.name, ordinal, form.filename, payload)
        for portal, channel in _channels(portal, interchange)
    ]


def add_missing_ways(
    conn: Connection,
    interchange: Interchange,
    rows: Iterable[records.OutboxRow],
    portal: Partner | None,
    now: dt.datetime,
) -> None:
    """Have messages that RabbitMQ alone has, or another channel, go to the portal as well.

    `rows`: those of the broker, all of them for the portal and about this interchange.
    """
    for row in rows:
        headers = dict(row.headers)
        payload = headers.pop("claim-check", None)
        publication = msgspec.structs.replace(
            row.publication(), headers=headers, content_type="application/xml", timestamp=now
        )
        ways = [
            _way(
                interchange,
                publication,
                channel,
                portal.name,
                row.ordinal,
                row.filename,
                None if payload is None else str(payload),
            )
            for portal, channel in _channels(portal, interchange)
        ]
        records.add_outbox_many(conn, ways)


def _channels(portal: Partner | None, interchange: Interchange) -> list[tuple[Partner, str]]:
    """The portal with the outbox's name of each channel that leads to it.

    None for a test where the portal is no test, or the other way round.
    """
    if portal is None or portal.portal is None:
        return []
    if portal.environment is not interchange.environment:
        return []
    names = (channel.replace("_", "-") for channel in portal.portal.channels)
    return [(portal, Transport(name).value) for name in names]


def _way(
    interchange: Interchange,
    publication: Publication,
    channel: str,
    portal: str,
    ordinal: int,
    filename: str | None,
    payload: str | None,
) -> records.Outgoing:
    there = messages.for_channel(publication, channel)
    if payload is not None:
        there = msgspec.structs.replace(there, body=b"")
    row = settle.outgoing_of(interchange, there, ordinal, "cdar", channel, filename, payload)
    return msgspec.structs.replace(row, partner=portal)
