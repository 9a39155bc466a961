"""`edi-gateway alerts`: what needs somebody now; `alerts test` sends a message to everybody told.

The list is read from the journal, whether the gateway runs or not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.model.verdict import Language
from gateway.service.alerting.kinds import SEVERITIES
from gateway.service.journal import open_reader
from gateway.service.journal.alert_records import (
    AlertRow,
    alerts_on,
    newest_alerts,
    unsent_messages,
)

NEWEST = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "test"),
        default="list",
        help="list what is on (the default), or send a test message to webhook and mail",
    )
    parser.add_argument(
        "--all", action="store_true", dest="every", help=f"the newest {NEWEST}, those over too"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options.add_configuration(parser)
    options.add_language(parser)


def run(args: argparse.Namespace) -> int:
    """0, or 1 when an alert is on, or when a test message did not arrive."""
    return _test(args) if args.action == "test" else _list(args)


def _list(args: argparse.Namespace) -> int:
    with open_reader(options.journal_path(args)).connect() as conn:
        rows = newest_alerts(conn, NEWEST) if args.every else alerts_on(conn)
        unsent = unsent_messages(conn)
    if args.json:
        for row in rows:
            print(json.dumps(_as_json(row)))
    else:
        _print(rows, unsent, dt.datetime.now(dt.UTC), args.lang)
    return 1 if any(row.ended_at is None for row in rows) else 0


def _as_json(row: AlertRow) -> dict[str, object]:
    said = msgspec.to_builtins(row)
    words = {name: said.pop(name) for name in ("what_en", "what_fr", "remedy_en", "remedy_fr")}
    return {
        **said,
        "severity": _severity(row),
        "what": {"en": words["what_en"], "fr": words["what_fr"]},
        "remedy": {"en": words["remedy_en"], "fr": words["remedy_fr"]},
    }


def _severity(row: AlertRow) -> str:
    known = {kind.value: severity for kind, severity in SEVERITIES.items()}
    return known.get(row.kind, "warning")


def _print(
    rows: list[AlertRow], unsent: dict[str, int], now: dt.datetime, language: Language
) -> None:
    if not rows:
        print("No alert is on.")
    else:
        print(tabulate([_row(row, now) for row in rows], _HEADERS, disable_numparse=True))
    french = language is Language.FR
    for row in rows:
        if row.ended_at is None:
            what, remedy = (row.what_fr, row.remedy_fr) if french else (row.what_en, row.remedy_en)
            print(f"\n{row.kind}: {options.printable(what)}\n  → {options.printable(remedy)}")
    for receiver, number in sorted(unsent.items()):
        messages = options.some(number, "message has", "messages have")
        again = "it is" if number == 1 else "they are"
        print(f"\n{messages} not reached {receiver} yet; {again} tried again.")


_HEADERS = ("alert", "about", "severity", "since", "state")


def _row(row: AlertRow, now: dt.datetime) -> tuple[str, ...]:
    about = " ".join(filter(None, (row.subject, row.partner)))
    state = "on" if row.ended_at is None else f"over {options.age(now, row.ended_at)} ago"
    return row.kind, about, _severity(row), options.age(now, row.since), state


def _test(args: argparse.Namespace) -> int:
    answer = ask(options.journal_path(args).parent, "alerts-test", tells="the receivers")
    receivers = answer["receivers"]
    if args.json:
        for each in receivers:
            print(json.dumps(each))
    elif not receivers:
        print(
            "Nobody is told: neither alerts.webhook.url nor alerts.mail.host is set."
            " Alerts are on the list all the same: edi-gateway alerts"
        )
    else:
        for each in receivers:
            print(f"{each['receiver']}: {each['error'] or 'sent'}")
    return 1 if any(each["error"] for each in receivers) else 0
