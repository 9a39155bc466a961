"""What is owed stays owed and is told of, and nobody waits long behind somebody else's."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.errors import WorkersBroken
from gateway.model.interchange import Transport
from gateway.model.partner import Acknowledgements
from gateway.service import status_debts
from gateway.service.journal.given_records import Owed
from gateway.service.status_pages import StatusPages, Told
from gateway.service.status_sender import WIDTH
from gateway.service.status_turns import LINE, PAGE
from tests.service.house import ACCEPTED, REJECTED, XML_ALONE
from tests.service.status_office import (
    SINGLE,
    Numbering,
    Office,
    office,
)

__all__ = ["office"]


@ensureDeferred
async def test_that_statuses_cannot_be_sent_is_published_once_and_so_is_its_end(
    office: Office,
) -> None:
    """Not at every attempt; a replay in between does not tell it again, nor does its age begin."""
    judges = Numbering(ACCEPTED)
    id_ = await office.send(judges, ["F1", "F2"])
    office.checking.wrong = {"F1"}
    sender = office.sender()
    for minutes in (0, 10, 20):
        office.time = dt.timedelta(minutes=minutes)
        await sender.turn()
    first = await office.owed(id_)
    assert first is not None
    assert first.attempts == 3
    (alert,) = await office.alerts(id_)
    assert alert["to"] == "statuses-not-sent"
    assert alert["partner"] == "acme"
    assert "BR-FR-CDV-01" in alert["cause"]
    (row,) = [
        row for row in await office.house.outbox(id_, "event") if row.type == "edi.event.alert"
    ]
    assert (row.routing_key, row.mandatory) == ("ctc-fr-invoice.statuses-not-sent", False)

    office.time = dt.timedelta()
    await office.again(id_)
    again = await office.owed(id_)
    assert again is not None
    assert again.since > first.since
    assert (again.waiting_since, again.cause) == (first.waiting_since, first.cause)
    await sender.turn()
    assert len(await office.alerts(id_)) == 1
    office.checking.wrong = set()
    office.time = dt.timedelta(minutes=40)
    await sender.turn()
    await sender.turn()
    began, over = await office.alerts(id_)
    assert (over["to"], over["cause"]) == ("statuses-sent", None)
    assert over["since"] == began["since"]
    assert await office.told(id_) == [("F2", "200"), ("F1", "200")]


@ensureDeferred
async def test_what_never_failed_is_not_published_as_mended(office: Office) -> None:
    """Events are for what somebody should look at."""
    id_ = await office.send(Numbering(ACCEPTED))
    await office.sender().turn()
    assert await office.alerts(id_) == []


@ensureDeferred
async def test_the_failure_and_its_event_are_one_transaction(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the event the failure is not recorded either: the next attempt tells of both."""
    id_ = await office.send(Numbering(ACCEPTED))
    office.checking.wrong = {"FA-1"}

    def full(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(status_debts, "alert_event", full)
        with pytest.raises(OSError, match="the disk is full"):
            await office.sender().turn()
    owed = await office.owed(id_)
    assert owed is not None
    assert (owed.cause, owed.attempts) == (None, 0)
    await office.sender().turn()
    assert [alert["to"] for alert in await office.alerts(id_)] == ["statuses-not-sent"]


@pytest.mark.parametrize("wanted", [SINGLE, XML_ALONE])
@ensureDeferred
async def test_a_partner_that_was_taken_away_is_owed_still(
    office: Office, wanted: Acknowledgements
) -> None:
    """Shown with what to do. Put back it is told, or nobody is where its file says so now."""
    id_ = await office.send(Numbering(ACCEPTED))
    office.known = {"other"}
    sender = office.sender()
    await sender.turn()
    assert await office.told(id_) == []
    assert sender.failed == 1
    owed = await office.owed(id_)
    assert owed is not None
    assert "partner acme is not in the configuration" in (owed.cause or "")
    assert "Put acme.toml back" in (owed.cause or "")
    assert [alert["cause"] for alert in await office.alerts(id_)] == [owed.cause]

    office.known, office.wanted, office.time = {"acme"}, wanted, dt.timedelta(minutes=1)
    await office.sender().turn()
    assert await office.owed(id_) is None
    assert await office.told(id_) == ([("FA-1", "200")] if wanted.statuses else [])
    assert [alert["to"] for alert in await office.alerts(id_)] == [
        "statuses-not-sent",
        "statuses-sent" if wanted.statuses else "statuses-given-up",
    ]
    said = [call.kwargs["event"] for call in office.log.calls]
    assert ("statuses_given_up" in said) == (not wanted.statuses)


@pytest.mark.parametrize("partner", ["other", "acme"])
@ensureDeferred
async def test_a_large_batch_holds_back_nobody(
    office: Office, partner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes when a batch is under way waits for the pages begun, and one more."""
    names = [f"F{number}" for number in range(1, PAGE * 12 + 1)]
    id_ = await office.send(Numbering(ACCEPTED), names)
    sender = office.sender()
    begun: list[str] = []
    small, since = "", 0
    tell = StatusPages.tell

    async def spied(self: StatusPages, owed: Owed, after: int) -> Told:
        begun.append(owed.interchange_id)
        return await tell(self, owed, after)

    monkeypatch.setattr(StatusPages, "tell", spied)

    async def meanwhile() -> None:
        nonlocal small, since
        gate = office.checking.gate = defer.Deferred()  # what is under way waits
        arrival = office.house.arrival("S.xml", b"<s/>", partner=partner)
        small = await office.house.intakes[-1].receive(arrival, Transport.SFTP)
        await office.house.reaches(small, "settled")
        since = len(begun)
        sender.wake()
        office.checking.gate = None
        gate.callback(None)

    async def third_page() -> None:
        office.checking.meanwhile = meanwhile

    async def second_page() -> None:
        office.checking.meanwhile = third_page

    office.checking.meanwhile = second_page
    await sender.turn()
    assert begun.count(id_) == 12
    assert WIDTH <= since < 12, "the batch was over before, or not begun"
    assert begun[since:].index(small) <= 1
    assert await office.told(small) == [("S", "200")]
    assert len(await office.told(id_)) == len(names)


@ensureDeferred
async def test_statuses_of_an_invoice_keep_their_order_when_a_replay_comes_in_between(
    office: Office,
) -> None:
    """Owed anew while it is told of: that is begun when what is under way is over."""
    judges = Numbering(ACCEPTED)
    id_ = await office.send(judges)
    sender = office.sender()
    await sender.turn()
    judges.verdicts = [REJECTED]
    await office.again(id_)

    async def meanwhile() -> None:
        judges.verdicts = [ACCEPTED]
        await office.again(id_)
        judges.verdicts = [REJECTED]
        await office.again(id_)
        sender.wake()

    office.checking.meanwhile = meanwhile
    await sender.turn()
    assert office.checking.calls == 2
    await sender.turn()
    assert await office.told(id_) == [("FA-1", "200"), ("FA-1", "213")]
    assert await office.owed(id_) is None


@ensureDeferred
async def test_no_page_is_begun_after_one_that_broke_off(office: Office) -> None:
    """No judge starts: ten thousand documents are not worth ten thousand attempts."""
    await office.send(Numbering(ACCEPTED), [f"F{number}" for number in range(PAGE * 6)])
    office.checking.error = WorkersBroken("No judge starts.")
    await office.sender().turn()
    assert office.checking.calls == 1


@ensureDeferred
async def test_what_is_stopped_in_between_is_no_failure(office: Office) -> None:
    """Nothing is written of it; the next start tells everything."""
    names = ["F1", "F2"]
    id_ = await office.send(Numbering(ACCEPTED), names)
    office.checking.gate = defer.Deferred()
    sender = office.sender()
    sender.start()
    for _ in range(500):
        if office.checking.calls:
            break
        await task.deferLater(reactor, 0.01)
    await sender.stop()
    owed = await office.owed(id_)
    assert owed is not None
    assert (owed.cause, owed.attempts, sender.failed) == (None, 0, 0)
    office.checking.gate = None
    await office.sender().turn()
    assert sorted(await office.told(id_)) == [(name, "200") for name in names]


@ensureDeferred
async def test_more_files_than_are_kept_in_memory_are_told_in_one_turn(office: Office) -> None:
    """The journal brings the rest."""
    await office.send(Numbering(ACCEPTED))
    intake = office.house.intakes[-1]
    ids = [
        await intake.receive(office.house.arrival(f"S{n}.xml", f"<s{n}/>".encode()), Transport.SFTP)
        for n in range(LINE * 2)
    ]
    for id_ in ids:
        await office.house.reaches(id_, "settled")
    await office.sender().turn()
    assert all([await office.told(id_) for id_ in ids])
