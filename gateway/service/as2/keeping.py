"""What the journal keeps of a message that came in, and whether it was taken before."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from gateway.core.as2 import As2Request
from gateway.errors import DuplicateMessage
from gateway.model.as2 import Opened
from gateway.model.crypto import OpenAnswer
from gateway.model.interchange import Interchange
from gateway.service.as2 import receipts
from gateway.service.as2.late_receipts import vouched
from gateway.service.as2.partners import Relation
from gateway.service.http_server import Received
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import As2State

_NOT_KEPT: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Header fields that are secrets, and no evidence."""


class Kept:
    """What stands in the journal beside the interchange: the message, and its receipt."""

    def __init__(
        self,
        received: Received,
        request: As2Request,
        relation: Relation,
        outcome: Opened,
        answer: OpenAnswer,
    ) -> None:
        self._received = received
        self._request = request
        self._relation = relation
        self._outcome = outcome
        self._answer = answer
        self.known: records.As2Row | None = None
        """Set when the same content came under this Message-ID before, with its receipt."""

    def write(self, conn: Connection, interchange: Interchange, receipt: records.Receipt) -> None:
        """Part of the transaction that makes the message ours. Raises `DuplicateMessage`."""
        request, outcome, name = self._request, self._outcome, self._relation.partner.name
        before = records.as2_messages_named(conn, name, IN, request.message_id)
        known = taken_before(before, outcome, self._relation)
        if known is not None:
            at = interchange.envelope.received_at
            self.known = vouched(conn, known, request, self._answer, at)
            return
        row = records.As2Row(
            direction=IN,
            partner=name,
            message_id=request.message_id,
            content_sha256=outcome.sha256,
            interchange_id=receipt.interchange_id,
            at=interchange.envelope.received_at,
            state=As2State.RECEIVED,
            as2_from=request.as2_from,
            as2_to=request.as2_to,
            headers=tuple(
                (key, value)
                for key, value in self._received.head.headers
                if key.lower() not in _NOT_KEPT
            ),
            raw_sha256=self._received.sha256,
            raw_size=self._received.size,
            mic=str(outcome.mic) if outcome.mic else None,
            security=outcome.security,
            mdn_mode=request.mdn.mode.value,
            mdn_url=request.mdn.url,
            mdn=self._answer.mdn,
            mdn_at=interchange.envelope.received_at if self._answer.mdn else None,
            certificate=self._answer.certificate,
        )
        records.add_as2_message(conn, row)
        if row.mdn is not None:
            receipts.publish(conn, interchange, receipt.interchange_id, row, row.mdn)


def taken_before(
    before: list[records.As2Row], outcome: Opened, relation: Relation
) -> records.As2Row | None:
    """The same content, taken under this Message-ID before.

    Raises `DuplicateMessage` when it was other content, and that was not agreed.
    """
    for row in before:
        if row.content_sha256 == outcome.sha256:
            return row
    if before and relation.access.receive.duplicates == "refuse":
        raise DuplicateMessage(
            "This Message-ID was used before, for other content: give every message its own.",
            remedy='If the partner may do so, set as2.receive.duplicates = "accept".',
        )
    return None
