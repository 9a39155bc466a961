"""What one judge takes: until its first verdict, with its rules loaded, for hard documents.

    python -m bench.limits [--flow ctc-fr-invoice] [--lines 50000] [--mb 20] [--more 500]
                           [--json]

Each row is one document judged by a real judge process (`python -m gateway.worker`): how long it
took, how much resident memory the process had at its peak, and what the default settings would have
allowed (`judges.time_limit_seconds` and what follows it).

- `first`: an invoice given to a judge the moment it says that it is ready; `after` counts from the
  start of the process;
- `warm`: when everything the flow needs ahead is compiled;
- `lines`: an invoice of `--lines` lines;
- `attachment`: one that carries `--mb` MB of base64, decoded and written out;
- `schema errors`: the first with an amount on each line that is no number;
- `every pack`: the last of documents that between them use every chain of the flow, twice over;
- `and more`: the last of `--more` further ones of that kind. For these two `peak_mb` is the most
  since the start of the process, and `rss_mb` what it holds afterwards.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import random
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
from tabulate import tabulate

from bench.invoices import ubl_invoice
from bench.invoices_by_chain import for_every_chain
from bench.meters import forget_peak, peak_mb
from gateway import frames
from gateway.config.loader import load_flows
from gateway.config.settings import Judges
from gateway.core.schematron.catalogue import default_rule_packs
from gateway.model.job import JudgeAnswer, JudgeJob, WorkerBoot
from gateway.model.verdict import Judgement
from gateway.service.judges import judging_budget

QUIET_SECONDS = 3.0
"""A judge that said nothing for so long has compiled what it compiles ahead."""

_AMOUNT = b'<cbc:LineExtensionAmount currencyID="EUR">'
_TOLD = (frames.PREPARING, frames.WORKING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One document. `after`: seconds from the start of its judge, where that is what counts."""

    what: str
    mb: float
    verdict: str
    seconds: float
    peak_mb: float
    allowed_seconds: float
    allowed_mb: float
    after: float | None = None
    rss_mb: float | None = None


class OneJudge:
    """A judge process, spoken to in frames."""

    def __init__(self, flow: str, folder: Path) -> None:
        self._flow = load_flows()[flow]
        self._folder = folder
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._highest = 0.0
        boot = WorkerBoot(
            flows=(self._flow,), rule_packs=str(default_rule_packs()), scratch=str(folder)
        )
        self._say(frames.BOOT, msgspec.msgpack.encode(boot))
        kind, payload = self._hear()
        if kind != frames.READY:
            raise SystemExit(payload.decode())

    def judge(self, what: str, data: bytes) -> Row:
        """Judge the document, and say what it took."""
        path = self._folder / "document.xml"
        path.write_bytes(data)
        job = JudgeJob(
            path=str(path),
            name=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            partner=None,
            partner_flows=None,
            on=dt.datetime.now(tz=dt.UTC).date(),
            flow=self._flow.name,
            files_to=str(self._folder / "files"),
        )
        self._highest = max(self._highest, peak_mb(self._process.pid))
        forget_peak(self._process.pid)
        began = time.perf_counter()
        self._say(frames.JOB, msgspec.msgpack.encode(job))
        judgement = _judgement(*self._hear())
        ended = time.perf_counter()
        budget = judging_budget(Judges())
        return Row(
            what=what,
            mb=round(len(data) / 1e6, 1),
            verdict=judgement.verdict.__class__.__name__.lower(),
            seconds=round(ended - began, 4),
            peak_mb=round(peak_mb(self._process.pid)),
            allowed_seconds=round(budget.time.amount(len(data))),
            allowed_mb=round(budget.memory.amount(len(data))),
            after=round(ended - self._started, 2),
        )

    def with_memory(self, what: str, row: Row) -> Row:
        """The last row, with what the process holds now and the most that it ever held."""
        highest = max(self._highest, peak_mb(self._process.pid))
        now = psutil.Process(self._process.pid).memory_info().rss / 1024**2
        return dataclasses.replace(
            row, what=what, after=None, peak_mb=round(highest), rss_mb=round(now)
        )

    def wait_until_warm(self) -> None:
        """Until it has compiled ahead what it compiles."""
        while select.select([self._from], [], [], QUIET_SECONDS)[0]:
            frames.read_frame(self._from)

    def end(self) -> None:
        """Let it go."""
        self._to.close()
        self._process.wait(60)

    def _say(self, kind: bytes, payload: bytes) -> None:
        frames.write_frame(self._to, kind, payload)

    def _hear(self) -> tuple[bytes, bytes]:
        while True:
            frame = frames.read_frame(self._from)
            if frame is None:
                raise SystemExit("the judge ended")
            if frame[0] not in _TOLD:
                return frame


def _judgement(kind: bytes, payload: bytes) -> Judgement:
    if kind != frames.DONE:
        raise SystemExit(payload.decode())
    judgement = msgspec.msgpack.decode(payload, type=JudgeAnswer).judgement
    assert judgement is not None
    return judgement


@contextlib.contextmanager
def one_judge(flow: str) -> Iterator[OneJudge]:
    """A judge for a while."""
    with tempfile.TemporaryDirectory() as folder:
        judge = OneJudge(flow, Path(folder))
        try:
            yield judge
        finally:
            judge.end()


def with_attachment(data: bytes, mb: int) -> bytes:
    """The invoice with so many MB of base64 (BT-125)."""
    content = base64.encodebytes(b"%PDF-1.7\n" + random.Random(mb).randbytes(mb * 740_000))
    attachment = (
        b"<cac:AdditionalDocumentReference><cbc:ID>A-1</cbc:ID><cac:Attachment>"
        b'<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="a.pdf">'
        + content
        + b"</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    place = data.index(b"<cac:AccountingSupplierParty>")
    return data[:place] + attachment + data[place:]


def memory(flow: str, more: int) -> list[Row]:
    """What a judge holds once every pack of the flow is compiled and used."""
    documents = [each for turn in range(2) for each in for_every_chain(load_flows()[flow], turn)]
    with one_judge(flow) as judge:
        judge.wait_until_warm()
        row = [judge.judge("", data) for data in documents][-1]
        rows = [judge.with_memory("every pack", row)]
        for number in range(more):
            row = judge.judge("", documents[number % len(documents)])
        return [*rows, judge.with_memory("and more", row)]


def measure(flow: str, *, lines: int, mb: int, more: int) -> list[Row]:
    """All rows. What is hard is given twice: what a judge works out once is no part of it."""
    small, long = ubl_invoice("BENCH-FIRST"), ubl_invoice("BENCH-LINES", lines=lines)
    hard = {
        "warm": small,
        "lines": long,
        "attachment": with_attachment(small, mb),
        "schema errors": long.replace(_AMOUNT, _AMOUNT + b"x"),
    }
    with one_judge(flow) as judge:
        rows = [judge.judge("first", small)]
    for what, data in hard.items():
        with one_judge(flow) as judge:
            judge.wait_until_warm()
            judge.judge(what, data)
            rows.append(dataclasses.replace(judge.judge(what, data), after=None))
    return rows + memory(flow, more)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--flow", default="ctc-fr-invoice")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--mb", type=int, default=20)
    parser.add_argument("--more", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    measured = measure(options.flow, lines=options.lines, mb=options.mb, more=options.more)
    rows = [dataclasses.asdict(row) for row in measured]
    print(tabulate(rows, headers="keys"))
    if options.json:
        print(json.dumps({"flow": options.flow, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
