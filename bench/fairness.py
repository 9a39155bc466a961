"""One partner's mountain of files, and how long another partner's ten wait behind it.

    python -m bench.fairness [-n 100000] [--others 10] [--judges 2] [--archive] [--json]

Partner `big` sends `-n` small invoices (or, with --archive, one archive of them). Partner `small`
sends `--others` files again and again:

- `idle`: before `big` sends anything;
- `coming`: while the last tenth of the mountain comes in (an archive comes in one go: not then);
- `standing`: when all of it was received;
- `at once`: then again, but the judges stand still until all of the few were received.

So that there is a mountain, the judges stand still until nine tenths of its files were received;
nobody waits until they have judged it. Printed is how long the few took from the first put until
the last acknowledgement lay in `out/`, and how many documents of `big` were judged while one of
them waited, as the journal has it, beside the bound that follows from how partners take turns
(`bound`). Exit code 1 when there were more.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import dataclasses
import datetime as dt
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa
from tabulate import tabulate

from bench.container import write_archive
from bench.invoices import ubl_invoice
from bench.stopped import judges_stopped, let_judges_stand
from gateway.config.settings import Intake
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal import open_reader
from gateway.service.journal.tables import documents, interchanges, transitions
from gateway.service.sftp_server.folders import out_folder
from tests.gateway_process import GatewayProcess

BIG, SMALL = "big", "small"
DEADLINE_SECONDS = 3600.0
COMING_FROM = 0.9
"""The judges begin, and `small` sends again, when this share of the mountain was received."""
_CHUNK = 500
"""Files of one SFTP session; written just before, removed just after: they need little disk."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured. `lines`: per invoice of `big`; `sessions`: with which it sends at once."""

    n: int = 100_000
    others: int = 10
    judges: int = 2
    archive: bool = False
    lines: int = 1
    sessions: int = 4
    places: int = Intake().max_in_flight


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """How the files of `small` fared once.

    `waiting`: documents of `big` without a verdict when the first of them was received. `seconds`:
    from the first put to the last acknowledgement; `longest`: from receipt to verdict, of one
    file. `beside`: documents of `big` judged between the first receipt and the last verdict, which
    also counts moments in which none of the files waited. `ahead`: those judged between receipt
    and verdict of one file, the one that came nearest to its `bound`; it and those of `small` that
    waited when it came were `files`.
    """

    situation: str
    waiting: int
    seconds: float
    longest: float
    beside: int
    ahead: int
    files: int
    bound: int


def bound(files: int, *, places: int, judges: int) -> int:
    """Most documents of one other partner that are judged while a file waits for its verdict.

    `files`: itself, and those of its partner that waited already when it was received. From
    service.backlog and service.worker_queue, for documents that take about equally long:

    - `places` interchanges of the other may be in work when the file arrives;
    - between two turns of a partner that waits, the other begins at most one more: one per file;
    - before each of the files at most one of the other goes to a judge: one per file again;
    - while the file itself is being judged, each judge may finish one more.
    """
    return places + 2 * files + judges


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument(
        "-n", type=int, help="invoices of the one (default 100000, 10000 in an archive)"
    )
    parser.add_argument("--others", type=int, default=10, help="files of the other (default 10)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--archive", action="store_true", help="one archive instead of files")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    plan = Plan(
        n=args.n or (10_000 if args.archive else 100_000),
        others=args.others,
        judges=args.judges,
        archive=args.archive,
    )
    with tempfile.TemporaryDirectory(prefix="bench-fairness-") as folder:
        rows = measure(Path(folder), plan)
    show(plan, rows)
    if args.json:
        print(json.dumps(figures(plan, rows)))
    return 0 if all(row.ahead <= row.bound for row in rows) else 1


def measure(folder: Path, plan: Plan) -> list[Measured]:
    """Send, wait, stop, and read the journal: one row for each time `small` sent."""
    gateway = GatewayProcess(
        folder / "gateway",
        judges=plan.judges,
        partners=(BIG, SMALL),
        settings=f"max_in_flight = {plan.places}\n",  # the file's last table is [intake]
    )
    let_judges_stand(gateway)
    mountain = _Mountain(gateway, folder / "mountain", plan)
    seconds: dict[str, float] = {}
    try:
        gateway.start()
        few = _Few(gateway, folder / "few", plan.others)
        few.send("warm")  # a judge's first document takes longer than any after it
        seconds["idle"] = few.send("idle")
        if plan.archive:
            mountain.start()
        else:
            with judges_stopped(gateway):
                mountain.start()
                mountain.wait_for(COMING_FROM * plan.n)
            seconds["coming"] = few.send("coming")
        mountain.wait_for(plan.n)
        seconds["standing"] = few.send("standing")
        seconds["at once"] = few.send("at once", judges_stopped(gateway))
        gateway.stop()
    finally:
        mountain.stop()
        gateway.ensure_gone()
    steps = _Steps(gateway.state / "journal.sqlite", plan)
    return [steps.measured(situation, taken) for situation, taken in seconds.items()]


