"""The command line: finds the subcommand, turns failures into exit codes.

Exit codes: 0 done or accepted, 1 rejected or a check failed, 2 usage or configuration error,
3 could not be determined.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Any

from gateway.errors import ConfigurationError, GatewayError
from gateway.harmless import HarmlessStream

COMMANDS: dict[str, str] = {
    "run": "run the gateway in the foreground",
    "check": "check configuration, flows, partners and rule packs; say every fault",
    "demo": "show the whole line on this machine with sample invoices",
    "validate": "judge files without a daemon",
    "report": "write the reports a partner would get about files, as a page to read too",
    "map": "print the canonical invoice of a file, or write it again as UBL or CII",
    "status-message": "build and check a lifecycle message (CDAR)",
    "rules": "list or compare the rule packs; import CEN's rules for plain CII",
    "directory": "take over, list or ask the directory of public recipients",
    "status": "what is going on",
    "alerts": "what needs somebody now; send a test message to those who are told",
    "interchanges": "list interchanges",
    "search": "find documents by number, seller, buyer, file, Message-ID, amount or date",
    "statistics": "volumes by month, channel, format and partner; what was rejected, and why",
    "show": "everything about one interchange",
    "payload": "write out the bytes that a message speaks of: an attached file, a large body",
    "invoices": "take over invoice numbers that another system accepted",
    "reload": "have the running gateway take over changed partners, certificates, flows and more",
    "partner": "list, show, add or check partners",
    "cert": "list, import or replace the certificates of AS2",
    "cutover": "bring in the SSH keys and AS2 certificates of the site before",
    "queues": "what waits for which destination, what is held, what is dead",
    "hold": "send nothing of a partner, a flow or a destination for now",
    "resume": "send what was held, at once",
    "resend": "send an acknowledgement or a publication once more, without judging again",
    "export": "write everything of a period with its evidence into a folder",
    "purge": "archive and free payloads that nobody has to keep any more",
    "legal-hold": "keep a partner's payloads whatever their age, list or lift that",
    "replay": "see which verdicts today's gateway, or another day's rules, would change",
    "quarantine": "list what could not be judged; have it judged again, or set it aside",
    "backup": "copy the state directory to restore from, while the gateway runs or not",
    "restore": "put a backup into an empty state directory, or verify one",
    "user": "list, add or remove who may log in to the console; change a password",
    "audit": "who did what, when, on what",
    "doctor": "see whether journal and spool agree, and mend what is safe to mend",
}
"""Subcommand → one-line help. Each is the module of that name (with _) here, imported only
when it is asked for: `validate` need not load a network stack."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script and of `python -m gateway`.

    Whatever a partner wrote, no terminal obeys it.
    """
    out: Any = HarmlessStream(sys.stdout)
    err: Any = HarmlessStream(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="edi-gateway",
        description="Receives electronic invoices, judges them, publishes the results.",
        epilog="Exit codes: 0 done or accepted; 1 rejected, a check failed, or something needs a"
        " human; 2 usage or configuration error; 3 could not be determined."
        " edi-gateway COMMAND --help tells the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"edi-gateway {version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in words if word in COMMANDS), None)
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        if name == wanted:
            module = importlib.import_module(f"gateway.cli.{name.replace('-', '_')}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    args = parser.parse_args(words)
    try:
        return int(args.run(args))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 3
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


def version() -> str:
    """The version of this program."""
    try:
        return importlib.metadata.version("edi-gateway")
    except importlib.metadata.PackageNotFoundError:
        return "(run from its source folder, not installed)"


if __name__ == "__main__":
    sys.exit(main())
