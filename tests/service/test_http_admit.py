"""What the intake would not take is refused before its body comes, and burdens no disk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.errors import IntakeRefused, SpoolError
from gateway.service.http_api import routes
from gateway.service.http_status import ROUTE
from gateway.service.http_tokens import Tokens
from gateway.service.intake import Intake
from tests.service.api_house import PARTNERS, TOKEN
from tests.service.house import ACCEPTED, FakeJudges, House
from tests.service.http_house import HOST, HttpHouse, http_house

ANNOUNCED = (
    f"POST {ROUTE}?name=a.xml HTTP/1.1\r\n".encode()
    + HOST
    + f"Authorization: Bearer {TOKEN}\r\n".encode()
    + b"Content-Length: 1000000\r\nConnection: close\r\n"
)
ASKING = ANNOUNCED + b"Expect: 100-continue\r\n\r\n"


@asynccontextmanager
async def door(house: House, intake: Intake, ready: Callable[[], None]) -> AsyncIterator[HttpHouse]:
    """The API before this intake."""
    log = structlog.wrap_logger(house.said, processors=[])
    api = routes(
        tokens=Tokens(PARTNERS.values(), seconds=reactor.seconds, log=log),  # type: ignore[attr-defined]
        partners=PARTNERS,
        receive=intake.receive,
        ready=ready,
        journal=house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        max_bytes=10_000_000,
        log=log,
    )
    async with http_house(house.folder, routes=api, incoming=house.spool.incoming) as http:
        yield http


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[tuple[House, Intake]]:
    """A house whose intake is open."""
    house = House(folder)
    await house.open()
    intake = await house.intake(FakeJudges(ACCEPTED), **settings)
    try:
        yield house, intake
    finally:
        await intake.stop(0.0)
        await house.journal.close()


@ensureDeferred
async def test_a_full_disk_is_said_before_the_body(tmp_path: Path) -> None:
    """No "100 Continue", but 503 with Retry-After, in the words of the intake; and a log line."""
    async with (
        opened(tmp_path, min_free_mb=10**9) as (house, intake),
        door(house, intake, intake.ready) as http,
    ):
        (reply,) = await http.ask(ASKING)
        assert (reply.status, reply.headers["retry-after"]) == (503, "60")
        assert "short of disk space" in json.loads(reply.body)["message"]
        assert b"MB" not in reply.body
        assert http.left_over() == []
        (said,) = [
            call.kwargs for call in house.said.calls if call.kwargs["event"] == "http_not_admitted"
        ]
        assert (said["partner"], said["size"]) == ("acme", 1_000_000)
        assert "min_free_mb" in said["error"]


@ensureDeferred
async def test_a_stopping_gateway_says_so_before_the_body(tmp_path: Path) -> None:
    """Once the intake is closed nothing is let in; while it is open the body may come."""
    async with opened(tmp_path) as (house, intake), door(house, intake, intake.ready) as http:
        first, second = await http.ask(ASKING, 0.1, b"x" * 1_000_000)
        assert (first.status, second.status) == (100, 202)
        await intake.stop(0.0)
        (reply,) = await http.ask(ASKING)
        assert reply.status == 503
        assert "stopping" in json.loads(reply.body)["message"]


@pytest.mark.parametrize("error", [IntakeRefused("Full."), SpoolError("No statvfs of /var/x.")])
@ensureDeferred
async def test_a_stranger_learns_nothing_of_it(tmp_path: Path, error: Exception) -> None:
    """Without a token it is 401, with one 503 without our paths; a bad name is still 400."""

    def full() -> None:
        raise error

    async with opened(tmp_path) as (house, intake), door(house, intake, full) as http:
        (reply,) = await http.ask(ASKING.replace(TOKEN.encode(), b"wrong"))
        assert reply.status == 401
        (reply,) = await http.ask(ASKING.replace(b"a.xml", b"a%00.xml"))
        assert reply.status == 400
        (reply,) = await http.ask(ASKING)
        assert reply.status == 503
        assert b"/var" not in reply.body
