"""Purging: what goes, what stays, what is kept back; and that a crash anywhere loses nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.config.settings import Retention
from gateway.errors import SpoolHeld
from gateway.model.interchange import Transport
from gateway.model.partner import Partner, Uniqueness
from gateway.model.verdict import AttachedFile
from gateway.service import settle
from gateway.service.control import CommandRefused
from gateway.service.intake import Intake
from gateway.service.journal import delivery_records, purge_records, records
from gateway.service.journal.doctor_records import miscounted, uncounted
from gateway.service.legal_holds import LegalHolds
from gateway.service.purging import Purging
from gateway.service.replay import Replay
from gateway.service.replay_commit import Replaying
from gateway.service.resend import Resending
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House

SHORT = Retention(default="operational", operational_days=1)
PARTNERS = {name: Partner(name=name) for name in ("acme", "other")}
SILENT = structlog.wrap_logger(structlog.testing.ReturnLogger(), processors=[])


def in_days(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


def purging(
    house: House, *, settings: Retention = SHORT, days: int = 10, partners: Any = PARTNERS
) -> Purging:
    """Who answers, so many days from now."""
    return Purging(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        partners=partners,
        retention=lambda: settings,
        log=SILENT,
        now=lambda: in_days(days),
    )


async def acknowledged(
    house: House, intake: Intake, name: str, data: bytes, partner: str = "acme"
) -> str:
    """An interchange at its end, everything of it delivered."""
    id_ = await intake.receive(house.arrival(name, data, partner=partner), Transport.SFTP)
    await house.reaches(id_, "settled")
    await deliver(house, id_)
    await house.reaches(id_, "acknowledged")
    return id_


async def deliver(house: House, id_: str) -> None:
    """All that waits arrives, and what that causes as well."""

    def write(conn: Any) -> int:
        rows = [row for row in records.outbox_of(conn, id_) if row.delivered_at is None]
        settle.delivered(conn, rows, house.now())
        return len(rows)

    while await house.journal.write("t", write):
        pass


async def wanted(house: House, *ids: str, archive: str | None = None) -> dict[str, Any]:
    """The arguments of a purge of these as they are now, of all before nine days from now."""
    versions = [
        await house.journal.read("t", lambda conn, id_=id_: purge_records.version_of(conn, id_))
        for id_ in ids
    ]
    chosen = [[id_, version, archive] for id_, version in zip(ids, versions, strict=True)]
    return {"by": "alice", "before": in_days(9).isoformat(), "interchanges": chosen}


async def soundly_counted(house: House) -> bool:
    """Whether every payload is counted as often as something needs it."""

    def look(conn: Any) -> bool:
        return not miscounted(conn, 10) and not uncounted(conn, 10)

    sound: bool = await house.journal.read("t", look)
    return sound


def stored(house: House, data: bytes) -> Path:
    return house.spool.path(hashlib.sha256(data).hexdigest())


@ensureDeferred
async def test_payload_and_bodies_go_and_the_metadata_stays(house: House) -> None:
    """The file and what was said are gone; the verdict, its steps and its messages' rows stay."""
    intake = await house.intake(FakeJudges(REJECTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    before = await house.documents(id_)
    steps = await house.journal.read("t", lambda conn: records.transitions_of(conn, id_))
    answer = await purging(house).purge(await wanted(house, id_, archive="/archive/one"))
    assert answer["purged"] == [id_]
    assert (answer["files"], answer["file_bytes"], answer["left"]) == (1, 4, 0)
    assert not stored(house, b"<a/>").exists()
    assert await house.documents(id_) == before
    assert await house.journal.read("t", lambda c: records.transitions_of(c, id_)) == steps
    rows = await house.journal.read("t", lambda conn: records.outbox_of(conn, id_))
    assert {row.kind for row in rows} == {"document", "report"}
    assert {row.body for row in rows} == {b""}
    gone = await house.journal.read("t", lambda conn: records.purged_of(conn, id_))
    assert gone.archive == "/archive/one"
    assert gone.freed_at is not None
    assert gone.size > 500
    assert "by alice, archived in /archive/one" in gone.words
    by_hand = await house.journal.read("t", lambda c: delivery_records.interventions_of(c, id_))
    assert [(done.action, done.by) for done in by_hand] == [("purge", "alice")]
    assert await soundly_counted(house)


@ensureDeferred
async def test_a_shared_payload_stays_while_another_interchange_needs_it(house: House) -> None:
    """The same bytes came from two partners: they go with the second."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    one = await acknowledged(house, intake, "a.xml", b"<same/>")
    two = await acknowledged(house, intake, "b.xml", b"<same/>", "other")
    desk = purging(house)
    answer = await desk.purge(await wanted(house, one))
    assert (answer["purged"], answer["files"]) == ([one], 0)
    assert stored(house, b"<same/>").read_bytes() == b"<same/>"
    assert await soundly_counted(house)
    answer = await desk.purge(await wanted(house, two))
    assert (answer["purged"], answer["files"]) == ([two], 1)
    assert not stored(house, b"<same/>").exists()


@ensureDeferred
async def test_large_bodies_and_attached_files_go_as_well(house: House) -> None:
    """What lies in the spool beside the outbox, and what was attached inside an invoice."""
    intake = await house.intake(FakeJudges(ACCEPTED), inline_bytes=1)
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    other = await acknowledged(house, intake, "b.xml", b"<b/>")
    shared = house.spool.store([b"a logo"])
    alone = house.spool.store([b"a time sheet"])

    def attach(conn: Any) -> None:
        many = [AttachedFile(hashlib.sha256(b"%d" % n).hexdigest(), 3) for n in range(300)]
        both = AttachedFile(shared.sha256, shared.size)
        records.keep_files(conn, id_, 1, [both, AttachedFile(alone.sha256, 12), *many], in_days(0))
        records.keep_files(conn, id_, 2, [both], in_days(0))
        records.keep_files(conn, other, 1, [both], in_days(0))

    await house.journal.write("t", attach)
    rows = await house.journal.read("t", lambda conn: records.outbox_of(conn, id_))
    beside = {str(row.headers["claim-check"]) for row in rows if "claim-check" in row.headers}
    assert len(beside) == 2
    assert await soundly_counted(house)
    answer = await purging(house).purge(await wanted(house, id_))
    # The file, its report, what was attached to it alone; the result is the same for both files.
    assert answer["files"] == 3
    assert sum(house.spool.path(sha256).exists() for sha256 in beside) == 1
    assert not alone.path.exists()
    assert shared.path.exists()
    assert await soundly_counted(house)


@ensureDeferred
async def test_what_is_open_owed_or_changed_is_left_alone(house: House) -> None:
    """Each is told with its reason, and not a byte of it is touched."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.SFTP)
    await house.reaches(id_, "settled")
    desk = purging(house)
    arguments = await wanted(house, id_)
    assert (await desk.purge(arguments))["skipped"] == [(id_, "it is settled, not acknowledged")]
    await deliver(house, id_)
    ((_, why),) = (await desk.purge(arguments))["skipped"]
    assert why == "something happened to it since it was archived"
    ((_, why),) = (await purging(house, days=0).purge(arguments))["skipped"]
    assert why == 'its retention class "operational" keeps it yet'
    young = {**await wanted(house, id_), "before": in_days(-1).isoformat()}
    ((_, why),) = (await desk.purge(young))["skipped"]
    assert why.startswith("it is not older than ")

    def again(conn: Any) -> None:
        row = next(row for row in records.outbox_of(conn, id_) if row.kind == "report")
        records.once_more(conn, [row.id], in_days(0))

    await house.journal.write("t", again)
    ((_, why),) = (await desk.purge(await wanted(house, id_)))["skipped"]
    assert why == "messages of it have not arrived: 1"
    assert stored(house, b"<a/>").exists()
    assert await house.journal.read("t", lambda conn: records.purged_of(conn, id_)) is None


@ensureDeferred
async def test_the_partner_s_class_decides_whatever_the_operator_says(house: House) -> None:
    """A partner whose file says `keep`, and one that is gone, for which the default counts."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    keeps = {"acme": Partner(name="acme", retention="keep")}
    ((_, why),) = (await purging(house, partners=keeps).purge(await wanted(house, id_)))["skipped"]
    assert why == 'its retention class "keep" keeps it for ever'
    nobody = purging(house, partners={}, settings=Retention())
    ((_, why),) = (await nobody.purge(await wanted(house, id_)))["skipped"]
    assert '"commercial"' in why
    assert (await purging(house, partners={}).purge(await wanted(house, id_)))["purged"] == [id_]


@ensureDeferred
async def test_a_legal_hold_keeps_what_is_old_enough(house: House) -> None:
    """Of a partner or of one interchange; why is said; lifted, it goes. All of it is noted."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    other = await acknowledged(house, intake, "b.xml", b"<b/>", "other")
    holds = LegalHolds(house.journal, partners=PARTNERS, log=SILENT)
    court = {"by": "bob, uid 7", "reason": "lawsuit 12/345"}
    assert (await holds.add({**court, "partner": "acme"}))["new"] is True
    assert (await holds.add({**court, "partner": "acme"}))["new"] is False
    desk = purging(house)
    answer = await desk.purge(await wanted(house, id_, other))
    assert answer["purged"] == [other]
    why = "a legal hold on partner acme keeps it (bob, uid 7: lawsuit 12/345)"
    assert answer["skipped"] == [(id_, why)]
    await holds.add({**court, "interchange": id_})
    await holds.remove({**court, "partner": "acme"})
    ((_, why),) = (await desk.purge(await wanted(house, id_)))["skipped"]
    assert why.startswith(f"a legal hold on interchange {id_} keeps it")
    await holds.remove({**court, "interchange": id_})
    with pytest.raises(CommandRefused, match="There is no legal hold of interchange"):
        await holds.remove({**court, "interchange": id_})
    assert (await desk.purge(await wanted(house, id_)))["purged"] == [id_]
    by_hand = await house.journal.read("t", lambda c: delivery_records.interventions_of(c, id_))
    assert [(done.action, done.by, done.reason) for done in by_hand[:2]] == [
        ("legal-hold add", "bob, uid 7", "lawsuit 12/345"),
        ("legal-hold remove", "bob, uid 7", "lawsuit 12/345"),
    ]
    assert "purged" in (await holds.add({**court, "interchange": id_}))["purged"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "of a partner, or of one interchange"),
        ({"partner": "acme", "interchange": "x"}, "of a partner, or of one interchange"),
        ({"partner": "nobody"}, 'no partner "nobody"'),
        ({"interchange": "0197"}, "no interchange 0197"),
    ],
)
@ensureDeferred
async def test_a_legal_hold_is_of_something_that_exists(
    house: House, arguments: dict[str, str], said: str
) -> None:
    """A name that is misspelt would hold nothing, and nobody would notice."""
    holds = LegalHolds(house.journal, partners=PARTNERS, log=SILENT)
    with pytest.raises(CommandRefused, match=said):
        await holds.add({"by": "bob", "reason": "x", **arguments})