class _Mountain:
    """Partner `big`: sends the whole plan, from several sessions at once."""

    def __init__(self, gateway: GatewayProcess, folder: Path, plan: Plan) -> None:
        self._gateway = gateway
        self._folder = folder
        self._plan = plan
        self._chunks = self._chunked()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._received = 0
        self._trouble: str | None = None
        work = self._send_archive if plan.archive else self._send_chunks
        sessions = 1 if plan.archive else plan.sessions
        self._threads = [threading.Thread(target=work, daemon=True) for _ in range(sessions)]

    def start(self) -> None:
        """Begin to send."""
        self._folder.mkdir()
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: float) -> None:
        """Return when so many of the files were received. Ends the program when that fails."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self._received < count:
            if self._trouble is not None or time.monotonic() > deadline:
                sys.exit(f"sending failed: {self._trouble or 'it took too long'}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _chunked(self) -> Iterator[range]:
        size = max(1, min(_CHUNK, self._plan.n // (10 * self._plan.sessions)))
        for start in range(0, self._plan.n, size):
            yield range(start, min(start + size, self._plan.n))

    def _send_chunks(self) -> None:
        while not self._stopped.is_set() and self._trouble is None:
            with self._lock:
                chunk = next(self._chunks, None)
            if chunk is None:
                return
            paths = [self._folder / f"BIG-{number:06d}.xml" for number in chunk]
            for path in paths:
                path.write_bytes(ubl_invoice(path.stem, lines=self._plan.lines))
            if self._put(paths):
                with self._lock:
                    self._received += len(paths)
            for path in paths:
                path.unlink()

    def _send_archive(self) -> None:
        path = self._folder / "BIG.tar.gz"
        write_archive(path, self._plan.n)
        if not self._put([path]):
            return
        engine = open_reader(self._gateway.state / "journal.sqlite")
        query = sa.select(sa.func.count()).where(
            documents.c.interchange_id == interchanges.c.id,
            interchanges.c.partner == BIG,
            documents.c.verdict.is_not(None),
        )
        while not self._stopped.is_set():
            with engine.connect() as conn:
                judged = conn.execute(query).scalar()
            if judged:  # it is open, and its members are on their way
                self._received = self._plan.n
                return
            time.sleep(0.1)

    def _put(self, paths: Sequence[Path]) -> bool:
        commands = [f"put {path} in/{path.name}" for path in paths]
        done = self._gateway.sftp(commands, timeout=DEADLINE_SECONDS, partner=BIG)
        if done.returncode != 0 and not self._stopped.is_set():
            self._trouble = done.stderr
        return done.returncode == 0


class _Few:
    """Partner `small`: sends some files and waits for their answers."""

    def __init__(self, gateway: GatewayProcess, folder: Path, count: int) -> None:
        self._gateway = gateway
        self._folder = folder
        self._count = count
        self._out = out_folder(gateway.state, SMALL)
        self._answers = 0
        folder.mkdir()

    def send(
        self, situation: str, meanwhile: contextlib.AbstractContextManager[None] | None = None
    ) -> float:
        """Seconds from the first put, when logged in, to the last answer in `out/`.

        `meanwhile` is left when the last file was received.
        """
        paths = [self._folder / _name(situation, number) for number in range(self._count)]
        for path in paths:
            path.write_bytes(ubl_invoice(path.stem))
        self._answers += self._count
        came: list[float] = []
        watcher = threading.Thread(target=self._watch, args=(came,), daemon=True)
        watcher.start()
        commands = ["!date +%s.%N", *(f"put {path} in/{path.name}" for path in paths)]
        with meanwhile or contextlib.nullcontext():
            done = self._gateway.sftp(commands, timeout=DEADLINE_SECONDS, partner=SMALL)
        if done.returncode != 0:
            sys.exit(f"sftp failed: {done.stderr}")
        watcher.join()
        if not came:
            sys.exit(f"not answered in time: {self._gateway.log_tail()}")
        began = next(line for line in done.stdout.splitlines() if line.replace(".", "").isdigit())
        return came[0] - float(began)

    def _watch(self, came: list[float]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if sum(not name.startswith(".") for name in os.listdir(self._out)) >= self._answers:
                came.append(time.time())
                return
            time.sleep(0.01)


class _Steps:
    """What the journal says about the order of things: it numbers steps as they are taken."""

    def __init__(self, journal: Path, plan: Plan) -> None:
        self._plan = plan
        # A member of an archive is there when it was unpacked, a file when it was received.
        there = DocumentState.EXTRACTED if plan.archive else InterchangeState.RECEIVED
        verdicts = (DocumentState.ACCEPTED, DocumentState.REJECTED)
        query = (
            sa.select(
                transitions.c.id,
                transitions.c.at,
                transitions.c.new_state,
                interchanges.c.partner,
                interchanges.c.name,
            )
            .join(interchanges, interchanges.c.id == transitions.c.interchange_id)
            .where(transitions.c.new_state.in_([there, InterchangeState.RECEIVED, *verdicts]))
            .order_by(transitions.c.id)
        )
        self._big_there: list[int] = []
        self._big_judged: list[int] = []
        self._received: dict[str, tuple[int, dt.datetime]] = {}
        self._judged: dict[str, tuple[int, dt.datetime]] = {}
        with open_reader(journal).connect() as conn:
            for number, at, state, partner, name in conn.execute(query):
                if partner == SMALL and state != DocumentState.EXTRACTED:
                    (self._judged if state in verdicts else self._received)[name] = number, at
                elif partner == BIG and state == there:
                    self._big_there.append(number)
                elif partner == BIG and state in verdicts:
                    self._big_judged.append(number)

    def measured(self, situation: str, seconds: float) -> Measured:
        """The figures of the files `small` sent in this situation."""
        names = [_name(situation, number) for number in range(self._plan.others)]
        taken = [self._judged[name][1] - self._received[name][1] for name in names]
        waits = sorted((self._received[name][0], self._judged[name][0]) for name in names)
        first, last = waits[0][0], max(end for _, end in waits)
        ahead, files, allowed = max(
            (self._ahead(waits, wait) for wait in waits), key=lambda found: found[0] - found[2]
        )
        there = bisect.bisect(self._big_there, first)
        return Measured(
            situation=situation,
            waiting=there - bisect.bisect(self._big_judged, first),
            seconds=seconds,
            longest=max(taken).total_seconds(),
            beside=self._judged_between(first, last),
            ahead=ahead,
            files=files,
            bound=allowed,
        )

    def _ahead(
        self, waits: Sequence[tuple[int, int]], wait: tuple[int, int]
    ) -> tuple[int, int, int]:
        """Documents of `big` judged during one wait, the files it was a wait for, the bound."""
        start, end = wait
        files = sum(a <= start < b for a, b in waits)
        allowed = bound(files, places=self._plan.places, judges=self._plan.judges)
        return self._judged_between(start, end), files, allowed

    def _judged_between(self, start: int, end: int) -> int:
        return bisect.bisect(self._big_judged, end) - bisect.bisect(self._big_judged, start)


def _name(situation: str, number: int) -> str:
    return f"{situation.replace(' ', '-')}-{number}.xml"


def figures(plan: Plan, rows: Sequence[Measured]) -> dict[str, object]:
    """What others read of it."""
    return {
        "documents": plan.n,
        "archive": plan.archive,
        "others": plan.others,
        "judges": plan.judges,
        "max_in_flight": plan.places,
        "bound": bound(plan.others, places=plan.places, judges=plan.judges),
        "measured": max(row.ahead for row in rows),
        "within_bound": all(row.ahead <= row.bound for row in rows),
        "situations": {
            row.situation: {
                "waiting": row.waiting,
                "seconds": round(row.seconds, 2),
                "times_idle": round(row.seconds / rows[0].seconds, 1),
                "longest_wait_seconds": round(row.longest, 3),
                "judged_from_first_to_last": row.beside,
                "judged_while_one_waited": row.ahead,
                "files": row.files,
                "bound": row.bound,
            }
            for row in rows
        },
    }


def show(plan: Plan, rows: Sequence[Measured]) -> None:
    """The figures for people."""
    mountain = f"one archive of {plan.n}" if plan.archive else f"{plan.n} files"
    allowed = bound(plan.others, places=plan.places, judges=plan.judges)
    print(
        f"{SMALL} sends {plan.others} files beside {mountain} of {BIG}; {plan.judges} judges.\n"
        f"Bound: while the last of {plan.others} files waits that came at once, at most {allowed}"
        f" documents of {BIG} are judged\n"
        f"(max_in_flight {plan.places} + 2 × {plan.others} files + {plan.judges} judges).\n"
    )
    table = [
        (
            row.situation,
            row.waiting,
            f"{row.seconds:.2f}",
            f"{row.seconds / rows[0].seconds:.1f}",
            f"{row.longest:.3f}",
            row.beside,
            row.ahead,
            f"{row.bound} ({row.files})",
        )
        for row in rows
    ]
    headers = (
        "when",
        f"documents\nof {BIG}\nwaiting",
        "first put to\nlast answer\ns",
        "times\nidle",
        "longest wait\nfor a verdict\ns",
        "judged from\nfirst receipt to\nlast verdict",
        "judged\nwhile one\nwaited",
        "bound\n(files)",
    )
    print(tabulate(table, headers=headers, numalign="right", stralign="right"))
    print(
        f"\nThe last two columns are of the one file that came nearest to its bound: documents of"
        f" {BIG}\njudged between its receipt and its verdict; (files): itself and those of {SMALL}"
        " ahead of it."
    )


if __name__ == "__main__":
    sys.exit(main())
