"""A journal with judged documents, for the tests of search and statistics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import (
    Envelope,
    Environment,
    Interchange,
    Transport,
    new_interchange_id,
)
from gateway.model.verdict import Finding, Judgement, Layer, Rejected, Severity
from gateway.service.journal import records, schema, search_records
from gateway.service.journal.engine import writer_engine
from tests.service.journalling import SHA256, a_judgement

FIRST = dt.datetime(2026, 1, 15, 8, tzinfo=dt.UTC)


def refused(*rules: str) -> Rejected:
    """A rejection for these rules."""
    return Rejected(
        tuple(
            Finding(rule=rule, layer=Layer.SCHEMATRON, severity=Severity.ERROR, message="m")
            for rule in rules
        )
    )


class SearchedJournal:
    """Enters documents as `settle` does: one file each."""

    def __init__(self, path: Path) -> None:
        self.engine = writer_engine(path)
        with self.engine.begin() as conn:
            schema.upgrade(conn, path)
        self._number = 0

    def judged(
        self,
        *,
        partner: str = "acme",
        name: str = "",
        at: dt.datetime | None = None,
        transport: Transport = Transport.SFTP,
        entered: bool = True,
        environment: Environment = Environment.PRODUCTION,
        **judgement: Any,
    ) -> str:
        """A document and what was read in it; the id of its interchange. Later ones came later."""
        interchange = msgspec.structs.replace(
            self._interchange(partner, name, at, transport), environment=environment
        )
        said = msgspec.structs.replace(
            a_judgement(self._number), document=interchange.envelope.name
        )
        said = msgspec.structs.replace(said, **judgement)
        with self.engine.begin() as conn:
            self._receive(conn, interchange)
            self.say(conn, interchange, said, entered=entered)
        return interchange.id

    def received(self, *, name: str, partner: str = "acme") -> str:
        """A file that waits."""
        interchange = self._interchange(partner, name, None, Transport.SFTP)
        with self.engine.begin() as conn:
            self._receive(conn, interchange)
        return interchange.id

    def _receive(self, conn: sa.Connection, interchange: Interchange) -> None:
        records.receive(
            conn,
            interchange,
            interface_code=None,
            claim_key=interchange.id,
            now=interchange.envelope.received_at,
        )

    def _interchange(
        self, partner: str, name: str, at: dt.datetime | None, transport: Transport
    ) -> Interchange:
        self._number += 1
        received_at = at or FIRST + dt.timedelta(hours=self._number)
        return Interchange(
            id=new_interchange_id(
                int(received_at.timestamp() * 1000), self._number.to_bytes(10, "big")
            ),
            envelope=Envelope(
                partner=partner,
                name=name or f"file-{self._number}.xml",
                transport=transport,
                received_at=received_at,
            ),
            sha256=SHA256,
            size=1,
        )

    def again(self, id_: str, **judgement: Any) -> None:
        """Judge it once more."""
        with self.engine.begin() as conn:
            row = records.interchange(conn, id_)
            document = records.document(conn, id_, 1)
            assert row is not None
            assert document is not None
            said = msgspec.structs.replace(records.load_judgement(document), **judgement)
            records.store_judgement(conn, id_, 1, said)
            search_records.enter(conn, row.interchange(), 1, said)

    def say(
        self, conn: sa.Connection, interchange: Interchange, said: Judgement, *, entered: bool
    ) -> None:
        """Enter the one document with its judgement."""
        records.add_document(
            conn,
            interchange.id,
            1,
            name=said.document,
            sha256=SHA256,
            size=1,
            now=interchange.envelope.received_at,
        )
        records.store_judgement(conn, interchange.id, 1, said)
        if entered:
            search_records.enter(conn, interchange, 1, said)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to ask with."""
        with self.engine.connect() as conn:
            yield conn