@ensureDeferred
async def test_what_is_purged_is_neither_judged_nor_sent_again_nor_taken_in_twice(
    house: House,
) -> None:
    """Replay and resend say so in words; the same file is still refused as a repetition."""
    once = Uniqueness(resend_window_hours=1)
    intake = await house.intake(FakeJudges(ACCEPTED), uniqueness=once)
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    await purging(house).purge(await wanted(house, id_, archive="/archive/one"))
    said = r"cannot be .* again: it was purged .* by alice, archived in /archive/one"
    resending = Resending(house.journal, outbox_written=lambda: None, log=SILENT)
    with pytest.raises(CommandRefused, match=said):
        await resending.resend({"by": "alice", "interchange": id_})
    replaying = Replaying(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        resume=intake.resume,
        outbox_written=lambda: None,
        log=SILENT,
    )
    with pytest.raises(CommandRefused, match=said):
        await replaying.commit({"interchange": id_})
    nothing: Any = None
    replay = Replay(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        judges=nothing,
        partners=PARTNERS,
        scratch=house.scratch,
        settings=nothing,
        judging=nothing,
        log=SILENT,
    )
    with pytest.raises(CommandRefused, match=said):
        await replay.attempt({"interchange": id_})
    # Its sender, who missed our answer, finds what it made; the empty report is not sent again.
    again = await intake.receive(house.arrival("a.xml", b"<a/>"), Transport.SFTP)
    assert again == id_
    rows = await house.outbox(id_, "report")
    assert {row.state.value for row in rows} == {"delivered"}
    other = await intake.receive(house.arrival("other.xml", b"<a/>"), Transport.SFTP)
    assert (await house.reaches(other, "refused")).cause == "PAYLOAD-REPEATED"


