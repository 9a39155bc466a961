"""`edi-gateway legal-hold`: what must be kept whatever its age, of a partner or of one interchange.

Not to be taken for `hold`, which stops deliveries.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

import msgspec
import structlog
from tabulate import tabulate

from gateway.cli import options
from gateway.cli.desk import open_desk
from gateway.cli.one_interchange import the_interchange
from gateway.cli.operator import operator_uid
from gateway.errors import ConfigurationError
from gateway.service.control import Handler
from gateway.service.journal import open_reader
from gateway.service.journal.direct import DirectJournal
from gateway.service.journal.legal_hold_records import legal_holds_in_force
from gateway.service.legal_holds import LegalHolds


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "what is held, since when, by whom and why"
    listing = actions.add_parser("list", help=words, description=words)
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    words = "keep all of a partner, or one interchange, until this is removed"
    add = actions.add_parser("add", help=words, description=words)
    words = "leave it to its retention class again"
    remove = actions.add_parser("remove", help=words, description=words)
    for action in (add, remove):
        what = action.add_mutually_exclusive_group(required=True)
        what.add_argument("--partner", metavar="P", default="", help="all that came from it")
        what.add_argument(
            "--interchange", metavar="ID", default="", help="this one, or enough of its beginning"
        )
        action.add_argument("--reason", required=True, metavar="TEXT", help="why: it is kept")
        action.add_argument("--json", action="store_true", help="one JSON object")
    for action in (listing, add, remove):
        options.add_configuration(action)


def run(args: argparse.Namespace) -> int:
    """0 when it is done, also when it was held before; 3 when there is nothing of the kind."""
    if args.action == "list":
        return _list(args)
    if not args.reason.strip():
        raise ConfigurationError("--reason is empty.", remedy="Say why: auditors read it.")
    loaded = options.configuration(args)
    interchange = args.interchange
    if interchange:
        with open_reader(loaded.state / "journal.sqlite").connect() as conn:
            interchange = the_interchange(conn, interchange, find="edi-gateway interchanges")

    def build(journal: DirectJournal) -> Mapping[str, Handler]:
        silent = structlog.wrap_logger(structlog.testing.ReturnLogger(), processors=[])
        return LegalHolds(journal, partners=loaded.partners, log=silent).handlers()

    with open_desk(loaded.state, build, tells="edi-gateway legal-hold list") as desk:
        answer = desk.ask(
            f"legal-hold.{args.action}",
            by=operator_uid(),
            partner=args.partner,
            interchange=interchange,
            reason=args.reason,
        )
    if args.json:
        print(json.dumps(answer))
    elif args.action == "remove":
        print(f"No longer held: {answer['subject']}.")
    else:
        held = "Held, never purged" if answer["new"] else "Held before, nothing was changed"
        print(f"{held}: {answer['subject']}.")
        if answer["purged"]:
            print(f"Its payloads are gone already: {options.printable(answer['purged'])}.")
    return 0


def _list(args: argparse.Namespace) -> int:
    with open_reader(options.journal_path(args)).connect() as conn:
        held = legal_holds_in_force(conn)
    if args.json:
        for hold in held:
            print(json.dumps(msgspec.to_builtins(hold)))
    elif held:
        rows = [
            (
                hold.subject,
                f"{hold.placed_at:%Y-%m-%d %H:%M}",
                options.printable(hold.placed_by),
                options.printable(hold.reason),
            )
            for hold in held
        ]
        print(tabulate(rows, headers=("held", "since (UTC)", "by", "why"), disable_numparse=True))
    else:
        print("There is no legal hold.")
    return 0
