"""`edi-gateway backup FOLDER`: a copy of the state directory to restore from, made at any time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec

from gateway.cli import options
from gateway.cli.main import version
from gateway.cli.progress import Progress
from gateway.service.backup import Made, make_backup

_SHOWN = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="the folder of backups, best on another disk; payloads of earlier backups in it are"
        " not copied again",
    )
    parser.add_argument(
        "--keep",
        type=options.count,
        metavar="N",
        help="remove older backups from the folder afterwards, but for the newest N",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0; 1 when the spool lacked payloads that the journal needs; 3 when nothing was backed up."""
    progress = Progress()
    try:
        made = make_backup(
            options.journal_path(args).parent,
            args.folder,
            version=version(),
            keep=args.keep,
            progress=progress,
        )
    finally:
        progress.end()
    if args.json:
        print(json.dumps(msgspec.to_builtins(made)))
    else:
        print("\n".join(_lines(made)))
    return 1 if made.manifest.missing else 0


def _lines(made: Made) -> list[str]:
    manifest = made.manifest
    ways = ", ".join(f"{number:,} {how}" for how, number in sorted(made.new.items()) if number)
    lines = [
        f"Backed up to {made.backup}: the journal, {manifest.payloads:,} payloads and"
        f" {manifest.files - 1:,} other files, {manifest.bytes / 1e6:,.1f} MB in all.",
        f"Payloads: {ways or 'none new'}, {made.kept:,} there before.",
        "Settings, partners, certificates and AS2 keys are not in it: back up the folder of the"
        " settings as well.",
    ]
    lines += [f"Removed: {each}" for each in made.removed]
    if manifest.missing:
        lines.append(
            f"{len(manifest.missing):,} payloads that the journal needs are not in the spool, or"
            " not whole, so they are not in the backup either. See: edi-gateway doctor"
        )
        lines += [f"    {sha256}" for sha256 in manifest.missing[:_SHOWN]]
    return lines
