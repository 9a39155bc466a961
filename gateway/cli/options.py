"""Options several subcommands share."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import os
from pathlib import Path

from gateway.config import Configuration, load
from gateway.model.verdict import Language

SYSTEM_CONFIGURATION = Path("/etc/edi-gateway/gateway.toml")


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """`--config FILE` and `--state-dir DIR`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file (default: $EDI_GATEWAY_CONFIG, then"
        f" {SYSTEM_CONFIGURATION}, then the built-in defaults)",
    )
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="state directory, instead of paths.state"
    )


def configuration_file(args: argparse.Namespace) -> Path | None:
    """The settings file the options ask for; None: the built-in one."""
    file: Path | None = args.config
    if file is None and os.environ.get("EDI_GATEWAY_CONFIG"):
        file = Path(os.environ["EDI_GATEWAY_CONFIG"])
    if file is None and SYSTEM_CONFIGURATION.exists():
        file = SYSTEM_CONFIGURATION
    return file


def configuration(args: argparse.Namespace) -> Configuration:
    """The configuration the options ask for; raises `ConfigurationError` with every fault."""
    loaded = load(configuration_file(args))
    if args.state_dir is not None:
        loaded = dataclasses.replace(loaded, state=args.state_dir.resolve())
    return loaded


def journal_path(args: argparse.Namespace) -> Path:
    """The journal of the state directory the options name.

    With `--state-dir` nothing else of the configuration is read: looking at a state directory must
    work while its settings are being mended.
    """
    if args.state_dir is not None:
        state: Path = args.state_dir.resolve()
        return state / "journal.sqlite"
    return configuration(args).state / "journal.sqlite"


def environment_language() -> Language:
    """French where the environment is French, else English."""
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return Language.FR if named.lower().startswith("fr") else Language.EN


def add_language(parser: argparse.ArgumentParser) -> None:
    """`--lang fr|en`."""
    parser.add_argument(
        "--lang",
        type=Language,
        choices=list(Language),
        default=environment_language(),
        metavar="fr|en",
        help="language of the explanations (default: that of the environment)",
    )


def count(text: str) -> int:
    """An option's value that is a whole number above 0."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def day(text: str) -> dt.date:
    """An option's value that is a day."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it as 2026-09-01") from None


def some(count: int, one: str, several: str = "") -> str:
    """How many of what, as people say it: "1 file", "1,200 files"; `several` where it is no -s."""
    return f"1 {one}" if count == 1 else f"{count:,} {several or one + 's'}"


def printable(text: str) -> str:
    """Partner-supplied text without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shorten(text: str, width: int) -> str:
    """Printable, and at most `width` characters."""
    text = printable(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def age(now: dt.datetime, then: dt.datetime) -> str:
    """How long ago, for people: 42 s, 7 min, 3 h, 12 d."""
    seconds = max(0, int((now - then).total_seconds()))
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400} d"
