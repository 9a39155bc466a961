"""Invoices that a gateway of an earlier version accepted: they get the numbers they should hold."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.model.partner import Partner, Uniqueness
from gateway.model.publication import message_id
from gateway.service import earlier_invoices
from gateway.service.earlier_invoices import EarlierInvoices
from gateway.service.intake import Intake
from gateway.service.journal import records, schema
from gateway.service.journal.engine import writer_engine
from tests.service.house import FakeJudges, House
from tests.service.test_repeats import ONCE, ended, invoice, rules, sent

LAST_WITHOUT_KEYS = "0004"
DAY = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)


class EarlierGateway:
    """A journal and a spool as version 0004 left them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = writer_engine(folder / "journal.sqlite")
        self.number = 0
        config = Config()
        migrations = Path(schema.__file__).parent / "migrations"
        config.set_main_option("script_location", str(migrations))
        with self.engine.begin() as conn:
            config.attributes["connection"] = conn
            command.upgrade(config, LAST_WITHOUT_KEYS)

    def settled(self, name: str, *bodies: bytes | None, partner: str = "acme") -> str:
        """A file that was judged: one document for each body; None: it was rejected."""
        self.number += 1
        id_ = f"0197d5a0-0000-7000-8000-{self.number:012d}"
        self.insert(
            "interchanges",
            id=id_,
            partner=partner,
            name=name,
            transport="sftp",
            received_at=DAY + dt.timedelta(days=self.number),
            sha256=hashlib.sha256(id_.encode()).hexdigest(),
            size=4,
            state="acknowledged",
            flow="ctc-fr-invoice",
            documents_total=len(bodies),
            report_revision=1,
            updated_at=DAY,
        )
        for ordinal, body in enumerate(bodies, start=1):
            self.document(id_, ordinal, f"{ordinal}-{name}", body)
        return id_

    def document(self, id_: str, ordinal: int, name: str, body: bytes | None) -> None:
        """One of its documents; accepted, its canonical invoice was published."""
        accepted = body is not None
        self.insert(
            "documents",
            interchange_id=id_,
            ordinal=ordinal,
            name=name,
            sha256="aa",
            size=4,
            state="published",
            syntax="ubl",
            verdict="accepted" if accepted else "rejected",
        )
        self.result(id_, ordinal, b"{}" if body is None else body, accepted=accepted)

    def result(self, id_: str, ordinal: int, body: bytes, *, accepted: bool) -> None:
        """What was published of it; over 1,000 bytes, they are in the spool."""
        headers: dict[str, str] = {}
        if len(body) > 1000:
            sha256 = hashlib.sha256(body).hexdigest()
            path = self.folder / "spool" / "payloads" / sha256[:2] / sha256
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            headers, body = {"claim-check": sha256}, b'{"claim_check": {}}'
        self.insert(
            "outbox",
            message_id=message_id(id_, ordinal, "document", 0),
            interchange_id=id_,
            ordinal=ordinal,
            kind="document",
            destination="broker",
            partner="acme",
            exchange="edi.documents",
            routing_key="ctc-fr-invoice.ubl.accepted",
            content_type="application/json",
            type="edi.document.invoice" if accepted else "edi.document.verdict",
            headers=json.dumps(headers),
            mandatory=True,
            created_at=DAY,
            state="delivered",
            next_attempt_at=DAY,
            body=body,
        )

    def insert(self, table: str, **values: Any) -> None:
        """A row, in the words of then."""
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        given = {
            name: value.strftime("%Y-%m-%d %H:%M:%S.%f")
            if isinstance(value, dt.datetime)
            else value
            for name, value in values.items()
        }
        with self.engine.begin() as conn:
            conn.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), given)


def body_of(number: str, **more: Any) -> bytes:
    """The canonical invoice that was published."""
    return invoice(number, **more).invoice


@pytest_twisted.async_yield_fixture
async def upgraded(tmp_path: Path) -> AsyncIterator[tuple[EarlierGateway, House]]:
    """The earlier gateway, and a house of this version on its folder, still closed."""
    earlier, house = EarlierGateway(tmp_path), House(tmp_path)
    yield earlier, house
    earlier.engine.dispose()
    for intake in house.intakes:
        await intake.stop(1)
    await house.journal.close()


