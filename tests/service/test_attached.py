"""Files attached to invoices: durable in the spool before the journal, counted once, kept."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred

from gateway.errors import JournalError, SpoolError, WorkerDied
from gateway.model.interchange import Transport
from gateway.model.job import JudgeAnswer, JudgeJob
from gateway.model.verdict import Accepted, AttachedFile
from gateway.service import settle
from gateway.service.attached import adopt_files, files_folder
from gateway.service.journal import records
from gateway.service.replay_commit import take_back
from gateway.service.spool_sweep import Sweeper
from tests.service.house import ACCEPTED, NO_PACK, REJECTED, FakeJudges, House
from tests.service.test_journey import batch

ONE, TWO = b"%PDF-1.7 one", b"%PDF-1.7 two"


def sum_of(data: bytes) -> str:
    """Its name in the spool."""
    return hashlib.sha256(data).hexdigest()


class Attaching(FakeJudges):
    """Judges that find these files in every invoice they accept, as the real ones do."""

    def __init__(self, *verdicts: Any, files: tuple[bytes, ...] = (ONE, TWO)) -> None:
        super().__init__(*verdicts)
        self.files = files

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """As the verdicts say; files are written for an accepted document only."""
        folder = Path(job.files_to or "")
        if not self.verdicts or isinstance(self.verdicts[0], Exception):
            folder.mkdir(parents=True)
            (folder / "unfinished").write_bytes(b"%PDF")
        answer = await super().judge(job, alone=alone)
        judgement = answer.judgement
        if judgement is None or not isinstance(judgement.verdict, Accepted):
            return answer
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for data in self.files:
            (folder / sum_of(data)).write_bytes(data)
        found = tuple(AttachedFile(sum_of(data), len(data)) for data in self.files)
        return JudgeAnswer(judgement=msgspec.structs.replace(judgement, files=found))


async def references(house: House, data: bytes) -> int:
    """How many documents need the file."""
    found: int = await house.journal.read(
        "t", lambda conn: records.payload_references(conn, sum_of(data))
    )
    return found


async def kept(house: House, id_: str, ordinal: int = 1) -> list[AttachedFile]:
    """What the journal says a document has attached."""
    found: list[AttachedFile] = await house.journal.read(
        "t", lambda conn: records.kept_files(conn, id_, ordinal)
    )
    return found


def in_spool(house: House, data: bytes) -> bool:
    """Whether the file is there, whole."""
    path = house.spool.path(sum_of(data))
    return path.is_file() and path.read_bytes() == data


@ensureDeferred
async def test_the_files_of_an_accepted_invoice_stay_in_the_spool(house: House) -> None:
    """Each is counted for its document, and nothing is left in the scratch folder."""
    intake = await house.intake(Attaching(ACCEPTED))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert in_spool(house, ONE)
    assert in_spool(house, TWO)
    assert [await references(house, data) for data in (ONE, TWO)] == [1, 1]
    assert {file.sha256: file.size for file in await kept(house, id_)} == {
        sum_of(data): len(data) for data in (ONE, TWO)
    }
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_rejected_and_undetermined_documents_keep_no_files(house: House) -> None:
    """Nothing is published that could name them."""
    intake = await house.intake(Attaching(REJECTED))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert await kept(house, id_) == []
    assert not in_spool(house, ONE)


@ensureDeferred
async def test_each_member_of_an_archive_has_its_own(house: House) -> None:
    """The same logo in three invoices is one file, needed three times."""
    intake = await house.intake(Attaching(ACCEPTED, files=(ONE,)))
    arrival = house.arrival("b.tar.gz", batch(["1.xml", "2.xml", "3.xml"]))
    id_ = await intake.receive(arrival, Transport.SFTP)
    await house.reaches(id_, "settled")
    assert await references(house, ONE) == 3
    for ordinal in (1, 2, 3):
        assert await kept(house, id_, ordinal) == [AttachedFile(sum_of(ONE), len(ONE))]
    assert list(house.scratch.iterdir()) == []


@ensureDeferred
async def test_a_resend_counts_nothing_again(house: House) -> None:
    """The same delivery finds its interchange; the same file in another invoice is needed twice."""
    intake = await house.intake(Attaching(ACCEPTED, files=(ONE,)))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert await intake.receive(house.arrival(), Transport.SFTP) == id_
    assert await references(house, ONE) == 1
    other = await intake.receive(house.arrival("b.xml", b"<b/>"), Transport.SFTP)
    await house.reaches(other, "settled")
    assert await references(house, ONE) == 2


@ensureDeferred
async def test_judged_again_counts_nothing_again(house: House) -> None:
    """A replay finds the same files; those of the earlier result stay, for it names them."""
    judges = Attaching(ACCEPTED, files=(ONE,))
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    rows = await house.outbox(id_, "document") + await house.outbox(id_, "report")
    await house.journal.write("t", lambda conn: settle.delivered(conn, rows, house.now()))
    judges.files = (ONE, TWO)
    await house.journal.write("t", lambda conn: take_back(conn, id_, None, house.now()))
    await intake.resume(id_, "acme")
    await house.reaches(id_, "settled")
    assert [await references(house, data) for data in (ONE, TWO)] == [1, 1]


@ensureDeferred
async def test_a_crash_between_spool_and_journal_loses_and_doubles_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are there and the row is not: after the start the invoice is judged again."""
    real = settle.settle_document
    crashes = [JournalError("power cut")]

    def cut(*words: Any, **named: Any) -> settle.Settled:
        assert in_spool(house, ONE), "the journal spoke of a file before the spool had it"
        if crashes:
            raise crashes.pop()
        return real(*words, **named)

    monkeypatch.setattr(settle, "settle_document", cut)
    judges = Attaching(ACCEPTED, files=(ONE,))
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert len(judges.jobs) == 2
    assert await references(house, ONE) == 1
    assert in_spool(house, ONE)


