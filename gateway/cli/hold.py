"""`edi-gateway hold`: send nothing of a partner, a flow or a destination for now."""

from __future__ import annotations

import argparse
import json

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.operator import operator
from gateway.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_subject(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why: colleagues read this")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def add_subject(parser: argparse.ArgumentParser) -> None:
    """`--partner`, `--flow`, `--destination`, `--all`."""
    parser.add_argument("--partner", default="", metavar="P", help="only what goes to this partner")
    parser.add_argument("--flow", default="", metavar="F", help="only what this flow caused")
    parser.add_argument(
        "--destination",
        default="",
        metavar="D",
        help="only what goes there: broker, sftp, sftp-remote, folder, https, web, as2, as2-mdn",
    )
    parser.add_argument("--all", action="store_true", dest="every", help="everything")


def check_subject(args: argparse.Namespace) -> None:
    """Raise `ConfigurationError` unless exactly one thing is meant."""
    named = bool(args.partner or args.flow or args.destination)
    if named == args.every:
        raise ConfigurationError(
            "--all is everything: nothing else can be named beside it."
            if named
            else "What is meant?",
            remedy="Name --partner, --flow, --destination or several of them; or --all.",
        )


def run(args: argparse.Namespace) -> int:
    """0 when it is held, also when it was before; 2 when no gateway runs."""
    check_subject(args)
    answer = ask(
        options.journal_path(args).parent,
        "hold",
        tells="edi-gateway queues",
        by=operator(),
        partner=args.partner,
        flow=args.flow,
        destination=args.destination,
        reason=args.reason,
    )
    if args.json:
        print(json.dumps(answer))
    elif answer["new"]:
        print(f"Held: {answer['subject']}. What waits: edi-gateway queues")
    else:
        print(f"Held before, nothing was changed: {answer['subject']}.")
    return 0
