"""The checks of the torture notice each way in which something can be lost or doubled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest

from tests.torture.checks import Faults, faults
from tests.torture.consumer import Taken
from tests.torture.evidence import Evidence, SeenDocument, SeenInterchange, SeenMessage
from tests.torture.load import Document, Parcel, parcel

PARCEL = Parcel(
    "batch.tar.gz",
    b"bytes",
    (Document("a.xml", "A", None), Document("b.xml", "B", "BR-CO-15")),
    renamed=False,
)
REPORT = (
    '<InterchangeReport xmlns="urn:edi-gateway:interchange-report:1">'
    "<Interchange><Id>I1</Id><Provisional>{provisional}</Provisional></Interchange><Documents>"
    '<Document verdict="accepted"><Name>a.xml</Name></Document>'
    '<Document verdict="{verdict}"><Name>{name}</Name></Document>'
    "</Documents></InterchangeReport>"
)
FINAL = REPORT.format(provisional="false", verdict="rejected", name="b.xml").encode()
PROVISIONAL = REPORT.format(provisional="true", verdict="rejected", name="b.xml").encode()

Change = Callable[[Evidence], object]


def message(id_: str, kind: str, ordinal: int, exchange: str, key: str, body: bytes) -> SeenMessage:
    """A delivered message to the broker."""
    return SeenMessage(id_, "I1", ordinal, kind, "broker", "delivered", exchange, key, None, body)


def evidence() -> Evidence:
    """What is found when everything went well."""
    rows = [
        message("M1", "document", 1, "edi.documents", "f.ubl.accepted", b'{"invoice_number":"A"}'),
        message("M2", "document", 2, "edi.documents", "f.ubl.rejected", b'{"document":"B.xml"}'),
        message("M3", "report", 0, "edi.acknowledgements", "f.report", FINAL),
        message("M4", "event", 0, "edi.events", "f.acknowledged", b"{}"),
    ]
    to_partner = msgspec.structs.replace(
        rows[2], id="M5", destination="sftp", filename="r.report.xml"
    )
    return Evidence(
        interchanges=[SeenInterchange("I1", PARCEL.name, PARCEL.sha256, "acknowledged")],
        documents=[
            SeenDocument("I1", 1, "a.xml", "published", "accepted", ()),
            SeenDocument("I1", 2, "b.xml", "published", "rejected", ("BR-CO-15",)),
        ],
        steps={
            ("I1", 0): ["received", "opened", "judged", "settled", "acknowledged"],
            ("I1", 1): ["extracted", "undetermined", "extracted", "accepted", "published"],
            ("I1", 2): ["extracted", "rejected", "published"],
        },
        outbox=[*rows, to_partner],
        taken={
            row.id: Taken(row.exchange, row.routing_key, "I1", row.kind, {}, row.body)
            for row in rows
        },
        altered=[],
        out={"r.report.xml": FINAL},
        payloads={PARCEL.sha256: True},
        leftovers=[],
    )


def found(change: Change = lambda _: None, *, received: bool = True) -> Faults:
    """The faults of the evidence after a change."""
    held = evidence()
    change(held)
    return faults({PARCEL.key: PARCEL}, {PARCEL.key} if received else set(), held)


def set_state(evidence: Evidence, number: int, **values: object) -> None:
    """Change a document."""
    evidence.documents[number] = msgspec.structs.replace(evidence.documents[number], **values)


def set_report(evidence: Evidence, content: bytes) -> None:
    """Another report, in the journal as well."""
    evidence.out = {"r.report.xml": content}
    evidence.outbox[4] = msgspec.structs.replace(evidence.outbox[4], body=content)


def no_interchange(evidence: Evidence) -> None:
    """As if the file had never come."""
    evidence.interchanges.clear()
    evidence.documents.clear()
    evidence.outbox.clear()
    evidence.taken = {}
    evidence.out = {}


def test_an_acknowledgement_ahead_of_a_result_is_found() -> None:
    """Whatever its destination; at the same moment is in order."""
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

    def stamp(later: dict[int, float]) -> Faults:
        def change(evidence: Evidence) -> None:
            for number, row in enumerate(evidence.outbox):
                moment = at + dt.timedelta(seconds=later.get(number, 0.0))
                name = "r.report.xml" if row.kind == "report" else None
                evidence.outbox[number] = msgspec.structs.replace(
                    row, delivered_at=moment, filename=name
                )

        return found(change)

    assert stamp({}) == Faults()
    assert stamp({2: 1.0, 4: 2.0}) == Faults()
    (wrong,) = stamp({1: 1.0, 2: 1.0}).wrong
    assert "the report of I1 to sftp left" in wrong
    (wrong,) = stamp({0: 1.0, 4: 3.0}).wrong
    assert "to broker" in wrong


def test_a_provisional_acknowledgement_may_be_ahead() -> None:
    """It says that the rest is to come."""
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

    def change(evidence: Evidence) -> None:
        for number, row in enumerate(evidence.outbox):
            evidence.outbox[number] = msgspec.structs.replace(
                row, delivered_at=at + dt.timedelta(seconds=9)
            )
        evidence.outbox[2] = msgspec.structs.replace(
            evidence.outbox[2], delivered_at=at, filename="first.xml"
        )

    assert found(change).wrong == []


def test_when_all_went_well_nothing_is_found() -> None:
    """A retry on the way and events are no fault."""
    assert not found(), str(found())


@pytest.mark.parametrize(("destination", "missed"), [("https", False), ("sftp", True)])
def test_a_provisional_report_is_missed_where_it_is_a_file(destination: str, missed: bool) -> None:
    """By HTTP the report of what was released and judged again takes its place."""

    def answered_twice(e: Evidence) -> None:
        for number, row in enumerate(e.outbox[:]):
            if row.filename is not None:
                before = msgspec.structs.replace(
                    row,
                    id="M0",
                    destination=destination,
                    filename="r.provisional.xml",
                    body=PROVISIONAL,
                )
                e.outbox[number] = msgspec.structs.replace(row, destination=destination)
                e.outbox.insert(number, before)

    lost = found(answered_twice).lost
    assert any("r.provisional.xml does not lie in out/" in each for each in lost) is missed


LOST: dict[str, Change] = {
    "called received and is no interchange": no_interchange,
    "I1) stands at settled": lambda e: e.interchanges.__setitem__(
        0, msgspec.structs.replace(e.interchanges[0], state="settled")
    ),
    "the bytes of batch.tar.gz are not": lambda e: setattr(e, "payloads", {PARCEL.sha256: False}),
    "lacks among its documents ['b.xml']": lambda e: e.documents.pop(),
    "a.xml of batch.tar.gz stands at accepted": lambda e: set_state(e, 0, state="accepted"),
    "a report message of I1 is pending": lambda e: e.outbox.__setitem__(
        4, msgspec.structs.replace(e.outbox[4], state="pending")
    ),
    "the event message M4 never reached": lambda e: e.taken.pop("M4"),  # type: ignore[attr-defined]
    "no result says accepted of A": lambda e: e.taken.pop("M1"),  # type: ignore[attr-defined]
    "no final report about batch.tar.gz": lambda e: set_report(e, PROVISIONAL),
    "r.report.xml does not lie in out/": lambda e: setattr(e, "out", {}),
    "report's names ['b.xml']": lambda e: set_report(e, FINAL.replace(b"b.xml", b"a.xml")),
}
DOUBLED: dict[str, Change] = {
    "nobody sent other.xml": lambda e: e.interchanges.append(
        SeenInterchange("I2", "other.xml", "00", "acknowledged")
    ),
    "batch.tar.gz is two interchanges": lambda e: e.interchanges.append(
        SeenInterchange("I2", PARCEL.name, PARCEL.sha256, "acknowledged")
    ),
    "was acknowledged 2 times": lambda e: e.steps["I1", 0].append("acknowledged"),
    "too often among its documents ['a.xml']": lambda e: e.documents.append(e.documents[0]),
    "came to its end more than once": lambda e: e.steps["I1", 2].append("published"),
    "which the journal does not know": lambda e: setattr(
        e, "taken", {**e.taken, "M9": e.taken["M4"]}
    ),
    "a result too many says rejected of B": lambda e: setattr(
        e, "taken", {**e.taken, "M9": e.taken["M2"]}
    ),
    "2 final reports about batch.tar.gz": lambda e: setattr(
        e, "out", {**e.out, "again.report.xml": FINAL}
    ),
    "nothing the journal wrote": lambda e: setattr(e, "out", {**e.out, "x": PROVISIONAL}),
    "a report in out/ is about 'I9'": lambda e: setattr(
        e, "out", {**e.out, "x": FINAL.replace(b"I1", b"I9")}
    ),
}
WRONG: dict[str, Change] = {
    "a.xml of batch.tar.gz is rejected for": lambda e: set_state(e, 0, verdict="rejected"),
    "b.xml of batch.tar.gz is rejected for ('BR-1',)": lambda e: set_state(e, 1, rules=("BR-1",)),
    "message M3 is not what the journal holds": lambda e: setattr(
        e, "taken", {**e.taken, "M3": msgspec.structs.replace(e.taken["M3"], body=b"other")}
    ),
    "message M1 came again with another content": lambda e: e.altered.append("M1"),
    "r.report.xml in out/ is not well-formed": lambda e: set_report(e, b"<cut off"),
    "the report calls b.xml of batch.tar.gz accepted": lambda e: set_report(
        e, FINAL.replace(b"rejected", b"accepted")
    ),
    "left behind": lambda e: e.leftovers.append("/scratch/1 was left behind"),
}


@pytest.mark.parametrize("sentence", LOST)
def test_what_was_lost_is_noticed(sentence: str) -> None:
    """One loss after the other, each with its sentence."""
    assert any(sentence in said for said in found(LOST[sentence]).lost), str(found(LOST[sentence]))


@pytest.mark.parametrize("sentence", DOUBLED)
def test_what_was_doubled_is_noticed(sentence: str) -> None:
    """One doubling after the other, each with its sentence."""
    faults_found = found(DOUBLED[sentence])
    assert any(sentence in said for said in faults_found.doubled), str(faults_found)


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_wrong_is_noticed(sentence: str) -> None:
    """Neither lost nor doubled, and yet not as it must be."""
    faults_found = found(WRONG[sentence])
    assert any(sentence in said for said in faults_found.wrong), str(faults_found)


def test_a_file_never_called_received_is_noticed() -> None:
    """A gateway that takes nothing loses nothing, and is of no use."""
    assert found(received=False).wrong == ["batch.tar.gz was never called received"]


def test_the_same_seed_makes_the_same_files() -> None:
    """A run can be repeated with the same input, to the byte; another seed makes other files."""
    made = [parcel(7, 1, number, archives=True) for number in range(40)]
    assert made == [parcel(7, 1, number, archives=True) for number in range(40)]
    assert made[0].sha256 != parcel(8, 1, 0, archives=True).sha256
    assert {each.name.endswith(".tar.gz") for each in made} == {True, False}
    assert {document.verdict for each in made for document in each.documents} == {
        "accepted",
        "rejected",
    }
    assert not any(
        parcel(7, 1, number, archives=False).name.endswith(".gz") for number in range(40)
    )
