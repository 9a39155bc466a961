"""`edi-gateway validate FILE…`: the verdict on files, without a daemon.

The same judge, flows and rule packs as the daemon's; archives are opened in the same way. Nothing
is stored or sent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.judging import add_judging, exit_code, gravest, job_for, judge_for, judged, unread
from gateway.cli.options import add_language
from gateway.cli.progress import Progress, beside_output
from gateway.cli.validate_input import Input, inputs
from gateway.cli.validate_text import beside_in_words, in_words
from gateway.core.pipeline import Judge
from gateway.errors import GatewayError
from gateway.model.container import Member
from gateway.model.job import JudgeJob
from gateway.model.verdict import Layer

_LAYERS = (Layer.XSD, Layer.SCHEMATRON)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_judging(parser)
    parser.add_argument(
        "--layers",
        type=_layers,
        metavar="LAYERS",
        help="make only these checks (xsd,schematron); the verdict is then undetermined unless "
        "something failed",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per document")
    add_language(parser)
    parser.add_argument(
        "--svrl", type=Path, metavar="DIR", help="also write the SVRL report of every rule pack"
    )


def run(args: argparse.Namespace) -> int:
    """Judge every file and print what is to say; the exit code is that of the gravest outcome.

    2 when a file cannot be read, else 1 when one is rejected, else 3 when one could not be
    determined, else 0.
    """
    judge = judge_for(args)
    codes: set[int] = set()
    progress, number = beside_output(), 0
    for file in args.files:
        for found in _read(file, codes, progress):
            if isinstance(found, Member):
                progress.end()
                _mention(found, file, args)
                continue
            job = job_for(file, found, args)
            judgement = judged(judge, job, found)
            if args.json:
                said = json.dumps(judgement.to_json(file, args.lang), ensure_ascii=False)
            else:
                title = file if found.archive is None else f"{file}: {found.name}"
                said = in_words(judgement, title, args.lang)
            print(said, flush=True)
            codes.add(exit_code(judgement))
            if args.svrl is not None and found.data is not None:
                codes.update(_write_reports(judge, job, found, args.svrl))
            number += 1
            progress("documents judged", number, 0)
        progress.end()
    return gravest(codes)


def _read(file: str, codes: set[int], progress: Progress) -> Iterator[Input | Member]:
    """What is in a file; one that cannot be read is said, and adds its exit code."""
    try:
        yield from inputs(file)
    except OSError as error:
        progress.end()
        print(unread(file, error), file=sys.stderr)
        codes.add(2)


def _mention(member: Member, file: str, args: argparse.Namespace) -> None:
    """Say what lies beside the documents; with --json, standard output is for verdicts."""
    said = beside_in_words(member, file, args.lang)
    if said:
        print(said, file=sys.stderr if args.json else sys.stdout, flush=True)


def _write_reports(judge: Judge, job: JudgeJob, found: Input, folder: Path) -> set[int]:
    """Write `<file>.<pack>.svrl.xml` for every pack; the exit codes of what went wrong."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pack, svrl in judge.reports(job, found.data or b""):
            name = pack.removeprefix("./").replace("/", "-")
            (folder / f"{found.report}.{name}.svrl.xml").write_bytes(svrl)
    except OSError as error:
        print(
            f"{folder}: the SVRL report cannot be written: {error.strerror or error}."
            " Name a folder you may write to with --svrl.",
            file=sys.stderr,
        )
        return {2}
    except GatewayError as error:
        print(error, file=sys.stderr)
        return {3}
    return set()


def _layers(text: str) -> tuple[Layer, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {layer.value: layer for layer in _LAYERS}
    if not words or any(word not in known for word in words):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}, separated by commas")
    return tuple(layer for layer in _LAYERS if layer.value in words)
