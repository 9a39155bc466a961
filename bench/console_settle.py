"""What search and running totals cost a settled document: the same ones with and without them."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec
import sqlalchemy as sa

from bench.console_journal import Chunk
from gateway.model.interchange import Interchange
from gateway.model.verdict import Accepted, Judgement, Language
from gateway.service import consequences, settle
from gateway.service.journal import records, search_records
from gateway.service.journal.engine import enforce_foreign_keys, writer_engine
from gateway.service.journal.schema import upgrade

GROUP = 20
"""Documents of one commit: about what waits while the one before goes to the disk."""
_INVOICE = b'{"invoice_number":"FA-1","seller":{"name":"S"},"invoice_lines":[]}' * 60


class Cost(NamedTuple):
    """Milliseconds of CPU of one settled document, medians over the commits; bytes of a journal."""

    documents: int
    with_ms: float
    without_ms: float
    ratio: float
    bytes_more: float


def settled_cost(number: int) -> Cost:
    """Settle them in turn, so many at once with and then without, on the same disk."""
    chunk = Chunk(0, number)
    documents = [each for each in chunk.documents(number) if each[1] == 1]
    with tempfile.TemporaryDirectory(prefix="bench-console-") as folder:
        sides = [_Side(Path(folder) / name) for name in ("with", "without")]
        times: list[list[float]] = [[], []]
        chance = random.Random(3)
        for start in range(0, len(documents) - GROUP + 1, GROUP):
            group = documents[start : start + GROUP]
            for at in chance.sample((0, 1), 2):
                times[at].append(sides[at].settle(group, entered=at == 0))
        sizes = [side.close() for side in sides]
    done = len(times[0]) * GROUP
    with_ms, without_ms = (1000 * statistics.median(each) / GROUP for each in times)
    return Cost(done, with_ms, without_ms, with_ms / without_ms, (sizes[0] - sizes[1]) / done)


class _Side:
    """A journal of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "journal.sqlite"
        self._engine = writer_engine(self._path)
        self._conn = self._engine.connect()
        with self._conn.begin():
            upgrade(self._conn, self._path)
        enforce_foreign_keys(self._conn)

    def settle(self, group: list[tuple[Interchange, int, Judgement]], *, entered: bool) -> float:
        """Receive them, then settle them in one commit; CPU seconds of the latter."""
        with self._conn.begin():
            for interchange, _, _ in group:
                records.receive(
                    self._conn,
                    interchange,
                    interface_code=None,
                    claim_key=interchange.envelope.name,
                    now=interchange.envelope.received_at,
                )
        work = [_settling(*each) for each in group]
        entering: Any = search_records.enter if entered else _nothing
        with mock.patch.object(search_records, "enter", entering):
            began = time.process_time()
            with self._conn.begin():
                for settling in work:
                    settling(self._conn)
            return time.process_time() - began

    def close(self) -> int:
        """Bytes of the journal."""
        self._conn.close()
        self._engine.dispose()
        return self._path.stat().st_size


def _settling(
    interchange: Interchange, _ordinal: int, judgement: Judgement
) -> Callable[[sa.Connection], object]:
    subject = consequences.payload_of(interchange)
    if isinstance(judgement.verdict, Accepted):
        whole = msgspec.structs.replace(judgement.verdict, invoice=_INVOICE)
        judgement = msgspec.structs.replace(judgement, verdict=whole)
    now = interchange.envelope.received_at
    result = consequences.result_of(interchange, subject, judgement, Language.FR, now)
    return lambda conn: settle.settle_document(
        conn, interchange, subject, judgement, result, retry=None, now=now
    )


def _nothing(*_arguments: Any) -> None:
    """Instead of what is measured."""
