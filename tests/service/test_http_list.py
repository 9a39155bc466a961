"""`GET …/acknowledgements?form=list`: all that lies ready, and nothing before it may leave."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from gateway.service import http_status, settle
from tests.service.api_house import OTHER, api_house
from tests.service.house import ACCEPTED, REJECTED
from tests.service.status_office import EMPTY, WITH_PORTAL, Numbering, Office, office
from tests.test_openapi import check

__all__ = ["office"]


async def listed(office: Office, id_: str, after: int = 0) -> dict[str, Any]:
    """One page of the list, as the contract has it."""
    row = await office.house.row(id_)
    page: dict[str, Any] = await office.house.journal.read(
        "t", partial(http_status.listed, row=row, after=after)
    )
    check(page, {"$ref": "#/components/schemas/Ready"})
    return page


async def leave(office: Office, id_: str) -> None:
    """Everything that waits is delivered."""
    for kind in ("document", "report", "cdar"):
        rows = await office.house.outbox(id_, kind)
        await office.house.journal.write(
            "t", partial(settle.delivered, rows=rows, now=office.house.now())
        )


@ensureDeferred
async def test_the_report_comes_first_and_then_each_document(office: Office) -> None:
    """In pages; the newest of each, and nothing of what is for the portal."""
    office.wanted = WITH_PORTAL
    judges = Numbering(ACCEPTED)
    judges.by_name = {"F2.xml": REJECTED}
    id_ = await office.send(judges, [f"F{number}" for number in range(1, 121)])
    await office.sender().turn()
    assert (await listed(office, id_))["acknowledgements"] == []
    await leave(office, id_)
    first = await listed(office, id_)
    report, *told = first["acknowledgements"]
    assert (report["kind"], report["document"], report["status"]) == ("report", None, None)
    assert report["uri"].endswith("/acknowledgements?form=xml")
    assert [each["document"] for each in told] == list(range(1, 101))
    assert [each["status"] for each in told[:3]] == ["200", "213", "200"]
    assert told[1]["uri"].endswith("?form=cdar&document=2")
    assert told[1]["filename"].startswith("CDV_213_F2_")
    assert first["next"].endswith("?form=list&after=100")
    second = await listed(office, id_, after=100)
    assert [each["document"] for each in second["acknowledgements"]] == list(range(101, 121))
    assert second["next"] is None


@ensureDeferred
async def test_what_tells_of_the_file_is_about_no_document(office: Office) -> None:
    """501, behind the report."""
    id_ = await office.send(Numbering(EMPTY), state="refused")
    await office.sender().turn()
    await leave(office, id_)
    report, told = (await listed(office, id_))["acknowledgements"]
    assert report["kind"] == "report"
    assert (told["kind"], told["document"], told["status"]) == ("cdar", None, "501")
    assert told["uri"].endswith("?form=cdar&document=0")


@pytest.mark.parametrize(
    ("query", "own", "of_another"),
    [
        ("form=list", 200, 404),
        ("form=list&after=7", 200, 404),
        ("form=list&after=x", 400, 400),
        ("form=all", 400, 400),
    ],
)
@ensureDeferred
async def test_it_is_asked_for_by_its_name(
    tmp_path: Path, query: str, own: int, of_another: int
) -> None:
    """Also when there is nothing yet; by whoever sent the file, and nobody else."""
    async with api_house(tmp_path) as api:
        path = f"/v1/interchanges/{await api.send()}/acknowledgements?{query}"
        assert (await api.ask("GET", path)).status == own
        assert (await api.ask("GET", path, token=OTHER)).status == of_another
