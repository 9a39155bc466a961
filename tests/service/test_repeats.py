"""Sent before: files and invoices that come again, judged one after the other or at once."""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer

from gateway.errors import JournalError
from gateway.model.as2 import Security
from gateway.model.interchange import Transport
from gateway.model.partner import Uniqueness
from gateway.model.verdict import Accepted, Severity, Verdict
from gateway.service import quarantine
from gateway.service.intake import Intake
from gateway.service.invoice_import import InvoiceImport
from gateway.service.journal import records
from gateway.service.journal.as2_records import OUT
from gateway.service.journal.tables import As2State
from tests.service.house import NO_PACK, REJECTED, FakeJudges, House
from tests.service.test_replay import archive
from tests.service.test_replay_commit import deliver, desk

ONCE = Uniqueness()


def invoice(number: str = "FA-1", seller: str | None = "732829320", year: int = 2026) -> Accepted:
    """The verdict on a good invoice."""
    said: dict[str, Any] = {"invoice_number": number, "invoice_issue_date": f"{year}-03-01"}
    if seller is not None:
        said["seller"] = {"legal_registration_identifier": {"value": seller, "scheme": "0002"}}
    return Accepted(json.dumps(said).encode())


async def sent(
    house: House, intake: Intake, name: str, data: bytes, *, partner: str = "acme", **more: Any
) -> str:
    """A file that was received: its interchange."""
    return await intake.receive(
        house.arrival(name, data, partner=partner), more.pop("by", Transport.SFTP), **more
    )


async def ended(house: House, id_: str) -> str:
    """Wait for its end, and let it be acknowledged; the state in which it ended."""
    for _ in range(500):
        state = (await house.row(id_)).state.value
        if state in ("settled", "refused"):
            await deliver(house, id_)
        if state in ("settled", "refused", "acknowledged"):
            return state
        await _moment()
    raise AssertionError(f"{id_} is still {state}")


def _moment() -> defer.Deferred[None]:
    from twisted.internet import reactor, task

    return task.deferLater(reactor, 0.01)


async def rules(house: House, id_: str) -> list[tuple[str, str | None, list[str]]]:
    """State, verdict and findings of each of its documents."""
    return [
        (
            row.state.value,
            row.verdict,
            [finding.rule for finding in records.load_judgement(row).findings],
        )
        for row in await house.documents(id_)
    ]


def importing(house: House) -> InvoiceImport:
    """What takes over the numbers of another system, and forgets them."""
    log = structlog.wrap_logger(house.said, processors=[])
    return InvoiceImport(house.journal, outbox_written=lambda: None, log=log)


async def back(house: House, id_: str, channel: str = "sftp") -> list[records.OutboxRow]:
    """The reports for the partner."""
    return [row for row in await house.outbox(id_, "report") if row.destination == channel]


@ensureDeferred
async def test_the_same_invoice_in_another_file_is_refused(house: House) -> None:
    """The second is rejected, published as such, and names the first to its own sender."""
    judges = FakeJudges(invoice())
    intake = await house.intake(judges, uniqueness=ONCE)
    first = await sent(house, intake, "a.xml", b"<a/>")
    assert await ended(house, first) == "settled"
    second = await sent(house, intake, "b.xml", b"<b/>")
    assert await ended(house, second) == "settled"
    assert await rules(house, first) == [("published", "accepted", [])]
    assert await rules(house, second) == [("published", "rejected", ["DOUBLON"])]
    (result,) = await house.outbox(second, "document")
    assert result.routing_key == "ctc-fr-invoice.ubl.rejected"
    said = json.loads(result.body)["findings"][0]
    assert (said["rule"], said["layer"]) == ("DOUBLON", "business")
    assert "a.xml" in said["explanation"]
    (report,) = await back(house, second)
    assert b"DOUBLON" in report.body


