"""Acknowledgements to partners by AS2: packed once, sent until a receipt vouches for them.

    row of the outbox ─▶ packed, body in the spool, COMMIT ─▶ POST ─▶ receipt, verified ─▶ delivered

Every attempt sends the same bytes under the same Message-ID. Only a receipt that says "processed",
names that Message-ID, is signed if it was to be, and carries the MIC we computed counts as
delivered. With an asynchronous receipt the row waits; when none comes in time, it is sent again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.core.as2 import is_mdn
from gateway.errors import DeliveryAwaited, DeliveryFailed, DeliveryRefused
from gateway.model.as2 import Compression, Headers, Mdn, MdnMode, MdnRead, Mic, Security
from gateway.model.crypto import PackJob, ReadJob
from gateway.service import settle
from gateway.service.as2 import receipts
from gateway.service.as2.crypto import Crypto
from gateway.service.as2.partners import Relation, Relations
from gateway.service.as2.posting import Poster, Response
from gateway.service.http_server import Answer, plain
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.journal.as2_records import OUT
from gateway.service.journal.tables import As2State, OutboxState
from gateway.spool import Spool

Refuse = Callable[[records.OutboxRow, DeliveryFailed], Awaitable[None]]
"""Hears that the partner, who had taken a message, says no to it later on."""

_RECEIPT_REMEDY = "Ask the partner what its AS2 log says of this Message-ID."


class As2Sender:
    """Delivers rows of the outbox by AS2, and takes the receipts that come later."""

    def __init__(
        self,
        relations: Relations,
        *,
        mdn_url: str,
        crypto: Crypto,
        poster: Poster,
        journal: Journal,
        spool: Spool,
        in_thread: InThread,
        scratch: Path,
        otherwise: Callable[[records.OutboxRow], Awaitable[None]],
        record_refusal: Refuse,
        outbox_written: Callable[[], None],
        now: Callable[[], dt.datetime],
        log: Any,
    ) -> None:
        self._relations = relations
        self._mdn_url = mdn_url
        self._crypto = crypto
        self._poster = poster
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._scratch = scratch
        self._otherwise = otherwise
        self._record_refusal = record_refusal
        self._outbox_written = outbox_written
        self._now = now
        self._log = log

    async def deliver(self, row: records.OutboxRow) -> None:
        """Send one row. Raises `DeliveryFailed`, or `DeliveryAwaited` while a receipt is due."""
        relation = self._relations.get(row.partner)
        if relation is None or not relation.access.url:
            await self._otherwise(row)
            return
        message = await self._journal.read(
            "as2_message", lambda conn: records.as2_message_for(conn, row.message_id)
        )
        if message is None:
            message = await self._pack(row, relation)
        if message.state is As2State.RECEIPTED:
            return
        response = await self._poster.post(
            relation.access.url,
            message.headers,
            self._spool.path(message.raw_sha256),
            ca_file=relation.access.tls_ca_file,
        )
        if not 200 <= response.status < 300:
            raise DeliveryFailed(
                f"{relation.access.url} answered {response.status} to {message.message_id}.",
                remedy=_RECEIPT_REMEDY,
            )
        await self._answered(relation, message, response)

    async def _answered(
        self, relation: Relation, message: records.As2Row, response: Response
    ) -> None:
        """The partner's server took it: what its answer proves depends on what was asked."""
        mode = relation.access.send.mdn
        if is_mdn(response.headers, response.body[:8192]):
            error = await self._receipt(relation, message, response.headers, response.body)
            if error is not None:
                raise error
        elif mode is MdnMode.SYNC:
            raise DeliveryFailed(
                f"{relation.partner.name} answered {response.status} to {message.message_id}, but"
                " without the receipt it was asked for.",
                remedy=_RECEIPT_REMEDY,
            )
        elif mode is MdnMode.ASYNC:
            await self._journal.write(
                "as2_sent",
                lambda conn: records.as2_sent(conn, relation.partner.name, message.message_id),
            )
            raise DeliveryAwaited(
                f"Waiting for the receipt of {relation.partner.name} for {message.message_id}.",
                seconds=relation.access.send.mdn_timeout_seconds,
            )

    async def _pack(self, row: records.OutboxRow, relation: Relation) -> records.As2Row:
        """Make the message, and keep it before anybody sees it."""
        name, access = relation.partner.name, relation.access
        if access.send.mdn is MdnMode.ASYNC and not self._mdn_url:
            raise DeliveryFailed(
                f"{name} is to send its receipts to a URL of ours, and none is configured.",
                remedy='Set as2.mdn_url, or as2.send.mdn = "sync" for this partner.',
            )
        into = self._scratch / f"as2-{secrets.token_hex(8)}"
        known = await self._journal.read(
            "as2_known", lambda conn: records.as2_last_received(conn, name)
        )
        now = self._now()
        message_id = f"<{row.message_id}@{receipts.host_part(relation.our_id)}>"
        try:
            await self._in_thread(into.mkdir, 0o700)
            source = self._spool.path(row.payload) if row.payload else into / "body"
            if row.payload is None:
                await self._in_thread(source.write_bytes, row.body)
            size = await self._in_thread(lambda: source.stat().st_size)
            made = await self._crypto.pack(
                PackJob(
                    partner=name,
                    path=str(source),
                    into=str(into),
                    filename=row.filename or f"{row.message_id}.xml",
                    content_type=row.content_type,
                    message_id=message_id,
                    our_id=relation.our_id,
                    mdn_url=self._mdn_url if access.send.mdn is MdnMode.ASYNC else None,
                    now=now,
                    known_to_partner=known,
                ),
                size,
            )
            packed = made.packed
            raw, content = await self._in_thread(_sums, Path(packed.path), source)
            await self._in_thread(self._spool.adopt, Path(packed.path), raw, packed.size)
        finally:
            await self._in_thread(shutil.rmtree, into, True)
        message = records.As2Row(
            direction=OUT,
            partner=name,
            message_id=message_id,
            content_sha256=content,
            interchange_id=row.interchange_id,
            at=now,
            state=As2State.PACKED,
            as2_from=relation.our_id,
            as2_to=access.id,
            headers=packed.headers,
            raw_sha256=raw,
            raw_size=packed.size,
            mic=str(packed.mic),
            security=Security(
                encrypted=access.send.encrypt,
                decrypted_with=made.encrypted_for,
                signed=access.send.sign,
                signature=access.send.signature if access.send.sign else None,
                signer=made.signed_with,
                compressed=access.send.compress is not Compression.NONE,
            ),
            mdn_mode=access.send.mdn.value,
            outbox_message_id=row.message_id,
        )
        await self._journal.write("as2_pack", lambda conn: records.add_as2_message(conn, message))
        return message

    # ---- receipts

    async def returned(self, relation: Relation, headers: Headers, body: bytes) -> Answer:
        """An asynchronous receipt came: whoever sent it hears only that it was read."""
        name = relation.partner.name
        log = self._log.bind(partner=name)
        answer = await self._crypto.read(
            ReadJob(partner=name, headers=headers, body=body, now=self._now())
        )
        if answer.read is None:
            log.warning("as2_receipt_unusable", why=answer.fault)
            return plain(400, "This receipt cannot be used.")
        original = answer.read.original_message_id
        found = await self._journal.read(
            "as2_message", lambda conn: records.as2_messages_named(conn, name, OUT, original)
        )
        if not found:
            log.warning("as2_receipt_unexpected", message_id=original)
            return plain(200, "No message with that Message-ID waits for a receipt.")
        error = await self._receipt(relation, found[0], headers, body)
        if error is not None:
            log.warning("as2_receipt_negative", message_id=original, why=error.what)
            await self._refused(found[0], error)
        return plain(200, "The receipt was read.")

    async def _refused(self, message: records.As2Row, error: DeliveryFailed) -> None:
        """A receipt that came later says no: the row it is about hears of it."""
        named = message.outbox_message_id
        if not isinstance(error, DeliveryRefused) or named is None:
            return
        row = await self._journal.read(
            "outbox_named", lambda conn: records.outbox_named(conn, named)
        )
        if row is not None and row.state is OutboxState.PENDING:
            await self._record_refusal(row, error)

    async def _receipt(
        self, relation: Relation, message: records.As2Row, headers: Headers, body: bytes
    ) -> DeliveryFailed | None:
        """Keep the receipt with the message; None if it vouches for it, else what is wrong."""
        name, now = relation.partner.name, self._now()
        answer = await self._crypto.read(ReadJob(partner=name, headers=headers, body=body, now=now))
        error = _complaint(message, answer.read, answer.fault)
        mdn = Mdn(headers=headers, body=body)

        def write(conn: Any) -> bool:
            news = records.as2_receipted(
                conn,
                name,
                message.message_id,
                mdn,
                error=None if error is None else error.what,
                certificate=answer.certificate,
                now=now,
            )
            if news and error is None and message.outbox_message_id is not None:
                row = records.outbox_named(conn, message.outbox_message_id)
                if row is not None:
                    settle.delivered(conn, [row], now, attempted=False)
            return news

        if await self._journal.write("as2_receipt", write):
            self._outbox_written()
            self._log.info(
                "as2_receipt",
                partner=name,
                interchange=message.interchange_id,
                flow=None,
                message_id=message.message_id,
                error=None if error is None else error.what,
            )
        return error


