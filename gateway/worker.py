"""A judge: the child process that does the judging, one document at a time.

It opens archives as well: the members go into the folder the job names, each to become a job of
its own. The files attached to an invoice go into another folder, for the daemon to keep. Lifecycle
messages of ours are checked here as well, for here is what the official rules need; and here SVRL
is made of a document that was judged before, for whoever asks what a rule pack said. The daemon
talks to it in frames (gateway.frames) over standard input and output: a boot frame, then jobs. It
reads payloads from the spool, never from the network, and knows nothing of the journal or the
broker: model and core only, so that it starts fast and a hostile document finds little to reach. It
ends when its standard input closes, that is, with the daemon.

A verdict, `Undetermined` included, is an answer. Only what keeps the worker from judging at all
(a payload that is not the one it was told of) is a failure frame.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from gateway import worker_loop
from gateway.core.container.archive import is_archive, unpack
from gateway.core.container.kinds import HEAD_BYTES
from gateway.core.directory import Directories
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.heap import keep_small
from gateway.errors import GatewayError, ScratchFull, SpoolError
from gateway.model.container import ContainerLimits
from gateway.model.job import (
    DocumentLimits,
    JudgeAnswer,
    JudgeJob,
    MessageAnswer,
    MessageJob,
    SvrlAnswer,
    SvrlJob,
    Unpacked,
    WorkerBoot,
)
from gateway.model.verdict import Judgement
from gateway.worker_loop import Teller, Work


class Bench(NamedTuple):
    """What a worker works with: the judge, and the limits archives are opened within."""

    judge: Judge
    documents: DocumentLimits
    containers: ContainerLimits


def build(boot_payload: bytes, teller: Teller) -> Work:
    """What answers the jobs of a worker that was booted so, and compiles rules while none waits.

    The daemon is told when it compiles, for that must not count as a document's time. A rule pack
    that is missing is only said on standard error: its documents will be undetermined, others are
    judged. Raises GatewayError when nothing could be judged (the catalogue or a mapping is broken).
    """
    boot = msgspec.msgpack.decode(boot_payload, type=WorkerBoot)
    catalogue = Catalogue.load(Path(boot.rule_packs) if boot.rule_packs else None)
    directory = Directories(Path(boot.directory)) if boot.directory else None
    judge = Judge(boot.flows, catalogue, boot.limits, directory=directory, watcher=teller)
    judge.load_mappings()
    bench = Bench(judge, boot.limits, boot.containers)
    jobs = msgspec.msgpack.Decoder(JudgeJob | MessageJob | SvrlJob)
    answers = msgspec.msgpack.Encoder()

    def answer(payload: bytes) -> bytes:
        job = jobs.decode(payload)
        if isinstance(job, MessageJob):
            findings = judge.message_findings(job.messages, job.on)
            return answers.encode(MessageAnswer(findings))
        if isinstance(job, SvrlJob):
            return answers.encode(SvrlAnswer(size=reported(judge, job)))
        return answers.encode(answered(bench, job))

    return Work(answer, _warmed_up(judge))


def _warmed_up(judge: Judge) -> Iterator[None]:
    """One thing compiled at a step."""
    troubles: dict[str, str] = {}
    for failed in judge.warming_up(dt.datetime.now(tz=dt.UTC).date()):
        if failed is not None and troubles.get(failed[0]) != str(failed[1]):
            troubles[failed[0]] = str(failed[1])
            print(failed[1], file=sys.stderr, flush=True)  # noqa: T201 - the daemon logs it
        yield


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Boot, then answer jobs until `source` ends. The exit code: 0, or 1 when boot failed.

    Raises FrameError when `source` does not speak in frames.
    """
    return worker_loop.serve(source, sink, build)


