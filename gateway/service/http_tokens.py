"""Which partner a request is from, by its bearer token (RFC 6750); and what slows down guessing.

Only SHA-256 sums of tokens are known here. Every sum is compared, each in constant time, so that
the time an answer takes tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from gateway.model.partner import HttpAccess, Partner
from gateway.service.guessing import Guesses
from gateway.service.http_answers import refusal
from gateway.service.http_server import Answer, RequestHead

CHALLENGE = ("WWW-Authenticate", 'Bearer realm="edi-gateway"')

_UNAUTHORIZED = replace(
    refusal(
        401,
        "unauthorized",
        "There is no valid token in this request.",
        "Send the header Authorization: Bearer TOKEN, with the token agreed with the gateway.",
        CHALLENGE,
    ),
    told=True,
)


class Tokens:
    """Knows the tokens of all partners. `seconds` is a clock that only goes forward."""

    def __init__(
        self, partners: Iterable[Partner], *, seconds: Callable[[], float], log: Any
    ) -> None:
        self.guesses = Guesses("http", seconds=seconds, log=log)
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
        wait = self.guesses.put_off(head.peer, shown)
        if wait > 0:
            return _slow_down(wait)
        found = self._find(shown)
        if found is None or found.http is None or not found.enabled:
            self.guesses.failed(
                head.peer,
                partner=found.name if found else None,
                reason="disabled" if found else "no known token",
            )
            return _UNAUTHORIZED
        self.guesses.right(head.peer, shown)
        return found, found.http

    def _find(self, shown: bytes) -> Partner | None:
        found = None
        for sum_, partner in self._known:
            if hmac.compare_digest(sum_, shown):
                found = partner
        return found


def _token(head: RequestHead) -> bytes:
    scheme, _, token = (head.get("Authorization") or "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


def _slow_down(wait: float) -> Answer:
    refused = refusal(
        429,
        "too_many_failures",
        "Too many requests with wrong tokens came from this address.",
        "Wait, and send a valid token.",
        ("Retry-After", str(int(wait) + 1)),
    )
    return replace(refused, told=True)
