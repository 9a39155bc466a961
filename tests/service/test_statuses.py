"""Lifecycle messages on the line: recorded, repeated, out of order, unknown, not believed."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pytest_twisted import ensureDeferred

from bench.invoices import ubl_invoice
from gateway.config import load_flows
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob
from gateway.model.partner import Partner, Statuses, Uniqueness
from gateway.resources import data_folder
from gateway.service.intake import Intake
from gateway.service.journal import records, status_records
from gateway.service.statuses import record_sent
from tests.cdar_documents import check
from tests.service.house import ANY, REJECTED, House
from tests.service.test_repeats import ended, rules, sent
from tests.service.test_replay_commit import desk
from tests.status_documents import ISSUED, SENT, message

FLOWS = ("ctc-fr-invoice", "invoice-status")
PARTNERS = (
    Partner(name="acme", flows=FLOWS, uniqueness=ANY),
    Partner(name="platform", flows=FLOWS, uniqueness=ANY, statuses=Statuses(of="any")),
    Partner(name="buyer", flows=FLOWS, uniqueness=ANY, statuses=Statuses(parties=("000471102",))),
    Partner(name="stranger", flows=FLOWS, uniqueness=ANY),
)


@functools.cache
def judge() -> Judge:
    """The real one, with the flows that ship; the rules it needs are there or the test skipped."""
    check()
    flows = load_flows(data_folder("flows")).values()
    chosen = [flow for flow in flows if flow.name in FLOWS]
    return Judge(chosen, Catalogue.load(), DocumentLimits())


class RealJudges:
    """Judges in this process. `stricter`: another rule came, which rejects everything."""

    def __init__(self) -> None:
        self.stricter = False

    async def judge(self, job: JudgeJob, *, alone: bool = False) -> JudgeAnswer:
        """What a worker would answer."""
        judgement = judge().judge(job, Path(job.path).read_bytes())
        if self.stricter:
            judgement = msgspec.structs.replace(judgement, verdict=REJECTED)
        return JudgeAnswer(judgement=judgement)


async def line(house: House, judges: RealJudges | None = None, **more: Any) -> Intake:
    """An intake with real judges."""
    judge()
    return await house.intake(judges or RealJudges(), partners=PARTNERS, **more)


class Sender:
    """Sends files through an intake and waits for their end."""

    def __init__(self, house: House, intake: Intake) -> None:
        self.house = house
        self.intake = intake
        self.files = 0

    async def send(self, data: bytes, partner: str = "acme") -> str:
        """A file of this partner, acknowledged."""
        self.files += 1
        id_ = await sent(self.house, self.intake, f"f{self.files}.xml", data, partner=partner)
        await ended(self.house, id_)
        return id_

    async def tells(self, data: bytes, partner: str = "acme") -> list[dict[str, Any]]:
        """What is published of a lifecycle message: its statuses."""
        id_ = await self.send(data, partner)
        (result,) = await self.house.outbox(id_, "document")
        assert result.routing_key == "invoice-status.cdar.accepted"
        body = json.loads(result.body)
        schema().validate(body)
        statuses: list[dict[str, Any]] = body["statuses"]
        return statuses

    async def lifecycle(self, id_: str) -> list[status_records.StatusRow]:
        """What is recorded of an interchange's only invoice."""
        return await self.house.journal.read(
            "t", lambda conn: status_records.statuses_of_invoice(conn, id_, 1)
        )

    async def events(self) -> list[str]:
        """Routing keys of the events about statuses, in order."""

        def all_of(conn: Any) -> list[str]:
            found = []
            for row in records.list_interchanges(conn, limit=100)[::-1]:
                for each in records.outbox_of(conn, row.id):
                    if each.type == "edi.event.status":
                        found.append(each.routing_key)
            return found

        return await self.house.journal.read("t", all_of)


