"""How commands speak of numbers."""

from __future__ import annotations

import pytest

from gateway.cli import options


@pytest.mark.parametrize(
    ("said", "count", "words"),
    [
        ("1 file", 1, ("file",)),
        ("0 files", 0, ("file",)),
        ("2 files", 2, ("file",)),
        ("12,345 files", 12_345, ("file",)),
        ("1 message has", 1, ("message has", "messages have")),
        ("0 messages have", 0, ("message has", "messages have")),
    ],
)
def test_one_is_spoken_of_as_one(said: str, count: int, words: tuple[str, ...]) -> None:
    assert options.some(count, *words) == said
