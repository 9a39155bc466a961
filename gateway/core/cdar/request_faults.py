"""What is wrong with a request, collected while it is read."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Final

import msgspec

_DECIMAL: Final = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,6})?")


class Wrong(msgspec.Struct, frozen=True):
    """One thing wrong with a request: the path of its key, what, and the way out."""

    key: str
    what: str
    remedy: str


class Complaints:
    """The list of what is wrong, and readers of texts that add to it."""

    def __init__(self) -> None:
        self.wrong: list[Wrong] = []

    def add(self, key: str, what: str, remedy: str) -> None:
        """One more."""
        self.wrong.append(Wrong(key, what, remedy))

    def time(self, key: str, text: str) -> dt.datetime | None:
        """A date and time; None for an empty text, or one that is none."""
        if not text:
            return None
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            what = f'"{text}" is no date and time.'
            self.add(key, what, "Write it as 2026-03-12T09:15:00, with or without +01:00.")
            return None

    def day(self, key: str, text: str) -> dt.date | None:
        """A day; None for an empty text, or one that is none."""
        if not text:
            return None
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            self.add(key, f'"{text}" is no day.', "Write it as 2026-03-12.")
            return None

    def number(self, key: str, text: str) -> Decimal | None:
        """A decimal number; None for an empty text, or one that is none."""
        if not text:
            return None
        if not _DECIMAL.fullmatch(text):
            self.add(key, f'"{text}" is no amount.', "Write it in digits with a point: 1200.50")
            return None
        return Decimal(text)
