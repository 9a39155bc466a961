"""Messages for the public portal in the outbox: whose they are, large ones, late ones."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred

from gateway.model.partner import Partner, Portal
from gateway.service import messages, settle
from gateway.service.answering import FormSent
from gateway.service.journal import delivery_records, queue_records, records
from gateway.service.portal import add_missing_ways, portal_among, ways_to_portal
from tests.service.house import ACCEPTED
from tests.service.status_office import WITH_PORTAL, Numbering, Office, office

__all__ = ["office"]

PPF = Partner(name="ppf", portal=Portal(channels=("sftp_remote", "as2")))


async def published(office: Office) -> tuple[str, records.OutboxRow]:
    """An invoice the portal is told of: its interchange, and the broker's row."""
    office.wanted = WITH_PORTAL
    id_ = await office.send(Numbering(ACCEPTED))
    await office.sender().turn()
    (row,) = [
        row for row in await office.house.outbox(id_, "cdar") if row.filename.startswith("FFE")
    ]
    return id_, row


async def add(office: Office, id_: str, row: records.OutboxRow) -> list[records.OutboxRow]:
    """The rows for the portal's channels, once there are any."""
    interchange = (await office.house.row(id_)).interchange()
    await office.house.journal.write(
        "t",
        lambda conn: add_missing_ways(conn, interchange, [row], PPF, office.house.now()),
    )
    return [each for each in await office.house.outbox(id_, "cdar") if each.partner == "ppf"]


@pytest.mark.parametrize(
    ("partners", "expected"),
    [
        ({}, None),
        ({"acme": Partner(name="acme")}, None),
        ({"acme": Partner(name="acme"), "ppf": PPF}, PPF),
        ({"ppf": msgspec.structs.replace(PPF, enabled=False)}, None),
    ],
)
def test_the_portal_is_whoever_says_so(
    partners: dict[str, Partner], expected: Partner | None
) -> None:
    """And is not switched off."""
    assert portal_among(partners) == expected


@ensureDeferred
async def test_one_row_for_each_channel_under_the_portals_name(office: Office) -> None:
    """The same bytes and name as RabbitMQ's; ids of their own, always the same."""
    id_, row = await published(office)
    rows = await add(office, id_, row)
    assert [each.destination for each in rows] == ["sftp-remote", "as2"]
    assert {(each.body, each.filename, each.type) for each in rows} == {
        (row.body, row.filename, row.type)
    }
    assert [each.message_id for each in rows] == [
        messages.channel_id(row.message_id, each.destination) for each in rows
    ]
    assert row.headers["partner"] == "acme"
    assert await add(office, id_, row) == rows


@pytest.mark.parametrize("portal", [None, Partner(name="acme"), PPF])
@ensureDeferred
async def test_a_large_message_goes_out_of_the_spool(
    office: Office, portal: Partner | None
) -> None:
    """Its row names the file and holds no bytes; without a portal there is no row."""
    id_, row = await published(office)
    interchange = (await office.house.row(id_)).interchange()
    publication = msgspec.structs.replace(row.publication(), body=b"")
    stored = office.house.spool.store([b"large"])
    form = FormSent(publication=publication, filename=row.filename or "", stored=stored)
    ways = ways_to_portal(interchange, form, portal, 1)
    assert len(ways) == (2 if portal is PPF else 0)
    assert all(way.payload == stored.sha256 and way.publication.body == b"" for way in ways)


@ensureDeferred
async def test_a_claim_check_is_for_rabbitmq_alone(office: Office) -> None:
    """The portal gets the message, not where it could be fetched."""
    id_, row = await published(office)
    large = msgspec.structs.replace(
        row,
        body=b'{"claim_check": {}}',
        content_type="application/json",
        headers={**row.headers, "claim-check": "b" * 64},
    )
    for each in await add(office, id_, large):
        assert each.payload == "b" * 64
        assert each.body == b""
        assert each.content_type == "application/xml"
        assert "claim-check" not in each.headers


@ensureDeferred
async def test_it_is_late_like_a_partners_and_its_hold_is_its_own(office: Office) -> None:
    """All else has left: the interchange is late for the portal alone, and the alert says why."""
    id_, row = await published(office)
    await add(office, id_, row)
    house, tomorrow = office.house, office.house.now() + dt.timedelta(days=1)
    for kind in ("document", "report", "cdar"):
        rows = [each for each in await house.outbox(id_, kind) if each.partner != "ppf"]
        await house.journal.write("t", partial(settle.delivered, rows=rows, now=house.now()))
    hold = delivery_records.Hold(
        partner="ppf",
        flow="",
        destination="",
        reason="closed",
        placed_by="me",
        placed_at=house.now(),
    )
    await house.journal.write("t", lambda conn: delivery_records.place_hold(conn, hold))

    def look(conn: Any) -> tuple[Any, ...]:
        return (
            queue_records.late_interchanges(conn, tomorrow, 10),
            queue_records.why_waiting(conn, id_),
            [q for q in queue_records.queues(conn) if q.destination != "broker"],
        )

    (late,), why, queues = await house.journal.read("t", look)
    assert late.interchange == id_
    assert why == "its acknowledgement to sftp-remote is held"
    assert [(q.destination, q.partner, q.waiting, q.held) for q in queues] == [
        ("as2", "ppf", 1, 1),
        ("sftp-remote", "ppf", 1, 1),
    ]
