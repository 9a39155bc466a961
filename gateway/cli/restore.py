"""`edi-gateway restore BACKUP`: an empty state directory becomes what was backed up."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec

from gateway.cli import options
from gateway.cli.progress import Progress
from gateway.service.backup import Restored, newest, restore, verify

_SHOWN = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "backup",
        type=Path,
        metavar="BACKUP",
        help="a folder that `edi-gateway backup` wrote to: its newest complete backup, or one of"
        " those in it",
    )
    parser.add_argument(
        "--verify-only", action="store_true", help="read the whole backup and restore nothing"
    )
    parser.add_argument(
        "--accept-losses",
        action="store_true",
        help="leave out payloads that are missing from the backup or altered in it, and say which",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0; 1 when payloads are missing; 2 when the state directory is not empty; 3 when unsound."""
    backup = newest(args.backup)
    progress = Progress()
    try:
        if args.verify_only:
            done, state = verify(backup, progress), None
        else:
            state = options.journal_path(args).parent
            done = restore(backup, state, accept_losses=args.accept_losses, progress=progress)
    finally:
        progress.end()
    lost = done.lost or done.manifest.missing
    if args.json:
        print(json.dumps({**msgspec.to_builtins(done), "state": state and str(state)}))
    else:
        print("\n".join(_lines(done, state, lost)))
    return 1 if lost else 0


def _lines(done: Restored, state: Path | None, lost: tuple[str, ...]) -> list[str]:
    manifest = done.manifest
    what = (
        f"{manifest.payloads:,} payloads and {manifest.files:,} other files as edi-gateway"
        f" {manifest.gateway} backed them up on {manifest.made_at:%Y-%m-%d at %H:%M:%S} UTC"
    )
    if state is None:
        lines = [f"{done.backup} is sound: {what}."]
    else:
        lines = [
            f"Restored {done.backup} into {state}: {what}.",
            "What was unfinished then goes on at the next start; what was sent since is sent once"
            " more, under the same message id. Files received since are not here.",
        ]
    if lost:
        lines.append(f"Without {len(lost):,} payloads that the journal names:")
        lines += [f"    {sha256}" for sha256 in lost[:_SHOWN]]
        lines.append("Their documents cannot be judged or sent again. See: edi-gateway doctor")
    return lines
