"""`edi-gateway resume`: what was held is sent, at once."""

from __future__ import annotations

import argparse
import json

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.cli.hold import add_subject, check_subject
from gateway.cli.operator import operator


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_subject(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why: colleagues read this")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0 when it is held no more; 2 when no gateway runs, 3 when there is no such hold."""
    check_subject(args)
    answer = ask(
        options.journal_path(args).parent,
        "resume",
        tells="edi-gateway queues",
        by=operator(),
        partner=args.partner,
        flow=args.flow,
        destination=args.destination,
        every=args.every,
        reason=args.reason,
    )
    if args.json:
        print(json.dumps(answer))
        return 0
    for subject in answer["resumed"]:
        print(f"Resumed: {subject}. What waited is sent now.")
    if not answer["resumed"]:
        print("Nothing was held.")
    for subject in answer["left"]:
        print(f"Still held: {subject}.")
    return 0
