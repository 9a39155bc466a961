"""`edi-gateway reload`: the running gateway takes over what its files say now.

What changed is printed, and what waits for the next start. With faults nothing changes: each is
printed, and what was in force stays in force.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from gateway.cli import options
from gateway.cli.control_client import ask
from gateway.config.loader import raise_for, read


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    options.add_configuration(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 when it was done, also when there was nothing to do; 2 with faults, or with no gateway."""
    answer = ask(_state(args), "reload", tells="its log")
    del answer["ok"]
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    changes = answer["changes"]
    print("\n".join(changes) if changes else "Nothing is different.")
    _block("Needs a restart:", answer["later"])
    _block("New notices:", answer["notices"])
    return 0


def _state(args: argparse.Namespace) -> Path:
    """Where the gateway is. Partners that have faults are the gateway's to name."""
    if args.state_dir is not None:
        given: Path = args.state_dir.resolve()
        return given
    reading = read(options.configuration_file(args))
    file = reading.configuration.file
    if any(fault.file == str(file) for fault in reading.faults):
        # What it says of the state directory cannot be relied on; the gateway would say no as well.
        raise_for(reading.faults, f"The configuration {file} cannot be used, so nothing changed")
    return reading.configuration.state


def _block(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"\n{title}")
        print("\n".join(f"  {line}" for each in lines for line in each.splitlines()))
