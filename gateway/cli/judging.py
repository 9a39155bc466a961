"""Judging files at the command line: the options for it, the judge, and the exit code.

The same judge, flows and rule packs as the daemon's, without a daemon.
"""

from __future__ import annotations

import argparse
import datetime as dt
import errno
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gateway.cli.options import day, printable
from gateway.cli.validate_input import LIMITS, Input
from gateway.config import load_flows
from gateway.core.directory import OneDirectory
from gateway.core.outcome import unreadable
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import ConfigurationError
from gateway.model.job import JudgeJob
from gateway.model.verdict import Accepted, Judgement, Rejected


def add_judging(parser: argparse.ArgumentParser) -> None:
    """The files, and what they are judged by."""
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
        "--rules",
        type=day,
        metavar="DATE",
        help="judge by the rule packs that are valid on this day, YYYY-MM-DD (default: today)",
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


def judge_for(args: argparse.Namespace) -> Judge:
    """The judge the options ask for. Raises ConfigurationError for a flow there is not."""
    flows = load_flows(args.flows, rule_packs=args.rule_packs)
    if args.flow is not None and args.flow not in flows:
        raise ConfigurationError(
            f"There is no flow {args.flow!r}.", remedy=f"Flows are: {', '.join(sorted(flows))}."
        )
    return Judge(
        flows.values(),
        Catalogue.load(args.rule_packs),
        LIMITS,
        directory=OneDirectory(args.directory) if args.directory else None,
    )


def job_for(file: str, found: Input, args: argparse.Namespace) -> JudgeJob:
    """What the judge is asked about one document."""
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
        layers=getattr(args, "layers", None),
    )


def judged(judge: Judge, job: JudgeJob, found: Input) -> Judgement:
    """The judgement on a document, also on one that could not be taken out of its archive."""
    if found.findings:
        return unreadable(found.name, found.sha256, found.size, found.findings)
    if found.data is None:
        return judge.refuse_size(job)
    return judge.judge(job, found.data)


def unread(file: str, error: OSError) -> str:
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


def exit_code(judgement: Judgement) -> int:
    """0 accepted, 1 rejected, 3 undetermined."""
    match judgement.verdict:
        case Accepted():
            return 0
        case Rejected():
            return 1
    return 3


def gravest(codes: Iterable[int]) -> int:
    """Of several exit codes the one to end with: 2 could not be read, 1 rejected, 3, 0."""
    found = set(codes)
    return next((code for code in (2, 1, 3) if code in found), 0)
