"""What tests of publishing share: messages, a log that remembers, waiting for something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from gateway.model.publication import Exchange, Publication, message_id
from gateway.service.message_headers import headers_for

INTERCHANGE = "0190a6c3-1f2b-7c4d-8e5f-001122334455"
MOMENT = dt.datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=dt.UTC)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def a_publication(
    ordinal: int = 1,
    *,
    exchange: Exchange = Exchange.DOCUMENTS,
    routing_key: str = "ctc-fr-invoice.ubl.accepted",
    body: bytes = b'{"invoice_number": "FA-2026-001"}',
    content_type: str = "application/json",
    type_: str = "edi.document.invoice",
    filename: str | None = None,
    mandatory: bool = True,
) -> Publication:
    """A message as the gateway makes it; another `ordinal` gives another message id."""
    id_ = message_id(INTERCHANGE, ordinal, type_, 1)
    return Publication(
        message_id=id_,
        exchange=exchange,
        routing_key=routing_key,
        content_type=content_type,
        type=type_,
        correlation_id=INTERCHANGE,
        timestamp=MOMENT,
        headers=headers_for(
            message_id=id_,
            type=type_,
            time=MOMENT,
            interchange_id=INTERCHANGE,
            ordinal=ordinal,
            partner="acme",
            flow="ctc-fr-invoice",
            sha256=SHA256,
            filename=filename,
        ),
        body=body,
        mandatory=mandatory,
    )


class Log:
    """Remembers what was logged, level included, as one list of events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **details: Any) -> None:
        """As structlog's."""
        self.events.append(("info", event, details))

    def warning(self, event: str, **details: Any) -> None:
        """As structlog's."""
        self.events.append(("warning", event, details))

    def error(self, event: str, **details: Any) -> None:
        """As structlog's."""
        self.events.append(("error", event, details))

    def named(self, event: str) -> list[dict[str, Any]]:
        """The details of every such event, in order."""
        return [details for _, name, details in self.events if name == event]


async def until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Let the reactor run until `condition` holds; fail after a generous deadline."""
    deadline = reactor.seconds() + seconds
    while not condition():
        assert reactor.seconds() < deadline, "it did not happen in time"
        await deferLater(reactor, 0.02)