class Crash(Exception):
    """As if the process had ended here."""


@ensureDeferred
async def test_killed_anywhere_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each transaction and each removal: the next run ends with the same.

    Never does an interchange that is not said to be purged lack its file.
    """
    intake = await house.intake(FakeJudges(ACCEPTED), inline_bytes=1)
    monkeypatch.setattr(purge_records, "AT_ONCE", 2)  # many pages
    original_write, original_remove = house.journal.write, house.spool.discard_older
    steps = 0
    for number in range(60):
        data = b"<a>%d</a>" % number
        id_ = await acknowledged(house, intake, f"{number}.xml", data)
        desk = purging(house)
        left = number

        def step() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash

        async def write(name: str, work: Any, **_: Any) -> Any:
            step()
            done = await original_write(name, work)
            step()
            return done

        def remove(sha256: str, before: float) -> Any:
            step()
            size = original_remove(sha256, before)
            step()
            return size

        arguments = await wanted(house, id_)
        house.journal.write, house.spool.discard_older = write, remove
        try:
            await desk.purge(arguments)
        except Crash:
            steps += 1
        else:
            break
        finally:
            house.journal.write = original_write
            house.spool.discard_older = original_remove
        gone = await house.journal.read("t", lambda conn, id_=id_: records.purged_of(conn, id_))
        if gone is None:
            assert stored(house, data).exists()
        assert await soundly_counted(house)
        await desk.unfinished({})
        await desk.purge(await wanted(house, id_))
        row = await house.journal.read("t", lambda conn, id_=id_: records.purged_of(conn, id_))
        assert row.freed_at is not None
        assert await soundly_counted(house)
        bodies = await house.journal.read("t", lambda conn, id_=id_: records.outbox_of(conn, id_))
        assert {each.body for each in bodies} == {b""}
    assert steps == number  # it ended well only when there was no step left to break
    assert steps >= 16
    # What a crash left behind belongs to nobody: the sweep finds it, and nothing else.
    left_over = [path for path in (house.folder / "spool/payloads").rglob("*") if path.is_file()]
    named = await house.journal.read(
        "t", lambda conn: records.named_payloads(conn, [path.name for path in left_over])
    )
    assert named == set()


@ensureDeferred
async def test_a_file_that_was_just_stored_again_or_is_copied_is_left_to_the_sweep(
    house: House,
) -> None:
    """Its receiver may be about to write the row that needs it; a backup may be reading it."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    desk = Purging(
        house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        partners=PARTNERS,
        retention=lambda: SHORT,
        log=SILENT,
        grace_seconds=11 * 86400.0,
        now=lambda: in_days(10),
    )
    answer = await desk.purge(await wanted(house, id_))
    assert (answer["purged"], answer["files"], answer["left"]) == ([id_], 0, 1)
    assert stored(house, b"<a/>").exists()
    other = await acknowledged(house, intake, "b.xml", b"<b/>")
    with house.spool.hold_all():
        with pytest.raises(SpoolHeld):
            house.spool.discard(hashlib.sha256(b"<b/>").hexdigest())
        answer = await purging(house).purge(await wanted(house, other))
    assert (answer["purged"], answer["files"], answer["left"]) == ([other], 0, 1)
    assert stored(house, b"<b/>").exists()


@ensureDeferred
async def test_the_journal_gives_its_room_back_some_pages_at_a_time(house: House) -> None:
    """A new journal's file gets smaller while it is open, in steps."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    many = records.Outgoing

    def fill(conn: Any) -> None:
        row = records.outbox_of(conn, id_)[0]
        records.add_outbox_many(
            conn,
            [
                many(
                    publication=msgspec.structs.replace(
                        row.publication(), message_id=f"m{number}", body=b"x" * 50_000
                    ),
                    interchange_id=id_,
                    ordinal=0,
                    kind="event",
                    destination="broker",
                    partner="acme",
                )
                for number in range(300)
            ],
        )

    await house.journal.write("t", fill)
    await deliver(house, id_)
    desk = purging(house)
    await desk.purge(await wanted(house, id_))
    room = await desk.compact({"pages": 0})
    assert room["gives_back"] is True
    assert room["empty"] > 14_000_000
    asked = 0
    while room["empty"]:
        less = await desk.compact({})
        assert less["empty"] < room["empty"]
        room = less
        asked += 1
    assert asked >= 7
    await house.journal.close()
    assert (house.folder / "journal.sqlite").stat().st_size < 1_000_000
    await house.journal.open()
