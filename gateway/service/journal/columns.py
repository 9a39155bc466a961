"""What the columns of the journal's tables hold: points in time, words, numbers; and their names.

The tables themselves are in `tables`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import sqlalchemy as sa


class UtcTime(sa.types.TypeDecorator[dt.datetime]):
    """A point in time: aware in, aware (UTC) out. SQLite keeps it as text that sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
        """For SQLite one step instead of SQLAlchemy's three: there are eight in every receipt."""
        return _text_of if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        """Refuse naive times: nobody could say what they mean."""
        utc = None if value is None else _utc(value)
        return utc.replace(tzinfo=None) if utc and dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        """Give the time zone back where the database does not keep one."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=dt.UTC)  # type: ignore[no-any-return]
        return value.astimezone(dt.UTC)  # type: ignore[no-any-return]


def _utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; the journal stores UTC")
    return value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)


def _text_of(value: dt.datetime | None) -> str | None:
    """As SQLAlchemy writes a time into SQLite."""
    if value is None:
        return None
    return _utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")


class Word(sa.types.TypeDecorator[StrEnum]):
    """A member of a `StrEnum`, kept as its value."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Only words of the enumeration go in."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """The member, so that `match` and `is` work on it."""
        return None if value is None else self.words(value)


class OutboxState(StrEnum):
    """Where a message of the outbox stands. A failed attempt leaves it pending, due later.

    `dead`: its destination said no to this very message too often; an operator sends it again.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class As2State(StrEnum):
    """Where an AS2 message stands. One that came in is `received`, and that is that.

    One that goes out is `packed`, then `sent` while it waits for an asynchronous receipt, then
    `receipted` when a valid receipt is there, or `refused` when the receipt says so.
    """

    RECEIVED = "received"
    PACKED = "packed"
    SENT = "sent"
    RECEIPTED = "receipted"
    REFUSED = "refused"


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only when the key is an INTEGER, never a BIGINT.
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