@ensureDeferred
async def test_another_partner_learns_nothing_of_the_first(house: House) -> None:
    """The rule holds whoever sends it; the file it came in is told to its sender only."""
    intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
    first = await sent(house, intake, "secret-name.xml", b"<a/>")
    await ended(house, first)
    second = await sent(house, intake, "b.xml", b"<b/>", partner="other")
    await ended(house, second)
    assert await rules(house, second) == [("published", "rejected", ["DOUBLON"])]
    rows = await house.journal.read("t", lambda conn: records.outbox_of(conn, second))
    told = b"".join(row.body + repr(row.headers).encode() for row in rows)
    assert b"secret-name" not in told
    assert first.encode() not in told


@pytest.mark.parametrize(
    "other",
    [invoice(year=2027), invoice("FA-2"), invoice(seller="404833048")],
    ids=["another year", "another number", "another seller"],
)
@ensureDeferred
async def test_another_invoice_is_accepted(house: House, other: Accepted) -> None:
    """Seller, number and year make the invoice; one of them differs."""
    judges = FakeJudges(invoice(), other)
    intake = await house.intake(judges, uniqueness=ONCE)
    await ended(house, await sent(house, intake, "a.xml", b"<a/>"))
    second = await sent(house, intake, "b.xml", b"<b/>")
    await ended(house, second)
    assert await rules(house, second) == [("published", "accepted", [])]


@ensureDeferred
async def test_what_has_no_seller_is_accepted_and_says_it_was_not_compared(house: House) -> None:
    """A check that could not be made is told, and never counts as passed in silence."""
    intake = await house.intake(FakeJudges(invoice(seller=None)), uniqueness=ONCE)
    for name in ("a.xml", "b.xml"):
        id_ = await sent(house, intake, name, name.encode())
        await ended(house, id_)
        assert await rules(house, id_) == [("published", "accepted", ["CHECK-NO-SELLER"])]


@ensureDeferred
async def test_a_partner_may_be_warned_only(house: House) -> None:
    """The repeated invoice is accepted and published; the report has the warning."""
    intake = await house.intake(FakeJudges(invoice()), uniqueness=Uniqueness(invoice="warn"))
    for name, expected in (("a.xml", []), ("b.xml", ["DOUBLON"])):
        id_ = await sent(house, intake, name, name.encode())
        await ended(house, id_)
        assert await rules(house, id_) == [("published", "accepted", expected)]
    row = (await house.documents(id_))[0]
    assert records.load_judgement(row).findings[0].severity is Severity.WARNING
    (result,) = await house.outbox(id_, "document")
    assert json.loads(result.body)["invoice_number"] == "FA-1"


@ensureDeferred
async def test_after_a_rejection_everything_may_come_again(house: House) -> None:
    """The corrected file under the same name, with the same number; then the name is taken."""
    judges = FakeJudges(REJECTED, invoice(), invoice("FA-2"))
    intake = await house.intake(judges, uniqueness=ONCE)
    await ended(house, await sent(house, intake, "a.xml", b"<wrong/>"))
    corrected = await sent(house, intake, "a.xml", b"<right/>")
    assert await ended(house, corrected) == "settled"
    assert await rules(house, corrected) == [("published", "accepted", [])]
    third = await sent(house, intake, "a.xml", b"<another/>")
    assert await ended(house, third) == "refused"
    assert await rules(house, third) == [("published", "rejected", ["ENVELOPE-REUSED"])]
    assert len(judges.jobs) == 2  # nothing in it was looked at


@ensureDeferred
async def test_rejected_bytes_may_come_again_under_another_name(house: House) -> None:
    """A pack was mended meanwhile, say: they are judged."""
    intake = await house.intake(FakeJudges(REJECTED, invoice()), uniqueness=ONCE)
    await ended(house, await sent(house, intake, "a.xml", b"<a/>"))
    again = await sent(house, intake, "b.xml", b"<a/>")
    assert await ended(house, again) == "settled"
    assert await rules(house, again) == [("published", "accepted", [])]


