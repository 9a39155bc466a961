"""The table of `[uniqueness]` in docs/configuration.md, value by value, on the line itself.

Each row: what a partner sends, one file after the other, under one policy, and what comes of each.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, NamedTuple, get_args, get_type_hints

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer

from gateway.model.partner import Uniqueness
from gateway.model.verdict import Severity, Verdict
from gateway.service.journal import records
from tests.service.house import REJECTED, FakeJudges, House
from tests.service.test_repeats import back, ended, invoice, rules, sent
from tests.service.test_replay_commit import deliver, desk

PLATFORM = "FSO1100A_ABC123_ABC1231100000000000000001.xml"
"""A name as the national platforms write it."""

ACCEPTED, SAME = "accepted", "the same interchange"


class File(NamedTuple):
    """One that is sent: its name, its bytes, the invoice in it, and what comes of it.

    `expected`: `accepted`, or the one rule it is rejected by, or that it is no new interchange.
    """

    name: str
    data: bytes
    verdict: Verdict
    expected: str
    hours_later: float = 0


class Case(NamedTuple):
    """A policy, and files that are sent under it."""

    words: str
    policy: Uniqueness
    files: tuple[File, ...]


ONE, TWO = invoice("FA-1"), invoice("FA-2")
STRICT = Uniqueness()
WARNED = "accepted with DOUBLON"

CASES = (
    Case(
        "envelope refuse: a name with other bytes",
        STRICT,
        (File("a.xml", b"1", ONE, ACCEPTED), File("a.xml", b"2", TWO, "ENVELOPE-REUSED")),
    ),
    Case(
        "envelope platform: any other name may come again",
        Uniqueness(envelope="platform"),
        (File("a.xml", b"1", ONE, ACCEPTED), File("a.xml", b"2", TWO, ACCEPTED)),
    ),
    Case(
        "envelope platform: one of the platforms' may not",
        Uniqueness(envelope="platform"),
        (File(PLATFORM, b"1", ONE, ACCEPTED), File(PLATFORM, b"2", TWO, "ENVELOPE-REUSED")),
    ),
    Case(
        "envelope accept: every name may",
        Uniqueness(envelope="accept"),
        (File(PLATFORM, b"1", ONE, ACCEPTED), File(PLATFORM, b"2", TWO, ACCEPTED)),
    ),
    Case(
        "payload refuse: bytes under another name",
        STRICT,
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"1", TWO, "PAYLOAD-REPEATED")),
    ),
    Case(
        "payload accept: they are judged",
        Uniqueness(payload="accept"),
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"1", TWO, ACCEPTED)),
    ),
    Case(
        "payload accept: the invoice in them is still the same",
        Uniqueness(payload="accept"),
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"1", ONE, "DOUBLON")),
    ),
    Case(
        "invoice refuse",
        STRICT,
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"2", ONE, "DOUBLON")),
    ),
    Case(
        "invoice warn",
        Uniqueness(invoice="warn"),
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"2", ONE, WARNED)),
    ),
    Case(
        "invoice off",
        Uniqueness(invoice="off"),
        (File("a.xml", b"1", ONE, ACCEPTED), File("b.xml", b"2", ONE, ACCEPTED)),
    ),
    Case(
        "within the set time the same file under the same name is answered, whatever the answer",
        STRICT,
        (
            File("a.xml", b"1", ONE, ACCEPTED),
            File("a.xml", b"1", TWO, SAME, hours_later=167),
            File("b.xml", b"2", REJECTED, "BR-CO-15"),
            File("b.xml", b"2", TWO, SAME),
        ),
    ),
    Case(
        "after the set time it is a repetition",
        STRICT,
        (
            File("a.xml", b"1", ONE, ACCEPTED),
            File("a.xml", b"1", TWO, "PAYLOAD-REPEATED", hours_later=169),
        ),
    ),
    Case(
        "another set time",
        Uniqueness(resend_window_hours=2),
        (
            File("a.xml", b"1", ONE, ACCEPTED),
            File("a.xml", b"1", TWO, SAME, hours_later=1),
            File("a.xml", b"1", TWO, "PAYLOAD-REPEATED", hours_later=3),
        ),
    ),
    Case(
        "after the set time, bytes that may be repeated are judged again",
        Uniqueness(payload="accept", resend_window_hours=1),
        (
            File("a.xml", b"1", ONE, ACCEPTED),
            File("a.xml", b"1", TWO, ACCEPTED, hours_later=2),
        ),
    ),
    Case(
        "a resend after a rejection is welcome: name, bytes and number",
        STRICT,
        (
            File("a.xml", b"1", REJECTED, "BR-CO-15"),
            File("a.xml", b"2", REJECTED, "BR-CO-15"),
            File("b.xml", b"1", REJECTED, "BR-CO-15"),
            File("a.xml", b"3", ONE, ACCEPTED),
        ),
    ),
    Case(
        "who was refused for a number holds neither name nor bytes",
        STRICT,
        (
            File("a.xml", b"1", ONE, ACCEPTED),
            File("b.xml", b"2", ONE, "DOUBLON"),
            File("b.xml", b"3", TWO, ACCEPTED),
        ),
    ),
)


async def outcome(house: House, id_: str) -> str:
    """What came of a file with one document, in the words of `File.expected`."""
    ((_, verdict, found),) = await rules(house, id_)
    if verdict == "rejected":
        (rule,) = found
        return rule
    assert verdict == "accepted"
    return f"accepted with {found[0]}" if found else ACCEPTED


async def let_pass(house: House, hours: float) -> None:
    """Everything that came, came so much earlier."""
    since = dt.timedelta(hours=hours)

    def write(conn: Any) -> None:
        for table, column in (("interchanges", "received_at"), ("claims", "claimed_at")):
            rows = conn.exec_driver_sql(f"SELECT rowid, {column} FROM {table}").all()
            for rowid, then in rows:
                moved = dt.datetime.fromisoformat(then) - since
                conn.exec_driver_sql(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?",
                    (moved.strftime("%Y-%m-%d %H:%M:%S.%f"), rowid),
                )

    await house.journal.write("t", write)


@pytest.mark.parametrize("case", CASES, ids=[case.words for case in CASES])
@ensureDeferred
async def test_policy(house: House, case: Case) -> None:
    """What the documentation says of each value is what happens to the files."""
    judges = FakeJudges(REJECTED)
    intake = await house.intake(judges, uniqueness=case.policy)
    seen: list[str] = []
    for file in case.files:
        await let_pass(house, file.hours_later)
        judges.verdicts = [file.verdict]
        id_ = await sent(house, intake, file.name, file.data)
        if file.expected == SAME:
            assert id_ in seen
            continue
        assert id_ not in seen
        seen.append(id_)
        await ended(house, id_)
        assert await outcome(house, id_) == file.expected


@ensureDeferred
async def test_a_warning_is_one(house: House) -> None:
    """With `warn` the second is published like the first, and the report says what it repeats."""
    intake = await house.intake(FakeJudges(ONE), uniqueness=Uniqueness(invoice="warn"))
    await ended(house, await sent(house, intake, "a.xml", b"1"))
    id_ = await sent(house, intake, "b.xml", b"2")
    await ended(house, id_)
    (found,) = records.load_judgement((await house.documents(id_))[0]).findings
    assert (found.rule, found.severity) == ("DOUBLON", Severity.WARNING)
    (result,) = await house.outbox(id_, "document")
    assert json.loads(result.body)["invoice_number"] == "FA-1"
    (report,) = await back(house, id_)
    assert b"DOUBLON" in report.body


@ensureDeferred
async def test_the_policy_is_the_partner_s_own(house: House) -> None:
    """Another partner's strictness is no rule for this one, also about the same invoice."""
    judges = FakeJudges(ONE)
    strict = await house.intake(judges, uniqueness=STRICT)
    await ended(house, await sent(house, strict, "a.xml", b"1"))
    await strict.stop(1)
    house.intakes.remove(strict)
    free = await house.intake(judges, uniqueness=Uniqueness(invoice="off"))
    id_ = await sent(house, free, "b.xml", b"2", partner="other")
    await ended(house, id_)
    assert await outcome(house, id_) == ACCEPTED


