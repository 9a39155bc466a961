"""What is said of statuses that partners told: the body published, and the events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.core.cdar.order import Order
from gateway.core.cdar.told import ToldMessage
from gateway.model.interchange import Interchange
from gateway.model.publication import Publication
from gateway.model.standing import Standing
from gateway.service import messages
from gateway.service.imported_statuses import Linked
from gateway.service.statuses import Weighed

LINKED: Final = "linked"
"""The word for a status whose invoice came after it."""


def body(message: ToldMessage, weighed: Iterable[Weighed]) -> bytes:
    """What is published of a message: schemas/invoice-status.schema.json.

    An invoice that the partner has no part in is none here: what it says of it is not believed.
    """
    told = msgspec.to_builtins(message)
    told["statuses"] = [
        {**msgspec.to_builtins(one.told), **_standing_in_json(one)} for one in weighed
    ]
    return msgspec.json.encode(told)


def _standing_in_json(one: Weighed) -> dict[str, Any]:
    invoice = None
    if one.invoice is not None and one.standing is Standing.RECORDED:
        place = f"{one.invoice.interchange_id}/{one.invoice.ordinal}"
        invoice = {"document": place, "partner": one.invoice.partner}
    return {
        "standing": one.standing.value,
        "order": None if one.order is None else one.order.value,
        "invoice": invoice,
    }


def word_for(standing: Standing, order: Order | None) -> str:
    """How a status stands, in one word: as events and metrics call it."""
    recorded = standing in (Standing.RECORDED, Standing.IMPORTED)
    if recorded and order is not None and order is not Order.NORMAL:
        return order.value
    return standing.value


def events(
    interchange: Interchange,
    ordinal: int,
    flow: str | None,
    weighed: Iterable[Weighed],
    *,
    revision: int,
    now: dt.datetime,
) -> list[Publication]:
    """One for each status that somebody should look at; none for those that are as they should."""
    told = []
    for one in weighed:
        word = word_for(one.standing, one.order)
        if word not in (Standing.RECORDED, Standing.IMPORTED, Standing.FLUX):
            said = {
                "number": one.told.number,
                "issued": None if one.told.issued is None else one.told.issued.isoformat(),
                "status": one.told.status,
                "invoice": None,
            }
            if one.invoice is not None and one.standing is not Standing.NOT_BELIEVED:
                said["invoice"] = f"{one.invoice.interchange_id}/{one.invoice.ordinal}"
            told.append(
                messages.status_event(
                    interchange, ordinal, flow, word, said, key=one.key, revision=revision, now=now
                )
            )
    return told


def linked_event(
    interchange: Interchange,
    flow: str | None,
    linked: Linked,
    invoice: str | None,
    now: dt.datetime,
) -> Publication:
    """That the invoice came which a status spoke of: `invoice` is its document; none: imported."""
    row = linked.row
    believed = linked.standing in (Standing.RECORDED, Standing.IMPORTED)
    said = {
        "number": row.number,
        "issued": row.issued,
        "status": row.status,
        "invoice": invoice if believed else None,
    }
    word = LINKED if believed else linked.standing.value
    # Imported first, it may be accepted afterwards: that is another event.
    key = row.key if invoice is not None else f"{row.key}/imported"
    return messages.status_event(
        interchange, row.ordinal, flow, word, said, key=key, revision=row.id, now=now
    )
