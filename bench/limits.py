"""What one judge takes: until its first verdict, with its rules loaded, for hard documents.

    python -m bench.limits [--flow ctc-fr-invoice] [--lines 50000] [--mb 20] [--json]

Each row is one document judged by a real judge process (`python -m gateway.worker`): how long it
took, how much resident memory the process had at its peak, and what the default settings would have
allowed (`judges.time_limit_seconds` and what follows it).

- `first`: an invoice given to a judge the moment it says that it is ready; `after` counts from the
  start of the process;
- `warm`: when everything the flow needs ahead is compiled;
- `lines`: an invoice of `--lines` lines;
- `attachment`: one that carries `--mb` MB of base64;
- `schema errors`: the first with an amount on each line that is no number.
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
from tabulate import tabulate

from bench.invoices import ubl_invoice
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
        )
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
    content = base64.encodebytes(random.Random(mb).randbytes(mb * 740_000))
    attachment = (
        b"<cac:AdditionalDocumentReference><cbc:ID>A-1</cbc:ID><cac:Attachment>"
        b'<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="a.pdf">'
        + content
        + b"</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    place = data.index(b"<cac:AccountingSupplierParty>")
    return data[:place] + attachment + data[place:]


def measure(flow: str, *, lines: int, mb: int) -> list[Row]:
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
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--flow", default="ctc-fr-invoice")
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--mb", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    rows = [
        dataclasses.asdict(row) for row in measure(options.flow, lines=options.lines, mb=options.mb)
    ]
    print(tabulate(rows, headers="keys"))
    if options.json:
        print(json.dumps({"flow": options.flow, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
