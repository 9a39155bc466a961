"""What the virus scanner says, and what becomes of the interchange: refused, held, or judged."""

from __future__ import annotations

from pathlib import Path

from lxml import etree
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import AntivirusUnavailable
from gateway.model.interchange import Transport
from gateway.resources import data_folder
from gateway.service.antivirus import Clean, Found
from gateway.service.journal import records
from tests.service.house import ACCEPTED, NO_PACK, FakeJudges, House
from tests.service.test_journey import batch, ten

NAMESPACE = "{urn:edi-gateway:interchange-report:1}"
SCHEMA = etree.XMLSchema(etree.parse(str(data_folder("schemas") / "interchange-report.xsd")))
AWAY = AntivirusUnavailable("clamd is away.", remedy="Start it.")


class FakeScanner:
    """Says what the test lines up; the last word stays."""

    def __init__(self, *words: Clean | Found | AntivirusUnavailable) -> None:
        self.words = list(words)
        self.seen: list[bytes] = []

    async def scan(self, path: Path, size: int) -> Clean | Found:
        """The next word."""
        self.seen.append(path.read_bytes())
        assert len(self.seen[-1]) == size
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        if isinstance(word, AntivirusUnavailable):
            raise word
        return word


async def report(house: House, id_: str) -> etree._Element:
    """The partner's newest report, valid."""
    rows = [row for row in await house.outbox(id_, "report") if row.destination == "sftp"]
    root = etree.fromstring(rows[-1].body)
    SCHEMA.assertValid(root)
    return root


def antivirus(root: etree._Element) -> str | None:
    """What it says of the scanner."""
    return root.findtext(f"{NAMESPACE}Interchange/{NAMESPACE}Antivirus")


@ensureDeferred
async def test_without_a_scanner_the_report_says_not_checked(house: House) -> None:
    """Nobody may take an unchecked file for a checked one."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert antivirus(await report(house, id_)) == "NotChecked"


@ensureDeferred
async def test_a_clean_payload_is_judged_and_the_report_says_clean(house: House) -> None:
    """The scanner sees the bytes as received, before any judge does."""
    scanner, judges = FakeScanner(Clean()), FakeJudges(ACCEPTED)
    intake = await house.intake(judges, scanner=scanner)
    id_ = await intake.receive(house.arrival(data=b"<a>1</a>"), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert scanner.seen == [b"<a>1</a>"]
    assert antivirus(await report(house, id_)) == "Clean"


@ensureDeferred
async def test_a_virus_refuses_the_interchange_unopened(house: House) -> None:
    """No judge touches it; the partner reads what was found, with the platforms' code for it."""
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges, scanner=FakeScanner(Found("Evil.Test-1")))
    payload = batch(ten())
    id_ = await intake.receive(house.arrival("b.tar.gz", payload), Transport.SFTP)
    row = await house.reaches(id_, "refused")
    assert row.cause == "CONTAINER-VIRUS"
    assert (judges.jobs, judges.opens) == ([], 0)
    root = await report(house, id_)
    assert antivirus(root) == "Found"
    assert [e.text for e in root.iter(f"{NAMESPACE}Code")] == ["IN_REJETE", "IRR_ANTIVIRUS"]
    assert root.findtext(f".//{NAMESPACE}Nature") == "FLUX"
    assert "Evil.Test-1" in (root.findtext(f".//{NAMESPACE}Explanation") or "")
    (result,) = await house.outbox(id_, "document")
    assert result.type.endswith("rejected") or b'"rejected"' in result.body


@ensureDeferred
async def test_an_archive_is_scanned_once_whatever_it_holds(house: House) -> None:
    """The scanner opens archives by itself; its word holds for every member."""
    scanner = FakeScanner(Clean())
    intake = await house.intake(FakeJudges(ACCEPTED), scanner=scanner)
    payload = batch([*ten()[:9], "../evil.xml"])
    id_ = await intake.receive(house.arrival("b.tar.gz", payload), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert scanner.seen == [payload]
    assert antivirus(await report(house, id_)) == "Clean"


@ensureDeferred
async def test_a_member_that_is_tried_again_does_not_have_the_archive_scanned_again(
    house: House,
) -> None:
    """It lies unpacked, as scanned."""
    scanner, judges = FakeScanner(Clean()), FakeJudges(NO_PACK, ACCEPTED)
    intake = await house.intake(judges, scanner=scanner)
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten()[:1])), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert (len(judges.jobs), len(scanner.seen)) == (2, 1)
    assert antivirus(await report(house, id_)) == "Clean"


