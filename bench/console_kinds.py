"""The questions that `bench.console` asks a journal: every kind, each with several values."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.search_find import search
from gateway.service.journal.search_hits import Hit, hits_of
from gateway.service.journal.search_words import hundredths
from gateway.service.journal.statistics_read import Extent, causes, volumes
from gateway.service.journal.tables import as2_messages, searchable

Ask = Callable[[sa.Connection], tuple[int, bool]]
"""Answers how many rows it got, and whether everything was looked through."""

_SAMPLES = 20


def searches_of(conn: sa.Connection) -> dict[str, list[Ask]]:
    """By kind; values are those of documents taken at random."""
    chance = random.Random(7)
    most = conn.execute(sa.select(sa.func.max(searchable.c.id))).scalar_one()
    some = hits_of(conn, [chance.randrange(1, most + 1) for _ in range(_SAMPLES)])
    messages = list(
        conn.execute(sa.select(as2_messages.c.message_id).limit(_SAMPLES * 50)).scalars()
    )[::50]
    first, _ = _span(conn)

    def each(criteria: Callable[[Hit], Criteria]) -> list[Ask]:
        return [_asks(criteria(hit)) for hit in some]

    def one(*criteria: Criteria) -> list[Ask]:
        return [_asks(each) for each in criteria]

    small, large = _partners(conn)
    return {
        "anything: a whole number": each(lambda hit: Criteria(text=hit.number)),
        "anything: a seller's id": each(lambda hit: Criteria(text=hit.seller_id)),
        "anything: a name begins": each(lambda hit: Criteria(text=(hit.seller_name or "")[:6])),
        "anything: three letters": one(*(Criteria(text=text) for text in ("fac", "FSO", "inv"))),
        "anything: fits nothing": one(Criteria(text="zzz-nowhere"), Criteria(text="987654321")),
        "number, whole": each(lambda hit: Criteria(number=hit.number, exact=True)),
        "number begins": each(lambda hit: Criteria(number=(hit.number or "")[:-2])),
        "number begins, of years ago": one(Criteria(number=f"FA{first.year}-")),
        "number begins, of most": one(Criteria(number="FA2"), Criteria(number="INV")),
        "seller's id": each(lambda hit: Criteria(seller=hit.seller_id)),
        "seller's name": each(lambda hit: Criteria(seller=hit.seller_name)),
        "buyer's id": each(lambda hit: Criteria(buyer=hit.buyer_id)),
        "buyer's name begins": one(Criteria(buyer="impr"), Criteria(buyer="SOCIETE")),
        "file": each(lambda hit: Criteria(file=hit.file)),
        "file begins, of most": one(Criteria(file="fso1100a"), Criteria(file="facture")),
        "Message-ID": [_asks(Criteria(message_id=text)) for text in messages],
        "amount": each(
            lambda hit: Criteria(
                amount_from=hundredths(hit.amount), amount_to=hundredths(hit.amount)
            )
        ),
        "amount, a wide range": one(Criteria(amount_from=10_000, amount_to=10_000_000)),
        "date of issue": each(
            lambda hit: Criteria(
                issued_since=dt.date.fromisoformat(hit.issued or "2026-01-01"),
                issued_until=dt.date.fromisoformat(hit.issued or "2026-01-01"),
            )
        ),
        "issued in a month of long ago": one(
            Criteria(issued_since=first, issued_until=first + dt.timedelta(days=30))
        ),
        "received on a day": each(
            lambda hit: Criteria(since=hit.received_at.date(), until=hit.received_at.date())
        ),
        "seller and amount": each(
            lambda hit: Criteria(
                seller=hit.seller_id, amount_from=10_000, amount_to=20_000, verdict="rejected"
            )
        ),
        "rejected, the newest": one(Criteria(verdict="rejected")),
        "rejected for a rare rule": one(Criteria(rule="BR-E-10"), Criteria(rule="NEVER-BROKEN")),
        "of a small partner: a number begins": one(Criteria(partner=small, number="FA")),
        "of a small partner: three letters": one(Criteria(partner=small, text="fac")),
        "of a large partner: a whole number": each(
            lambda hit: Criteria(partner=large, number=hit.number, exact=True)
        ),
        "of a large partner: three letters": one(Criteria(partner=large, text="fac")),
        "of a large partner: others' files": one(
            Criteria(partner=large, file=f"facture_{small}"),
            Criteria(partner=large, file="facture_partner-0"),
        ),
        "everything, the newest": one(Criteria()),
        "everything, another page": [_pages(Criteria(), 5)],
    }


def totals_of(conn: sa.Connection) -> dict[str, list[Ask]]:
    """By what is shown."""
    _, last = _span(conn)
    year = last - dt.timedelta(days=365)
    large = _partners(conn)[1]
    days = Extent(since=last - dt.timedelta(days=30), until=last)
    part, own = Extent(since=year, until=last), Extent(partner=large)
    every = (["month"], ["channel"], ["format", "profile"], ["partner"], ["month", "partner"])
    return {
        **{f"by {' and '.join(by)}": [_counts(by, Extent())] for by in every},
        "by day, of a month": [_counts(["day"], days)],
        "by month, of 365 days": [_counts(["month"], part)],
        "by month, of one partner": [_counts(["month"], own)],
        "causes": [_causes(Extent())],
        "causes, of 365 days": [_causes(part)],
    }


def _counts(by: list[str], extent: Extent) -> Ask:
    return lambda conn: (len(volumes(conn, by, extent)), True)


def _causes(extent: Extent) -> Ask:
    return lambda conn: (len(causes(conn, extent)), True)


def _asks(criteria: Criteria) -> Ask:
    def ask(conn: sa.Connection) -> tuple[int, bool]:
        page = search(conn, criteria)
        return len(page.hits), page.looked_back_to is None

    return ask


def _pages(criteria: Criteria, number: int) -> Ask:
    """The page after so many others, by where the one before it ended."""
    place: dict[str, Any] = {}

    def ask(conn: sa.Connection) -> tuple[int, bool]:
        if not place:
            place["after"] = None
            for _ in range(number):
                place["after"] = search(conn, criteria, after=place["after"]).next
        page = search(conn, criteria, after=place["after"])
        return len(page.hits), page.looked_back_to is None

    return ask


def _span(conn: sa.Connection) -> tuple[dt.date, dt.date]:
    low, high = conn.execute(
        sa.select(sa.func.min(searchable.c.issued), sa.func.max(searchable.c.issued))
    ).one()
    return dt.date.fromisoformat(low), dt.date.fromisoformat(high)


def _partners(conn: sa.Connection) -> tuple[str, str]:
    """One with few documents, and the one with most."""
    found = sorted(
        (each.documents, each.values[0]) for each in volumes(conn, ["partner"], Extent())
    )
    return found[0][1], found[-1][1]
