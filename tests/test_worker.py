"""The judge process: frames in, frames out, and nothing else on its standard output."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import select
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway import frames, worker
from gateway.config.loader import load_flows
from gateway.core.container.manifest import read_manifest
from gateway.core.schematron.catalogue import Catalogue, default_rule_packs
from gateway.errors import RulePackError
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob, Unpacked, WorkerBoot
from gateway.model.verdict import Accepted, Judgement, Rejected, Undetermined
from gateway.samples import sample_bytes

pytestmark = pytest.mark.alone

FLOW = Flow(
    name="plain",
    chain=(
        Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=("en16931-ubl",)),
        Chain(syntax=Syntax.CII, schema="cii-d22b", rules=("en16931-cii",)),
    ),
)
TOLD = (frames.PREPARING, frames.WORKING)
"""What is said beside the answers."""
XSD_ONLY = Flow(name="xsd", chain=(Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=()),))


def boot(tmp_path: Path, *flows: Flow, limits: DocumentLimits | None = None) -> bytes:
    """A boot payload; the folder of imported packs is empty."""
    packs = tmp_path / "rule-packs"
    packs.mkdir(exist_ok=True)
    return msgspec.msgpack.encode(
        WorkerBoot(
            flows=flows,
            rule_packs=str(packs),
            scratch=str(tmp_path),
            limits=limits or DocumentLimits(),
        )
    )


def job(path: Path, data: bytes, **changes: object) -> bytes:
    """A job payload for a file that is said to hold `data`."""
    plain = JudgeJob(
        path=str(path),
        name="invoice.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner="acme",
        partner_flows=None,
        on=dt.date(2026, 10, 1),
    )
    return msgspec.msgpack.encode(msgspec.structs.replace(plain, **changes))


def stored(tmp_path: Path, file: str) -> tuple[Path, bytes]:
    """A sample on disk, and its bytes."""
    data = sample_bytes(file)
    path = tmp_path / file
    path.write_bytes(data)
    return path, data


def spoken(*said: tuple[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Run `serve` in this process on these frames: its exit code and the frames it answers."""
    source = io.BytesIO(b"".join(frames.encode(*frame) for frame in said))
    sink = io.BytesIO()
    code = worker.serve(source, sink)
    answers = list(frames.FrameDecoder().feed(sink.getvalue()))
    return code, [frame for frame in answers if frame[0] not in TOLD]


def judgement(frame: tuple[bytes, bytes]) -> Judgement:
    """The judgement in a frame."""
    kind, payload = frame
    assert kind == frames.DONE, payload
    answer = msgspec.msgpack.decode(payload, type=JudgeAnswer)
    assert answer.judgement is not None
    return answer.judgement


def test_ready_then_one_answer_per_job(tmp_path: Path) -> None:
    """Boot, ready, then a judgement for each job, until the input ends."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    said = (frames.JOB, job(path, data))
    code, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)), said, said)
    assert code == 0
    assert answers[0] == (frames.READY, b"")
    assert [type(judgement(answer).verdict) for answer in answers[1:]] == [Accepted, Accepted]


def batch(tmp_path: Path) -> tuple[Path, bytes]:
    """A tar.gz of one sample and its bytes."""
    path = tmp_path / "batch.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(stored(tmp_path, "ubl-invoice.xml")[0], "ubl-invoice.xml")
    return path, path.read_bytes()


def unpacked(frame: tuple[bytes, bytes]) -> Unpacked:
    """What is said of an archive."""
    kind, payload = frame
    assert kind == frames.DONE, payload
    answer = msgspec.msgpack.decode(payload, type=JudgeAnswer)
    assert answer.unpacked is not None
    return answer.unpacked


def test_an_archive_is_unpacked_and_its_member_judged_by_a_job_of_its_own(tmp_path: Path) -> None:
    """What an earlier attempt left in the folder is gone; the member's name is never a path."""
    path, data = batch(tmp_path)
    into = tmp_path / "scratch" / "id"
    into.mkdir(parents=True)
    (into / "9").write_bytes(b"left over")
    member = sample_bytes("ubl-invoice.xml")
    _, answers = spoken(
        (frames.BOOT, boot(tmp_path, XSD_ONLY)),
        (frames.JOB, job(path, data, name=path.name, unpack_to=str(into))),
        (frames.JOB, job(into / "1", member, name="ubl-invoice.xml", archive=path.name)),
    )
    assert unpacked(answers[1]) == Unpacked(members=1, documents=1)
    assert sorted(file.name for file in into.iterdir()) == ["1", "manifest"]
    assert [found.name for found in read_manifest(into)] == ["ubl-invoice.xml"]
    assert isinstance(judgement(answers[2]).verdict, Accepted)


