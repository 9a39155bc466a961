"""Invoices that another system accepted: what is told of them, and how one is forgotten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from bench.invoices import ubl_invoice
from gateway.core.uniqueness import InvoiceKey
from gateway.model.partner import Partner, Statuses, Uniqueness
from gateway.service.control import CommandRefused
from gateway.service.journal import records, status_records, uniqueness_records
from gateway.service.journal.known_invoices import forgotten
from gateway.service.journal.status_records import StatusRow
from tests.service.house import ANY, House
from tests.service.test_repeats import importing
from tests.service.test_replay_commit import desk
from tests.service.test_statuses import FLOWS, RealJudges, Sender, judge, line, stands
from tests.status_documents import message

SELLER = "000123455"
"""Of the invoices that `bench.invoices` makes."""
ROW = [f"siren:{SELLER}", "FA-1", 2026]
KEY = InvoiceKey(f"siren:{SELLER}", "FA-1", 2026)


def wrong(**more: Any) -> dict[str, Any]:
    """The arguments of `invoices.forget`."""
    return {"by": "anna", "invoice": ROW, "reason": "last year's table", **more}


async def told_of(house: House) -> list[StatusRow]:
    """What is recorded of the imported invoice."""
    return await house.journal.read(
        "t", lambda conn: status_records.statuses_of_imported(conn, KEY)
    )


async def held(house: House) -> uniqueness_records.Held | None:
    """Who holds it."""
    return await house.journal.read("t", lambda conn: uniqueness_records.invoice_held(conn, KEY))


@ensureDeferred
async def test_the_life_of_an_imported_invoice(house: House) -> None:
    """It is known: recorded, in order, published as imported, and no event cries for attention."""
    sender = Sender(house, await line(house))
    await importing(house).take({"invoices": [ROW], "source": "2025.csv"})
    for day, code in enumerate(("202", "204", "205", "212")):
        (said,) = await sender.tells(message(code, day=day), "platform")
        assert (said["standing"], said["order"]) == ("imported-invoice", "normal")
        assert said["invoice"] is None
    assert [row.status for row in await told_of(house)] == ["202", "204", "205", "212"]
    assert await sender.events() == []
    assert sender.intake.statuses == {"imported-invoice": 4}
    (late,) = await sender.tells(message("203", day=1), "platform")
    assert (late["standing"], late["order"]) == ("imported-invoice", "late")
    assert await sender.events() == ["invoice-status.late"]


@pytest.mark.parametrize(
    ("partner", "standing"),
    [("platform", "imported-invoice"), ("acme", "not-believed"), ("buyer", "not-believed")],
)
@ensureDeferred
async def test_who_may_speak_of_it(house: House, partner: str, standing: str) -> None:
    """Nobody knows who sent or bought it: who speaks of all, or for its seller, is believed."""
    sender = Sender(house, await line(house))
    await importing(house).take({"invoices": [ROW]})
    (said,) = await sender.tells(message("205"), partner)
    assert (said["standing"], said["invoice"]) == (standing, None)


@ensureDeferred
async def test_the_seller_may_speak_of_its_own(house: House) -> None:
    """Where the partner's file says that it speaks for the seller."""
    judge()
    parties = Statuses(parties=(SELLER,))
    partner = Partner(name="seller", flows=FLOWS, uniqueness=ANY, statuses=parties)
    sender = Sender(house, await house.intake(RealJudges(), partners=[partner]))
    await importing(house).take({"invoices": [ROW]})
    assert stands(await sender.tells(message("205"), "seller")) == [
        ("205", "imported-invoice", "normal")
    ]


@ensureDeferred
async def test_the_same_message_again_is_recorded_once(house: House) -> None:
    """As with any invoice."""
    sender = Sender(house, await line(house))
    await importing(house).take({"invoices": [ROW]})
    await sender.tells(message("205"), "platform")
    again = await sender.tells(message("205") + b"\n", "platform")
    assert stands(again) == [("205", "repeated", None)]
    (row,) = await told_of(house)
    assert row.repeats == 1


@ensureDeferred
async def test_judged_again_it_stands_as_it_stood(house: House) -> None:
    """A replay of the message replaces what it told, and is not held against itself."""
    sender = Sender(house, await line(house))
    await importing(house).take({"invoices": [ROW]})
    id_ = await sender.send(message("205"), "platform")
    await house.reaches(id_, "acknowledged")
    await desk(house, sender.intake).commit({"interchange": id_})
    await house.reaches(id_, "settled")
    (row,) = await told_of(house)
    assert (row.status, row.standing, row.order) == ("205", "imported-invoice", "normal")


@ensureDeferred
async def test_statuses_that_came_before_the_import_are_linked(house: House) -> None:
    """They waited as those of an unknown invoice; an event says that they wait no more."""
    sender = Sender(house, await line(house))
    assert stands(await sender.tells(message("205"), "platform")) == [
        ("205", "unknown-invoice", None)
    ]
    await sender.tells(message("205", day=1), "stranger")
    assert (await importing(house).take({"invoices": [ROW]}))["linked"] == 2
    assert [(row.partner, row.standing) for row in await told_of(house)] == [
        ("platform", "imported-invoice"),
        ("stranger", "not-believed"),
    ]
    assert await house.journal.read("t", records.count_waiting) == 0
    assert sorted((await sender.events())[-4:]) == [
        "invoice-status.linked",
        "invoice-status.not-believed",
        "invoice-status.unknown-invoice",
        "invoice-status.unknown-invoice",
    ]
    assert (await importing(house).take({"invoices": [ROW]}))["linked"] == 0


