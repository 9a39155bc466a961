"""`edi-gateway validate FILE…`: the verdict on files, without a daemon.

The same judge, flows and rule packs as the daemon's; nothing is stored or sent.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import sys
from pathlib import Path

from gateway.cli.options import add_language, printable
from gateway.cli.validate_text import in_words
from gateway.config import load_flows
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import ConfigurationError, GatewayError
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Accepted, Judgement, Layer, Rejected

_LAYERS = (Layer.XSD, Layer.SCHEMATRON)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="XML invoices; - reads standard input"
    )
    parser.add_argument(
        "--flow", metavar="NAME", help="judge by this flow, whatever the document would match"
    )
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
    parser.add_argument(
        "--rule-packs",
        type=Path,
        metavar="DIR",
        help="folder of imported rule packs (default: $EDI_GATEWAY_RULE_PACKS, then the "
        "environment's share/edi-gateway/rule-packs)",
    )


def run(args: argparse.Namespace) -> int:
    """Judge every file and print what is to say; the exit code is that of the gravest outcome.

    2 when a file cannot be read, else 1 when one is rejected, else 3 when one could not be
    determined, else 0.
    """
    flows = load_flows()
    if args.flow is not None and args.flow not in flows:
        raise ConfigurationError(
            f"There is no flow {args.flow!r}.", remedy=f"Flows are: {', '.join(sorted(flows))}."
        )
    judge = Judge(flows.values(), Catalogue.load(args.rule_packs), DocumentLimits())
    codes: set[int] = set()
    for file in args.files:
        try:
            job, data = _read(file, judge, args)
        except OSError as error:
            print(_unread(file, error), file=sys.stderr)
            codes.add(2)
            continue
        judgement = judge.refuse_size(job) if data is None else judge.judge(job, data)
        if args.json:
            print(json.dumps(judgement.to_json(file, args.lang), ensure_ascii=False), flush=True)
        else:
            print(in_words(judgement, file, args.lang), flush=True)
        codes.add(_exit_code(judgement))
        if args.svrl is not None and data is not None:
            codes.update(_write_reports(judge, job, data, args.svrl))
    return next((code for code in (2, 1, 3) if code in codes), 0)


def _read(file: str, judge: Judge, args: argparse.Namespace) -> tuple[JudgeJob, bytes | None]:
    """The job for one file and its bytes; None for what is too large to be held."""
    data: bytes | None
    if file == "-":
        data = sys.stdin.buffer.read()
        size, sha256 = len(data), hashlib.sha256(data).hexdigest()
    else:
        with Path(file).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            data = None if judge.too_large(size) else stream.read()
            sha256 = _sha256(file, data)
            size = size if data is None else len(data)
    job = JudgeJob(
        path=file,
        name=Path(file).name,
        sha256=sha256,
        size=size,
        partner=None,
        partner_flows=None,
        on=dt.datetime.now(tz=dt.UTC).date(),
        flow=args.flow,
        layers=args.layers,
    )
    return job, None if judge.too_large(size) else data


def _unread(file: str, error: OSError) -> str:
    """Why a file was not judged, and what to do about it."""
    match error:
        case IsADirectoryError():
            remedy = "Name the files in it, for example its *.xml."
        case FileNotFoundError():
            remedy = "Correct the name; no verdict was made on it."
        case PermissionError():
            remedy = "Let the user who runs this command read it."
        case _:
            remedy = "No verdict was made on it."
    return f"{printable(file)}: cannot be read: {error.strerror or error}. {remedy}"


def _sha256(file: str, data: bytes | None) -> str:
    if data is not None:
        return hashlib.sha256(data).hexdigest()
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_reports(judge: Judge, job: JudgeJob, data: bytes, folder: Path) -> set[int]:
    """Write `<file>.<pack>.svrl.xml` for every pack; the exit codes of what went wrong."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pack, svrl in judge.reports(job, data):
            (folder / f"{job.name}.{pack}.svrl.xml").write_bytes(svrl)
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
