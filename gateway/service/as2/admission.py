"""Before the body of a message comes: who sends to whom, and whether it may come at all.

An unknown pair of names gets a plain HTTP error: a receipt would have to be made up, in the name of
somebody we are not (RFC 4130 §7.5 has no word for it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.core.as2 import As2Request, HeaderFault, is_mdn, may_be_signed_mdn, read_request
from gateway.errors import IntakeRefused, SpoolError
from gateway.service.as2.partners import Relation, Relations, url_allowed
from gateway.service.http_server import Admitted, Answer, RequestHead, later, plain

UNKNOWN = plain(403, "This gateway does not exchange AS2 messages between these two names.")
NOT_NOW = later(503, "The gateway cannot take messages now. Send it again later.", 60)
WRONG_URL = plain(
    403, "Receipt-Delivery-Option names a URL that was not agreed; the message was not read."
)


class Admission:
    """Looks at the head of a request. `ready` raises while the gateway takes nothing."""

    def __init__(
        self,
        relations: Relations,
        *,
        ready: Callable[[], None],
        max_body_bytes: int,
        log: Any,
    ) -> None:
        self._relations = relations
        self._ready = ready
        self._max_body_bytes = max_body_bytes
        self._log = log

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Whether these two names exchange messages, and the receipt may go where it should."""
        if head.method != "POST":
            return plain(405, "AS2 messages come by POST.", ("Allow", "POST"))
        found = self.relation(head)
        if isinstance(found, Answer):
            return found
        request, relation = found
        url = request.mdn.url
        if url is not None and not url_allowed(url, relation.access.receive.mdn_urls):
            self._log.warning(
                "as2_receipt_url_refused",
                partner=relation.partner.name,
                message_id=request.message_id,
                url=url,
                remedy="If it is the partner's, add it to as2.receive.mdn_urls of its file.",
            )
            return WRONG_URL
        if not (is_mdn(head.headers, b"") or may_be_signed_mdn(head.headers)):
            # A receipt is always welcome, and so is what may be one.
            try:
                self._ready()
            except (IntakeRefused, SpoolError) as error:
                self._log.warning(
                    "as2_not_admitted",
                    partner=relation.partner.name,
                    message_id=request.message_id,
                    error=error.what,
                    remedy=error.remedy,
                )
                return NOT_NOW
        return Admitted(
            max_bytes=self._max_body_bytes,
            key=relation.partner.name,
            max_connections=relation.access.max_connections,
            small_in_memory=True,
        )

    def relation(self, head: RequestHead) -> tuple[As2Request, Relation] | Answer:
        """What the message says of itself, and between whom it travels; or why it is refused."""
        request = read_request(head.headers)
        if isinstance(request, HeaderFault):
            self._log.warning("as2_request_unreadable", peer=head.peer, why=str(request))
            return plain(400, f"This is no AS2 message that can be answered. {request}.")
        relation = self._relations.between(request.as2_to, request.as2_from)
        if relation is None:
            self._log.warning(
                "as2_partner_unknown",
                peer=head.peer,
                as2_from=request.as2_from,
                as2_to=request.as2_to,
                remedy="AS2 names count to the letter: compare with as2.id and our_id.",
            )
            return UNKNOWN
        return request, relation
