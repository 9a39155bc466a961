"""A journal of so many documents for `bench.console`, written into the real tables in bulk.

Skewed as real ones are: a few partners, sellers and buyers have most of the documents, most of
which came lately; a third of them in archives; some refused, most of those for a few rules.
Always the same for the same number, so a folder may be used again.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Layer,
    PackReference,
    Rejected,
    Severity,
    verdict_name,
)
from gateway.service.journal import search_records
from gateway.service.journal.engine import driver, writer_engine
from gateway.service.journal.schema import upgrade
from gateway.service.journal.statistics_records import apply_change, change_of
from gateway.service.journal.tables import as2_messages, documents, interchanges, searchable

DAYS: Final = 730
AT_ONCE: Final = 20_000
_ARCHIVE: Final = 50
_PROFILES: Final = (
    "urn:cen.eu:en16931:2017",
    "urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr",
    "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
)
_RULES: Final = (
    *("BR-CO-15", "BR-FR-12", "BR-16", "UBL-SCHEMA", "BR-S-08", "DOUBLON", "BR-CO-10"),
    *("BR-FR-05", "BR-DEC-14", "XML-EMPTY", "BR-E-10", "BR-AE-05"),
)
_FORMS: Final = ("FA{year}-{n:06}", "{n:08}", "INV/{year}/{n}", "F{n}", "AV-{year}-{n:05}")
_WORDS: Final = (
    *("Établissements", "Société", "Ateliers", "Transports", "Imprimerie", "Menuiserie"),
    *("Boulangerie", "Compagnie", "Électricité", "Garage", "Laboratoire", "Éditions"),
)
_encode = msgspec.msgpack.Encoder().encode


class Company(NamedTuple):
    """A seller or a buyer."""

    id: str
    name: str


def build(
    path: Path,
    number: int,
    said: Callable[[int], None] = lambda _done: None,
    *,
    seconds: float = math.inf,
) -> int:
    """Write the journal, or go on with it; how many documents it has after so many seconds.

    `said` hears how far it is.
    """
    until = time.monotonic() + seconds
    engine = writer_engine(path)
    with engine.connect() as conn:
        with conn.begin():
            upgrade(conn, path)
            done: int = conn.execute(
                sa.select(sa.func.count()).select_from(searchable)
            ).scalar_one()
        # Nobody else reads this file before it is whole.
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            driver(conn).execute(f"PRAGMA {pragma}")
        while done < number and time.monotonic() < until:
            with conn.begin():
                done += Chunk(done, number).write(conn, min(AT_ONCE, number - done))
            said(done)
        driver(conn).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return done


class Chunk:
    """What is written at once, after so many others: the same whoever writes those."""

    def __init__(self, before: int, number: int) -> None:
        self._chance = random.Random(before)
        self._number = number
        self._entered = before
        newest = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        self._end = newest - dt.timedelta(hours=1)
        self._partners = [f"partner-{each:03}" for each in range(300)]
        self._sellers = [_company(each) for each in range(4000)]
        self._buyers = [_company(each + 10_000) for each in range(600)]

    def write(self, conn: sa.Connection, number: int) -> int:
        """The next documents, in one transaction; how many: all of them."""
        rows: dict[sa.Table, list[dict[str, Any]]] = {
            table: [] for table in (interchanges, documents, searchable, as2_messages)
        }
        counted = []
        for interchange, ordinal, judgement in self.documents(number):
            if ordinal == 1:
                rows[interchanges].append(_interchange_row(interchange))
                if interchange.envelope.transport is Transport.AS2:
                    rows[as2_messages].append(_as2_row(interchange))
            rows[documents].append(_document_row(interchange, ordinal, judgement))
            entry = search_records.entry_of(interchange, ordinal, judgement)
            rows[searchable].append(entry)
            counted.append(search_records.counted(entry))
        for table, each in rows.items():
            _insert(conn, table, each)
        apply_change(conn, change_of(filter(None, counted)))
        return number

    def documents(self, number: int) -> Iterator[tuple[Interchange, int, Judgement]]:
        """So many: in which file, which of it, and what was said of it."""
        return itertools.islice(self._endless(), number)

    def _endless(self) -> Iterator[tuple[Interchange, int, Judgement]]:
        while True:
            archive = self._chance.random() < 1 / (2 * _ARCHIVE)
            many = _ARCHIVE if archive else 1
            interchange = self._interchange(archive=archive)
            for ordinal in range(1, many + 1):
                self._entered += 1
                yield interchange, ordinal, self._judgement(interchange, archive=archive)

    def _interchange(self, *, archive: bool) -> Interchange:
        number = self._entered + 1
        # There are more and more of them: the second half came in the last third of the time.
        far = (min(number, self._number) / self._number) ** 0.6
        received = self._end - dt.timedelta(days=DAYS) * (1 - far) - dt.timedelta(seconds=1)
        partner = self._skewed(self._partners)
        suffix = "tar.gz" if archive else "xml"
        name = f"FSO1100A_XXX999_XXX999{number:019}.{suffix}"
        if not archive and hash_of(partner) % 3:
            name = f"facture_{partner}_{number}.xml"
        return Interchange(
            id=new_interchange_id(int(received.timestamp() * 1000), self._chance.randbytes(10)),
            envelope=Envelope(
                partner=partner,
                name=name,
                transport=list(Transport)[hash_of(partner) % len(Transport)],
                received_at=received,
            ),
            sha256=f"{number:064x}",
            size=15_000,
        )

    def _judgement(self, interchange: Interchange, *, archive: bool) -> Judgement:
        number = self._entered
        chance, seller = self._chance, self._skewed(self._sellers)
        issued = interchange.envelope.received_at.date() - dt.timedelta(chance.randrange(6))
        refused = chance.random() < 0.04
        rules = dict.fromkeys(self._skewed(_RULES) for _ in range(chance.randrange(1, 4)))
        findings = tuple(
            Finding(
                rule=rule,
                layer=Layer.SCHEMATRON,
                severity=Severity.ERROR if refused else Severity.WARNING,
                message="The rule's own words, as long as they usually are in this trade.",
            )
            for rule in rules
        )
        buyer = self._skewed(self._buyers)
        pdf = number % 7 == 0
        return Judgement(
            document=f"facture-{number}.xml" if archive else interchange.envelope.name,
            sha256=f"{number:064x}",
            size=15_000,
            flow="ctc-fr-invoice",
            syntax="cii" if pdf or number % 3 == 0 else "ubl",
            document_type="invoice",
            profile=self._skewed(_PROFILES),
            verdict=Rejected(findings) if refused else Accepted(b"", findings),
            rules=(PackReference("en16931-ubl", "1.3.15", "cd" * 32),),
            invoice_number=_FORMS[hash_of(seller.id) % len(_FORMS)].format(
                year=issued.year, n=number
            ),
            issue_date=issued.isoformat(),
            seller_id=seller.id,
            buyer_id=buyer.id,
            seller_name=seller.name,
            buyer_name=buyer.name,
            amount=f"{chance.lognormvariate(6, 1.6):.2f}",
            currency="EUR",
            pdf=pdf,
        )

    def _skewed(self, values: Any) -> Any:
        """One of them, the first ones much more often."""
        return values[min(int(self._chance.paretovariate(0.7)), len(values)) - 1]


def _company(number: int) -> Company:
    word = _WORDS[number % len(_WORDS)]
    return Company(f"{300_000_000 + number * 7919 % 699_999_999:09}", f"{word} n° {number} SARL")


def _insert(conn: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """By the driver itself, which takes half of the time."""
    if not rows:
        return
    names = list(rows[0])
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    driver(conn).executemany(
        f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",
        [tuple(map(_native, row.values())) for row in rows],
    )


def _native(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return "{}" if value == {} else value


@functools.cache
def hash_of(text: str) -> int:
    """The same in every process, unlike Python's own."""
    return sum(ord(character) * (place + 1) for place, character in enumerate(text))


