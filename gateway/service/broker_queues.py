"""What is known of the broker's own queues: as pages and commands show it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """One queue of the broker's.

    `messages`: ready to be taken; `consumers`: who take them. Both None when the broker would not
    say: `error` is why, in its words.
    """

    queue: str
    messages: int | None = None
    consumers: int | None = None
    error: str = ""


class Known(StrEnum):
    """How far it is known what the broker's queues hold."""

    FILES = "files"
    """There is no broker: publications are files."""
    AWAY = "away"
    """The broker does not answer, and is being looked for."""
    BLOCKED = "blocked"
    """The broker is short of memory or disk, and reads nothing from us."""
    ASKED = "asked"
    """It has not answered yet."""
    SILENT = "silent"
    """It did not answer in time."""
    ANSWERED = "answered"
    """`queues` is what it said."""


class BrokerQueues(msgspec.Struct, frozen=True, kw_only=True):
    """What is known. `at`: when the broker answered; `error`: why it did not, in its words."""

    known: Known
    queues: tuple[Depth, ...] = ()
    at: dt.datetime | None = None
    error: str = ""
