"""What an operator hears who asks for something of which only the metadata is left."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.service.control import CommandRefused
from gateway.service.journal.purge_records import purged_of


def refuse_purged(conn: Connection, interchange_id: str, what: str) -> None:
    """Raise `CommandRefused` when the payloads are gone; `what`: that cannot be done any more."""
    gone = purged_of(conn, interchange_id)
    if gone is not None:
        raise CommandRefused(
            f"Interchange {interchange_id} cannot be {what}: it was {gone.words}.",
            remedy=f"Its file and all that was said of it are there: {gone.archive}"
            if gone.archive
            else f"What is left of it shows: edi-gateway show {interchange_id}",
        )
