"""Statuses that follow a report: each told once, checked first, and never instead of the report."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import reactor, task

from gateway.errors import WorkersBroken
from gateway.model.partner import Acknowledgements
from gateway.service import http_status, settle
from gateway.service.journal import given_records, records, status_records
from gateway.service.resend import Resending
from gateway.service.sftp_server.folders import is_out_name
from tests.service.house import ACCEPTED, NO_PACK, REJECTED, XML_ALONE
from tests.service.status_office import (
    EMPTY,
    GROUPED,
    SINGLE,
    WITH_PORTAL,
    Numbering,
    Office,
    office,
)

__all__ = ["office"]


@pytest.mark.parametrize(("wanted", "files"), [(SINGLE, 120), (GROUPED, 6), (WITH_PORTAL, 120)])
@ensureDeferred
async def test_each_invoice_is_told_of_once(
    office: Office, wanted: Acknowledgements, files: int
) -> None:
    """120 members in pages: a status each, one file each or one for a page; again, nothing."""
    office.wanted = wanted
    judges = Numbering(ACCEPTED)
    names = [f"F{number}" for number in range(1, 121)]
    rejected = {"F7", "F60", "F119"}
    judges.by_name = {f"{name}.xml": REJECTED for name in rejected}
    id_ = await office.send(judges, names)
    assert await office.told(id_) == []
    sender = office.sender()
    assert await sender.turn()
    expected = sorted((name, "213" if name in rejected else "200") for name in names)
    assert sorted(await office.told(id_)) == expected
    rows = await office.house.outbox(id_, "cdar")
    assert sum(row.destination == "sftp" for row in rows) == files
    assert len({row.filename for row in rows if row.destination == "sftp"}) == files
    portal = [row for row in rows if row.type == "edi.acknowledgement.cdar.portal"]
    assert len(portal) == (120 if wanted.portal else 0)
    assert {row.destination for row in portal} <= {"broker"}
    assert await office.owed(id_) is None
    assert not await sender.turn()
    await office.house.journal.write(
        "t", lambda conn: given_records.owe(conn, id_, "acme", office.house.now())
    )
    assert await sender.turn()
    assert await office.house.outbox(id_, "cdar") == rows


@ensureDeferred
async def test_only_what_changed_is_told_after_a_replay(office: Office) -> None:
    """213, then 200 for the one that is accepted now, then 213 again: three messages, three ids."""
    judges = Numbering(ACCEPTED)
    judges.by_name = {"F2.xml": REJECTED}
    id_ = await office.send(judges, ["F1", "F2"])
    sender = office.sender()
    await sender.turn()
    judges.by_name = {}
    await office.again(id_)
    await sender.turn()
    judges.by_name = {"F2.xml": REJECTED}
    await office.again(id_)
    await sender.turn()
    await office.again(id_)
    await sender.turn()
    assert await office.told(id_) == [("F1", "200"), ("F2", "213"), ("F2", "200"), ("F2", "213")]
    rows = await office.house.outbox(id_, "cdar")
    assert len({row.message_id for row in rows}) == 8
    history = await office.house.journal.read(
        "t", lambda conn: status_records.statuses_of_invoice(conn, id_, 2)
    )
    assert [(row.direction, row.status) for row in history] == [
        ("sent", "213"),
        ("sent", "200"),
        ("sent", "213"),
    ]
    resending = Resending(
        office.house.journal, outbox_written=lambda: None, log=structlog.get_logger()
    )
    said = await resending.resend({"by": "me", "interchange": id_, "kind": "cdar", "document": 2})
    assert said["messages"] == 2  # the newest alone, both ways


@ensureDeferred
async def test_a_message_that_is_not_valid_stays_and_the_others_leave(office: Office) -> None:
    """Our fault: shown, tried again later, and told once it is mended. The report has left."""
    id_ = await office.send(Numbering(ACCEPTED), ["F1", "F2"])
    assert await office.house.outbox(id_, "report")
    office.checking.wrong = {"F1"}
    sender = office.sender()
    await sender.turn()
    assert await office.told(id_) == [("F2", "200")]
    owed = await office.owed(id_)
    assert owed is not None
    assert owed.attempts == 1
    assert "BR-FR-CDV-01" in (owed.cause or "")
    assert sender.failed == 1
    assert [call.args[0] if call.args else call.kwargs["event"] for call in office.log.calls][
        -1
    ] == "statuses_not_sent"
    assert not await sender.turn()  # not due yet
    office.checking.wrong = set()
    office.time = dt.timedelta(seconds=6)
    await sender.turn()
    assert await office.told(id_) == [("F2", "200"), ("F1", "200")]
    assert await office.owed(id_) is None


@ensureDeferred
async def test_without_a_check_nothing_leaves(office: Office) -> None:
    """No judge: every status waits, whoever is restarted meanwhile."""
    id_ = await office.send(Numbering(ACCEPTED))
    office.checking.error = WorkersBroken("No judge starts.")
    await office.sender().turn()
    assert await office.told(id_) == []
    office.checking.error = None
    office.time = dt.timedelta(minutes=1)
    await office.sender().turn()
    assert await office.told(id_) == [("FA-1", "200")]


@ensureDeferred
async def test_what_is_not_decided_is_not_told(office: Office) -> None:
    """A document in quarantine has no status; the other has."""
    judges = Numbering(ACCEPTED)
    judges.by_name = {"F2.xml": NO_PACK}
    id_ = await office.send(judges, ["F1", "F2"], "quarantined")
    await office.sender().turn()
    assert await office.told(id_) == [("F1", "200")]


@ensureDeferred
async def test_a_refused_file_is_inadmissible_for_its_sender(office: Office) -> None:
    """501 under the file's name, once, and nothing for the portal."""
    office.wanted = WITH_PORTAL
    id_ = await office.send(Numbering(EMPTY), state="refused")
    sender = office.sender()
    await sender.turn()
    assert await office.told(id_) == [("FA-1.xml", "501")]
    assert len(await office.house.outbox(id_, "cdar")) == 2