def _complaint(
    message: records.As2Row, read: MdnRead | None, fault: str | None
) -> DeliveryFailed | None:
    """What keeps a receipt from vouching for the message."""
    if read is None:
        return _unproven(f"The receipt for {message.message_id} is not accepted. {fault}")
    if read.original_message_id != message.message_id:
        return _unproven(f"The receipt is for another message than {message.message_id}.")
    if not read.processed:
        return DeliveryRefused(
            f"The partner did not take {message.message_id}: {read.disposition}.",
            remedy=_RECEIPT_REMEDY,
        )
    expected = message.mic
    if expected is not None and not _same_mic(expected, read.mic):
        said = str(read.mic) if read.mic else "none"
        return _unproven(
            f"The receipt for {message.message_id} has the MIC {said}; {expected} is right:"
            " what the partner received is not what was sent."
        )
    return None


def _unproven(what: str) -> DeliveryFailed:
    return DeliveryFailed(what, remedy=_RECEIPT_REMEDY)


def _same_mic(expected: str, read: Mic | None) -> bool:
    return read is not None and secrets.compare_digest(expected, str(read))


def _sums(body: Path, content: Path) -> tuple[str, str]:
    with body.open("rb") as one, content.open("rb") as other:
        return (
            hashlib.file_digest(one, "sha256").hexdigest(),
            hashlib.file_digest(other, "sha256").hexdigest(),
        )