@ensureDeferred
async def test_a_scanner_that_is_away_makes_undetermined_and_is_asked_again(house: House) -> None:
    """The document waits with that cause; when the scanner is back it is judged like any other."""
    scanner, judges = FakeScanner(AWAY, Clean()), FakeJudges(ACCEPTED)
    intake = await house.intake(judges, scanner=scanner)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    assert (len(scanner.seen), len(judges.jobs)) == (2, 1)
    steps = await house.journal.read("t", lambda conn: records.transitions_of(conn, id_))
    causes = [step.cause for step in steps if step.new == "undetermined"]
    assert causes == ["clamd is away."]
    assert antivirus(await report(house, id_)) == "Clean"


@ensureDeferred
async def test_a_scanner_that_stays_away_ends_in_quarantine(house: House) -> None:
    """Nothing is judged unchecked; the partner hears that it is held, an operator why."""
    judges = FakeJudges(ACCEPTED)
    intake = await house.intake(judges, scanner=FakeScanner(AWAY))
    id_ = await intake.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    row = await house.reaches(id_, "quarantined")
    assert row.cause == "clamd is away."
    assert (judges.jobs, judges.opens) == ([], 0)
    (document,) = await house.documents(id_)
    assert document.attempts == 3
    root = await report(house, id_)
    assert antivirus(root) == "NotChecked"
    assert root.findtext(f".//{NAMESPACE}Provisional") == "true"


async def stopped_in_the_middle(house: House, judged: int) -> str:
    """An archive of ten of which so many are judged when the gateway dies; its scratch is lost."""
    judges = FakeJudges(ACCEPTED)
    judges.gate = gate = defer.Deferred()
    asked = judges.judge

    async def judge(job, *, alone=False):  # type: ignore[no-untyped-def]
        if len(judges.jobs) < judged and job.unpack_to is None:
            judges.gate = None
        answer = await asked(job, alone=alone)
        judges.gate = gate
        return answer

    judges.judge = judge  # type: ignore[method-assign]
    first = await house.intake(judges, scanner=FakeScanner(Clean()))
    id_ = await first.receive(house.arrival("b.tar.gz", batch(ten())), Transport.SFTP)
    for _ in range(500):
        documents = await house.documents(id_)
        if sum(d.state == "accepted" for d in documents) == judged and len(documents) == 10:
            break
        await task.deferLater(reactor, 0.02)
    await first.stop(0.1)
    for leftover in house.scratch.iterdir():
        for file in leftover.iterdir():
            file.unlink()
        leftover.rmdir()
    return id_


@ensureDeferred
async def test_after_a_crash_the_archive_is_scanned_again(house: House) -> None:
    """What the scanner said before the crash is not relied on; nothing is judged twice."""
    id_ = await stopped_in_the_middle(house, 3)
    scanner, judges = FakeScanner(Clean()), FakeJudges(ACCEPTED)
    await house.intake(judges, scanner=scanner)
    await house.reaches(id_, "settled")
    assert (len(scanner.seen), len(judges.jobs)) == (1, 7)


@ensureDeferred
async def test_a_virus_known_only_after_the_crash_bars_the_members_still_waiting(
    house: House,
) -> None:
    """Signatures were updated meanwhile: what was published stands, the rest is rejected."""
    id_ = await stopped_in_the_middle(house, 3)
    judges = FakeJudges(ACCEPTED)
    await house.intake(judges, scanner=FakeScanner(Found("Evil.Test-1")))
    await house.reaches(id_, "settled")
    assert judges.jobs == []
    documents = await house.documents(id_)
    assert [d.state.value for d in documents].count("accepted") == 3
    assert {d.cause for d in documents if d.state == "rejected"} == {"CONTAINER-VIRUS"}
    root = await report(house, id_)
    assert antivirus(root) == "Found"
    assert {e.text for e in root.iter(f"{NAMESPACE}Nature")} == {"FICHIER"}


@ensureDeferred
async def test_a_scanner_away_after_the_crash_holds_the_members_still_waiting(
    house: House,
) -> None:
    """Each is tried as often as any document, and the archive is opened when it is back."""
    id_ = await stopped_in_the_middle(house, 3)
    judges = FakeJudges(ACCEPTED)
    await house.intake(judges, scanner=FakeScanner(AWAY, AWAY, Clean()))
    await house.reaches(id_, "settled")
    assert len(judges.jobs) == 7
    assert {d.state.value for d in await house.documents(id_)} == {"accepted"}
    assert antivirus(await report(house, id_)) == "Clean"
