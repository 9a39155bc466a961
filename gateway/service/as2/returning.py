"""Asynchronous receipts on their way to the URLs senders asked for (RFC 4130 §7.3)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet import defer, task

from gateway.errors import DeliveryFailed
from gateway.model.as2 import Headers, Mdn
from gateway.service.as2.partners import Relation, Relations
from gateway.service.as2.posting import Poster
from gateway.service.as2.receipts import MESSAGE_ID_HEADER, URL_HEADER
from gateway.service.journal import Journal, records
from gateway.service.journal.as2_records import IN

PAUSES: Final = (5.0, 30.0)
"""Between attempts to say no. The sender, hearing nothing, sends again and gets a new answer, so a
receipt that says no need not survive us; one that says yes does, in the outbox."""


class As2Receipts:
    """The outbox's channel for receipts that say yes, and the short way for those that say no."""

    def __init__(
        self,
        reactor: Any,
        relations: Relations,
        *,
        poster: Poster,
        journal: Journal,
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._relations = relations
        self._poster = poster
        self._journal = journal
        self._log = log
        self._declining: set[defer.Deferred[None]] = set()

    async def deliver(self, row: records.OutboxRow) -> None:
        """Post the receipt in this row. Raises `DeliveryFailed`."""
        url = str(row.headers[URL_HEADER])
        kept = await self._journal.read(
            "as2_messages", lambda conn: records.as2_messages_of(conn, row.interchange_id)
        )
        about = row.headers.get(MESSAGE_ID_HEADER)
        mdn = next(
            (
                each.mdn
                for each in kept
                if each.direction == IN and each.mdn and each.message_id == about
            ),
            None,
        )
        if mdn is None:
            raise DeliveryFailed(f"The receipt of outbox row {row.id} is not in the journal.")
        relation = self._relations.get(row.partner)
        await self._post(url, mdn.headers, mdn.body, relation)

    def decline(self, relation: Relation, url: str, mdn: Mdn) -> None:
        """Post a receipt that says no, a few times if need be; nobody waits for it."""
        going = defer.Deferred.fromCoroutine(self._decline(relation, url, mdn))
        self._declining.add(going)
        going.addBoth(lambda _: self._declining.discard(going))

    async def stop(self) -> None:
        """Give up what says no."""
        for going in list(self._declining):
            going.cancel()

    async def _decline(self, relation: Relation, url: str, mdn: Mdn) -> None:
        for pause in (*PAUSES, None):
            try:
                await self._post(url, mdn.headers, mdn.body, relation)
            except DeliveryFailed as error:
                self._log.warning(
                    "as2_refusal_not_told", partner=relation.partner.name, error=str(error)
                )
                if pause is not None:
                    await task.deferLater(self._reactor, pause)
            else:
                return

    async def _post(
        self, url: str, headers: Headers, body: bytes, relation: Relation | None
    ) -> None:
        ca_file = relation.access.tls_ca_file if relation else ""
        response = await self._poster.post(url, headers, body, ca_file=ca_file)
        if not 200 <= response.status < 300:
            raise DeliveryFailed(
                f"{url} answered {response.status} to a receipt.",
                remedy="Ask the partner whether that is still where it wants its receipts.",
            )
