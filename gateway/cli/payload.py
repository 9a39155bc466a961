"""`edi-gateway payload URI`: the bytes a message of ours speaks of, out of the spool.

For whoever gets a claim check or an invoice with attached files, on the gateway's machine and with
the right to read its state directory. Elsewhere the spool is shared by other means; a payload is
the file `spool/payloads/ab/abcd…` named by its SHA-256, which docs/asyncapi.yaml promises.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys

from gateway.cli import options
from gateway.errors import ConfigurationError, SpoolError
from gateway.model.publication import payload_uri
from gateway.spool import Spool


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument(
        "uri", metavar="URI", help=f"as a message gives it ({payload_uri('…')}), or a SHA-256"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object that says which file it is, instead of the bytes",
    )


def run(args: argparse.Namespace) -> int:
    """Write the bytes to standard output, or say where they are: 0; 2 for none of that name.

    They are read twice, for they are compared with their name before the first is written. Raises
    SpoolError when they are not what was stored.
    """
    spool = Spool(options.journal_path(args).parent / "spool")
    sha256: str = args.uri.removeprefix(payload_uri(""))
    try:
        path = spool.path(sha256)
    except SpoolError:
        raise ConfigurationError(
            f"{options.printable(args.uri)} names no payload.",
            remedy=f"Give it as the message does: {payload_uri('…')}",
        ) from None
    if not path.is_file():
        raise ConfigurationError(
            f"The spool at {path.parents[2]} has no payload {sha256}.",
            remedy="See that this is the state directory of the gateway that sent the message.",
        )
    spool.verify(sha256)
    if args.json:
        print(json.dumps({"sha256": sha256, "size": path.stat().st_size, "file": str(path)}))
        return 0
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return 0
