"""What the operator reads of a receipt that lacks a field, or has one nobody understands."""

from __future__ import annotations

import pytest

from gateway.core.as2 import MdnFault, read_mdn
from tests.core.as2.parties import NOW

KIND = "message/disposition-notification"
NAMED = b"Original-Message-ID: <1@x>\r\n"


def why(fields: bytes) -> str:
    """What is wrong with a receipt of these fields."""
    found = read_mdn(
        (("Content-Type", KIND),), fields, [], require_signed=False, allowed=(), on=NOW
    )
    assert isinstance(found, MdnFault)
    return found.why


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (b"Disposition: a/b; processed\r\n", "it has no Original-Message-ID."),
        (NAMED, "it has no Disposition."),
        (NAMED + b"Disposition: \r\n", "it has no Disposition."),
        (NAMED + b"Disposition: ???\r\n", "its Disposition is malformed: '???'."),
    ],
)
def test_what_is_missing_and_what_is_malformed(fields: bytes, words: str) -> None:
    """A field that is there is not called missing, and what stands in it is shown."""
    assert why(fields).endswith(words)


def test_what_is_shown_is_short_and_harmless() -> None:
    """Of a long field the beginning, and no character that does something to a terminal."""
    text = why(NAMED + b"Disposition: \x1b[31m?" + b"?" * 500 + b"\r\n")
    assert "its Disposition is malformed: " in text
    assert text.isprintable()
    assert "\\x1b[31m?" in text
    assert len(text) < 250