def desk(house: House, **partners: Partner) -> EarlierInvoices:
    """What answers the command."""
    return EarlierInvoices(
        house.journal,
        spool=house.spool,
        partners=partners,
        in_thread=deferToThread,
        log=structlog.wrap_logger(house.said, processors=[]),
    )


async def all_of(found: EarlierInvoices, **arguments: Any) -> dict[str, Any]:
    """Every page, added up, as the command does it."""
    total: dict[str, Any] = {}
    after = None
    while True:
        answer = json.loads(json.dumps(await found.backfill({"after": after, **arguments})))
        after = answer["next"]
        for name, value in answer.items():
            if name not in ("next", "received_at"):
                total[name] = total[name] + value if name in total else value
        if after is None:
            return total


async def keys(house: House) -> dict[str, str]:
    """Number → document that holds it."""

    def held(conn: sa.Connection) -> dict[str, str]:
        rows = conn.exec_driver_sql("SELECT number, interchange_id, ordinal FROM invoice_keys")
        return {number: f"{id_}/{ordinal}" for number, id_, ordinal in rows}

    return await house.journal.read("t", held)


async def line(house: House, *numbers: str) -> Intake:
    """An intake that reads these numbers, one after the other."""
    return await house.intake(FakeJudges(*map(invoice, numbers)), uniqueness=ONCE)


@ensureDeferred
async def test_what_was_accepted_then_is_refused_now(
    upgraded: tuple[EarlierGateway, House],
) -> None:
    """From the outbox or the spool, alone or in an archive; what was rejected may still come."""
    earlier, house = upgraded
    first = earlier.settled("a.xml", body_of("FA-1"))
    batch = earlier.settled("b.zip", body_of("FA-2"), None, body_of("FA-3") + b" " * 2000)
    await house.open()
    assert await all_of(desk(house)) == {
        "documents": 4,
        "added": 3,
        "repeats": [],
        "off": 0,
        "without_seller": 0,
        "listed": 0,
        "unreadable": [],
    }
    assert await keys(house) == {
        "FA-1": f"{first}/1",
        "FA-2": f"{batch}/1",
        "FA-3": f"{batch}/3",
    }
    intake = await line(house, "FA-1", "FA-3", "FA-4")
    for number, verdict in (("FA-1", "rejected"), ("FA-3", "rejected"), ("FA-4", "accepted")):
        id_ = await sent(house, intake, f"{number}.xml", number.encode())
        await ended(house, id_)
        assert (await rules(house, id_))[0][1] == verdict
    told = records.load_judgement((await house.documents(id_))[0])
    assert told.findings == ()


@ensureDeferred
async def test_without_it_the_invoice_is_accepted_twice(
    upgraded: tuple[EarlierGateway, House],
) -> None:
    """The upgrade itself writes no numbers: that is why the command is there."""
    earlier, house = upgraded
    earlier.settled("a.xml", body_of("FA-1"))
    await house.open()
    assert await keys(house) == {}
    intake = await line(house, "FA-1")
    id_ = await sent(house, intake, "b.xml", b"<b/>")
    await ended(house, id_)
    assert await rules(house, id_) == [("published", "accepted", [])]
    (repeat,) = (await all_of(desk(house)))["repeats"]
    assert repeat["holder"] == f"{id_}/1"


