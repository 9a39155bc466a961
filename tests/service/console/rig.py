"""The console's gate and pages on a real journal, spool and intake, asked without a network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from twisted.internet import defer, task
from twisted.internet.threads import deferToThread

from gateway.config.alert_settings import Alerts
from gateway.config.settings import Console as ConsoleSettings
from gateway.model.partner import Acknowledgements, Partner
from gateway.model.verdict import Language
from gateway.service.audit import Audit
from gateway.service.broker_queues import BrokerQueues, Known
from gateway.service.console import passwords
from gateway.service.console.console import pages
from gateway.service.console.cookies import SESSION
from gateway.service.console.gate import FORM, Gate
from gateway.service.console.reading import PageReader
from gateway.service.console.sessions import Session, Sessions
from gateway.service.console.sources import Live, Sources
from gateway.service.console.users import Role, Users
from gateway.service.control import CommandRefused, Handler
from gateway.service.guessing import Guesses
from gateway.service.holds import Holds
from gateway.service.http_server import Answer, Received, RequestHead
from gateway.service.quarantine import Quarantine
from gateway.service.replay_runs import ReplayRuns
from gateway.service.replays import Replays
from gateway.service.resend import Resending
from gateway.service.svrl_reports import Asked
from tests.service.house import ACCEPTED, FakeJudges, House
from tests.service.test_replay import desk as trying
from tests.service.test_replay_commit import desk as committing

PASSWORD = "four quite unrelated words"
QUICK = passwords.argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""What tests hash with: a real Argon2id, without its price."""


class NoCertificates:
    """None is in use."""

    def days_left(self) -> list[Any]:
        """None."""
        return []


