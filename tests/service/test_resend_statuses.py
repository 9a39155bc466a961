"""`resend` of lifecycle messages: the newest, all, one by its id, and those for the portal."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred

from gateway.model.partner import Partner, Portal
from gateway.service import messages
from gateway.service.control import CommandRefused
from gateway.service.journal.resend_records import TO_PORTAL
from gateway.service.resend import Resending
from tests.service.house import ACCEPTED, REJECTED
from tests.service.status_office import GROUPED, WITH_PORTAL, Numbering, Office, office

__all__ = ["office"]

PPF = Partner(name="ppf", portal=Portal(channels=("folder", "as2")))


async def resent(
    office: Office, id_: str, portal: Partner | None = None, **more: Any
) -> list[tuple[str, str]]:
    """(destination, message id) of what a `resend` has sent again."""
    resending = Resending(
        office.house.journal,
        outbox_written=lambda: None,
        log=structlog.get_logger(),
        partners={} if portal is None else {portal.name: portal},
        now=lambda: office.house.now(),
    )
    before = {row.id: row.next_attempt_at for row in await office.house.outbox(id_, "cdar")}
    said = await resending.resend({"by": "me", "interchange": id_, "kind": "cdar", **more})
    rows = await office.house.outbox(id_, "cdar")
    again = [row for row in rows if row.next_attempt_at != before.get(row.id)]
    assert said["messages"] == len(again)
    return sorted((row.destination, row.message_id) for row in again)


async def judged(office: Office, judges: Numbering, members: list[str], *turns: set[str]) -> str:
    """An archive of these, judged once more for each set of those that are rejected then."""
    first, *others = turns
    judges.by_name = {f"{name}.xml": REJECTED for name in first}
    id_ = await office.send(judges, members)
    sender = office.sender()
    await sender.turn()
    for rejected in others:
        judges.by_name = {f"{name}.xml": REJECTED for name in rejected}
        await office.again(id_)
        await sender.turn()
    return id_


@ensureDeferred
async def test_the_newest_all_or_one(office: Office) -> None:
    """213, 200, 213 of one document: the last both ways; all six; the one that is named."""
    id_ = await judged(office, Numbering(ACCEPTED), ["F1", "F2"], {"F2"}, set(), {"F2"})
    assert [said for said in await office.told(id_) if said[0] == "F2"] == [
        ("F2", "213"),
        ("F2", "200"),
        ("F2", "213"),
    ]
    rows = [row for row in await office.house.outbox(id_, "cdar") if row.ordinal == 2]
    newest = await resent(office, id_, document=2)
    assert newest == sorted((row.destination, row.message_id) for row in rows[-2:])
    everyone = await resent(office, id_, document=2, every=True)
    assert everyone == sorted((row.destination, row.message_id) for row in rows)
    middle = next(row for row in rows[2:4] if row.destination == "sftp")
    one = await resent(office, id_, message=middle.message_id)
    assert one == [("sftp", middle.message_id)]
    with pytest.raises(CommandRefused, match="has sent no message 0d4c"):
        await resent(office, id_, message="0d4c")


@ensureDeferred
async def test_a_group_is_about_each_of_its_documents(office: Office) -> None:
    """What one message told of two is still in force for the one that nothing newer tells of."""
    office.wanted = GROUPED
    id_ = await judged(office, Numbering(ACCEPTED), ["F1", "F2"], set(), {"F1"})
    ids = [row.message_id for row in await office.house.outbox(id_, "cdar")]
    group, newer = sorted(ids[:2]), sorted(ids[2:])
    assert await office.told(id_) == [("F1", "200"), ("F2", "200"), ("F1", "213")]
    assert sorted(id_ for _, id_ in await resent(office, id_, document=2)) == group
    assert sorted(id_ for _, id_ in await resent(office, id_, document=1)) == newer
    both = sorted(ids)
    assert sorted(id_ for _, id_ in await resent(office, id_)) == both
    assert sorted(id_ for _, id_ in await resent(office, id_, document=1, every=True)) == both


@ensureDeferred
async def test_what_the_portal_was_told_can_go_to_it_later(office: Office) -> None:
    """RabbitMQ alone has it; once a file names the portal, it goes by each of its channels."""
    office.wanted = WITH_PORTAL
    id_ = await judged(office, Numbering(ACCEPTED), ["F1", "F2"], set())
    with pytest.raises(CommandRefused, match="has sent no cdar of document 2 to the portal"):
        await resent(office, id_, document=2, to="portal")
    (published,) = [
        row
        for row in await office.house.outbox(id_, "cdar")
        if row.ordinal == 2 and row.type == TO_PORTAL
    ]
    there = await resent(office, id_, PPF, document=2, to="portal")
    expected = [
        (channel, messages.channel_id(published.message_id, channel))
        for channel in ("as2", "folder")
    ]
    assert there == expected
    rows = [row for row in await office.house.outbox(id_, "cdar") if row.partner == "ppf"]
    assert {(row.filename, row.body) for row in rows} == {(published.filename, published.body)}
    assert {row.content_type for row in rows} == {"application/xml"}
    assert await resent(office, id_, PPF, document=2, to="portal") == expected
    everyone = await resent(office, id_, PPF, document=2)
    assert [name for name, _ in everyone] == ["as2", "broker", "broker", "folder", "sftp"]
    assert [name for name, _ in await resent(office, id_, document=2, to="partner")] == ["sftp"]


@ensureDeferred
async def test_a_portal_that_is_switched_off_gets_nothing(office: Office) -> None:
    """As if there were none."""
    office.wanted = WITH_PORTAL
    id_ = await judged(office, Numbering(ACCEPTED), ["F1"], set())
    off = Partner(name="ppf", enabled=False, portal=PPF.portal)
    assert [name for name, _ in await resent(office, id_, off)] == ["broker", "broker", "sftp"]