@ensureDeferred
async def test_of_two_the_first_holds_it_and_the_other_is_told(
    upgraded: tuple[EarlierGateway, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one page or on two; both stay accepted, and a dry run says the same beforehand."""
    monkeypatch.setattr(earlier_invoices, "AT_ONCE", 3)
    earlier, house = upgraded
    first = earlier.settled("a.xml", body_of("FA-1"))
    second = earlier.settled("b.xml", body_of("FA-1"), partner="other")
    earlier.settled("c.xml", body_of("FA-2"))
    last = earlier.settled("d.xml", body_of("FA-1"))
    await house.open()
    found = desk(house)
    tried = await all_of(found, dry_run=True)
    assert await keys(house) == {}
    # Across pages a dry run sees only what is written.
    assert (tried["added"], [each["document"] for each in tried["repeats"]]) == (3, [f"{second}/1"])
    done = await all_of(found)
    assert done["added"] == 2
    assert done["repeats"] == [
        {
            "document": f"{id_}/1",
            "name": f"1-{name}",
            "partner": partner,
            "seller": "siren:732829320",
            "number": "FA-1",
            "year": 2026,
            "holder": f"{first}/1",
        }
        for id_, name, partner in ((second, "b.xml", "other"), (last, "d.xml", "acme"))
    ]
    assert (await keys(house))["FA-1"] == f"{first}/1"
    assert [row.verdict for row in await house.documents(second)] == ["accepted"]


@ensureDeferred
async def test_done_again_it_adds_nothing(upgraded: tuple[EarlierGateway, House]) -> None:
    """One that broke off is started again: what it did is skipped, the rest is done."""
    earlier, house = upgraded
    for number in range(5):
        earlier.settled(f"{number}.xml", body_of(f"FA-{number}"))
    await house.open()
    found = desk(house)
    page = await found.backfill({"after": None, "dry_run": False})
    assert page["received_at"].startswith("2026-03-07")
    assert page["next"] is not None
    rest = await found.backfill({"after": page["next"]})
    assert (rest["documents"], rest["next"], rest["received_at"]) == (0, None, None)
    assert (await all_of(found))["added"] == 0
    assert len(await keys(house)) == 5


@ensureDeferred
async def test_what_cannot_be_compared_is_counted(upgraded: tuple[EarlierGateway, House]) -> None:
    """No seller, a partner that is not compared, an invoice whose bytes are gone: each is told."""
    earlier, house = upgraded
    earlier.settled("a.xml", body_of("FA-1", seller=None))
    earlier.settled("b.xml", body_of("FA-2"), partner="free")
    gone = earlier.settled("c.xml", body_of("FA-3") + b" " * 2000)
    kept = earlier.settled("d.xml", body_of("FA-4"))
    for path in (earlier.folder / "spool").rglob("*"):
        if path.is_file():
            path.unlink()
    await house.open()
    free = Partner(name="free", uniqueness=Uniqueness(invoice="off"))
    found = await all_of(desk(house, free=free))
    assert (found["without_seller"], found["off"], found["added"]) == (1, 1, 1)
    assert found["unreadable"] == [f"{gone}/1"]
    assert await keys(house) == {"FA-4": f"{kept}/1"}


@pytest.mark.parametrize(
    ("seller", "listed"),
    [("73282932000074", 1), ("732 829 320", 1), ("DE123456789", 0), (None, 0)],
)
@ensureDeferred
async def test_of_what_was_purged_the_columns_are_left(
    upgraded: tuple[EarlierGateway, House], seller: str | None, listed: int
) -> None:
    """A SIREN is one without its scheme as well; any other identifier could be anything."""
    earlier, house = upgraded
    small = earlier.settled("a.xml", body_of("FA-1"))
    large = earlier.settled("b.xml", body_of("FA-2") + b" " * 2000)
    with earlier.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE outbox SET body = x''")
        for id_, number in ((small, "FA-1"), (large, "FA-2")):
            conn.exec_driver_sql(
                "UPDATE documents SET invoice_number = ?, issue_date = '2026-03-01', seller_id = ?"
                " WHERE interchange_id = ?",
                (number, seller, id_),
            )
    await house.open()
    found = await all_of(desk(house))
    assert (found["added"], found["listed"]) == (2 * listed, 2 * listed)
    assert len(found["unreadable"]) == 2 - 2 * listed
    assert await keys(house) == ({"FA-1": f"{small}/1", "FA-2": f"{large}/1"} if listed else {})


@ensureDeferred
async def test_who_was_rejected_meanwhile_holds_nothing(
    upgraded: tuple[EarlierGateway, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the page and writing it, a replay may have rejected the document."""
    earlier, house = upgraded
    id_ = earlier.settled("a.xml", body_of("FA-1"))
    await house.open()
    real = house.journal.write

    async def late(name: str, work: Any) -> Any:
        await real(
            "t",
            lambda conn: conn.exec_driver_sql(
                "UPDATE documents SET verdict = 'rejected' WHERE interchange_id = ?", (id_,)
            ),
        )
        return await real(name, work)

    monkeypatch.setattr(house.journal, "write", late)
    found = await all_of(desk(house))
    assert (found["added"], found["repeats"]) == (0, [])
    assert await keys(house) == {}
