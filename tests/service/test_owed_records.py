"""What is asked of the statuses that are owed must not cost more the more is owed to others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.service import arrive
from gateway.service.journal import given_records
from gateway.service.journal.engine import driver, writer_engine
from gateway.service.journal.schema import upgrade
from tests.service.test_outbox import NOW, interchange

ALL = {"b_partner": "a", "b_now": NOW, "b_but": ["a"], "b_limit": 9}

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sa.Connection]:
    """A journal with four interchanges."""
    path = tmp_path / "journal.sqlite"
    engine = writer_engine(path)
    with engine.connect() as connection:
        with connection.begin():
            upgrade(connection, path)
            for number in range(1, 5):
                arrive.receive(connection, interchange(number), NOW)
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "found_by"),
    [
        (given_records._DUE.params(ALL), "(partner=? AND next_attempt_at<?)"),
        (given_records._NEXT_PARTNER, "(partner>?)"),
        (given_records._OF, "(interchange_id=?)"),
    ],
)
def test_an_index_leads_to_it(
    conn: sa.Connection, statement: sa.Select[Any], found_by: str
) -> None:
    """Nothing is scanned, and nothing sorted."""
    compiled = statement.compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    values = [None] * len(compiled.positiontup or ())
    plan = [row[3] for row in driver(conn).execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
    assert len(plan) == 1, plan
    assert plan[0].startswith("SEARCH statuses_owed"), plan
    assert plan[0].endswith(found_by), plan


def test_a_partner_is_asked_for_by_itself(conn: sa.Connection) -> None:
    """What is due of it, the longest first, but for what is known; nobody else's."""
    ids = [interchange(number).id for number in range(1, 5)]
    for id_, partner, hours in zip(ids, ["a", "b", "b", "b"], [0, 2, 1, 3], strict=True):
        given_records.owe(conn, id_, partner, NOW + hours * HOUR)

    def due(partner: str, hours: int, limit: int = 9, but: tuple[str, ...] = ()) -> list[str]:
        found = given_records.owed_now(conn, partner, NOW + hours * HOUR, limit, but=but)
        return [each.interchange_id for each in found]

    assert given_records.partners_owed(conn) == ["a", "b"]
    assert due("b", 2) == [ids[2], ids[1]]
    assert due("b", 9, limit=1) == [ids[2]]
    assert due("b", 9, but=(ids[2],)) == [ids[1], ids[3]]
    assert due("a", 0) == [ids[0]]
    assert due("c", 9) == []


def test_a_later_report_is_another_debt(conn: sa.Connection) -> None:
    """What was told of the earlier one pays nothing of it, and fails nothing."""
    id_ = interchange(1).id
    given_records.owe(conn, id_, "acme", NOW)
    first = given_records.owed_of(conn, id_)
    assert first is not None
    assert given_records.still_owed(conn, first) == first
    given_records.owe(conn, id_, "acme", NOW + HOUR)
    assert given_records.still_owed(conn, first) is None
    given_records.paid(conn, first)
    given_records.owed_later(conn, first, "why", NOW + 9 * HOUR)
    later = given_records.owed_of(conn, id_)
    assert later is not None
    assert (later.since, later.waiting_since) == (NOW + HOUR, NOW)
    assert (later.cause, later.next_attempt_at) == (None, NOW + HOUR)
    given_records.paid(conn, later)
    assert given_records.owed_of(conn, id_) is None
