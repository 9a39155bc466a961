"""What is found once all is quiet and the gateway was stopped: journal, broker, out/, disk."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sa

from gateway.model.verdict import Severity
from gateway.service.journal import open_reader, records
from gateway.service.journal.tables import documents, interchanges, outbox, transitions
from tests.torture.consumer import Taken


class SeenInterchange(msgspec.Struct, frozen=True):
    """An interchange as the journal has it."""

    id: str
    name: str
    sha256: str
    state: str


class SeenDocument(msgspec.Struct, frozen=True):
    """A document as the journal has it. `rules`: those it broke."""

    interchange: str
    ordinal: int
    name: str
    state: str
    verdict: str | None
    rules: tuple[str, ...]


class SeenMessage(msgspec.Struct, frozen=True):
    """A row of the outbox."""

    id: str
    interchange: str
    ordinal: int
    kind: str
    destination: str
    state: str
    exchange: str
    routing_key: str
    filename: str | None
    body: bytes
    delivered_at: dt.datetime | None = None


class Evidence(msgspec.Struct, kw_only=True):
    """Everything the checks look at beside what was sent."""

    interchanges: list[SeenInterchange]
    documents: list[SeenDocument]
    steps: Mapping[tuple[str, int], list[str]]
    """Interchange id and ordinal (0: itself) → the states it came to, in order."""
    outbox: list[SeenMessage]
    taken: Mapping[str, Taken]
    """Message id → what the consumer got."""
    altered: list[str]
    """Messages that came again with another content."""
    out: Mapping[str, bytes]
    """Name in the partner's out/ → the file, as fetched by SFTP."""
    payloads: Mapping[str, bool]
    """SHA-256 of a file in the spool → whether its bytes still have it."""
    leftovers: list[str]
    """Working files and processes that should be gone."""
    undetermined: list[str] = []
    """Why a document had no verdict for a while, once for each time."""


def read_journal(path: Path) -> Evidence:
    """What the journal says, read from outside; everything else is empty."""
    engine = open_reader(path)
    steps: dict[tuple[str, int], list[str]] = defaultdict(list)
    undetermined: list[str] = []
    try:
        with engine.connect() as conn:
            found = [
                SeenInterchange(row.id, row.name, row.sha256, row.state.value)
                for row in conn.execute(sa.select(interchanges))
            ]
            judged = [
                _document(row) for each in found for row in records.documents_of(conn, each.id)
            ]
            for row in conn.execute(sa.select(transitions).order_by(transitions.c.id)):
                steps[row.interchange_id, row.ordinal].append(row.new_state)
                if row.ordinal and row.new_state == "undetermined":
                    undetermined.append(row.cause or "no cause")
            messages = [
                SeenMessage(
                    *(row.message_id, row.interchange_id, row.ordinal, row.kind, row.destination),
                    *(row.state.value, row.exchange, row.routing_key, row.filename, row.body),
                    row.delivered_at,
                )
                for row in conn.execute(sa.select(outbox).order_by(outbox.c.id))
            ]
    finally:
        engine.dispose()
    return Evidence(
        interchanges=found,
        documents=judged,
        steps=steps,
        outbox=messages,
        taken={},
        altered=[],
        out={},
        payloads={},
        leftovers=[],
        undetermined=undetermined,
    )


def _document(row: records.DocumentRow) -> SeenDocument:
    rules: tuple[str, ...] = ()
    if row.judgement is not None:
        findings = records.load_judgement(row).findings
        rules = tuple(sorted({f.rule for f in findings if f.severity is Severity.ERROR}))
    return SeenDocument(
        row.interchange_id, row.ordinal, row.name, row.state.value, row.verdict, rules
    )


def read_spool(state: Path) -> dict[str, bool]:
    """Every payload, and whether it still is what its name says."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() == file.name
        for file in (state / "spool" / "payloads").rglob("*")
        if file.is_file()
    }


def working_files(state: Path) -> list[str]:
    """What lies in the folders that must be empty after a stop."""
    return [
        f"{entry} was left behind"
        for folder in (state / "spool" / "incoming", state / "scratch")
        for entry in folder.iterdir()
    ]


class Progress(msgspec.Struct, frozen=True):
    """How far the gateway is. `quarantined`: interchanges that need somebody to release them."""

    judged: int
    unfinished: int
    unsent: int
    quarantined: tuple[str, ...]


def progress(path: Path) -> Progress:
    """Asked of the journal while the gateway runs, or is dead."""
    engine = open_reader(path)
    try:
        with engine.connect() as conn:
            states: dict[str, int] = {}
            for state, count in conn.execute(
                sa.select(documents.c.state, sa.func.count()).group_by(documents.c.state)
            ):
                states[state.value] = count
            unfinished = conn.execute(
                sa.select(sa.func.count()).where(interchanges.c.state != "acknowledged")
            ).scalar_one()
            quarantined = conn.execute(
                sa.select(documents.c.interchange_id)
                .where(documents.c.state == "quarantined")
                .distinct()
            ).scalars()
            return Progress(
                judged=sum(states.get(s, 0) for s in ("accepted", "rejected", "published")),
                unfinished=unfinished,
                unsent=conn.execute(
                    sa.select(sa.func.count()).where(outbox.c.state == "pending")
                ).scalar_one(),
                quarantined=tuple(quarantined),
            )
    finally:
        engine.dispose()
