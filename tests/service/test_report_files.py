"""The forms of a report: which a partner gets, that all of them leave, and how they are fetched."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from lxml import etree
from pytest_twisted import async_yield_fixture, ensureDeferred

from gateway.core.acknowledgement.forms import Form
from gateway.core.acknowledgement.report import ReportTotals, document_of
from gateway.model.as2 import Headers
from gateway.model.interchange import Transport
from gateway.model.lifecycle import DocumentState
from gateway.model.partner import Acknowledgements
from gateway.model.verdict import Judgement
from gateway.service import http_status, settle
from gateway.service.http_forms import chosen
from gateway.service.http_server import RequestHead
from gateway.service.journal import records
from gateway.service.replay_commit import take_back
from gateway.service.report_files import forms_wanted
from gateway.service.resend import Resending
from tests.core.archives import tar_gz
from tests.service.api_house import api_house
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House

ALL = Acknowledgements(html="always", json=True, csv=True)


@async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A house of its own."""
    built = House(tmp_path)
    await built.open()
    yield built
    for intake in built.intakes:
        await intake.stop(0)
    await built.journal.close()


def totals(rejected: bool) -> ReportTotals:
    """Of one document."""
    verdict = REJECTED if rejected else ACCEPTED
    state = DocumentState.REJECTED if rejected else DocumentState.ACCEPTED
    judgement = Judgement(
        document="a.xml",
        sha256="0" * 64,
        size=1,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=verdict,
    )
    made = ReportTotals()
    made.add(document_of(judgement, 1, state))
    return made


@pytest.mark.parametrize(
    ("html", "transport", "rejected", "had_page", "expected"),
    [
        ("auto", Transport.SFTP, True, False, True),
        ("auto", Transport.FOLDER, True, False, True),
        ("auto", Transport.HTTPS, True, False, True),
        ("auto", Transport.WEB, True, False, True),
        ("auto", Transport.AS2, True, False, False),
        ("auto", Transport.SFTP_REMOTE, True, False, False),
        ("auto", Transport.SFTP, False, False, False),
        ("auto", Transport.SFTP, False, True, True),
        ("refused", Transport.AS2, True, False, True),
        ("refused", Transport.AS2, False, False, False),
        ("always", Transport.AS2, False, False, True),
        ("never", Transport.SFTP, True, True, False),
    ],
)
def test_when_there_is_a_page(
    html: Any, transport: Transport, rejected: bool, had_page: bool, expected: bool
) -> None:
    """Where people look and something was refused, or as the partner's file says."""
    forms = forms_wanted(
        Acknowledgements(html=html),
        transport,
        totals(rejected),
        provisional=False,
        had_page=had_page,
    )
    assert forms == ((Form.XML, Form.HTML) if expected else (Form.XML,))


def counts(form: str, body: bytes) -> tuple[int, int]:
    """How many documents a form says are accepted and rejected."""
    if form == "xml":
        found = etree.fromstring(body).find("{*}Counts")
        assert found is not None
        return int(found.get("accepted", "")), int(found.get("rejected", ""))
    if form == "json":
        said = json.loads(body)["counts"]
        return said["accepted"], said["rejected"]
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), delimiter=";"))[1:]
    outcomes = [row[6] for row in rows]
    return sum(each == "accepté" for each in outcomes), sum(each == "rejeté" for each in outcomes)


async def bodies(house: House, rows: list[records.OutboxRow]) -> dict[str, bytes]:
    """What the partner gets, by form."""
    return {
        (row.filename or "").rpartition(".")[2]: house.spool.path(row.payload).read_bytes()
        if row.payload
        else row.body
        for row in rows
        if row.destination != "broker"
    }


@pytest.mark.parametrize("inline", [1_000_000, 100])
@ensureDeferred
async def test_every_form_leaves_both_ways_and_says_the_same(house: House, inline: int) -> None:
    """An archive in pages: all forms, both ways, under one name, large ones by the spool."""
    judges = FakeJudges(ACCEPTED)
    judges.by_name = {"3.xml": REJECTED}
    intake = await house.intake(judges, inline_bytes=inline, acknowledgements=ALL)
    members = {f"{number}.xml": b"<a>%d</a>" % number for number in range(1, 121)}
    id_ = await intake.receive(
        house.arrival("batch.tar.gz", tar_gz(members.items())), Transport.SFTP
    )
    await house.reaches(id_, "settled")
    rows = await house.outbox(id_, "report")
    assert len({row.message_id for row in rows}) == 8
    assert len({(row.filename or "").rpartition(".")[0] for row in rows}) == 1
    assert {row.type for row in rows} == {
        "edi.acknowledgement.report",
        "edi.acknowledgement.report.json",
        "edi.acknowledgement.report.html",
        "edi.acknowledgement.report.csv",
    }
    made = await bodies(house, rows)
    assert list(made) == ["xml", "json", "html", "csv"]
    assert {form: counts(form, made[form]) for form in ("xml", "json", "csv")} == {
        "xml": (119, 1),
        "json": (119, 1),
        "csv": (119, 1),
    }
    assert b"BR-CO-15" in made["html"]
    assert all(bool(row.payload) == (inline == 100) for row in rows if row.destination == "sftp")
    assert not list(house.scratch.glob("*.report.*"))


