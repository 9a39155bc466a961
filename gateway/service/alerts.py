"""What is published when an interchange needs somebody, and when it does so no more.

One event for the beginning and one for the end of it, however long it lasts: what is still so is
asked of `edi-gateway status`. Pure functions.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

from gateway.model.interchange import Interchange
from gateway.model.publication import Exchange, Publication, message_id
from gateway.service import messages


class Alert(StrEnum):
    """What somebody should look at, and what says that it is over."""

    STATUSES_NOT_SENT = "statuses-not-sent"
    STATUSES_SENT = "statuses-sent"
    STATUSES_GIVEN_UP = "statuses-given-up"
    LATE = "acknowledgement-late"
    LATE_OVER = "acknowledgement-late-over"


def alert_event(
    interchange: Interchange,
    flow: str | None,
    alert: Alert,
    cause: str | None,
    *,
    since: dt.datetime,
    key: str,
    now: dt.datetime,
) -> Publication:
    """That something about an interchange needs somebody, or does so no more.

    `since`: what it is counted from; `key` tells one such alert of an interchange from another.
    """
    body = msgspec.json.encode(
        {
            "interchange": interchange.id,
            "partner": interchange.envelope.partner,
            "name": interchange.envelope.name,
            "flow": flow,
            "document": None,
            "about": "alert",
            "to": alert,
            "at": now,
            "since": since,
            "cause": cause,
        }
    )
    return messages.publication_about(
        interchange,
        message_id(interchange.id, 0, f"alert/{alert}/{key}", 0),
        exchange=Exchange.EVENTS,
        routing_key=f"{flow or messages.NO_FLOW}.{alert}",
        content_type="application/json",
        type_="edi.event.alert",
        ordinal=0,
        flow=flow or messages.NO_FLOW,
        sha256=interchange.sha256,
        body=body,
        now=now,
        mandatory=False,
    )
