"""Headers and properties of every message: the same bytes for RabbitMQ and for files.

A message is a CloudEvent in binary content mode: its attributes travel beside the body, so the
body stays what it is (an invoice, a report). Attribute names carry the prefix `cloudEvents:`
(CloudEvents 1.0.2, AMQP Protocol Binding §3.1.3.1); `datacontenttype` is the AMQP property
`content_type` (§3.1.1). RabbitMQ hands AMQP 0-9-1 headers to AMQP 1.0 consumers as the
application properties that binding speaks of.
"""

from __future__ import annotations

import datetime as dt

from gateway.model.interchange import Environment
from gateway.model.publication import Publication

SOURCE = "/edi-gateway"
"""CloudEvents `source`; with `id` it is unique, since `id` is a UUID."""

APP_ID = "edi-gateway"
"""AMQP property `app_id`: who published."""

PERSISTENT = 2
"""AMQP property `delivery_mode` of a message that survives a restart of the broker."""

CLOUD_EVENTS_VERSION = "1.0"


def headers_for(
    *,
    message_id: str,
    type: str,  # noqa: A002  # the CloudEvents attribute
    time: dt.datetime,
    interchange_id: str,
    ordinal: int,
    partner: str,
    flow: str,
    sha256: str,
    filename: str | None = None,
    environment: Environment = Environment.PRODUCTION,
) -> dict[str, str | int]:
    """The AMQP headers of a message about a document (`ordinal` ≥ 1) or an interchange (0).

    `time` must be aware; it is written in UTC, RFC 3339, to the millisecond. `sha256` is the
    document's as received (of an acknowledgement: of the file itself), lower-case hex.
    `document-id` is there for documents only, `environment` for tests only.
    """
    subject = f"{interchange_id}/{ordinal}" if ordinal else interchange_id
    headers: dict[str, str | int] = {
        "cloudEvents:specversion": CLOUD_EVENTS_VERSION,
        "cloudEvents:id": message_id,
        "cloudEvents:source": SOURCE,
        "cloudEvents:type": type,
        "cloudEvents:time": _rfc3339(time),
        "cloudEvents:subject": subject,
        "partner": partner,
        "flow": flow,
        "sha256": sha256,
    }
    if ordinal:
        headers["document-id"] = subject
    if filename is not None:
        headers["filename"] = filename
    if environment is Environment.TEST:
        headers["environment"] = environment.value
    return headers


def properties_of(publication: Publication) -> dict[str, str | int]:
    """The AMQP 0-9-1 basic properties of a message, except `headers`.

    `timestamp` in whole seconds since 1970, as AMQP 0-9-1 has it.
    """
    return {
        "content_type": publication.content_type,
        "delivery_mode": PERSISTENT,
        "correlation_id": publication.correlation_id,
        "message_id": publication.message_id,
        "timestamp": int(publication.timestamp.timestamp()),
        "type": publication.type,
        "app_id": APP_ID,
    }


def _rfc3339(moment: dt.datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without its zone is not a time")
    text = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