def test_an_archive_that_must_not_be_one_is_refused_as_a_document(tmp_path: Path) -> None:
    """A job without a folder to unpack into is about one document."""
    path, data = batch(tmp_path)
    _, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)), (frames.JOB, job(path, data)))
    assert [f.rule for f in judgement(answers[1]).findings] == ["CONTAINER-UNSUPPORTED"]


def test_too_little_room_is_nobodys_fault(tmp_path: Path) -> None:
    """An archive larger than the disk has room for is said to wait, not to be wrong."""
    path, data = batch(tmp_path)
    into = str(tmp_path / "scratch" / "id")
    said = job(path, data, name=path.name, unpack_to=into, disk_bytes=100)
    _, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)), (frames.JOB, said))
    answer = unpacked(answers[1])
    assert "100 bytes" in (answer.no_room or "")
    assert answer.refused is None


@pytest.mark.parametrize("fault", ["missing", "shorter", "changed"])
def test_a_payload_that_is_not_what_was_received_is_our_failure(tmp_path: Path, fault: str) -> None:
    """No verdict on other bytes than the partner sent; the next job is judged all the same."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    other = tmp_path / "other.xml"
    if fault == "shorter":
        other.write_bytes(data[:-1])
    elif fault == "changed":
        other.write_bytes(data.replace(b"FA-2026", b"FB-2026"))
    code, answers = spoken(
        (frames.BOOT, boot(tmp_path, XSD_ONLY)),
        (frames.JOB, job(other, data)),
        (frames.JOB, job(path, data)),
    )
    assert code == 0
    assert answers[1][0] == frames.FAILED
    assert str(other) in answers[1][1].decode()
    assert isinstance(judgement(answers[2]).verdict, Accepted)


def test_a_job_that_is_none_is_our_failure(tmp_path: Path) -> None:
    """Garbage in a job frame fails that job only."""
    _, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)), (frames.JOB, b"garbage"))
    assert [kind for kind, _ in answers] == [frames.READY, frames.FAILED]


def test_a_payload_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    """Only its size is looked at: even a sum that is wrong does not matter."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    limits = DocumentLimits(max_bytes=1000)
    _, answers = spoken(
        (frames.BOOT, boot(tmp_path, XSD_ONLY, limits=limits)),
        (frames.JOB, job(path, data, sha256="unread")),
    )
    verdict = judgement(answers[1]).verdict
    assert isinstance(verdict, Rejected)
    assert verdict.findings[0].rule == "XML-SIZE"


def test_a_boot_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon hears the worker's own words, and stops respawning."""

    def broken(*_: object) -> Catalogue:
        raise RulePackError("The catalogue cannot be read.", remedy="Reinstall.")

    monkeypatch.setattr(Catalogue, "load", broken)
    code, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)))
    assert code == 1
    assert answers == [(frames.BOOT_FAILED, b"The catalogue cannot be read. Reinstall.")]


@pytest.mark.parametrize("first", [(frames.JOB, b""), (frames.BOOT, b"garbage")])
def test_a_boot_frame_that_is_none_fails_the_boot(first: tuple[bytes, bytes]) -> None:
    """Whatever is wrong with the first frame is answered, with a trace for the log."""
    code, answers = spoken(first)
    assert code == 1
    assert [kind for kind, _ in answers] == [frames.BOOT_FAILED]
    assert answers[0][1]