@ensureDeferred
async def test_accepted_here_as_well_the_document_takes_them_over(house: House) -> None:
    """A partner that is only warned may send it all the same: the lifecycle is its document's."""
    judge()
    warned = Partner(
        name="acme",
        flows=FLOWS,
        uniqueness=Uniqueness(invoice="warn"),
        statuses=Statuses(of="any"),
    )
    sender = Sender(house, await house.intake(RealJudges(), partners=[warned]))
    await importing(house).take({"invoices": [ROW]})
    await sender.tells(message("202"))
    id_ = await sender.send(ubl_invoice("FA-1", lines=1))
    assert await told_of(house) == []
    (said,) = await sender.tells(message("205", day=1))
    assert said["invoice"] == {"document": f"{id_}/1", "partner": "acme"}
    assert [row.status for row in await sender.lifecycle(id_)] == ["202", "205"]
    assert await sender.events() == ["invoice-status.linked"]


@pytest.mark.parametrize("forgets", [False, True], ids=["imported", "forgotten"])
@ensureDeferred
async def test_a_number_that_changes_hands_while_its_status_is_written(
    house: House, forgets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published is what is recorded, also when an operator was faster."""
    sender = Sender(house, await line(house))
    operator = importing(house)
    if forgets:
        await operator.take({"invoices": [ROW]})
    write = house.journal.write

    async def late(name: str, work: Any, **_: Any) -> Any:
        if name == "settle_document":
            monkeypatch.setattr(house.journal, "write", write)
            await (operator.forget(wrong()) if forgets else operator.take({"invoices": [ROW]}))
        return await write(name, work)

    monkeypatch.setattr(house.journal, "write", late)
    (said,) = await sender.tells(message("205"), "platform")
    assert said["standing"] == ("unknown-invoice" if forgets else "imported-invoice")
    assert [row.standing for row in await told_of(house)] == (
        [] if forgets else ["imported-invoice"]
    )
    assert await house.journal.read("t", records.count_waiting) == (1 if forgets else 0)


@ensureDeferred
async def test_imported_before_statuses_were_known_it_is_linked_by_importing_again(
    house: House,
) -> None:
    """An earlier version called it unknown: the same table once more puts that right."""
    sender = Sender(house, await line(house))
    await sender.tells(message("205"), "platform")
    await house.journal.write(
        "t", lambda conn: uniqueness_records.import_invoices(conn, [KEY], house.now())
    )
    assert await importing(house).take({"invoices": [ROW]}) == {
        "added": 0,
        "known": 1,
        "linked": 1,
    }


class TestForgetting:
    """A number that was imported wrongly."""

    @ensureDeferred
    async def test_its_invoice_may_come_again(self, house: House) -> None:
        """The journal says who forgot it and why; what was told of it waits, and is linked."""
        sender = Sender(house, await line(house))
        found = importing(house)
        await found.take({"invoices": [ROW], "source": "2025.csv"})
        await sender.tells(message("205"), "platform")
        await sender.tells(message("205", day=1), "acme")
        tried = await found.forget(wrong(dry_run=True))
        assert (await held(house)) is not None
        done = await found.forget(wrong())
        assert done == tried
        assert (done["source"], done["statuses"]) == ("2025.csv", 2)
        assert await held(house) is None
        assert await house.journal.read("t", records.count_waiting) == 2
        (noted,) = await house.journal.read(
            "t", lambda conn: forgotten(conn, KEY.seller, KEY.number, None)
        )
        assert (noted.by, noted.reason) == ("anna", "last year's table")
        id_ = await sender.send(ubl_invoice("FA-1", lines=1))
        assert [row.standing for row in await sender.lifecycle(id_)] == ["recorded"] * 2

    @ensureDeferred
    async def test_what_nobody_holds_cannot_be_forgotten(self, house: House) -> None:
        """The year may be wrong: the message names all three."""
        await line(house)
        for dry_run in (True, False):
            with pytest.raises(CommandRefused, match=f"Nobody holds .*FA-1 of {SELLER} of 2026"):
                await importing(house).forget(wrong(dry_run=dry_run))

    @ensureDeferred
    async def test_what_a_document_holds_cannot_be_forgotten(self, house: House) -> None:
        """It is accepted; the message says which document, and what gives its number back."""
        judge()
        strict = Partner(name="acme", flows=FLOWS, uniqueness=Uniqueness())
        sender = Sender(house, await house.intake(RealJudges(), partners=[strict]))
        id_ = await sender.send(ubl_invoice("FA-1", lines=1))
        for dry_run in (True, False):
            with pytest.raises(CommandRefused) as caught:
                await importing(house).forget(wrong(dry_run=dry_run))
            assert f"document 1 (f1.xml) of interchange {id_}, sent by acme" in str(caught.value)
            assert f"replay {id_}" in caught.value.remedy
        found = await held(house)
        assert found is not None
        assert not found.imported
        assert (
            await house.journal.read(
                "t", lambda conn: forgotten(conn, KEY.seller, KEY.number, 2026)
            )
            == []
        )


@ensureDeferred
async def test_the_event_of_an_import_names_no_document(house: House) -> None:
    """There is none."""
    sender = Sender(house, await line(house))
    id_ = await sender.send(message("205"), "platform")
    await importing(house).take({"invoices": [ROW]})
    events = [
        json.loads(row.body)
        for row in await house.outbox(id_, "event")
        if row.routing_key == "invoice-status.linked"
    ]
    assert [each["status"]["invoice"] for each in events] == [None]