@ensureDeferred
async def test_the_same_bytes_under_another_name_are_refused(house: House) -> None:
    """An archive is refused whole, unopened; another partner's bytes are another's."""
    judges = FakeJudges(invoice("1"), invoice("2"), invoice("3"))
    intake = await house.intake(judges, uniqueness=ONCE)
    data = archive("a.xml", "c.xml")
    await ended(house, await sent(house, intake, "a.tar.gz", data))
    again = await sent(house, intake, "b.tar.gz", data)
    assert await ended(house, again) == "refused"
    assert await rules(house, again) == [("published", "rejected", ["PAYLOAD-REPEATED"])]
    assert judges.opens == 1
    (report,) = await back(house, again)
    assert b"a.tar.gz" in report.body
    theirs = await sent(house, intake, "b.tar.gz", data, partner="other")
    await ended(house, theirs)
    assert judges.opens == 2


@ensureDeferred
async def test_policies_let_names_and_bytes_be_repeated(house: House) -> None:
    """Neither is looked at where a partner may repeat it."""
    judges = FakeJudges(*(invoice(str(number)) for number in range(3)))
    free = Uniqueness(envelope="accept", payload="accept")
    intake = await house.intake(judges, uniqueness=free)
    for name, data in (("a.xml", b"<a/>"), ("a.xml", b"<b/>"), ("b.xml", b"<a/>")):
        id_ = await sent(house, intake, name, data)
        assert await ended(house, id_) == "settled"
        assert (await rules(house, id_))[0][1] == "accepted"


@ensureDeferred
async def test_one_invoice_twice_in_an_archive_is_accepted_once(house: House) -> None:
    """The others are not touched by it."""
    judges = FakeJudges(invoice("FA-9"))
    judges.by_name = {"a.xml": invoice(), "b.xml": invoice(), "c.xml": invoice("FA-2")}
    intake = await house.intake(judges, uniqueness=ONCE)
    id_ = await sent(house, intake, "a.tar.gz", archive("a.xml", "b.xml", "c.xml"))
    assert await ended(house, id_) == "settled"
    found = await rules(house, id_)
    assert sorted(found[:2]) == [
        ("published", "accepted", []),
        ("published", "rejected", ["DOUBLON"]),
    ]
    assert found[2] == ("published", "accepted", [])


@ensureDeferred
async def test_many_copies_at_once_are_accepted_once(house: House) -> None:
    """Thirty interchanges of two partners, archives among them, all judged at the same time."""
    judges = FakeJudges(invoice())
    judges.gate = defer.Deferred()
    intake = await house.intake(judges, uniqueness=ONCE)
    ids = []
    for number in range(30):
        name, data = f"{number}.xml", f"<a>{number}</a>".encode()
        if number % 5 == 0:
            name, data = f"{number}.tar.gz", archive(f"{number}-a.xml", f"{number}-b.xml")
        partner = "acme" if number % 2 else "other"
        ids.append(await sent(house, intake, name, data, partner=partner))
    while len(judges.jobs) < 36:
        await _moment()
    judges.gate.callback(None)
    found = []
    for id_ in ids:
        await ended(house, id_)
        found += await rules(house, id_)
    assert sorted(verdict or "" for _, verdict, _ in found) == ["accepted"] + ["rejected"] * 35
    assert all(rules == ["DOUBLON"] for _, verdict, rules in found if verdict == "rejected")