def answered(bench: Bench, job: JudgeJob) -> JudgeAnswer:
    """The judgement on the payload at `job.path`, or what is in it when it is an archive.

    A document that is too large is not even read. Raises SpoolError when the file cannot be read
    or is not what its name says.
    """
    judge = bench.judge
    try:
        with Path(job.path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != job.size:
                raise _altered(job)
            archive = job.unpack_to is not None and is_archive(file.read(HEAD_BYTES))
            file.seek(0)
            if archive:
                return JudgeAnswer(unpacked=_unpacked(bench, job, file))
            if judge.too_large(job.size):
                return JudgeAnswer(judgement=judge.refuse_size(job))
            data = file.read(job.size + 1)
    except OSError as error:
        raise _unreadable(job, error) from error
    if hashlib.sha256(data).hexdigest() != job.sha256:
        raise _altered(job)
    return JudgeAnswer(judgement=_judged(judge, job, data))


def reported(judge: Judge, job: SvrlJob) -> int:
    """Write the SVRL report of the job: its size in bytes.

    Raises SpoolError as `answered`, RulePackError when the pack cannot be asked, GatewayError for a
    report that is too large or cannot be written.
    """
    try:
        data = Path(job.document.path).read_bytes()
    except OSError as error:
        raise _unreadable(job.document, error) from error
    if hashlib.sha256(data).hexdigest() != job.document.sha256:
        raise _altered(job.document)
    svrl = judge.report(job.document, data, job.pack)
    if len(svrl) > job.most_bytes:
        raise GatewayError(
            f"The SVRL report of {job.pack.pack} on this document has {len(svrl):,} bytes; more"
            f" than {job.most_bytes:,} are not given away here.",
            remedy="Make it from the file itself: edi-gateway validate FILE --svrl DIR",
        )
    try:
        Path(job.into).write_bytes(svrl)
    except OSError as error:
        raise GatewayError(
            f"The SVRL report cannot be written: {error.strerror or error}.",
            remedy="Check the file system of paths.state.",
        ) from error
    return len(svrl)


def _judged(judge: Judge, job: JudgeJob, data: bytes) -> Judgement:
    """The judgement; what is attached lies in the job's folder if it was accepted, and only then.

    Nothing there is synced: whoever takes it into the spool does that.
    """
    if job.files_to is None:
        return judge.judge(job, data)
    shutil.rmtree(job.files_to, ignore_errors=True)  # of an attempt that ended its judge
    said = judge.judge(job, data)
    if not said.files:
        shutil.rmtree(job.files_to, ignore_errors=True)
    return said


def _unpacked(bench: Bench, job: JudgeJob, file: BinaryIO) -> Unpacked:
    """The archive's members, in the job's folder, which is emptied first.

    Raises SpoolError when the archive is not what was received, or the disk fails.
    """
    if hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest() != job.sha256:
        raise _altered(job)
    file.seek(0)
    into = Path(job.unpack_to or "")
    try:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(mode=0o700, parents=True)
        return unpack(
            file,
            job.name,
            job.size,
            into,
            bench.containers,
            bench.documents,
            disk_bytes=job.disk_bytes,
        )
    except ScratchFull as error:
        return Unpacked(no_room=str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Unpacked(no_room=f"The disk is full: {error.strerror}.")
        raise SpoolError(
            f"The archive {job.path} cannot be unpacked: {error.strerror or error}.",
            remedy="Check the file system of paths.state and the rights on its scratch folder.",
        ) from error


def _unreadable(job: JudgeJob, error: OSError) -> SpoolError:
    return SpoolError(
        f"The payload {job.path} cannot be read: {error.strerror or error}.",
        remedy="Check the spool's folder, its rights and its disk.",
    )


def _altered(job: JudgeJob) -> SpoolError:
    return SpoolError(
        f"The payload {job.path} is not what was received: its size or sha256 differs.",
        remedy="Something changed the spool: restore the file from a backup.",
    )


def main() -> int:
    """Entry point of `python -m gateway.worker`."""
    return worker_loop.main_telling(_built_small)


def _built_small(boot_payload: bytes, teller: Teller) -> Work:
    """As `build`, in a process of its own: there the heap of SaxonC can be kept small."""
    keep_small()
    return build(boot_payload, teller)


if __name__ == "__main__":
    sys.exit(main())
