"""`edi-gateway validate FILE…`: the verdict on files, without a daemon.

The same judge, flows and rule packs as the daemon's; archives are opened in the same way. Nothing
is stored or sent.
"""

from __future__ import annotations

import argparse
import datetime as dt
import errno
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.options import add_language, day, printable
from gateway.cli.validate_input import LIMITS, Input, inputs
from gateway.cli.validate_text import beside_in_words, in_words
from gateway.config import load_flows
from gateway.core.directory import OneDirectory
from gateway.core.outcome import unreadable
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import ConfigurationError, GatewayError
from gateway.model.container import Member
from gateway.model.job import JudgeJob
from gateway.model.verdict import Accepted, Judgement, Layer, Rejected

_LAYERS = (Layer.XSD, Layer.SCHEMATRON)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="invoices (XML, or PDF with XML inside), and tar.gz or zip archives of them;"
        " - reads standard input",
    )
    parser.add_argument(
        "--flow", metavar="NAME", help="judge by this flow, whatever the document would match"
    )
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="judge by the flows of this folder and the Schematron beside them (default: those that"
        " come with the installation)",
    )
    parser.add_argument(
        "--layers",
        type=_layers,
        metavar="LAYERS",
        help="make only these checks (xsd,schematron); the verdict is then undetermined unless "
        "something failed",
    )
    parser.add_argument(
        "--rules",
        type=day,
        metavar="DATE",
        help="judge by the rule packs that are valid on this day, YYYY-MM-DD (default: today)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per document")
    add_language(parser)
    parser.add_argument(
        "--svrl", type=Path, metavar="DIR", help="also write the SVRL report of every rule pack"
    )
    parser.add_argument(
        "--rule-packs",
        type=Path,
        metavar="DIR",
        help="folder of imported rule packs (default: $EDI_GATEWAY_RULE_PACKS, then the "
        "environment's share/edi-gateway/rule-packs)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        metavar="SNAPSHOT",
        help="the snapshot that B2G rules ask about recipients (edi-gateway directory list)",
    )


def run(args: argparse.Namespace) -> int:
    """Judge every file and print what is to say; the exit code is that of the gravest outcome.

    2 when a file cannot be read, else 1 when one is rejected, else 3 when one could not be
    determined, else 0.
    """
    flows = load_flows(args.flows, rule_packs=args.rule_packs)
    if args.flow is not None and args.flow not in flows:
        raise ConfigurationError(
            f"There is no flow {args.flow!r}.", remedy=f"Flows are: {', '.join(sorted(flows))}."
        )
    judge = Judge(
        flows.values(),
        Catalogue.load(args.rule_packs),
        LIMITS,
        directory=OneDirectory(args.directory) if args.directory else None,
    )
    codes: set[int] = set()
    for file in args.files:
        for found in _read(file, codes):
            if isinstance(found, Member):
                _mention(found, file, args)
                continue
            job = _job(file, found, args)
            judgement = _judged(judge, job, found)
            if args.json:
                said = json.dumps(judgement.to_json(file, args.lang), ensure_ascii=False)
            else:
                title = file if found.archive is None else f"{file}: {found.name}"
                said = in_words(judgement, title, args.lang)
            print(said, flush=True)
            codes.add(_exit_code(judgement))
            if args.svrl is not None and found.data is not None:
                codes.update(_write_reports(judge, job, found, args.svrl))
    return next((code for code in (2, 1, 3) if code in codes), 0)


def _read(file: str, codes: set[int]) -> Iterator[Input | Member]:
    """What is in a file; one that cannot be read is said, and adds its exit code."""
    try:
        yield from inputs(file)
    except OSError as error:
        print(_unread(file, error), file=sys.stderr)
        codes.add(2)


def _judged(judge: Judge, job: JudgeJob, found: Input) -> Judgement:
    if found.findings:
        return unreadable(found.name, found.sha256, found.size, found.findings)
    if found.data is None:
        return judge.refuse_size(job)
    return judge.judge(job, found.data)


def _job(file: str, found: Input, args: argparse.Namespace) -> JudgeJob:
    return JudgeJob(
        path=file,
        name=found.name,
        sha256=found.sha256,
        size=found.size,
        partner=None,
        partner_flows=None,
        on=args.rules or dt.datetime.now(tz=dt.UTC).date(),
        archive=found.archive,
        flow=args.flow,
        layers=args.layers,
    )


def _mention(member: Member, file: str, args: argparse.Namespace) -> None:
    """Say what lies beside the documents; with --json, standard output is for verdicts."""
    said = beside_in_words(member, file, args.lang)
    if said:
        print(said, file=sys.stderr if args.json else sys.stdout, flush=True)


def _unread(file: str, error: OSError) -> str:
    """Why a file was not judged, and what to do about it."""
    match error:
        case IsADirectoryError():
            remedy = "Name the files in it, for example its *.xml."
        case FileNotFoundError():
            remedy = "Correct the name; no verdict was made on it."
        case PermissionError():
            remedy = "Let the user who runs this command read it."
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            room = tempfile.gettempdir()
            return (
                f"{printable(file)}: cannot be unpacked: {error.strerror} in {room}."
                " Make room there, or set TMPDIR to a folder with more of it."
            )
        case _:
            remedy = "No verdict was made on it."
    return f"{printable(file)}: cannot be read: {error.strerror or error}. {remedy}"


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


def _exit_code(judgement: Judgement) -> int:
    match judgement.verdict:
        case Accepted():
            return 0
        case Rejected():
            return 1
    return 3


def _layers(text: str) -> tuple[Layer, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {layer.value: layer for layer in _LAYERS}
    if not words or any(word not in known for word in words):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}, separated by commas")
    return tuple(layer for layer in _LAYERS if layer.value in words)