@ensureDeferred
async def test_one_name_with_different_bytes_at_once_is_accepted_once(house: House) -> None:
    """None of them could be seen as a repetition before it was judged."""
    judges = FakeJudges(*(invoice(str(number)) for number in range(20)))
    judges.gate = defer.Deferred()
    intake = await house.intake(judges, uniqueness=ONCE)
    ids = [await sent(house, intake, "a.xml", str(number).encode()) for number in range(20)]
    while len(judges.jobs) < 20:
        await _moment()
    judges.gate.callback(None)
    states = [await ended(house, id_) for id_ in ids]
    assert sorted(states) == ["refused"] * 19 + ["settled"]
    found = [(await rules(house, id_))[0] for id_ in ids]
    assert sum(rules == ["ENVELOPE-REUSED"] for _, _, rules in found) == 19
    held = await house.journal.read(
        "t",
        lambda conn: conn.exec_driver_sql("SELECT count(*) FROM invoice_keys").scalar(),
    )
    assert held == 1  # the refused hold nothing


@pytest.mark.parametrize("seed", range(6))
@ensureDeferred
async def test_in_any_order_each_invoice_is_accepted_once(house: House, seed: int) -> None:
    """Copies of invoices, faulty ones and repeated files, in any order and pace."""
    dice = random.Random(seed)
    numbers = [f"FA-{number}" for number in range(4)]
    deliveries: list[tuple[str, bytes, Verdict]] = [
        (f"{number}-{copy}.xml", f"{number}-{copy}".encode(), invoice(number))
        for number in numbers
        for copy in range(3)
    ]
    deliveries += [(f"x-{name}", data, verdict) for name, data, verdict in deliveries[::3]]
    deliveries += [(f"bad-{number}.xml", number.encode(), REJECTED) for number in numbers]
    dice.shuffle(deliveries)
    judges = FakeJudges(REJECTED)
    judges.by_name = {name: verdict for name, _, verdict in deliveries}
    intake = await house.intake(judges, uniqueness=ONCE)
    ids = []
    for name, data, _ in deliveries:
        ids.append(await sent(house, intake, name, data))
        if dice.random() < 0.4:
            await ended(house, ids[-1])
    accepted = []
    for id_ in ids:
        await ended(house, id_)
        for row in await house.outbox(id_, "document"):
            if row.routing_key.endswith(".accepted"):
                accepted.append(json.loads(row.body)["invoice_number"])
    assert sorted(accepted) == numbers


