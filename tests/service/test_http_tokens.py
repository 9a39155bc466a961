"""Bearer tokens: whom they let in, and how guessing is slowed down, on a clock of our own."""

from __future__ import annotations

from typing import Any

import structlog

from gateway.model.partner import HttpAccess, Partner
from gateway.service import guessing
from gateway.service.guessing import FORGOTTEN_SECONDS, TOLERATED
from gateway.service.http_server import Answer, RequestHead
from gateway.service.http_tokens import Tokens
from tests.service.api_house import sum_of


def head(token: str, peer: str = "192.0.2.1") -> RequestHead:
    """A request with this token."""
    return RequestHead(
        method="POST",
        path="/v1/interchanges",
        query="",
        headers=(("Host", "gateway"), ("authorization", f"Bearer {token}")),
        length=0,
        peer=peer,
        secure=True,
        client_certificate_sha256=None,
    )


class Watch:
    """A clock that goes when told."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def tokens(watch: Watch) -> Tokens:
    """Two partners; the first is changing its token."""
    known = [
        Partner(name="acme", http=HttpAccess(token_sha256=(sum_of("old").upper(), sum_of("new")))),
        Partner(name="other", http=HttpAccess(token_sha256=(sum_of("theirs"),))),
        Partner(name="without"),
    ]
    return Tokens(known, seconds=watch, log=structlog.get_logger())


def ask(known: Tokens, *args: Any) -> str | int:
    """The partner's name, or the status of the refusal."""
    found = known.partner_of(head(*args))
    return found.status if isinstance(found, Answer) else found[0].name


def test_two_tokens_are_valid_while_one_replaces_the_other() -> None:
    """Whatever case their sums were written in."""
    known = tokens(Watch())
    assert [ask(known, token) for token in ("old", "new", "theirs", "no")] == [
        *("acme", "acme", "other"),
        401,
    ]


def test_each_further_failure_makes_the_wait_longer() -> None:
    """Twice as long each time, up to some minutes; attempts while waiting do not count."""
    watch = Watch()
    known = tokens(watch)
    for _ in range(TOLERATED):
        assert ask(known, "no") == 401
    waits = []
    for _ in range(10):
        refused = known.partner_of(head("no"))
        assert isinstance(refused, Answer)
        assert refused.status == 429
        wait = int(dict(refused.headers)["Retry-After"])
        waits.append(wait)
        watch.now += wait
        assert ask(known, "no") == 401
    assert waits[:4] == [3, 5, 9, 17]
    assert max(waits) == waits[-1] == 301


def test_failures_are_forgotten() -> None:
    """After a quiet while the peer begins anew."""
    watch = Watch()
    known = tokens(watch)
    for _ in range(TOLERATED):
        ask(known, "no")
    assert ask(known, "no") == 429
    watch.now += FORGOTTEN_SECONDS + 1
    assert [ask(known, "no") for _ in range(TOLERATED)] == [401] * TOLERATED
    assert ask(known, "new") == 429


def test_other_peers_are_not_concerned() -> None:
    """And who was right before, from the same address, is still served."""
    known = tokens(Watch())
    assert ask(known, "new") == "acme"
    for _ in range(TOLERATED):
        ask(known, "no")
    assert ask(known, "new") == "acme"
    assert ask(known, "theirs") == 429
    assert ask(known, "theirs", "192.0.2.2") == "other"


def test_memory_of_peers_is_bounded(monkeypatch: Any) -> None:
    """Somebody with many addresses fills no memory."""
    monkeypatch.setattr(guessing, "REMEMBERED", 50)
    known = tokens(Watch())
    for number in range(500):
        ask(known, "no", f"2001:db8:{number:x}::1")
    assert known.guesses.remembered == 50