class Reply:
    """An answer, with what tests ask it."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.headers}
        self.text = answer.body.decode("utf-8", "replace")

    @property
    def cookies(self) -> dict[str, str]:
        """What it sets."""
        found = {}
        for name, value in self.answer.headers:
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                found[key] = rest.partition(";")[0]
        return found

    def field(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, self.text[:2000]
        return found[1]


class ConsoleRig:
    """All of it. `clock` is what sessions and guesses go by."""

    def __init__(self, house: House, intake: Any, partners: Mapping[str, Partner]) -> None:
        self.house = house
        self.intake = intake
        self.clock = task.Clock()
        self.said = structlog.testing.CapturingLogger()
        self.why_not = ""
        self.replays: list[tuple[str, dict[str, Any]]] = []
        self.open = True
        self.svrl: Exception | Path = CommandRefused("No such document.")
        """The SVRL report of every document, or why there is none."""
        self.tried_by = FakeJudges(ACCEPTED)
        """Who judges for replays of many."""
        self.alerts = Alerts()
        self.broker_queues = BrokerQueues(known=Known.FILES)
        self.alert_trial: list[dict[str, str]] = []
        self.partner_steps: list[dict[str, str]] = []
        self.partner_trial: Handler | None = None
        """What tries a partner, when it is not to be `partner_steps`."""
        log = structlog.wrap_logger(self.said, processors=[])
        self.sessions = Sessions(ConsoleSettings(), seconds=self.clock.seconds)
        self.users = Users(
            house.journal, partners=partners, ended=self.sessions.end_all_of, log=log
        )
        wake: dict[str, Any] = {"outbox_written": lambda: None, "log": log}
        holds = Holds(
            house.journal,
            partners=partners,
            flows=["ctc-fr-invoice"],
            destinations=["broker"],
            **wake,
        )
        self.many = Replays(
            house.journal,
            replay=trying(house, self.tried_by, dict(partners)),
            replaying=committing(house, intake),
            log=log,
        )
        self.sources = Sources(
            settings=ConsoleSettings(),
            reader=PageReader(house.folder / "journal.sqlite", deferToThread),
            spool=house.spool,
            partners=partners,
            flows=["ctc-fr-invoice"],
            destinations=["broker"],
            committed=[],
            certificates=NoCertificates(),
            rule_packs=None,
            alerts=lambda: self.alerts,
            commands={
                **self.users.handlers(),
                **Quarantine(house.journal, resume=intake.resume, **wake).handlers(),
                **holds.handlers(),
                **Resending(house.journal, partners=partners, **wake).handlers(),
                "alerts-test": self._alerts_tested,
                "partner.try": self._partner_tried,
                **self.many.handlers(),
                **ReplayRuns(self.many, open_=lambda: self.open, log=log).handlers(),
                "svrl": self._svrl,
                "replay.try": self._tried,
                "replay.commit": self._committed,
            },
            audit=Audit(house.journal),
            sessions=self.sessions,
            guesses=Guesses("console", seconds=self.clock.seconds, log=log),
            in_thread=deferToThread,
            later=lambda seconds: defer.succeed(self.clock.advance(seconds)),
            receive=intake.receive,
            ready=intake.ready,
            live=lambda: Live(in_flight=0, waiting=0, broker=True),
            broker_queues=lambda: self.broker_queues,
            unready=lambda: self.why_not,
            incoming=house.spool.incoming,
            max_upload_bytes=1_000_000,
            log=log,
        )
        self.routes = pages(self.sources, late_hours=24)
        self.gate = Gate(self.routes, self.sources)

    async def _partner_tried(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.partner_trial is not None:
            return await self.partner_trial(arguments)
        results = [step["result"] for step in self.partner_steps]
        return {
            "partner": arguments["partner"],
            "faults": results.count("fault"),
            "notices": results.count("notice"),
            "steps": self.partner_steps,
        }

    async def _alerts_tested(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"receivers": self.alert_trial}

    async def _svrl(self, arguments: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(arguments, Asked)
        if isinstance(self.svrl, Exception):
            raise self.svrl
        name = f"{asked.document}.en16931-ubl.svrl.xml"
        return {"path": str(self.svrl), "name": name, "size": self.svrl.stat().st_size}

    async def _tried(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.replays.append(("try", arguments))
        difference = {
            "document": 1,
            "name": "a.xml",
            "before": "rejected",
            "after": "accepted",
            "cause": None,
            "gone": ["BR-CO-15"],
            "new": [],
        }
        return {
            "interchange": arguments["interchange"],
            "documents": 1,
            "changed": 1,
            "differences": [difference],
        }

    async def _committed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.replays.append(("commit", arguments))
        if arguments.get("rules") == "2020-01-01":
            raise CommandRefused("There were no rules.", remedy="Choose a later day.")
        return {"interchange": arguments["interchange"], "documents": 1}

    def login(
        self, role: Role = Role.ADMINISTRATOR, partner: str = "", user: str = "somebody"
    ) -> tuple[str, Session]:
        """A session without its password."""
        return self.sessions.begin(user, role, partner, Language.EN)

    async def add(self, name: str, role: Role = Role.OPERATOR, partner: str = "") -> None:
        """Somebody who may log in with `PASSWORD`."""
        await self.users.add(
            {
                "name": name,
                "role": role.word,
                "partner": partner,
                "password_hash": QUICK.hash(PASSWORD),
            }
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        login: tuple[str, Session] | None = None,
        form: dict[str, str] | None = None,
        body: bytes | None = None,
        cookies: dict[str, str] | None = None,
        token: bool = True,
        secure: bool = False,
        peer: str = "192.0.2.1",
        **headers: str,
    ) -> Reply:
        """One request. With a login, its form shows the session's token unless `token` is False."""
        sent = dict(cookies or {})
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        form = dict(form) if form is not None else {}
        where, _, query = path.partition("?")
        probe = RequestHead(
            method=method,
            path=where,
            query=query,
            headers=(),
            length=0,
            peer=peer,
            secure=secure,
            client_certificate_sha256=None,
        )
        if login is not None:
            sent[SESSION.of(probe)] = login[0]
            if method == "POST" and token:
                form.setdefault("token", login[1].token())
        if sent:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in sent.items())
        content = body if body is not None else urlencode(form).encode()
        if method == "POST":
            fields.setdefault("Content-Type", FORM)
        head = RequestHead(
            method=method,
            path=where,
            query=query,
            headers=tuple(fields.items()),
            length=len(content) if method == "POST" else 0,
            peer=peer,
            secure=secure,
            client_certificate_sha256=None,
        )
        admitted = self.gate.admit(head)
        if isinstance(admitted, Answer):
            return Reply(admitted)
        assert len(content) <= admitted.max_bytes
        path_of_body = self.house.spool.incoming / "body"
        if method == "POST" and not admitted.small_in_memory:
            path_of_body.write_bytes(content)
        answer = await self.gate.handle(
            Received(
                head=head,
                path=path_of_body,
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                key=admitted.key,
                content=content if method == "POST" and admitted.small_in_memory else None,
            )
        )
        return Reply(answer)


PARTNERS = {
    name: Partner(
        name=name, flows=("ctc-fr-invoice",), acknowledgements=Acknowledgements(html="never")
    )
    for name in ("acme", "other")
}


@asynccontextmanager
async def console_rig(folder: Path, judges: FakeJudges | None = None) -> AsyncIterator[ConsoleRig]:
    """A rig on a folder of its own."""
    house = House(folder)
    await house.open()
    intake = await house.intake(judges or FakeJudges(ACCEPTED))
    try:
        yield ConsoleRig(house, intake, PARTNERS)
    finally:
        for each in house.intakes:
            await each.stop(1)
        await house.journal.close()