@ensureDeferred
async def test_a_commit_that_fails_takes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and verdict are one transaction: tried again, the document does not trip over itself."""
    intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
    real, failures = records.store_judgement, [JournalError("disk full"), JournalError("again")]

    def store(*args: Any) -> None:
        real(*args)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(records, "store_judgement", store)
    id_ = await sent(house, intake, "a.xml", b"<a/>")
    assert await ended(house, id_) == "settled"
    assert failures == []
    assert await rules(house, id_) == [("published", "accepted", [])]


class TestReplay:
    """Judged again for good, a document meets its own keys."""

    @ensureDeferred
    async def test_it_does_not_trip_over_itself(self, house: House) -> None:
        """Accepted before, accepted again; and a copy is still refused."""
        judges = FakeJudges(invoice())
        intake = await house.intake(judges, uniqueness=ONCE)
        id_ = await sent(house, intake, "a.tar.gz", archive("a.xml"))
        await ended(house, id_)
        await house.reaches(id_, "acknowledged")
        await desk(house, intake).commit({"interchange": id_})
        assert await ended(house, id_) == "settled"
        assert await rules(house, id_) == [("published", "accepted", [])]
        copy = await sent(house, intake, "b.xml", b"<b/>")
        await ended(house, copy)
        assert await rules(house, copy) == [("published", "rejected", ["DOUBLON"])]

    @ensureDeferred
    async def test_rejected_after_all_it_holds_nothing(self, house: House) -> None:
        """Name, bytes and invoice may come again; the copy refused before is accepted now."""
        judges = FakeJudges(invoice())
        intake = await house.intake(judges, uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, first)
        copy = await sent(house, intake, "b.xml", b"<b/>")
        await ended(house, copy)
        await house.reaches(first, "acknowledged")
        judges.verdicts = [REJECTED]
        await desk(house, intake).commit({"interchange": first})
        await ended(house, first)
        await house.reaches(copy, "acknowledged")
        judges.verdicts = [invoice()]
        await desk(house, intake).commit({"interchange": copy})
        await ended(house, copy)
        assert await rules(house, copy) == [("published", "accepted", [])]
        again = await sent(house, intake, "c.xml", b"<a/>")
        await ended(house, again)
        assert await rules(house, again) == [("published", "rejected", ["DOUBLON"])]

    @ensureDeferred
    async def test_another_number_read_gives_the_first_back(self, house: House) -> None:
        """Judged by other rules it may be read otherwise: it holds what it is now."""
        judges = FakeJudges(invoice("FA-1"))
        intake = await house.intake(judges, uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, first)
        await house.reaches(first, "acknowledged")
        judges.verdicts = [invoice("FA-2")]
        await desk(house, intake).commit({"interchange": first})
        await ended(house, first)
        for number, expected in (("FA-1", "accepted"), ("FA-2", "rejected")):
            judges.verdicts = [invoice(number)]
            id_ = await sent(house, intake, f"{number}.xml", number.encode())
            await ended(house, id_)
            assert (await rules(house, id_))[0][1] == expected

    @ensureDeferred
    async def test_discarded_it_holds_nothing(self, house: House) -> None:
        """A replay that needs a human, and is given up, lets the invoice come again."""
        judges = FakeJudges(invoice())
        intake = await house.intake(judges, uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, first)
        await house.reaches(first, "acknowledged")
        judges.verdicts = [NO_PACK]
        await desk(house, intake).commit({"interchange": first})
        await house.reaches(first, "quarantined")
        copy = await sent(house, intake, "b.xml", b"<b/>")
        judges.by_name = {"b.xml": invoice(), "c.xml": invoice()}
        await house.journal.write(
            "t", lambda conn: quarantine.discard(conn, first, None, "given up", house.now())
        )
        await intake.resume(first, "acme")
        await ended(house, first)
        if (await ended(house, copy)) == "settled":
            assert (await rules(house, copy))[0][1] in ("accepted", "rejected")
        third = await sent(house, intake, "c.xml", b"<a/>")
        await ended(house, third)
        accepted = [(await rules(house, id_))[0][1] for id_ in (copy, third)]
        assert accepted.count("accepted") == 1


class TestResend:
    """The same file under the same name: the sender missed our answer."""

    @ensureDeferred
    async def test_it_gets_the_answer_it_already_has_once(self, house: House) -> None:
        """The report goes to the partner once more for each resend; nobody else hears of it."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, id_)
        await deliver(house, id_)
        before = await house.journal.read("t", lambda conn: records.outbox_of(conn, id_))
        for _ in range(2):
            woken = house.woken
            for _ in range(2):  # twice before it is sent: still one answer
                assert await sent(house, intake, "a.xml", b"<a/>") == id_
            assert house.woken > woken
            rows = await house.journal.read("t", lambda conn: records.outbox_of(conn, id_))
            assert len(rows) == len(before)
            (waiting,) = [row for row in rows if row.state == "pending" and row.kind != "event"]
            assert (waiting.kind, waiting.destination) == ("report", "sftp")
            await deliver(house, id_)
        assert await rules(house, id_) == [("published", "accepted", [])]
        row = await house.row(id_)
        assert (row.state, row.report_revision) == ("acknowledged", 1)

    @ensureDeferred
    async def test_before_there_is_an_answer_it_waits_for_it(self, house: House) -> None:
        """One interchange, one answer."""
        judges = FakeJudges(invoice())
        judges.gate = defer.Deferred()
        intake = await house.intake(judges, uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>")
        assert await sent(house, intake, "a.xml", b"<a/>") == id_
        judges.gate.callback(None)
        await ended(house, id_)
        assert len(await back(house, id_)) == 1

    @ensureDeferred
    async def test_the_refused_get_their_answer_again_as_well(self, house: House) -> None:
        """Rejected or refused, the same file is told the same."""
        intake = await house.intake(FakeJudges(REJECTED), uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, id_)
        assert await sent(house, intake, "a.xml", b"<a/>") == id_
        (report,) = await back(house, id_)
        assert report.state == "pending"

    @ensureDeferred
    async def test_by_another_channel_the_answer_comes_there(self, house: House) -> None:
        """Nothing came back by SFTP, so they try HTTPS: the same interchange, told there."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, id_)
        for _ in range(2):
            assert await sent(house, intake, "a.xml", b"<a/>", by=Transport.HTTPS) == id_
            (there,) = await back(house, id_, "https")
            assert there.state == "pending"
            await deliver(house, id_)
        (here,) = await back(house, id_)
        assert (there.body, there.filename) == (here.body, here.filename)
        assert here.state == "delivered"

    @pytest.mark.parametrize("ways", [("https", "web"), ("web", "https")])
    @pytest.mark.parametrize("verdict", [invoice(), REJECTED], ids=["accepted", "rejected"])
    @ensureDeferred
    async def test_what_was_posted_and_is_then_dropped_is_one(
        self, house: House, ways: tuple[str, str], verdict: Verdict
    ) -> None:
        """By HTTPS and in the console, in either order, whatever came of it; and before that."""
        first, second = map(Transport, ways)
        judges = FakeJudges(verdict)
        judges.gate = defer.Deferred()
        intake = await house.intake(judges, uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>", by=first)
        assert await sent(house, intake, "a.xml", b"<a/>", by=second) == id_
        judges.gate.callback(None)
        await ended(house, id_)
        assert await sent(house, intake, "a.xml", b"<a/>", by=second) == id_
        (there,) = await back(house, id_, second)
        (here,) = await back(house, id_, first)
        assert (there.body, there.state) == (here.body, "pending")
        assert (await house.row(id_)).transport == first

    @ensureDeferred
    async def test_a_message_of_its_own_is_a_resend_too(self, house: House) -> None:
        """AS2 software that makes a new Message-ID for every attempt."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<1@a>")
        await ended(house, first)
        again = await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<2@a>")
        assert again == first

    @ensureDeferred
    async def test_a_report_the_partner_vouched_for_is_not_posted_again(self, house: House) -> None:
        """Its receipt says that they have it; posted again it could come back as a duplicate."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        id_ = await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<1@a>")
        await ended(house, id_)
        (report,) = await back(house, id_, "as2")
        message = records.As2Row(
            direction=OUT,
            partner="acme",
            message_id="<report@us>",
            content_sha256="aa",
            interchange_id=id_,
            at=house.now(),
            state=As2State.RECEIPTED,
            as2_from="US",
            as2_to="ACME",
            headers=(),
            raw_sha256="aa",
            raw_size=1,
            mic=None,
            security=Security(),
            mdn_mode="sync",
            outbox_message_id=report.message_id,
        )
        for state, expected in ((As2State.RECEIPTED, "delivered"), (As2State.REFUSED, "pending")):
            kept = msgspec.structs.replace(
                message, state=state, message_id=f"<{state}@us>", raw_sha256=state.value
            )

            def keep(conn: Any, kept: records.As2Row = kept) -> None:
                conn.exec_driver_sql("DELETE FROM as2_messages")
                records.add_as2_message(conn, kept)

            await house.journal.write("t", keep)
            await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<1@a>")
            assert [row.state for row in await back(house, id_, "as2")] == [expected]

    @ensureDeferred
    async def test_too_late_it_is_a_repetition(self, house: House) -> None:
        """After the set time it is refused; a resend of that finds the refusal."""
        judges = FakeJudges(invoice())
        intake = await house.intake(judges, uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, first)
        await _age(house, first, hours=ONCE.resend_window_hours + 1)
        late = await sent(house, intake, "a.xml", b"<a/>")
        assert late != first
        assert await ended(house, late) == "refused"
        assert await rules(house, late) == [("published", "rejected", ["PAYLOAD-REPEATED"])]
        assert await sent(house, intake, "a.xml", b"<a/>") == late
        assert len(judges.jobs) == 1

    @ensureDeferred
    async def test_too_late_but_rejected_then_it_is_judged(self, house: House) -> None:
        """What was rejected may come again, and after the set time it is looked at anew."""
        intake = await house.intake(FakeJudges(REJECTED, invoice()), uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, first)
        await _age(house, first, hours=ONCE.resend_window_hours + 1)
        late = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, late)
        assert await rules(house, late) == [("published", "accepted", [])]

    @ensureDeferred
    async def test_a_message_id_is_the_same_message_for_ever(self, house: House) -> None:
        """What the transport itself knows a delivery by has no set time."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<1@a>")
        await ended(house, first)
        await _age(house, first, hours=ONCE.resend_window_hours + 1)
        late = await sent(house, intake, "a.xml", b"<a/>", by=Transport.AS2, claim_key="<1@a>")
        assert late == first

    @ensureDeferred
    async def test_as_long_as_it_is_not_answered_it_is_no_repetition(self, house: House) -> None:
        """A file in quarantine waits for a human, however long: its sender is not refused."""
        intake = await house.intake(FakeJudges(NO_PACK), uniqueness=ONCE)
        first = await sent(house, intake, "a.xml", b"<a/>")
        await house.reaches(first, "quarantined")
        await _age(house, first, hours=ONCE.resend_window_hours + 1)
        assert await sent(house, intake, "a.xml", b"<a/>") == first


