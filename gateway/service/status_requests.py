"""Requests for lifecycle statuses that a back office sends as messages: each taken once, answered.

    body ─▶ read ─▶ composed ─▶ invoices found ─▶ checked by a judge ─▶ one transaction ─▶ answer
              └──────────┴──────────────┴─────────────────┴─▶ refused, with findings

A request that is wrong is refused, for good: asking again with the same words gives the same
answer. What keeps a right one from being taken (no judge, no journal) is raised, and whoever
brought the request brings it again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from gateway.core.cdar.checking import is_valid
from gateway.core.cdar.composing import compose
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.names import file_name
from gateway.core.cdar.request import StatusRequest
from gateway.core.cdar.request_findings import about_key, bounded
from gateway.core.cdar.values import Message
from gateway.core.explain import own_finding
from gateway.errors import ConfigurationError, GatewayError, JournalError
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Partner
from gateway.model.publication import NAMESPACE
from gateway.model.verdict import Finding, Severity
from gateway.service.journal import Journal, request_records
from gateway.service.journal.request_records import Taken
from gateway.service.judges import Checking
from gateway.service.portal import portal_among
from gateway.service.status_composing import PARTNER
from gateway.service.status_request_finding import About, find, with_receipts
from gateway.service.status_request_giving import (
    Order,
    Overtaken,
    SentBeforeError,
    TakenBefore,
    give,
)
from gateway.service.status_request_reading import read_request
from gateway.spool import Spool

ANEW: Final = 3
"""How often a request is composed again because an invoice changed hands meanwhile."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A message with a request. `key`: what it is remembered by; `name`: that, for people."""

    key: str
    name: str
    sha256: str
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever asked is told, as JSON. With `findings` nothing was made of the request."""

    body: dict[str, Any]
    findings: tuple[Finding, ...] = ()


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """The message a request asks for."""

    message: Message
    filename: str
    body: bytes


def asked_in(body: bytes, message_id: str | None) -> Asked:
    """The request in a message; one without an id is known by its bytes."""
    sha256 = hashlib.sha256(body).hexdigest()
    name = message_id or f"sha256:{sha256}"
    key = f"id:{message_id}" if message_id else name
    return Asked(key=key, name=name, sha256=sha256, body=body)


class StatusRequests:
    """Answers requests. `outcomes` counts them: accepted, repeated, refused."""

    def __init__(
        self,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        checking: Checking,
        partners: Mapping[str, Partner],
        we: LegalIdentity,
        inline_bytes: int,
        outbox_written: Callable[[], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.outcomes = Counter[str]()
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._checking = checking
        self._partners = partners
        self._we = we
        self._inline_bytes = inline_bytes
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    async def answer(self, asked: Asked) -> Answer:
        """Take a request, or refuse it; what is written is on disk when this returns.

        Raises `GatewayError` when neither can be done now.
        """
        for _ in range(ANEW):
            outcome = await self._attempt(asked)
            if isinstance(outcome, Answer):
                return outcome
        raise JournalError(f"Request {asked.name}: its invoices change all the time.")

    def given_up(self, asked: Asked, attempts: int, error: GatewayError) -> Answer:
        """Refuse a request that ends whoever checks it: it would do so for ever."""
        return self._refused(
            asked, [own_finding("REQUEST-UNCHECKED", attempts=attempts, error=error)]
        )

    async def _attempt(self, asked: Asked) -> Answer | Overtaken:
        before = await self._journal.read(
            "status_request", lambda conn: request_records.taken(conn, asked.key)
        )
        if before is not None:
            return self._again(asked, before)
        request = await self._in_thread(read_request, asked.body)
        if not isinstance(request, StatusRequest):
            return self._refused(asked, request)
        request = await self._journal.read("receipts", partial(with_receipts, asked=request))
        composed = await self._in_thread(self._composed, asked, request, self._now())
        if not isinstance(composed, Composed):
            return self._refused(asked, composed)
        about = await self._journal.read("asked_about", partial(find, message=composed.message))
        if not isinstance(about, tuple):
            return self._refused(asked, about)
        partner = about[0].partner
        if request.to == PARTNER and partner not in self._partners:
            return self._refused(asked, [own_finding("REQUEST-PARTNER", partner=partner)])
        (found,) = await self._checking.check([composed.body], self._now().date(), partner)
        if not is_valid(found):
            return self._refused(asked, [f for f in found if f.severity is Severity.ERROR])
        return await self._given(asked, request, composed, about)

    def _composed(
        self, asked: Asked, request: StatusRequest, now: dt.datetime
    ) -> Composed | list[Finding]:
        """The message, under an id that follows from the request's; or what keeps it from being."""
        if not request.id:
            request = msgspec.structs.replace(request, id=_id_of(asked.key))
        try:
            message = compose(request, self._we, now)
            if isinstance(message, list):
                return [about_key(each.key, each.what, each.remedy) for each in message]
            filename = file_name(message, self._we)
            return Composed(message=message, filename=filename, body=write(message))
        except ConfigurationError as error:
            return [about_key("to", error.what, error.remedy)]
        except (ValueError, OverflowError) as error:  # year 1 in another time zone, say
            return [own_finding("REQUEST-VALUES", error=error)]

    async def _given(
        self, asked: Asked, request: StatusRequest, composed: Composed, about: tuple[About, ...]
    ) -> Answer | Overtaken:
        stored = None
        if len(composed.body) > self._inline_bytes:
            stored = await self._in_thread(self._spool.store, [composed.body])
        order = Order(
            key=asked.key,
            sha256=asked.sha256,
            id=_id_of(asked.key),
            to=request.to,
            message=composed.message,
            filename=composed.filename,
            body=composed.body,
            stored=stored,
            about=about,
            answer=_accepted(asked, request, composed, about),
            portal=portal_among(self._partners),
            zone=self._we.time_zone,
        )
        try:
            taken = await self._journal.write(
                "give_requested", partial(give, order=order, now=self._now())
            )
        except SentBeforeError as error:
            return self._refused(asked, [error.finding])
        if isinstance(taken, Overtaken):
            return taken
        if isinstance(taken, TakenBefore):
            return self._again(asked, taken.taken)
        self._outbox_written()
        self.outcomes["accepted"] += 1
        self._log.info(
            "status_request_accepted",
            request=asked.name,
            interchange=taken.interchange_id,
            partner=about[0].partner,
            status=request.status,
            to=request.to,
        )
        return Answer(body={**order.answer, "repeated": False})

    def _again(self, asked: Asked, before: Taken) -> Answer:
        """A request that was taken before: the same answer; another one under its id: none."""
        if before.sha256 != asked.sha256:
            return self._refused(asked, [own_finding("REQUEST-REUSED", id=asked.name)])
        self.outcomes["repeated"] += 1
        self._log.info("status_request_repeated", request=asked.name)
        return Answer(body={**before.answer, "repeated": True})

    def _refused(self, asked: Asked, found: Sequence[Finding]) -> Answer:
        findings = bounded(found)
        self.outcomes["refused"] += 1
        self._log.warning(
            "status_request_refused",
            request=asked.name,
            rules=[each.rule for each in findings],
            error=findings[0].message,
            remedy="Whoever asked was told, if it said where; the request is among the dead"
            " letters.",
        )
        body = {
            "outcome": "refused",
            "request": asked.name,
            "findings": [in_both_languages(each) for each in findings],
        }
        return Answer(body=body, findings=tuple(findings))