@ensureDeferred
async def test_a_resend_is_answered_once_and_silently(house: House) -> None:
    """However often it comes while the answer is under way: one report, no event, no judging."""
    judges = FakeJudges(ONE)
    intake = await house.intake(judges, uniqueness=STRICT)
    id_ = await sent(house, intake, "a.xml", b"1")
    await ended(house, id_)
    await deliver(house, id_)
    before = await everything(house, id_)
    for _ in range(5):
        assert await sent(house, intake, "a.xml", b"1") == id_
    after = await everything(house, id_)
    assert [row.message_id for row in after] == [row.message_id for row in before]
    waiting = [row.kind for row in after if row.state == "pending" and row.kind != "event"]
    assert waiting == ["report"]
    assert len(judges.jobs) == 1


async def everything(house: House, id_: str) -> list[records.OutboxRow]:
    """All that was ever to be sent because of it."""
    return await house.journal.read("t", lambda conn: records.outbox_of(conn, id_))


@pytest.mark.parametrize(
    "policy",
    [STRICT, Uniqueness(invoice="warn"), Uniqueness(invoice="off"), Uniqueness(payload="accept")],
    ids=["strict", "warn", "off", "payloads may be repeated"],
)
@ensureDeferred
async def test_a_replay_does_not_trip_over_itself(house: House, policy: Uniqueness) -> None:
    """Judged again, and again, it meets its own name, bytes and number, and is accepted."""
    intake = await house.intake(FakeJudges(ONE), uniqueness=policy)
    id_ = await sent(house, intake, "a.xml", b"1")
    await ended(house, id_)
    for _ in range(2):
        await house.reaches(id_, "acknowledged")
        await desk(house, intake).commit({"interchange": id_})
        await ended(house, id_)
        assert await outcome(house, id_) == ACCEPTED