async def _age(house: House, id_: str, *, hours: int) -> None:
    """Let the interchange have come so long ago."""
    then = house.now() - dt.timedelta(hours=hours)

    def write(conn: Any) -> None:
        text = then.strftime("%Y-%m-%d %H:%M:%S.%f")
        conn.exec_driver_sql("UPDATE interchanges SET received_at=? WHERE id=?", (text, id_))
        conn.exec_driver_sql("UPDATE claims SET claimed_at=? WHERE interchange_id=?", (text, id_))

    await house.journal.write("t", write)


class TestImport:
    """Invoices that the system before this one accepted."""

    @ensureDeferred
    async def test_they_are_refused_when_they_come_again(self, house: House) -> None:
        """Taken over once, however often; whoever sends one is told where it is known from."""
        intake = await house.intake(FakeJudges(invoice()), uniqueness=ONCE)
        desk = importing(house)
        rows = [["siren:732829320", "FA-1", 2026], ["vat:DE123456789", "R 7", 2025]]
        for asked, added, known in (
            ({"invoices": rows, "dry_run": True}, 2, 0),
            ({"invoices": [*rows, rows[0]]}, 2, 1),
            ({"invoices": rows}, 0, 2),
            ({"invoices": rows, "dry_run": True}, 0, 2),
        ):
            assert await desk.take(asked) == {"added": added, "known": known, "linked": 0}
        id_ = await sent(house, intake, "a.xml", b"<a/>")
        await ended(house, id_)
        assert await rules(house, id_) == [("published", "rejected", ["DOUBLON"])]
        found = records.load_judgement((await house.documents(id_))[0]).findings[0]
        assert found.explanation is not None
        assert "système que celui-ci remplace" in found.explanation.fr

    @pytest.mark.parametrize(
        "row",
        [
            ["732829320", "FA-1", 2026],
            ["siren:732829320", "", 2026],
            ["siren:732829320", " FA-1", 2026],
            ["siren:732829320", "FA-1", 26],
        ],
    )
    @ensureDeferred
    async def test_what_is_no_key_is_not_taken(self, house: House, row: list[Any]) -> None:
        """It could never be met, so nobody would be refused."""
        desk = importing(house)
        with pytest.raises(msgspec.ValidationError):
            await desk.take({"invoices": [row]})