def in_both_languages(finding: Finding) -> dict[str, Any]:
    """A finding as an answer shows it. `location`: the key of the request, or an XPath."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "location": finding.location,
        "message": finding.message,
        "explanation": msgspec.to_builtins(finding.explanation),
        "remedy": msgspec.to_builtins(finding.remedy),
    }


def _accepted(
    asked: Asked, request: StatusRequest, composed: Composed, about: Sequence[About]
) -> dict[str, Any]:
    issued = composed.message.issued
    return {
        "outcome": "accepted",
        "request": asked.name,
        "id": composed.message.id,
        "message_id": _id_of(asked.key),
        "status": request.status,
        "to": request.to,
        "partner": about[0].partner,
        "filename": composed.filename,
        "given_at": None if issued is None else issued.isoformat(),
        "invoices": [
            {
                "number": document.number,
                "issued": None if document.issued is None else document.issued.isoformat(),
                "document": _place(each),
            }
            for document, each in zip(composed.message.documents, about, strict=True)
        ],
    }


def _place(about: About) -> str:
    return f"{about.interchange_id}/{about.ordinal}" if about.ordinal else about.interchange_id


def _id_of(key: str) -> str:
    """The id of what a request makes: the same however often it is attempted (RFC 9562 §5.5)."""
    return str(uuid.uuid5(NAMESPACE, f"status-request/{key}"))