@ensureDeferred
async def test_files_of_nobody_go_and_needed_ones_stay(house: House) -> None:
    """What a crash left in the spool is swept once it is old; what a document needs is not."""
    intake = await house.intake(Attaching(ACCEPTED, files=(ONE,)))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    folder = files_folder(house.scratch, "crashed", 1)
    folder.mkdir()
    (folder / sum_of(TWO)).write_bytes(TWO)
    adopt_files(house.spool, folder, [AttachedFile(sum_of(TWO), len(TWO))])
    assert in_spool(house, TWO)
    sweeper = Sweeper(
        None,
        journal=house.journal,
        spool=house.spool,
        in_thread=_at_once,
        log=None,
        keep_hours=-1.0,  # everything there is old
    )
    await sweeper.sweep()
    assert in_spool(house, ONE)
    assert not in_spool(house, TWO)


async def _at_once(call: Any, *words: Any) -> Any:
    return call(*words)


@ensureDeferred
async def test_files_that_cannot_be_made_durable_are_not_spoken_of(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row stands and the document is judged again, until the disk takes them."""
    fails = [SpoolError("the disk failed")]
    real = house.spool.adopt_unsynced

    def adopt(*words: Any) -> Path:
        if fails:
            raise fails.pop()
        return real(*words)

    monkeypatch.setattr(house.spool, "adopt_unsynced", adopt)
    judges = Attaching(ACCEPTED, files=(ONE,))
    intake = await house.intake(judges)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert len(judges.jobs) == 2
    assert await references(house, ONE) == 1


@ensureDeferred
async def test_what_a_judge_left_that_died_is_gone(house: House) -> None:
    """Half a file must not wait for the next start."""
    intake = await house.intake(Attaching(WorkerDied("it died"), NO_PACK))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "quarantined")
    assert list(house.scratch.iterdir()) == []


def test_a_file_that_is_not_what_the_judge_said_is_not_taken(tmp_path: Path, house: House) -> None:
    """Its size is looked at; a name that is no sum is refused before anything is touched."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / sum_of(ONE)).write_bytes(ONE[:-1])
    with pytest.raises(SpoolError, match="announced with"):
        adopt_files(house.spool, folder, [AttachedFile(sum_of(ONE), len(ONE))])
    with pytest.raises(SpoolError, match="not a SHA-256"):
        adopt_files(house.spool, folder, [AttachedFile("../../outside", 3)])
