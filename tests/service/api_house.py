"""The HTTP API on a real server, with a real journal, spool and intake behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.config.settings import Outbox as OutboxSettings
from gateway.model.interchange import Transport
from gateway.model.partner import Acknowledgements, HttpAccess, Partner
from gateway.model.publication import Publication
from gateway.model.verdict import Language
from gateway.service.http_api import routes
from gateway.service.http_tokens import Tokens
from gateway.service.outbox import Outbox
from tests.service.house import ACCEPTED, XML_ALONE, FakeJudges, House
from tests.service.http_house import HttpHouse, Reply, http_house, request

TOKEN, OTHER, DISABLED = "token-of-acme", "token-of-other", "token-of-gone"


def sum_of(token: str) -> str:
    """As it stands in a partner's file."""
    return hashlib.sha256(token.encode()).hexdigest()


def access(*tokens: str, max_connections: int = 8) -> HttpAccess:
    """What lets a partner in."""
    return HttpAccess(token_sha256=tuple(map(sum_of, tokens)), max_connections=max_connections)


PARTNERS = {
    partner.name: partner
    for partner in (
        Partner(name="acme", language=Language.FR, http=access("older-token", TOKEN)),
        Partner(name="other", http=access(OTHER)),
        Partner(name="gone", http=access(DISABLED), enabled=False),
        Partner(name="sftp-only"),
    )
}


class NoBroker:
    """Takes everything."""

    available = True

    async def publish(self, publication: Publication) -> None:
        """Fine."""


class ApiHouse:
    """All of it. `receive` may be replaced by a test."""

    def __init__(self, house: House, http: HttpHouse, judges: FakeJudges, receive: Any) -> None:
        self.house = house
        self.http = http
        self.judges = judges
        self.receive = receive

    async def ask(
        self, method: str, path: str, body: bytes = b"", *fields: str, token: str | None = TOKEN
    ) -> Reply:
        """One request on a connection of its own."""
        headers = [field.encode("latin-1") for field in (*fields, "Connection: close")]
        if token is not None:
            headers.append(f"Authorization: Bearer {token}".encode())
        *_, reply = await self.http.ask(
            request(method.encode(), path.encode("latin-1"), body, *headers)
        )
        return reply

    async def send(self, body: bytes = b"<a/>", query: str = "?name=a.xml", **options: Any) -> str:
        """Send a file: its interchange id."""
        reply = await self.ask("POST", f"/v1/interchanges{query}", body, **options)
        assert reply.status == 202, reply
        return str(json.loads(reply.body)["id"])

    async def get(self, path: str, **options: Any) -> Any:
        """The JSON of an answer."""
        reply = await self.ask("GET", path, **options)
        assert reply.status == 200, reply
        return json.loads(reply.body)


@asynccontextmanager
async def api_house(
    folder: Path,
    judges: FakeJudges | None = None,
    *,
    partners: dict[str, Partner] | None = None,
    inline_bytes: int = 1_000_000,
    max_bytes: int = 10_000_000,
    committed: Collection[str] = ("ctc-fr-invoice",),
    acknowledgements: Acknowledgements = XML_ALONE,
    **settings: Any,
) -> AsyncIterator[ApiHouse]:
    """Everything started, with an outbox that knows the channel `https`; everything stopped.

    There is no broker: only acknowledgements of flows that are `committed` leave.
    """
    judges = judges or FakeJudges(ACCEPTED)
    partners = PARTNERS if partners is None else partners
    house = House(folder)
    await house.open()
    intake = await house.intake(
        judges, inline_bytes=inline_bytes, acknowledgements=acknowledgements
    )
    found: list[ApiHouse] = []

    async def receive(arrival: Any, transport: Transport) -> str:
        return str(await found[0].receive(arrival, transport))

    async def ready(row: Any) -> None:
        """As in the daemon: lying ready is the delivery."""

    outbox = Outbox(
        reactor,
        journal=house.journal,
        broker=NoBroker(),
        channels={Transport.HTTPS.value: ready},
        settings=OutboxSettings(poll_seconds=0.05),
        committed=committed,
        log=structlog.wrap_logger(house.said, processors=[]),
    )
    outbox.start()
    log = structlog.wrap_logger(house.said, processors=[])
    api = routes(
        tokens=Tokens(partners.values(), seconds=reactor.seconds, log=log),
        partners=partners,
        receive=receive,
        ready=intake.ready,
        journal=house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        max_bytes=max_bytes,
        log=log,
    )
    async with http_house(folder, routes=api, incoming=house.spool.incoming, **settings) as http:
        found.append(ApiHouse(house, http, judges, intake.receive))
        try:
            yield found[0]
        finally:
            await http.server.stop(0.0)
            await intake.stop(0.0)
            await outbox.stop(1.0)
            await house.journal.close()