def _interchange_row(interchange: Interchange) -> dict[str, Any]:
    envelope = interchange.envelope
    return {
        "id": interchange.id,
        "partner": envelope.partner,
        "name": envelope.name,
        "transport": envelope.transport.value,
        "received_at": envelope.received_at,
        "sha256": interchange.sha256,
        "size": interchange.size,
        "state": "acknowledged",
        "flow": "ctc-fr-invoice",
        "updated_at": envelope.received_at,
    }


def _document_row(interchange: Interchange, ordinal: int, judgement: Judgement) -> dict[str, Any]:
    verdict = verdict_name(judgement.verdict)
    return {
        "interchange_id": interchange.id,
        "ordinal": ordinal,
        "name": judgement.document,
        "sha256": judgement.sha256,
        "size": judgement.size,
        "state": "published",
        "flow": judgement.flow,
        "syntax": judgement.syntax,
        "document_type": judgement.document_type,
        "profile": judgement.profile,
        "invoice_number": judgement.invoice_number,
        "issue_date": judgement.issue_date,
        "seller_id": judgement.seller_id,
        "buyer_id": judgement.buyer_id,
        "verdict": verdict,
        "cause": judgement.findings[0].rule if verdict == "rejected" else None,
        "judgement": _encode(judgement),
    }


def _as2_row(interchange: Interchange) -> dict[str, Any]:
    return {
        "direction": "in",
        "partner": interchange.envelope.partner,
        "message_id": f"<{interchange.id}@as2.{interchange.envelope.partner}.example>",
        "content_sha256": interchange.sha256,
        "interchange_id": interchange.id,
        "at": interchange.envelope.received_at,
        "state": "received",
        "as2_from": interchange.envelope.partner,
        "as2_to": "gateway",
        "headers": {},
        "raw_sha256": interchange.sha256,
        "raw_size": 15_000,
        "security": {},
        "mdn_mode": "sync",
    }
