"""One gateway in memory: everything of it but processes, sockets and judges.

Real are its journal, spool, outbox, intake and HTTP server, the whole AS2 service, and what the
crypto workers do. Before its `/as2` stands a `Door`, where a test can look at what passes, and
change it. Its judges never answer: what becomes of invoices is not the matter here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from twisted.internet.defer import Deferred

from gateway import crypto_worker, worker_loop
from gateway.config import Configuration
from gateway.config.settings import As2 as As2Settings
from gateway.config.settings import Http as HttpSettings
from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Outbox as OutboxSettings
from gateway.config.settings import Settings
from gateway.core.as2.cms import Identity
from gateway.errors import GatewayError
from gateway.model.as2 import As2Access, Headers
from gateway.model.partner import Partner
from gateway.service.as2 import As2Service
from gateway.service.as2.service import MDN_CHANNEL, ROUTE
from gateway.service.http_server import Admitted, Answer, HttpServer, Received, RequestHead
from gateway.service.intake import Intake
from gateway.service.journal import records, tables
from gateway.service.outbox import Outbox
from gateway.service.worker_jobs import PoolStatus
from gateway.spool import Spool
from tests.core.as2.parties import party
from tests.service.as2.memory_network import HOST, MemoryNetwork, PromptJournal, at_once
from tests.service.house import ACCEPTED, JUDGING, FakeJudges

YEARS = 3650
"""Certificates outlive the time that passes in all cases together."""

Change = Callable[[Headers, bytes], tuple[Headers, bytes]]
"""What somebody on the way makes of a receipt."""


def url(port: int) -> str:
    """Where a gateway takes messages."""
    return f"http://{HOST}:{port}{ROUTE}"


class InProcess:
    """The crypto workers, in this process: the same functions on the same bytes."""

    def __init__(self, _reactor: Any, *, boot: bytes, **_limits: Any) -> None:
        self._answer = crypto_worker.build(boot)

    async def run(
        self, payload: bytes, *, partner: str = "", size: int = 0, alone: bool = False
    ) -> bytes:
        """The answer to a job."""
        del partner, size, alone
        try:
            return self._answer(payload)
        except Exception as error:  # as the loop of a worker does
            raise GatewayError(worker_loop.words(error)) from error

    def status(self) -> PoolStatus:
        """Sound."""
        return PoolStatus(size=1, queued=0, workers=(), deaths=0, broken=None)

    async def stop(self, grace: float) -> None:
        """Nothing to end."""


class NoBroker:
    """Is away for good: what goes to RabbitMQ stays in the outbox, where tests read it."""

    available = False

    async def publish(self, publication: Any) -> None:
        """Never called."""


class Door:
    """The gateway's `/as2`, and somebody before it who keeps or changes what passes.

    `answer` changes receipts that go out in an answer, `request` those that come in a request.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.requests: list[tuple[Headers, bytes]] = []
        self.answer: Change | None = None
        self.request: Change | None = None
        self.closed = False

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """As the service says."""
        if self.closed:
            return Answer(503)
        return self._gateway.as2.routes[ROUTE].admit(head)

    async def handle(self, received: Received) -> Answer:
        """As the service says, unless somebody changed it."""
        content = received.content
        came = (
            received.head.headers,
            received.path.read_bytes() if content is None else content,
        )
        self.requests.append(came)
        if self.request is not None:
            headers, body = self.request(*came)
            if content is None:
                received.path.write_bytes(body)
            received = msgspec.structs.replace(
                received,
                content=None if content is None else body,
                head=msgspec.structs.replace(received.head, headers=headers),
                sha256=hashlib.sha256(body).hexdigest(),
                size=len(body),
            )
        answer = await self._gateway.as2.routes[ROUTE].handle(received)
        if self.answer is not None and answer.status == 200:
            answer = Answer(answer.status, *self.answer(answer.headers, answer.body))
        return answer


