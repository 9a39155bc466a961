"""`POST /as2`: a message comes in, and its receipt goes out (RFC 4130).

    body ─▶ crypto worker: decrypt, verify, make the receipt, payload and body into the spool
         ─▶ known already? COMMIT of interchange and receipt ─▶ answer

A receipt that says "processed" leaves only when what it vouches for is durable. One that says no
is never kept: the sender may mend its side and send the same Message-ID again. A resend of what
was taken gets the receipt it should have had the first time, byte for byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from gateway.core.as2 import (
    As2Request,
    HeaderFault,
    is_mdn,
    may_be_signed_mdn,
    read_request,
)
from gateway.errors import DuplicateMessage, GatewayError, IntakeRefused, JournalError, SpoolError
from gateway.model.as2 import Failure, Headers, Mdn, MdnMode, Opened, Refused
from gateway.model.crypto import OpenAnswer, OpenJob, RefuseJob
from gateway.model.interchange import Transport
from gateway.service.as2 import receipts
from gateway.service.as2.admission import NOT_NOW, Admission
from gateway.service.as2.crypto import Crypto, clear_after_the_dead
from gateway.service.as2.keeping import Kept
from gateway.service.as2.partners import Relation
from gateway.service.http_server import Admitted, Answer, Received, RequestHead, plain
from gateway.service.intake import Arrival, Beside, InThread
from gateway.service.journal import Journal, records
from gateway.service.journal.as2_records import IN
from gateway.service.sftp_server import Stored

_SNIFFED = 8192


class Receive(Protocol):
    """`Intake.receive`."""

    async def __call__(
        self,
        arrival: Arrival,
        transport: Transport,
        *,
        claim_key: str | None = None,
        beside: Beside | None = None,
    ) -> str:
        """The interchange id, once everything is on disk."""
        ...


Returned = Callable[[Relation, Headers, bytes], Awaitable[Answer]]
"""Takes a receipt for a message of ours."""


class As2Receiver:
    """The handler of `/as2`, for messages and for asynchronous receipts."""

    def __init__(
        self,
        admission: Admission,
        *,
        crypto: Crypto,
        receive: Receive,
        journal: Journal,
        in_thread: InThread,
        scratch: Path,
        returned: Returned,
        decline: Callable[[Relation, str, Mdn], None],
        outbox_written: Callable[[], None],
        now: Callable[[], Any],
        count: Callable[[str], None],
        log: Any,
    ) -> None:
        self._admission = admission
        self._crypto = crypto
        self._receive = receive
        self._journal = journal
        self._in_thread = in_thread
        self._scratch = scratch
        self._returned = returned
        self._decline = decline
        self._outbox_written = outbox_written
        self._now = now
        self._count = count
        self._log = log

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Whether the body may come."""
        return self._admission.admit(head)

    async def handle(self, received: Received) -> Answer:
        """The receipt, once what it says is true."""
        found = self._admission.relation(received.head)
        if isinstance(found, Answer):
            return found
        request, relation = found
        log = self._log.bind(partner=relation.partner.name, message_id=request.message_id)
        try:
            if await self._is_receipt(received):
                body = received.content
                if body is None:
                    body = await self._in_thread(_small, received.path)
                return await self._returned(relation, received.head.headers, body)
            return await self._message(received, request, relation, log)
        except (IntakeRefused, SpoolError, JournalError) as error:
            self._count("postponed")
            log.warning("as2_not_taken", error=error.what, remedy=error.remedy)
            return NOT_NOW
        except GatewayError as error:
            # A worker that died, hung or has no key: ours to mend, and the sender's to send again.
            self._count("postponed")
            log.critical("as2_not_opened", error=error.what, remedy=error.remedy)
            await self._tidy()
            return NOT_NOW
        except OSError as error:
            self._count("postponed")
            log.critical(
                "as2_not_read",
                error=str(error),
                remedy="Check the space and the rights of the file system of paths.state.",
            )
            return NOT_NOW

    async def _tidy(self) -> None:
        with contextlib.suppress(OSError):  # what stays is removed when the gateway starts again
            await self._in_thread(clear_after_the_dead, self._scratch)

    async def _is_receipt(self, received: Received) -> bool:
        headers = received.head.headers
        if not may_be_signed_mdn(headers):
            return is_mdn(headers, b"")
        if received.content is not None:
            return is_mdn(headers, received.content[:_SNIFFED])
        return is_mdn(headers, await self._in_thread(_first_bytes, received.path))

    async def _message(
        self, received: Received, request: As2Request, relation: Relation, log: Any
    ) -> Answer:
        opened = await self._crypto.open(
            OpenJob(
                partner=relation.partner.name,
                headers=received.head.headers,
                body=received.content,
                path=str(received.path),
                sha256=received.sha256,
                now=self._now(),
                mdn_id=receipts.new_id(relation.our_id),
            ),
            received.size,
        )
        outcome = opened.outcome
        if isinstance(outcome, Refused):
            # What was taken once stays taken, even if its certificate has expired since.
            row = await self._known(received, request, relation)
            if row is not None:
                return await self._again(row, request, log)
            return self._refused(request, relation, outcome, opened.mdn, log)
        try:
            return await self._keep(received, request, relation, outcome, opened, log)
        except DuplicateMessage as error:
            why = Refused(failure=Failure.UNEXPECTED, why=error.what, security=outcome.security)
            return await self._refuse(received, why, relation, log)

    async def _known(
        self, received: Received, request: As2Request, relation: Relation
    ) -> records.As2Row | None:
        """These very bytes, taken before."""
        name = relation.partner.name
        before = await self._journal.read(
            "as2_messages",
            lambda conn: records.as2_messages_named(conn, name, IN, request.message_id),
        )
        return next((row for row in before if row.raw_sha256 == received.sha256), None)

    async def _keep(
        self,
        received: Received,
        request: As2Request,
        relation: Relation,
        outcome: Opened,
        opened: OpenAnswer,
        log: Any,
    ) -> Answer:
        """Make it ours, then say so. Raises `DuplicateMessage`."""
        kept = Kept(received, request, relation, outcome, opened)
        payload = Stored(
            relation.partner.name,
            outcome.filename or request.message_id.strip("<> ")[:255],
            outcome.sha256,
            outcome.size,
        )
        id_ = await self._receive(
            payload,
            Transport.AS2,
            claim_key=request.message_id,
            beside=kept.write,
        )
        if kept.known is not None:
            self._outbox_written()
            return await self._again(kept.known, request, log)
        self._outbox_written()
        self._count("received")
        log.info(
            "as2_received",
            interchange=id_,
            flow=None,
            signed=outcome.security.signed,
            encrypted=outcome.security.encrypted,
            compressed=outcome.security.compressed,
            mdn=request.mdn.mode.value,
        )
        return receipts.answer(request.mdn.mode, opened.mdn)

    async def _again(self, row: records.As2Row, request: As2Request, log: Any) -> Answer:
        """It was taken before: the same receipt, in the way it is asked for now."""
        self._count("resent")
        log.info("as2_resent", interchange=row.interchange_id, mdn=request.mdn.mode.value)
        if request.mdn.mode is MdnMode.ASYNC and row.mdn is not None:
            now = self._now()
            await self._journal.write(
                "as2_receipt_again",
                lambda conn: receipts.send_again(conn, row, request.mdn.url, now),
            )
            self._outbox_written()
        return receipts.answer(request.mdn.mode, row.mdn)

    async def _refuse(
        self, received: Received, outcome: Refused, relation: Relation, log: Any
    ) -> Answer:
        """Say no for a reason that needed no key."""
        request = read_request(received.head.headers)
        assert not isinstance(request, HeaderFault)
        answer = await self._crypto.refuse(
            RefuseJob(
                partner=relation.partner.name,
                headers=received.head.headers,
                outcome=outcome,
                now=self._now(),
                mdn_id=receipts.new_id(relation.our_id),
            )
        )
        return self._refused(request, relation, outcome, answer.mdn, log)

    def _refused(
        self,
        request: As2Request,
        relation: Relation,
        outcome: Refused,
        mdn: Mdn | None,
        log: Any,
    ) -> Answer:
        self._count("refused")
        log.warning("as2_refused", failure=outcome.failure.value, why=outcome.why)
        if mdn is None:
            return plain(422, f"The message was not taken: {outcome.failure.value}.")
        if request.mdn.mode is MdnMode.ASYNC and request.mdn.url is not None:
            self._decline(relation, request.mdn.url, mdn)
        return receipts.answer(request.mdn.mode, mdn)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SNIFFED)


def _small(path: Path) -> bytes:
    """The body of a receipt; what is larger than any receipt is cut, and then found unreadable."""
    with path.open("rb") as file:
        return file.read(receipts.MAX_BYTES + 1)
