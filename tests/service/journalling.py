"""Interchanges, judgements and messages for the tests of the journal."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.publication import Exchange, Publication, message_id
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Layer,
    PackReference,
    Severity,
    Text,
    Verdict,
)
from gateway.service.journal import records

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
SHA256 = "ab" * 32


def later(seconds: float) -> dt.datetime:
    """So many seconds after `NOW`."""
    return NOW + dt.timedelta(seconds=seconds)


def an_interchange(number: int = 1, *, partner: str = "acme", name: str = "") -> Interchange:
    """The interchange with this number; higher numbers came later."""
    return Interchange(
        id=new_interchange_id(1_770_000_000_000 + number, number.to_bytes(10, "big")),
        envelope=Envelope(
            partner=partner,
            name=name or f"FA-{number}.xml",
            transport=Transport.SFTP,
            received_at=later(number),
        ),
        sha256=SHA256,
        size=15_000,
    )


FINDING = Finding(
    rule="BR-CO-15",
    layer=Layer.SCHEMATRON,
    severity=Severity.WARNING,
    message="[BR-CO-15]-…",
    line=210,
    terms=("BT-112", "BT-109"),
    remedy=Text("Add them up again.", "Refaire l’addition."),
)


def a_judgement(number: int = 1, *, verdict: Verdict | None = None) -> Judgement:
    """What a judge says of invoice F-`number`, sold by S-`number` to B-`number`."""
    return Judgement(
        document=f"FA-{number}.xml",
        sha256=SHA256,
        size=15_000,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile="urn:cen.eu:en16931:2017",
        verdict=verdict or Accepted(b'{"invoice_number": "F-1"}', (FINDING,)),
        rules=(PackReference("en16931-ubl", "1.3.15", "cd" * 32),),
        invoice_number=f"F-{number}",
        issue_date="2026-03-01",
        seller_id=f"S-{number}",
        buyer_id=f"B-{number}",
        timings_ms={"parse": 0.31},
    )


def a_message(
    interchange: Interchange,
    *,
    kind: str = "result",
    revision: int = 1,
    destination: str = "broker",
    at: dt.datetime = NOW,
    body: bytes = b"{}",
) -> records.Outgoing:
    """A message about the first document of an interchange."""
    return records.Outgoing(
        publication=Publication(
            message_id=message_id(interchange.id, 1, kind, revision),
            exchange=Exchange.DOCUMENTS,
            routing_key="ctc-fr-invoice.ubl.accepted",
            content_type="application/json",
            type="edi.document.accepted",
            correlation_id=interchange.id,
            timestamp=at,
            headers={"partner": "acme", "document-id": "é", "size": 12},
            body=body,
            mandatory=kind != "event",
        ),
        interchange_id=interchange.id,
        ordinal=1,
        kind=kind,
        destination=destination,
        partner=interchange.envelope.partner,
        filename="report.xml" if destination == "sftp" else None,
    )


def due(conn: sa.Connection, now: dt.datetime, limit: int, **more: Any) -> list[records.OutboxRow]:
    """What may be sent to the broker or to a folder, whoever's it is, oldest first."""
    rows = [
        row
        for destination in ("broker", "sftp")
        for partner in records.partners_waiting(conn, destination)
        for row in records.due_outbox(
            conn, now, limit, destination=destination, partner=partner, **more
        )
    ]
    return sorted(rows, key=lambda row: row.id)[:limit]