class Gateway:
    """One side. `agree` says what its partner is to be, as a restart with other files would."""

    def __init__(self, network: MemoryNetwork, folder: Path, name: str, port: int) -> None:
        self.network = network
        self.name = name
        self.port = port
        self.folder = folder
        for each in (folder, folder / "scratch"):
            each.mkdir()
        self.identity = party(name, days=YEARS)
        self.said = structlog.testing.CapturingLogger()
        self.log = structlog.wrap_logger(self.said, processors=[])
        self.journal = PromptJournal(network, folder / "journal.sqlite")
        self.spool = Spool(folder / "spool")
        self.elsewhere: list[records.OutboxRow] = []
        """Rows that went by another way than AS2."""
        self.door = Door(self)
        self.as2: As2Service
        network.wait(Deferred.fromCoroutine(self.journal.open()))
        self.spool.prepare()
        judges = FakeJudges(ACCEPTED)
        judges.gate = Deferred()
        self.outbox = Outbox(
            network,
            journal=self.journal,
            broker=NoBroker(),
            channels={"as2": lambda row: self.as2.deliver(row), MDN_CHANNEL: self._receipt},
            settings=OutboxSettings(poll_seconds=5.0, retry_min_seconds=1.0),
            log=self.log,
            now=network.now,
        )
        self.intake = Intake(
            network,
            journal=self.journal,
            spool=self.spool,
            in_thread=at_once,
            judges=judges,
            partners={each: Partner(name=each) for each in ("left", "right")},
            scratch=folder / "scratch",
            settings=IntakeSettings(max_in_flight=1, min_free_mb=0),
            judging=JUDGING,
            inline_bytes=1_000_000,
            outbox_written=self.outbox.wake,
            log=self.log,
            now=network.now,
        )
        self.server = HttpServer(
            network,
            settings=HttpSettings(enabled=True, port=port),
            routes={ROUTE: self.door},
            incoming=self.spool.incoming,
            in_thread=at_once,
            log=self.log,
        )
        network.run(self.intake.start())
        network.run(self.server.start())
        self.outbox.start()
        network.settle()

    async def _receipt(self, row: records.OutboxRow) -> None:
        await self.as2.deliver_receipt(row)

    def agree(self, our_id: str, partner: str, access: As2Access, certificate: Identity) -> None:
        """Exchange messages with this partner, and with nobody else."""
        self.said.calls.clear()
        configuration = Configuration(
            file=self.folder / "gateway.toml",
            settings=Settings(as2=As2Settings(id=our_id, mdn_url=url(self.port))),
            partners={partner: Partner(name=partner, as2=access)},
            flows={},
            state=self.folder,
            flows_folder=self.folder,
            partners_folder=self.folder,
            rule_packs=self.folder,
            rabbitmq_password="",
            identities=(self.identity,),  # type: ignore[arg-type]  # the same two attributes
            certificates={partner: (certificate.certificate,)},
        )
        self.as2 = As2Service(
            self.network,
            configuration,
            receive=self.intake.receive,
            ready=lambda: None,
            journal=self.journal,
            spool=self.spool,
            in_thread=at_once,
            otherwise=self._otherwise,
            record=self.outbox.record,
            record_refusal=self.outbox.record_refusal,
            outbox_written=self.outbox.wake,
            log=self.log,
            now=self.network.now,
        )

    async def _otherwise(self, row: records.OutboxRow) -> None:
        self.elsewhere.append(row)

    def close(self) -> None:
        """End it."""
        parts = (self.as2, self.server, self.intake, self.outbox)
        stopping = [part.stop(0.0) for part in parts]
        going = [Deferred.fromCoroutine(each) for each in stopping]
        self.network.pass_time(30.0)
        assert all(each.called for each in going)
        self.network.wait(Deferred.fromCoroutine(self.journal.close()))

    # ---- looking at what it keeps

    def read(self, work: Callable[[sa.Connection], Any]) -> Any:
        """What the journal says."""
        return self.network.run(self.journal.read("test", work))

    def row(self, message_id: str) -> records.OutboxRow:
        """A row of the outbox."""
        found = self.read(lambda conn: records.outbox_named(conn, message_id))
        assert found is not None
        return found

    def rows_of(self, interchange_id: str) -> list[records.OutboxRow]:
        """All that an interchange caused to be sent."""
        return self.read(lambda conn: records.outbox_of(conn, interchange_id))

    def messages(self, direction: str, partner: str, message_id: str) -> list[records.As2Row]:
        """The evidence under a Message-ID."""
        return self.read(
            lambda conn: records.as2_messages_named(conn, partner, direction, message_id)
        )

    def sent(self, outbox_message_id: str) -> records.As2Row | None:
        """The message that was made of a row of the outbox."""
        return self.read(lambda conn: records.as2_message_for(conn, outbox_message_id))

    def interchanges(self) -> int:
        """How many there are."""
        count = sa.select(sa.func.count()).select_from(tables.interchanges)
        return self.read(lambda conn: conn.execute(count).scalar_one())