@functools.cache
def schema() -> jsonschema.Draft202012Validator:
    """The contract of what is published."""
    text = (data_folder("schemas") / "invoice-status.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(
        json.loads(text), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def stands(statuses: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    """Status, standing and order of each."""
    return [(each["status"], each["standing"], each["order"]) for each in statuses]


@ensureDeferred
async def test_the_life_of_an_invoice(house: House) -> None:
    """Every status is recorded with the invoice, and published with the document it is about."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    assert await rules(house, invoice) == [("published", "accepted", [])]
    for day, code in enumerate(("200", "202", "203", "204", "205", "212")):
        (said,) = await sender.tells(message(code, day=day))
        assert (said["standing"], said["order"]) == ("recorded", "normal")
        assert said["invoice"] == {"document": f"{invoice}/1", "partner": "acme"}
        assert (said["number"], said["issued"]) == ("FA-1", "2026-04-26")
    rows = await sender.lifecycle(invoice)
    assert [row.status for row in rows] == ["200", "202", "203", "204", "205", "212"]
    assert rows[0].said_at == SENT
    assert rows[0].message_id == "CDV-200-0"
    assert rows[4].issuer["role"] == "BY"
    assert await sender.events() == []
    assert sender.intake.statuses == {"recorded": 6}


@ensureDeferred
async def test_a_reason_travels_along(house: House) -> None:
    """Reasons, actions and values are in the journal and in what is published."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    (said,) = await sender.tells(message("210"))
    assert said["details"][0]["reason"] == "TX_TVA_ERR"
    (paid,) = await sender.tells(message("212", "FA-9"))
    (value,) = paid["details"][0]["characteristics"]
    assert value["amount"] == {"value": "1200.00", "currency": "EUR"}
    assert [row.reasons for row in await sender.lifecycle(invoice)] == [["TX_TVA_ERR"]]


@ensureDeferred
async def test_a_status_that_comes_again_is_recorded_once(house: House) -> None:
    """The same message in other bytes: visible as repeated, with how often and when."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    data = message("205")
    first = await sender.tells(data)
    again = [await sender.tells(data + b"\n" * times) for times in (1, 2)]
    assert stands(first) == [("205", "recorded", "normal")]
    assert [stands(each) for each in again] == [[("205", "repeated", None)]] * 2
    (row,) = await sender.lifecycle(invoice)
    assert (row.repeats, row.repeated_at is not None) == (2, True)
    assert await sender.events() == ["invoice-status.repeated"] * 2


@ensureDeferred
async def test_another_status_under_a_used_message_id_is_another(house: House) -> None:
    """Who reuses an id does not make us lose what it says."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    await sender.tells(message("204", id_="X"))
    (said,) = await sender.tells(message("205", day=1, id_="X"))
    assert said["standing"] == "recorded"
    assert [row.status for row in await sender.lifecycle(invoice)] == ["204", "205"]


@ensureDeferred
async def test_out_of_order_is_recorded_and_flagged(house: House) -> None:
    """212, then 205 given later (unexpected) and 204 given before (late): nothing is lost."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    told = [
        stands(await sender.tells(message(code, day=day)))
        for code, day in (("212", 5), ("205", 6), ("204", 1))
    ]
    assert told == [
        [("212", "recorded", "normal")],
        [("205", "recorded", "unexpected")],
        [("204", "recorded", "late")],
    ]
    orders = [row.order for row in await sender.lifecycle(invoice)]
    assert orders == ["normal", "unexpected", "late"]
    assert await sender.events() == ["invoice-status.unexpected", "invoice-status.late"]
    assert sender.intake.statuses == {"recorded": 1, "unexpected": 1, "late": 1}


@ensureDeferred
async def test_an_invoice_that_comes_after_its_statuses_is_linked(house: House) -> None:
    """Published without an invoice, kept, counted; then it is the invoice's lifecycle."""
    sender = Sender(house, await line(house, uniqueness=Uniqueness()))
    (said,) = await sender.tells(message("200"))
    assert (said["standing"], said["invoice"]) == ("unknown-invoice", None)
    await sender.tells(message("204", day=1))
    assert await house.journal.read("t", status_records.count_waiting) == 2
    other_day = await sender.send(ubl_invoice("FA-2", lines=1))
    assert await sender.lifecycle(other_day) == []
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    rows = await sender.lifecycle(invoice)
    assert [(row.status, row.standing, row.order) for row in rows] == [
        ("200", "recorded", "normal"),
        ("204", "recorded", "normal"),
    ]
    assert all(row.linked_at is not None for row in rows)
    assert await house.journal.read("t", status_records.count_waiting) == 0
    assert sorted(await sender.events()) == [
        *["invoice-status.linked"] * 2,
        *["invoice-status.unknown-invoice"] * 2,
    ]
    assert sender.intake.statuses == {"unknown-invoice": 2, "linked": 2}


@pytest.mark.parametrize(
    "data",
    [
        message("205", "FA-2"),
        message("205", issued=dt.date(2026, 4, 27)),
        message("205").replace(b"000123455", b"732829320"),
    ],
    ids=["another number", "another day", "another seller"],
)
@ensureDeferred
async def test_number_day_and_seller_make_the_invoice(house: House, data: bytes) -> None:
    """One of them differs: it is not this invoice."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    (said,) = await sender.tells(data)
    assert said["standing"] == "unknown-invoice"
    assert await sender.lifecycle(invoice) == []


@ensureDeferred
async def test_a_rejected_invoice_is_none_to_speak_of(house: House) -> None:
    """And neither is the message itself, which has the number too."""
    sender = Sender(house, await line(house))
    await sender.send(ubl_invoice("FA-1", lines=1, fault="total"))
    (first,) = await sender.tells(message("204"))
    (second,) = await sender.tells(message("205", day=1))
    assert first["standing"] == second["standing"] == "unknown-invoice"


@pytest.mark.parametrize(
    ("partner", "standing"),
    [
        ("acme", "recorded"),
        ("platform", "recorded"),
        ("buyer", "recorded"),
        ("stranger", "not-believed"),
    ],
)
@ensureDeferred
async def test_who_is_believed(house: House, partner: str, standing: str) -> None:
    """Its sender, a platform, a party of it; what anybody else says is kept apart."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    (said,) = await sender.tells(message("205"), partner)
    assert said["standing"] == standing
    (row,) = await sender.lifecycle(invoice)
    assert row.standing == standing
    if standing == "not-believed":
        assert (said["invoice"], said["order"]) == (None, None)
        (later,) = await sender.tells(message("204", day=1))
        assert later["order"] == "normal"  # the 205 is no part of its life


@ensureDeferred
async def test_a_stranger_cannot_ask_which_invoices_are_here(house: House) -> None:
    """Its report is the same for an invoice of somebody else and for one that is not here."""
    sender = Sender(house, await line(house))
    await sender.send(ubl_invoice("FA-1", lines=1))
    told = []
    for number in ("FA-1", "FA-9"):
        id_ = await sender.send(message("205", number), "stranger")
        assert await rules(house, id_) == [("published", "accepted", [])]
        rows = await house.outbox(id_, "report")
        (report,) = [row for row in rows if row.destination == "sftp"]
        told.append(b"not-believed" in report.body or b"unknown-invoice" in report.body)
    assert told == [False, False]


@ensureDeferred
async def test_who_spoke_too_early_is_believed_no_more_for_that(house: House) -> None:
    """A stranger's status of an invoice that comes later is not linked into its life."""
    sender = Sender(house, await line(house))
    await sender.tells(message("205"), "stranger")
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    (row,) = await sender.lifecycle(invoice)
    assert row.standing == "not-believed"
    assert (await sender.events())[-1] == "invoice-status.not-believed"


@ensureDeferred
async def test_one_message_about_many_invoices(house: House) -> None:
    """Each is looked for by itself; of one that is named twice, the second is a repetition."""
    sender = Sender(house, await line(house))
    first = await sender.send(ubl_invoice("FA-1", lines=1))
    third = await sender.send(ubl_invoice("FA-9", lines=1))
    told = await sender.tells(message("205", ["FA-1", "FA-2", "FA-9", "FA-1"]))
    found = [each["standing"] for each in told]
    assert found == ["recorded", "unknown-invoice", "recorded", "repeated"]
    assert told[2]["invoice"]["document"] == f"{third}/1"
    (row,) = await sender.lifecycle(first)
    assert row.repeats == 0


@ensureDeferred
async def test_a_status_about_a_file_is_no_unknown_invoice(house: House) -> None:
    """500 and 501 name a flux."""
    sender = Sender(house, await line(house))
    (said,) = await sender.tells(message("501", "FSO1100A_ABC123_ABC1231100000000000000001"))
    assert (said["standing"], said["invoice"]) == ("flux", None)
    assert await sender.events() == []


@ensureDeferred
async def test_a_message_that_breaks_the_rules_is_rejected_and_records_nothing(
    house: House,
) -> None:
    """By schema, by the French rules, or with a month 13: told like any document's faults."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    good = message("205")
    for bad, rule in (
        (good.replace(b"ProcessConditionCode", b"Nonsense"), "XSD-"),
        (good.replace(b"REGULATED", b"FREE"), "BR-FR-CDV-"),
        (good.replace(b"20260426", b"20261326"), "MAP-STATUS-UNREADABLE"),
    ):
        id_ = await sender.send(bad)
        ((_, verdict, found),) = await rules(house, id_)
        assert (verdict, found[0][: len(rule)]) == ("rejected", rule)
        (result,) = await house.outbox(id_, "document")
        assert result.routing_key == "invoice-status.cdar.rejected"
        findings = json.loads(result.body)["findings"]
        assert all(each["explanation"] and each["remedy"] for each in findings)
    assert await sender.lifecycle(invoice) == []


@ensureDeferred
async def test_an_invoice_that_arrives_while_its_status_is_written(house: House) -> None:
    """What is published is what is recorded: it is weighed again, and the invoice is there."""
    intake = await line(house)
    sender = Sender(house, intake)
    write = house.journal.write
    between: list[str] = []

    async def late(name: str, work: Any, **_: Any) -> Any:
        if name == "settle_document" and not between:
            between.append("")
            house.journal.write = write  # type: ignore[method-assign]
            between[0] = await sender.send(ubl_invoice("FA-1", lines=1))
        return await write(name, work)

    house.journal.write = late  # type: ignore[method-assign]
    (said,) = await sender.tells(message("205"))
    assert said["invoice"] == {"document": f"{between[0]}/1", "partner": "acme"}
    (row,) = await sender.lifecycle(between[0])
    assert (row.standing, row.linked_at) == ("recorded", None)


def told_at(row: status_records.StatusRow) -> Any:
    """By when it was given."""
    return row.said_at


@ensureDeferred
async def test_judged_again_a_message_replaces_itself(house: House) -> None:
    """Order, repetitions and the time of recording stay; nothing is counted twice."""
    sender = Sender(house, await line(house))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    first = await sender.send(message("204"))
    again = await sender.send(message("204") + b"\n")
    await sender.tells(message("212", day=3))
    before = sorted(await sender.lifecycle(invoice), key=told_at)
    for id_ in (first, again):
        await desk(house, sender.intake).commit({"interchange": id_})
        await house.reaches(id_, "settled")
        await ended(house, id_)
        assert await rules(house, id_) == [("published", "accepted", [])]
    after = sorted(await sender.lifecycle(invoice), key=told_at)
    assert [row.id for row in after] != [row.id for row in before]  # written again
    assert [msgspec.structs.replace(row, id=0) for row in after] == [
        msgspec.structs.replace(row, id=0) for row in before
    ]
    assert [(row.status, row.order, row.repeats) for row in after] == [
        ("204", "normal", 1),
        ("212", "normal", 0),
    ]


@ensureDeferred
async def test_a_message_that_is_rejected_after_all_told_nothing(house: House) -> None:
    """Its statuses go; what others told of the invoice stays."""
    judges = RealJudges()
    sender = Sender(house, await line(house, judges))
    invoice = await sender.send(ubl_invoice("FA-1", lines=1))
    await sender.tells(message("204"))
    wrong = await sender.send(message("210", day=1))
    judges.stricter = True
    await desk(house, sender.intake).commit({"interchange": wrong})
    await house.reaches(wrong, "settled")
    await ended(house, wrong)
    assert [row.status for row in await sender.lifecycle(invoice)] == ["204"]


@ensureDeferred
async def test_a_long_message_travels_as_a_claim_check(house: House) -> None:
    """What became of its statuses lies in the spool, as it would be published."""
    sender = Sender(house, await line(house, inline_bytes=1000))
    await sender.send(ubl_invoice("FA-1", lines=1))
    id_ = await sender.send(message("205", ["FA-1", "FA-2"]))
    (result,) = await house.outbox(id_, "document")
    claim = json.loads(result.body)["claim_check"]
    body = json.loads(house.spool.path(claim["sha256"]).read_bytes())
    schema().validate(body)
    assert [each["standing"] for each in body["statuses"]] == ["recorded", "unknown-invoice"]


@ensureDeferred
async def test_a_status_that_we_give_is_part_of_the_life(house: House) -> None:
    """Once, however often it is written; what comes after it is held against it."""
    sender = Sender(house, await line(house))
    id_ = await sender.send(ubl_invoice("FA-1", lines=1))

    def give(conn: Any) -> bool:
        invoice = status_records.find_invoice(conn, "siren:000123455", "FA-1", ISSUED)
        assert invoice is not None
        return record_sent(
            conn,
            invoice=invoice,
            number="FA-1",
            issued=ISSUED.isoformat(),
            partner="acme",
            message_id="OURS-1",
            status="213",
            reasons=("DOUBLON",),
            said_at=SENT,
            issuer={"role": "WK"},
            now=SENT,
        )

    assert [await house.journal.write("t", give) for _ in range(2)] == [True, False]
    (said,) = await sender.tells(message("205", day=1))
    assert said["order"] == "unexpected"
    rows = await sender.lifecycle(id_)
    assert [(row.direction, row.status) for row in rows] == [("sent", "213"), ("received", "205")]


@ensureDeferred
async def test_the_same_status_for_two_recipients_is_in_order(house: House) -> None:
    """The portal is told what the partner was told: that does not follow itself."""
    sender = Sender(house, await line(house))
    id_ = await sender.send(ubl_invoice("FA-1", lines=1))

    def give(conn: Any, status: str, day: int) -> None:
        invoice = status_records.find_invoice(conn, "siren:000123455", "FA-1", ISSUED)
        assert invoice is not None
        for partner in ("acme", "portal"):
            record_sent(
                conn,
                invoice=invoice,
                number="FA-1",
                issued=ISSUED.isoformat(),
                partner=partner,
                message_id=f"OURS-{status}-{partner}",
                status=status,
                reasons=(),
                said_at=SENT + dt.timedelta(days=day),
                issuer={"role": "WK"},
                now=SENT,
            )

    await house.journal.write("t", lambda conn: give(conn, "213", 0))
    await house.journal.write("t", lambda conn: give(conn, "200", 1))
    rows = await sender.lifecycle(id_)
    assert [(row.status, row.partner, row.order) for row in rows] == [
        ("213", "acme", "normal"),
        ("213", "portal", "normal"),
        ("200", "acme", "unexpected"),
        ("200", "portal", "unexpected"),
    ]
