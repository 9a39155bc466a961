"""`edi-gateway report FILE…`: the reports a partner would get about files, without a daemon.

For each file the XML, JSON, HTML and CSV form, written beside it or into a folder. Documents are
judged once, and what came of them waits in a temporary file: memory does not grow with an archive.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from gateway.cli.judging import add_judging, exit_code, gravest, job_for, judge_for, judged, unread
from gateway.cli.options import add_language, printable
from gateway.cli.progress import Progress
from gateway.cli.validate_input import inputs
from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.report_facts import (
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    document_of,
)
from gateway.core.naming import interface_code
from gateway.core.pipeline import Judge
from gateway.model.container import Member, Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Judgement, Undetermined, verdict_name

_PREFIX = "edi-gateway-"
_PAGE = 50
"""Documents in memory at once."""
_STATES = {
    "accepted": DocumentState.ACCEPTED,
    "rejected": DocumentState.REJECTED,
    "undetermined": DocumentState.QUARANTINED,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    add_judging(parser)
    parser.add_argument(
        "--into",
        type=Path,
        metavar="DIR",
        help="write the reports into this folder (default: beside each file; what standard input"
        " brings, here)",
    )
    for form in Form:
        parser.add_argument(
            f"--{form}",
            dest="forms",
            action="append_const",
            const=form,
            help=f"write the {form.upper()} form (default: all of them)",
        )
    add_language(parser)


def run(args: argparse.Namespace) -> int:
    """Write the reports on every file and print their paths; the exit code is as in `validate`."""
    judge = judge_for(args)
    codes: set[int] = set()
    for file in args.files:
        try:
            codes |= _report_on(file, judge, args)
        except OSError as error:
            print(unread(file, error), file=sys.stderr)
            codes.add(2)
    return gravest(codes)


def _report_on(file: str, judge: Judge, args: argparse.Namespace) -> set[int]:
    codes: set[int] = set()
    progress = Progress()
    with ExitStack() as stack:
        stack.callback(progress.end)
        readable = _readable(file, stack)
        documents = _Documents(stack.enter_context(tempfile.TemporaryFile(prefix=_PREFIX)))
        attachments: list[ReportAttachment] = []
        for found in inputs(str(readable)):
            if isinstance(found, Member):
                if found.role is not Role.IGNORED:
                    attachments.append(_beside(found))
                continue
            judgement = judged(judge, job_for(file, found, args), found)
            documents.add(judgement)
            codes.add(exit_code(judgement))
            if isinstance(judgement.verdict, Undetermined):
                progress.end()
                _tell_why_not(file, judgement)
            progress(f"{printable(readable.name)}, documents judged", documents.count, 0)
        progress.end()
        report = _head(readable, args.flow or documents.flow)
        forms = Forms(report, documents.pages, args.lang, attachments)
        folder = args.into or (Path() if file == "-" else Path(file).parent)
        stem = folder / f"{readable.name}.report"
        return codes | _written(forms, stem, args.forms or list(Form))


def _tell_why_not(file: str, judgement: Judgement) -> None:
    """Say what kept a document from being judged: partners are not told, whoever runs this is."""
    if isinstance(judgement.verdict, Undetermined):
        why = f"{judgement.verdict.cause} {judgement.verdict.remedy}".strip()
        where = f"{file}: {judgement.document}" if judgement.document != file else file
        print(printable(f"{where}: not judged: {why}"), file=sys.stderr)


def _readable(file: str, stack: ExitStack) -> Path:
    """The file, or a copy of what standard input or a pipe brings, which can be read but once."""
    path = Path(file)
    if file != "-" and (path.is_file() or not path.exists() or path.is_dir()):
        return path
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX))
    copy = Path(folder) / ("stdin" if file == "-" else path.name)
    with ExitStack() as opened:
        source = sys.stdin.buffer if file == "-" else opened.enter_context(path.open("rb"))
        shutil.copyfileobj(source, opened.enter_context(copy.open("wb")))
    return copy


def _written(forms: Forms, stem: Path, wanted: Sequence[Form]) -> set[int]:
    """Write the forms asked for and say where; the exit code when there is no place for them."""
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for form in dict.fromkeys(wanted):
            target = stem.with_name(f"{stem.name}.{form}")
            with target.open("wb") as sink:
                forms.write(form, sink)
            print(printable(str(target)), flush=True)
    except OSError as error:
        print(
            f"{printable(str(stem.parent))}: the report cannot be written:"
            f" {error.strerror or error}. Name a folder you may write to with --into.",
            file=sys.stderr,
        )
        return {2}
    return set()


class _Documents:
    """What came of the documents of one file, kept in a temporary file."""

    def __init__(self, kept: BinaryIO) -> None:
        self._kept = kept
        self.count = 0
        self.flow: str | None = None

    def add(self, judgement: Judgement) -> None:
        """Keep one more, in order."""
        self.count += 1
        self.flow = self.flow or judgement.flow
        state = _STATES[verdict_name(judgement.verdict)]
        frame = msgspec.msgpack.encode(document_of(judgement, self.count, state))
        self._kept.write(len(frame).to_bytes(8) + frame)

    def pages(self) -> Iterator[list[ReportDocument]]:
        """All of them from the first on, so many at a time."""
        self._kept.seek(0)
        page: list[ReportDocument] = []
        while length := self._kept.read(8):
            frame = self._kept.read(int.from_bytes(length))
            page.append(msgspec.msgpack.decode(frame, type=ReportDocument))
            if len(page) == _PAGE:
                yield page
                page = []
        if page:
            yield page


def _head(file: Path, flow: str | None) -> InterchangeReport:
    """The file as an interchange of nobody, received now."""
    now = dt.datetime.now(tz=dt.UTC)
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return InterchangeReport(
        interchange_id=f"sha256-{sha256[:16]}",
        revision=1,
        provisional=False,
        partner="",
        flow=flow,
        file_name=file.name,
        interface_code=interface_code(file.name),
        received_at=now,
        sha256=sha256,
        size=file.stat().st_size,
        reported_at=now,
    )


def _beside(member: Member) -> ReportAttachment:
    return ReportAttachment(
        name=member.name,
        role=member.role,
        size=member.size,
        sha256=member.sha256,
        beside=member.beside,
    )