@ensureDeferred
async def test_one_document_in_every_form(house: House) -> None:
    """A single invoice, made in memory."""
    intake = await house.intake(FakeJudges(REJECTED), acknowledgements=ALL)
    id_ = await intake.receive(house.arrival(), Transport.AS2)
    await house.reaches(id_, "settled")
    made = await bodies(house, await house.outbox(id_, "report"))
    assert [counts(form, made[form]) for form in ("xml", "json", "csv")] == [(0, 1)] * 3


@ensureDeferred
async def test_a_page_is_replaced_by_a_page(house: House) -> None:
    """Judged again and accepted: whoever read the page reads that it holds no more."""
    judges = FakeJudges(REJECTED, ACCEPTED)
    intake = await house.intake(judges, acknowledgements=Acknowledgements())
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    await _acknowledged(house, id_)
    await house.journal.write("t", lambda conn: take_back(conn, id_, None, house.now()))
    await intake.resume(id_, "acme")
    await house.reaches(id_, "settled")
    names = [row.filename or "" for row in await house.outbox(id_, "report")]
    assert sorted(name.rpartition("-")[2] for name in names if "-r2" in name) == [
        "r2.report.html",
        "r2.report.html",
        "r2.report.xml",
        "r2.report.xml",
    ]


async def _acknowledged(house: House, id_: str) -> None:
    for kind in ("document", "report"):
        rows = await house.outbox(id_, kind)
        await house.journal.write("t", partial(settle.delivered, rows=rows, now=house.now()))
    await house.reaches(id_, "acknowledged")


@ensureDeferred
async def test_an_honest_resend_and_an_operator_bring_every_form_again(house: House) -> None:
    """The answer is all of them, not the last one written."""
    intake = await house.intake(FakeJudges(REJECTED), acknowledgements=ALL)
    id_ = await intake.receive(house.arrival(), Transport.SFTP)
    await house.reaches(id_, "settled")
    await _acknowledged(house, id_)
    assert await intake.receive(house.arrival(), Transport.SFTP) == id_
    waiting = [row for row in await house.outbox(id_, "report") if row.state == "pending"]
    assert sorted((row.destination, (row.filename or "")[-4:]) for row in waiting) == [
        ("sftp", ".csv"),
        ("sftp", ".xml"),
        ("sftp", "html"),
        ("sftp", "json"),
    ]
    resending = Resending(house.journal, outbox_written=lambda: None, log=structlog.get_logger())
    said = await resending.resend({"by": "me", "interchange": id_, "kind": "report"})
    assert said["messages"] == 8


@ensureDeferred
async def test_forms_are_fetched_over_http(tmp_path: Path) -> None:
    """By name, by what is accepted, and never another one than was named."""
    async with api_house(tmp_path, FakeJudges(REJECTED), acknowledgements=ALL) as api:
        id_ = await api.send()
        await api.house.reaches(id_, "acknowledged")
        where = f"/v1/interchanges/{id_}/acknowledgements"
        for query, accept, kind in (
            ("", "*/*", "application/xml"),
            ("?form=html", "*/*", "text/html; charset=utf-8"),
            ("?form=csv", "application/xml", "text/csv; charset=utf-8"),
            ("", "application/json", "application/json"),
            ("", "text/html, application/xml;q=0.9, */*;q=0.8", "text/html; charset=utf-8"),
            ("", "image/png", "application/xml"),
        ):
            reply = await api.ask("GET", where + query, b"", f"Accept: {accept}")
            assert (reply.status, reply.headers["content-type"]) == (200, kind)
        assert (await api.ask("GET", f"{where}?form=pdf")).status == 400
        assert (await api.ask("GET", f"{where}?form=cdar&document=one")).status == 400
        assert (await api.ask("GET", f"{where}?form=cdar&document=1")).status == 404


def asking(accept: str | None) -> RequestHead:
    """A request that accepts this."""
    headers: Headers = () if accept is None else (("Accept", accept),)
    return RequestHead(
        method="GET",
        path="/",
        query="",
        headers=headers,
        length=0,
        peer="",
        secure=True,
        client_certificate_sha256=None,
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, Form.XML),
        ("text/*", Form.HTML),
        ("text/*;q=0.5, text/csv", Form.CSV),
        ("*/*;q=0.1, application/json;q=0.2", Form.JSON),
        ("application/xml;q=0, text/csv;q=0.3", Form.CSV),
        ("application/xml;q=nonsense, ;;,", Form.XML),
    ],
)
def test_the_weightiest_range_chooses(accept: str | None, expected: Form) -> None:
    """RFC 9110: the most specific range counts, and its weight."""
    forms = [
        http_status.Acknowledgement(form, f"a.{form}", kind, b"", None)
        for form, kind in (
            (Form.XML, "application/xml"),
            (Form.JSON, "application/json"),
            (Form.HTML, "text/html; charset=utf-8"),
            (Form.CSV, "text/csv; charset=utf-8"),
        )
    ]
    found = chosen(forms, None, asking(accept))
    assert found is not None
    assert found.form is expected
    assert chosen(forms[:2], Form.HTML, asking(accept)) is None
