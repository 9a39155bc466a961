"""A batch of 10,000 invoices, 1,000 of them rejected: how long until its sender is answered.

    python -m bench.acknowledgements [-n 10000] [--judges 2] [--cdar single] [--portal] [--json]

One archive goes by SFTP to a gateway that publishes to files; its partner gets every form of the
report and lifecycle messages (`--cdar single`, `grouped` or `off`; `--portal`: as many again for
the portal). Counted is from the last verdict, as the journal has it: until the last form of the
report lay in `out/`, until the last lifecycle message was written into the outbox (each was checked
by a judge then), and until everything was delivered. Sizes are those of the files. The reactor's
memory is its peak from the last verdict on, beside what it had before the batch came.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tabulate import tabulate

from bench.container import write_archive
from bench.meters import forget_peaks, meters
from gateway.model.lifecycle import DocumentState
from gateway.service.journal import given_records, open_reader, records
from gateway.service.journal.tables import documents, outbox, statuses_given, transitions
from tests.gateway_process import GatewayProcess

DEADLINE_SECONDS = 3600.0
FORMS = ("xml", "json", "html", "csv")
LEGAL = '[legal]\nname = "Bench"\nid = "0123"\napplication = "AAA123"\n'


def main() -> int:
    """Run the measurement and print it. Exit code 1 when not everybody was told of everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.acknowledgements", description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="invoices (default 10000)")
    parser.add_argument("--judges", type=int, default=2, help="judge processes (default 2)")
    parser.add_argument("--cdar", choices=("single", "grouped", "off"), default="single")
    parser.add_argument("--portal", action="store_true", help="messages for the portal as well")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-acknowledgements-") as folder:
        measured = measure(Path(folder), args)
    show(measured)
    if args.json:
        print(json.dumps(measured))
    return 0 if measured["told"] == measured["expected"] else 1


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Send the archive, wait until all is said, and read the journal and the meters."""
    archive = folder / "batch.tar.gz"
    write_archive(archive, args.n)
    gateway = GatewayProcess(
        folder / "gateway",
        judges=args.judges,
        settings=LEGAL,
        acknowledgements=f'html = "always"\njson = true\ncsv = true\ncdar = "{args.cdar}"\n'
        f"portal = {str(args.portal).lower()}",
    )
    try:
        gateway.start()
        before = meters(gateway)["reactor"][1]
        done = gateway.sftp([f"put {archive} in/{archive.name}"], timeout=DEADLINE_SECONDS)
        if done.returncode != 0:
            sys.exit(f"sftp failed: {done.stderr}")
        deadline = time.monotonic() + DEADLINE_SECONDS
        engine = open_reader(gateway.state / "journal.sqlite")
        _wait(gateway, engine, deadline, lambda conn: _judged(conn) >= args.n)
        forget_peaks(gateway)
        at_verdict = meters(gateway)
        _wait(gateway, engine, deadline, _all_said)
        after = meters(gateway)
        with engine.connect() as conn:
            said = _said(conn)
        sizes = {
            form: (gateway.state / "sftp" / gateway.partner / "out" / name).stat().st_size
            for name in gateway.out()
            for form in FORMS
            if name.endswith(f".report.{form}")
        }
    finally:
        gateway.ensure_gone()
    recipients = (args.cdar != "off") + args.portal
    return {
        "documents": args.n,
        "rejected": args.n // 10,
        **said,
        "expected": args.n * recipients,
        "bytes": sizes,
        "reactor_rss_mb": {"before": round(before), "peak": round(after["reactor"][1])},
        "cpu_seconds": {
            role: round(after[role][0] - at_verdict[role][0], 1) for role in ("reactor", "worker")
        },
    }


def _wait(gateway: GatewayProcess, engine: sa.Engine, deadline: float, is_done: Any) -> None:
    while time.monotonic() < deadline:
        with engine.connect() as conn:
            if is_done(conn):
                return
        time.sleep(0.2)
    sys.exit(f"not finished in time: {gateway.log_tail()}")


def _judged(conn: sa.Connection) -> int:
    query = sa.select(sa.func.count()).where(documents.c.verdict.is_not(None))
    return int(conn.execute(query).scalar_one())


def _all_said(conn: sa.Connection) -> bool:
    counts = records.counts(conn)
    return (
        bool(counts.interchanges)
        and {state.value for state in counts.interchanges} == {"acknowledged"}
        and not counts.outbox
        and not given_records.owed_number(conn)
    )


def _said(conn: sa.Connection) -> dict[str, Any]:
    """Seconds from the last verdict, and what was told."""
    verdict = conn.execute(
        sa.select(sa.func.max(transitions.c.at)).where(
            transitions.c.new_state.in_([DocumentState.ACCEPTED, DocumentState.REJECTED])
        )
    ).scalar_one()

    def seconds(column: Any, kind: str, *more: Any) -> float | None:
        query = sa.select(sa.func.max(column)).where(outbox.c.kind == kind, *more)
        last: dt.datetime | None = conn.execute(query).scalar_one()
        return None if last is None else round((last - verdict).total_seconds(), 2)

    to_partner = outbox.c.destination != records.BROKER
    messages = (
        sa.select(sa.func.count(), sa.func.sum(sa.func.length(outbox.c.body)))
        .where(outbox.c.kind == "cdar")
        .group_by(outbox.c.type, outbox.c.destination)
        .order_by(sa.func.count().desc())
    )
    count, size = conn.execute(messages).first() or (0, 0)
    told = sa.select(sa.func.count()).select_from(statuses_given)
    return {
        "seconds": {
            "report_in_out": seconds(outbox.c.delivered_at, "report", to_partner),
            "last_message_checked": seconds(outbox.c.created_at, "cdar"),
            "last_message_delivered": seconds(outbox.c.delivered_at, "cdar"),
        },
        "messages": count,
        "message_bytes": int(size or 0),
        "told": int(conn.execute(told).scalar_one()),
    }


def show(measured: dict[str, Any]) -> None:
    """The measurement for people."""
    seconds, size = measured["seconds"], measured["bytes"]
    rss = measured["reactor_rss_mb"]
    rows = [
        ("report in out/, after the last verdict (s)", seconds["report_in_out"]),
        ("last lifecycle message checked (s)", seconds["last_message_checked"]),
        ("last lifecycle message delivered (s)", seconds["last_message_delivered"]),
        *((f"report as {form} (kB)", round(size[form] / 1e3)) for form in FORMS if form in size),
        ("lifecycle messages to the partner", measured["messages"]),
        ("  together (kB)", round(measured["message_bytes"] / 1e3)),
        ("statuses told, of those expected", f"{measured['told']} of {measured['expected']}"),
        ("reactor's memory before, at most after (MB)", f"{rss['before']}, {rss['peak']}"),
        ("CPU of reactor, judges (s)", "{reactor}, {worker}".format(**measured["cpu_seconds"])),
    ]
    print(f"{measured['documents']} invoices, {measured['rejected']} rejected")
    print(tabulate(rows, tablefmt="plain", disable_numparse=True))


if __name__ == "__main__":
    sys.exit(main())
