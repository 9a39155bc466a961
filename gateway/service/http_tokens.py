"""Which partner a request is from, by its bearer token (RFC 6750); and what slows down guessing.

Only SHA-256 sums of tokens are known here. Every sum is compared, each in constant time, so that
the time an answer takes tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from gateway.model.partner import HttpAccess, Partner
from gateway.service.http_answers import refusal
from gateway.service.http_server import Answer, RequestHead

TOLERATED = 5
"""So many wrong tokens of one peer are answered at once; each further one makes it wait longer."""
FIRST_WAIT_SECONDS, LAST_WAIT_SECONDS = 2.0, 300.0
FORGOTTEN_SECONDS = 900.0
PEERS_KNOWN = 10_000
"""Memory is bounded: of more peers than these, those heard of longest ago are forgotten."""

CHALLENGE = ("WWW-Authenticate", 'Bearer realm="edi-gateway"')

_UNAUTHORIZED = refusal(
    401,
    "unauthorized",
    "There is no valid token in this request.",
    "Send the header Authorization: Bearer TOKEN, with the token agreed with the gateway.",
    CHALLENGE,
)


class _Peer:
    """What is remembered of one address: wrong tokens of late, and those that were right."""

    __slots__ = ("failures", "last", "proven", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.last = 0.0
        self.until = 0.0
        self.proven: set[bytes] = set()


class Tokens:
    """Knows the tokens of all partners. `seconds` is a clock that only goes forward."""

    def __init__(
        self, partners: Iterable[Partner], *, seconds: Callable[[], float], log: Any
    ) -> None:
        self._seconds = seconds
        self._log = log
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self.learn(partners)

    def learn(self, partners: Iterable[Partner]) -> None:
        """From now on these tokens are right, and no others."""
        self._known = [
            (bytes.fromhex(sum_), partner)
            for partner in partners
            if partner.http is not None
            for sum_ in partner.http.token_sha256
        ]

    def partner_of(self, head: RequestHead) -> tuple[Partner, HttpAccess] | Answer:
        """The partner whose token this is; or the refusal: 401, or 429 after too many of them.

        A peer that guessed too often is not listened to for a while, whatever it shows, except
        with a token that was right before: partners behind the same proxy are not locked out.
        """
        shown = hashlib.sha256(_token(head)).digest()
        peer = self._peer(head.peer)
        wait = peer.until - self._seconds() if peer is not None else 0.0
        if peer is not None and wait > 0 and shown not in peer.proven:
            return _slow_down(wait)
        found = self._find(shown)
        if found is None or found.http is None or not found.enabled:
            return self._failed(head, found)
        self._remember(head.peer).proven.add(shown)
        return found, found.http

    def _find(self, shown: bytes) -> Partner | None:
        found = None
        for sum_, partner in self._known:
            if hmac.compare_digest(sum_, shown):
                found = partner
        return found

    def _failed(self, head: RequestHead, partner: Partner | None) -> Answer:
        peer = self._remember(head.peer)
        now = self._seconds()
        if now - peer.last > FORGOTTEN_SECONDS:
            peer.failures = 0
        peer.last = now
        peer.failures += 1
        over = peer.failures - TOLERATED
        if over >= 0:
            peer.until = now + min(LAST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(over, 20))
        self._log.warning(
            "http_login_failed",
            peer=head.peer,
            partner=partner.name if partner else None,
            failures=peer.failures,
            reason="disabled" if partner else "no known token",
        )
        return _UNAUTHORIZED

    def _peer(self, name: str) -> _Peer | None:
        return self._peers.get(name)

    def _remember(self, name: str) -> _Peer:
        peer = self._peers.pop(name, None) or _Peer()
        self._peers[name] = peer
        if len(self._peers) > PEERS_KNOWN:
            self._peers.popitem(last=False)
        return peer


def _token(head: RequestHead) -> bytes:
    scheme, _, token = (head.get("Authorization") or "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


def _slow_down(wait: float) -> Answer:
    return refusal(
        429,
        "too_many_failures",
        "Too many requests with wrong tokens came from this address.",
        "Wait, and send a valid token.",
        ("Retry-After", str(int(wait) + 1)),
    )
