"""Statements worked out once do what SQLAlchemy does with them each time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.lifecycle import InterchangeState
from gateway.service.journal.columns import UtcTime, Word
from gateway.service.journal.engine import writer_engine
from gateway.service.journal.ready import Ready

METADATA = sa.MetaData()
THINGS = sa.Table(
    "things",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, unique=True),
    sa.Column("at", UtcTime),
    sa.Column("state", Word(InterchangeState)),
    sa.Column("more", sa.JSON),
    sa.Column("times", sa.Integer, server_default="1"),
)
ROW: dict[str, Any] = {
    "name": "a",
    "at": dt.datetime(2026, 11, 29, 8, 5, 3, 21, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "state": InterchangeState.OPENED,
    "more": {"é": [1, None]},
}


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sa.Connection]:
    with writer_engine(tmp_path / "journal.sqlite").connect() as made, made.begin():
        METADATA.create_all(made)
        yield made


def rows(conn: sa.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in conn.execute(sa.select(THINGS).order_by(THINGS.c.id))]


def as_kept(conn: sa.Connection) -> list[tuple[Any, ...]]:
    """What is in the file, through no type of ours."""
    return [tuple(row) for row in conn.exec_driver_sql("SELECT name, at, state, more FROM things")]


def test_an_insert_keeps_what_sqlalchemy_would_keep(conn: sa.Connection) -> None:
    """Times, words and JSON go through their types; what is not named gets its default."""
    assert Ready(sa.insert(THINGS), ROW).run(conn, ROW) == 1
    conn.execute(sa.insert(THINGS), {**ROW, "name": "b"})
    one, other = as_kept(conn)
    assert one[1:] == other[1:]
    assert rows(conn)[0][1:] == (*({**ROW, "at": ROW["at"].astimezone(dt.UTC)}.values()), 1)


def test_none_stays_none(conn: sa.Connection) -> None:
    """In a column of any type."""
    nothing = dict.fromkeys(ROW)
    Ready(sa.insert(THINGS), ROW).run(conn, nothing)
    conn.execute(sa.insert(THINGS), nothing)
    one, other = as_kept(conn)
    assert one == other


def test_many_rows_are_counted(conn: sa.Connection) -> None:
    """Those that a conflict turned into nothing are not."""
    ignore = sqlite.insert(THINGS).on_conflict_do_nothing(index_elements=["name"])
    statement = Ready(ignore, ROW)
    assert statement.run_each(conn, [ROW, {**ROW, "name": "b"}]) == 2
    assert statement.run_each(conn, [ROW, {**ROW, "name": "c"}]) == 1
    assert [row[1] for row in rows(conn)] == ["a", "b", "c"]


def test_a_value_that_stands_in_the_statement_is_used(conn: sa.Connection) -> None:
    """Beside those that are given."""
    Ready(sa.insert(THINGS), ROW).run(conn, ROW)
    again = (
        sa.update(THINGS)
        .where(THINGS.c.name == sa.bindparam("b_name"))
        .values(times=THINGS.c.times + 1)
    )
    statement = Ready(again)
    assert statement.run(conn, {"b_name": "a"}) == 1
    assert statement.run(conn, {"b_name": "nobody"}) == 0
    assert rows(conn)[0][-1] == 2


def test_the_first_row_of_an_answer(conn: sa.Connection) -> None:
    """As the driver gives it; None when there is none. An insert may answer as well."""
    insert = Ready(sa.insert(THINGS).returning(THINGS.c.id), ROW)
    assert insert.first(conn, ROW) == (1,)
    assert insert.first(conn, {**ROW, "name": "b"}) == (2,)
    find = Ready(sa.select(THINGS.c.state).where(THINGS.c.name == sa.bindparam("b_name")))
    assert find.first(conn, {"b_name": "b"}) == ("opened",)
    assert find.first(conn, {"b_name": "c"}) is None


def test_what_is_missing_or_fits_no_type_is_refused(conn: sa.Connection) -> None:
    """Before anything is written."""
    statement = Ready(sa.insert(THINGS), ROW)
    with pytest.raises(KeyError, match="state"):
        statement.run(conn, {name: value for name, value in ROW.items() if name != "state"})
    with pytest.raises(ValueError, match="no time zone"):
        statement.run(conn, {**ROW, "at": dt.datetime(2026, 1, 1)})  # noqa: DTZ001  # what is refused
    assert rows(conn) == []


def test_a_list_is_refused(conn: sa.Connection) -> None:
    """Its SQL would depend on how long it is."""
    listed = sa.select(THINGS.c.id).where(
        THINGS.c.name.in_(sa.bindparam("b_names", expanding=True))
    )
    with pytest.raises(ValueError, match="b_names is a list"):
        Ready(listed).first(conn, {"b_names": ["a"]})


def test_it_is_undone_with_its_transaction(tmp_path: Path) -> None:
    """It runs in the one its connection is in."""
    with writer_engine(tmp_path / "journal.sqlite").connect() as conn:
        with conn.begin():
            METADATA.create_all(conn)
        with conn.begin() as transaction:
            Ready(sa.insert(THINGS), ROW).run(conn, ROW)
            transaction.rollback()
        with conn.begin():
            assert rows(conn) == []
        with pytest.raises(RuntimeError, match="transaction"):
            Ready(sa.insert(THINGS), ROW).run(conn, ROW)


def test_each_kind_of_database_gets_its_own_sql() -> None:
    """Worked out when first asked for; parameters have names there."""
    statement = Ready(postgresql.insert(THINGS).on_conflict_do_nothing(), ROW)
    dialect: Any = postgresql.psycopg2
    sql, parameters, positional = statement._work_out(dialect.dialect())
    assert "%(name)s" in sql
    assert not positional
    assert [each.name for each in parameters] == list(ROW)


@given(
    st.datetimes(
        min_value=dt.datetime(1000, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
        max_value=dt.datetime(9999, 12, 30),  # noqa: DTZ001  # the same
        timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5, minutes=30))]),
    )
)
def test_a_time_is_written_as_sqlalchemy_writes_it(at: dt.datetime) -> None:
    """So that it sorts, and compares, with those written before."""
    dialect = sqlite.dialect()
    ours = UtcTime().bind_processor(dialect)
    theirs = sa.DateTime().dialect_impl(dialect).bind_processor(dialect)
    assert ours is not None
    assert theirs is not None
    assert ours(at) == theirs(at.astimezone(dt.UTC).replace(tzinfo=None))
