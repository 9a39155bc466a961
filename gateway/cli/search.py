"""`edi-gateway search`: documents by number, party, file, Message-ID, amount or date."""

from __future__ import annotations

import argparse
import datetime as dt
import json

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.errors import ConfigurationError
from gateway.model.interchange import Environment
from gateway.service.journal import open_reader
from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.search_find import FoundPage, search
from gateway.service.journal.search_hits import Hit
from gateway.service.journal.search_waiting import waiting_like
from gateway.service.journal.search_words import typed_amount, typed_day

_HEADERS = (
    *("document", "received (UTC)", "partner", "file", "invoice", "seller", "buyer"),
    *("amount", "verdict"),
)
_TRIES = 20
"""Pages without a result that are passed over by itself, each a bounded look further back."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "text",
        nargs="?",
        metavar="TEXT",
        help="the beginning of an invoice number, of a seller's or buyer's id or name, of a file"
        " name; a whole amount, date of issue or Message-ID. Case and accents do not count",
    )
    for name, text in (
        ("number", "the beginning of an invoice number"),
        ("seller", "the beginning of the seller's id or name"),
        ("buyer", "the beginning of the buyer's id or name"),
        ("file", "the beginning of the name of a file, or of a member of an archive"),
        ("message-id", "an AS2 Message-ID, or the id of a message we published"),
        ("amount", "the total with VAT: 1234.50, or from..to"),
        ("issued", "the invoice's date of issue: a day, or from..to"),
        ("received", "the day it was received (UTC), or from..to"),
        ("partner", "only what this partner sent"),
        ("channel", "only what came by it: sftp, sftp-remote, as2, https, folder, web"),
        ("flow", "only of this flow"),
        ("rule", "only what was rejected for this rule"),
    ):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=text)
    parser.add_argument("--verdict", choices=["accepted", "rejected"], help="only with this")
    parser.add_argument("--environment", choices=list(Environment), help="only tests, or none")
    parser.add_argument("--exact", action="store_true", help="texts are whole, not beginnings")
    parser.add_argument(
        "--limit", type=options.count, default=20, metavar="N", help="at most so many (default: 20)"
    )
    parser.add_argument("--after", metavar="PLACE", help="go on where the last page ended")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def run(args: argparse.Namespace) -> int:
    """Print the newest that fit: 0 also when there are none."""
    wanted = criteria(args)
    with open_reader(options.journal_path(args)).connect() as conn:
        waiting = [] if args.after else waiting_like(conn, wanted)
        after, page = args.after, FoundPage()
        for _ in range(_TRIES):
            try:
                page = search(conn, wanted, limit=args.limit, after=after)
            except ValueError:
                raise ConfigurationError(
                    f"--after: {after!r} is no place in a list.",
                    remedy="Write what the page before says at its end.",
                ) from None
            if page.hits or page.next is None:
                break
            after = page.next
    if args.json:
        for row in waiting:
            shown = {"interchange": row.id, "state": row.state.value, "waiting": True}
            print(json.dumps(shown | {"partner": row.partner, "file": row.name}))
        for hit in page.hits:
            print(json.dumps(msgspec.to_builtins(hit), ensure_ascii=False))
        print(json.dumps({"next": page.next}))
        return 0
    for row in waiting:
        name = options.shorten(row.name, 60)
        print(f"Not judged yet, {row.state.value}: {name} of {row.partner}, {row.id}")
    if page.hits:
        print(tabulate([_row(hit) for hit in page.hits], headers=_HEADERS, disable_numparse=True))
    elif page.next is None:
        print("No document with a verdict fits.")
    else:
        print("None so far; there are older documents.")
    if page.looked_back_to is not None:
        print(f"Looked back to {page.looked_back_to:%Y-%m-%d %H:%M} UTC.")
    if page.next is not None:
        print(f"More: the same with --after {page.next}")
    return 0


def criteria(args: argparse.Namespace) -> Criteria:
    """What the options ask for. Raises `ConfigurationError` for amounts and dates that are none."""
    amounts = [_amount(each) for each in _ends(args.amount)]
    issued = [_day("--issued", each) for each in _ends(args.issued)]
    received = [_day("--received", each) for each in _ends(args.received)]
    return Criteria(
        text=args.text,
        number=args.number,
        seller=args.seller,
        buyer=args.buyer,
        file=args.file,
        message_id=args.message_id,
        amount_from=amounts[0],
        amount_to=amounts[1],
        issued_since=issued[0],
        issued_until=issued[1],
        since=received[0],
        until=received[1],
        partner=args.partner,
        channel=args.channel,
        environment=args.environment,
        verdict=args.verdict,
        flow=args.flow,
        rule=args.rule,
        exact=args.exact,
    )


def _ends(text: str | None) -> tuple[str, str]:
    """Both ends of from..to; of a single value, it twice; of an open end, nothing."""
    first, dots, last = (text or "").partition("..")
    return first.strip(), (last if dots else first).strip()


def _amount(text: str) -> int | None:
    if not text:
        return None
    amount = typed_amount(text)
    if amount is None:
        raise ConfigurationError(
            f"--amount: {text!r} is no amount.", remedy="Write 1234.50, or 1000..2000."
        )
    return amount


def _day(option: str, text: str) -> dt.date | None:
    if not text:
        return None
    day = typed_day(text)
    if day is None:
        raise ConfigurationError(
            f"{option}: {text!r} is no day.", remedy="Write 2026-03-01, or 2026-03-01..2026-03-31."
        )
    return day


def _row(hit: Hit) -> tuple[str, ...]:
    amount = f"{hit.amount} {hit.currency or ''}".strip() if hit.amount else ""
    return (
        f"{hit.interchange}/{hit.ordinal}",
        hit.received_at.strftime("%Y-%m-%d %H:%M:%S"),
        hit.partner,
        options.shorten(hit.file, 40),
        options.shorten(hit.number or "", 30),
        options.shorten(hit.seller_name or hit.seller_id or "", 30),
        options.shorten(hit.buyer_name or hit.buyer_id or "", 30),
        options.shorten(amount, 24),
        hit.verdict or hit.state.value,
    )
