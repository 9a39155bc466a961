"""What alerts say: one is told of as one, more as more, in both languages."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest

from gateway.model.verdict import Text
from gateway.service.alerting import partner_words, words

NOW = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)

SENTENCES: dict[str, Callable[[int], Text]] = {
    "outbox_depth": lambda number: words.outbox_depth("broker", number),
    "late": lambda number: partner_words.late("acme", number, 24),
    "sla": lambda number: partner_words.sla("acme", number, 30),
    "mdn": lambda number: partner_words.mdn("acme", number),
    "quarantine": words.quarantine,
    "dead": lambda number: words.dead("broker", number),
}
ONE = re.compile(r"\b(An interchange|A message|One message|a message by)\b")
UN = re.compile(r"\b(Un interchange|Un message|un message)\b")
MANY = re.compile(r"\b\d+ (interchanges|messages)\b")


@pytest.mark.parametrize("name", SENTENCES)
def test_one_and_more(name: str) -> None:
    """No "1 interchanges"; and the number stands there when it says something."""
    one, more = SENTENCES[name](1), SENTENCES[name](7)
    assert ONE.search(one.en)
    assert UN.search(one.fr)
    assert not MANY.search(one.en + one.fr)
    for text in (more.en, more.fr):
        assert "7 " in text
        assert MANY.search(text)


@pytest.mark.parametrize(
    ("hours", "en", "fr"),
    [
        (13 * 24, "expires in 13 days, on 2026-09-14", "expire dans 13 jours, le 2026-09-14"),
        (36, "expires in 36 h, on 2026-09-03", "expire dans 36 h, le 2026-09-03"),
        (5, "expires in 5 h, on 2026-09-01", "expire dans 5 h, le 2026-09-01"),
        (-1, "expired on 2026-09-01", "a expiré le 2026-09-01"),
    ],
)
def test_a_certificate_that_runs_out(hours: int, en: str, fr: str) -> None:
    """In days, and when it has."""
    until = NOW + dt.timedelta(hours=hours)
    said = partner_words.certificate("ours", "", "us.pem", until, NOW)
    assert en in said.en
    assert fr in said.fr
    assert "us.pem" in said.en