@pytest.mark.parametrize(
    ("policy", "accepted"),
    [
        (STRICT, 1),
        (Uniqueness(invoice="warn"), 8),
        (Uniqueness(invoice="off"), 8),
    ],
    ids=["refuse", "warn", "off"],
)
@ensureDeferred
async def test_copies_judged_at_the_same_moment(
    house: House, policy: Uniqueness, accepted: int
) -> None:
    """None knows of the others before its verdict: the journal decides, by each policy."""
    judges = FakeJudges(ONE)
    judges.gate = defer.Deferred()
    intake = await house.intake(judges, uniqueness=policy)
    ids = [await sent(house, intake, f"{number}.xml", b"%d" % number) for number in range(8)]
    await all_under_way(judges, len(ids))
    judges.gate.callback(None)
    found = []
    for id_ in ids:
        await ended(house, id_)
        found.append(await outcome(house, id_))
    assert sum(each.startswith("accepted") for each in found) == accepted
    assert found.count(ACCEPTED) == (8 if policy.invoice == "off" else 1)


async def all_under_way(judges: FakeJudges, number: int) -> None:
    """Wait, bounded, until so many are being judged."""
    from twisted.internet import reactor, task

    for _ in range(500):
        if len(judges.jobs) == number:
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError(f"{len(judges.jobs)} of {number} are judged")


def test_every_value_has_a_row() -> None:
    """A value that is added to the policy is added here."""
    words = get_type_hints(Uniqueness)
    for field in ("envelope", "payload", "invoice"):
        told = {getattr(case.policy, field) for case in CASES}
        assert told == set(get_args(words[field]))