@ensureDeferred
async def test_nothing_is_owed_to_a_partner_that_wants_none(office: Office) -> None:
    """The default."""
    office.wanted = XML_ALONE
    id_ = await office.send(Numbering(ACCEPTED))
    assert await office.owed(id_) is None


@ensureDeferred
async def test_a_replay_overtakes_what_was_being_checked(office: Office) -> None:
    """Taken back while its message is checked: that message is not written."""
    judges = Numbering(ACCEPTED)
    id_ = await office.send(judges)

    async def meanwhile() -> None:
        judges.verdicts = [REJECTED]
        await office.again(id_)

    office.checking.meanwhile = meanwhile
    sender = office.sender()
    await sender.turn()
    assert await office.told(id_) == []
    assert await office.owed(id_) is not None
    await sender.turn()
    assert await office.told(id_) == [("FA-1", "213")]


@ensureDeferred
async def test_a_status_is_published_under_its_own_id(office: Office) -> None:
    """MDT-4 is the message id; a consumer finds flow, type and file name."""
    id_ = await office.send(Numbering(ACCEPTED))
    await office.sender().turn()
    rows = await office.house.outbox(id_, "cdar")
    (broker,) = (row for row in rows if row.destination == records.BROKER)
    assert broker.routing_key == "ctc-fr-invoice.cdar"
    assert broker.type == "edi.acknowledgement.cdar"
    assert f">{broker.message_id}<".encode() in broker.body


@pytest.mark.parametrize("wanted", [SINGLE, GROUPED])
@ensureDeferred
async def test_a_status_is_found_by_its_document(office: Office, wanted: Acknowledgements) -> None:
    """As `GET …/acknowledgements?form=cdar&document=N` finds it: once an attempt was made."""
    office.wanted = wanted
    id_ = await office.send(Numbering(ACCEPTED), ["F1", "F2"])
    await office.sender().turn()
    row = await office.house.row(id_)

    async def found() -> http_status.Acknowledgement | None:
        said: http_status.Acknowledgement | None = await office.house.journal.read(
            "t", partial(http_status.lifecycle_message, row=row, ordinal=2)
        )
        return said

    assert await found() is None
    rows = await office.house.outbox(id_, "cdar")
    await office.house.journal.write(
        "t", partial(settle.delivered, rows=rows, now=office.house.now())
    )
    told = await found()
    assert told is not None
    assert b">F2<" in told.body


@ensureDeferred
async def test_any_number_makes_a_name_that_every_channel_takes(office: Office) -> None:
    """Invoice numbers hold what they like; files in out/ do not."""
    judges = Numbering(ACCEPTED)
    names = ["A+B C", "é", "%s..", "x" * 90, "1~2"]
    id_ = await office.send(judges, names)
    await office.sender().turn()
    rows = await office.house.outbox(id_, "cdar")
    files = {row.filename or "" for row in rows}
    assert len(files) == len(names)
    assert all(is_out_name(name) for name in files)


@ensureDeferred
async def test_it_works_by_itself_and_goes_on_after_a_fault(office: Office) -> None:
    """Woken by a report; a journal that cannot be read for a moment ends nothing."""
    sender = office.sender()
    turn, faults = sender.turn, [RuntimeError("the disk is away")]

    async def once_faulty() -> bool:
        if faults:
            raise faults.pop()
        return await turn()

    sender.turn = once_faulty  # type: ignore[method-assign]
    sender.start()
    id_ = await office.send(Numbering(ACCEPTED))
    sender.wake()
    for _ in range(500):
        if await office.told(id_):
            break
        await task.deferLater(reactor, 0.01)
    await sender.stop()
    assert await office.told(id_) == [("FA-1", "200")]
    assert not faults