def test_nothing_said_is_nothing_to_do() -> None:
    """A daemon that ends before it spoke is no failure."""
    assert spoken() == (0, [])


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker process."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "stderr").open("wb"),
        cwd=Path(__file__).parents[1],
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def ask(child: subprocess.Popen[bytes], kind: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """One frame to the process, one back."""
    assert child.stdin is not None
    assert child.stdout is not None
    frames.write_frame(child.stdin, kind, payload)
    while True:
        answer = frames.read_frame(child.stdout)
        assert answer is not None
        if answer[0] not in TOLD:
            return answer


def test_the_process_is_ready_before_it_compiles_and_says_when_it_does(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """Then it compiles while no job waits, each thing between two frames, and idly stays so."""
    assert ask(process, frames.BOOT, boot(tmp_path, XSD_ONLY)) == (frames.READY, b"")
    assert process.stdout is not None
    roots = len(Catalogue.load().schema("ubl-2.1").roots)
    said = [frames.read_frame(process.stdout) for _ in range(2 * roots)]
    assert said == [(frames.PREPARING, b""), (frames.WORKING, b"")] * roots
    assert not select.select([process.stdout], [], [], 0.5)[0]


def test_the_first_document_does_not_wait_for_the_packs_of_others(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """What it needs is compiled for it, between two frames; the rest when it has its verdict."""
    flows = tuple(load_flows().values())
    packs = default_rule_packs()
    said = msgspec.msgpack.encode(
        WorkerBoot(flows=flows, rule_packs=str(packs), scratch=str(tmp_path))
    )
    assert ask(process, frames.BOOT, said) == (frames.READY, b"")
    assert process.stdin is not None
    assert process.stdout is not None
    path, data = stored(tmp_path, "cii-invoice.xml")
    order = job(path, data, partner_flows=("ctc-fr-invoice",))
    frames.write_frame(process.stdin, frames.JOB, order)
    kinds = []
    while not kinds or kinds[-1] != frames.DONE:
        frame = frames.read_frame(process.stdout)
        assert frame is not None
        kinds.append(frame[0])
    # One thing at most was under way already.
    assert len(kinds) <= 2 * 3 + 1
    assert isinstance(judgement((frames.DONE, frame[1])).verdict, Accepted)
    assert ask_nothing_more(process) == frames.PREPARING


def ask_nothing_more(child: subprocess.Popen[bytes]) -> bytes:
    """The kind of the next frame, to no question."""
    frame = frames.read_frame(child.stdout)
    assert frame is not None
    return frame[0]


def test_a_missing_pack_does_not_keep_the_process_from_judging_others(
    process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """UBL gets its verdict from the official rules; CII, whose rules are not imported, none."""
    assert ask(process, frames.BOOT, boot(tmp_path, FLOW)) == (frames.READY, b"")
    verdicts = [
        judgement(ask(process, frames.JOB, job(*stored(tmp_path, file)))).verdict
        for file in ("ubl-invoice.xml", "ubl-invoice-faulty.xml", "cii-invoice.xml")
    ]
    assert isinstance(verdicts[0], Accepted)
    assert isinstance(verdicts[1], Rejected)
    assert verdicts[1].findings[0].rule == "BR-CO-15"
    assert isinstance(verdicts[2], Undetermined)
    assert "rules import" in verdicts[2].remedy
    deadline = time.monotonic() + 60
    while "en16931-cii" not in (tmp_path / "stderr").read_text():
        assert time.monotonic() < deadline, "it never said what is missing"
        time.sleep(0.05)
    # Ctrl-C in a terminal, or SIGTERM to a group, reaches every process; only the end of the
    # input ends a judge.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    answer = ask(process, frames.JOB, job(*stored(tmp_path, "ubl-invoice.xml")))
    assert isinstance(judgement(answer).verdict, Accepted)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0


CHATTY = """
import os, sys
from gateway import worker
from gateway.core.pipeline import Judge

judge = Judge.judge
def chatty(self, job, data):
    print("a stray print")
    os.write(1, b"and one from a library in C\\n")
    os.system("echo and one from a child")
    return judge(self, job, data)
Judge.judge = chatty
sys.exit(worker.main())
"""


def test_a_stray_print_never_gets_between_the_frames(tmp_path: Path) -> None:
    """Whatever writes to standard output ends up on standard error."""
    path, data = stored(tmp_path, "ubl-invoice.xml")
    said = frames.encode(frames.BOOT, boot(tmp_path, XSD_ONLY))
    said += frames.encode(frames.JOB, job(path, data))
    done = subprocess.run(
        [sys.executable, "-c", CHATTY],
        input=said,
        capture_output=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    answers = list(frames.FrameDecoder().feed(done.stdout))
    kinds = [kind for kind, _ in answers if kind not in TOLD]
    assert kinds == [frames.READY, frames.DONE]
    for words in (b"a stray print", b"a library in C", b"from a child"):
        assert words in done.stderr
