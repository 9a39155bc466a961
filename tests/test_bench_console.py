"""The bench of search and statistics: what it builds is what the gateway would have written."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from bench import (
    console,
    console_cost,
    console_journal,
    console_kinds,
    console_pages,
    console_settle,
    console_visits,
)
from gateway.service.journal import open_reader
from gateway.service.journal.statistics_check import day_differs, month_differs, months_counted
from gateway.service.journal.tables import documents, interchanges, searchable
from gateway.service.statistics import _days


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small journal, built in two goes."""
    made = tmp_path_factory.mktemp("bench") / "journal.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console_journal, "AT_ONCE", 200)
        assert console_journal.build(made, 400, seconds=0) == 0
        told: list[int] = []
        assert console_journal.build(made, 400, told.append) == 400
        assert told == [200, 400]
    return made


def test_a_row_for_each_document(path: Path) -> None:
    """Each with its interchange; some of them archives."""
    with open_reader(path).connect() as conn:
        counts = [
            conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (documents, searchable, interchanges)
        ]
    assert counts[:2] == [400, 400]
    assert 100 < counts[2] < 400


def test_totals_are_those_of_the_documents(path: Path) -> None:
    """As after a rebuild."""
    with open_reader(path).connect() as conn:
        span = months_counted(conn)
        assert span is not None
        for month in {*span}:
            assert not any(month_differs(conn, month))
            for day in _days(month):
                assert not any(day_differs(conn, day)), day


def test_every_question_is_answered(path: Path) -> None:
    """And most kinds of search find something."""
    with open_reader(path).connect() as conn:
        searches = console_kinds.searches_of(conn)
        found = {kind: max(ask(conn)[0] for ask in asks) for kind, asks in searches.items()}
        assert sum(map(bool, found.values())) > len(found) / 2, found
        assert found["anything: a whole number"] >= 1
        assert found["anything: fits nothing"] == 0
        for asks in console_kinds.totals_of(conn).values():
            assert asks[0](conn)[0] > 0


def test_what_settling_costs() -> None:
    """A ratio of what was measured, on documents that were settled."""
    cost = console_settle.settled_cost(60)
    assert 20 <= cost.documents <= 60
    assert cost.ratio == pytest.approx(cost.with_ms / cost.without_ms)


def test_the_95th_percentile() -> None:
    """Of a hundred values, the 95th."""
    assert console.percentile([float(each) for each in range(100, 0, -1)]) == 95.0
    assert console.percentile([3.0]) == 3.0


@pytest.mark.timeout(300)
def test_every_page_is_timed(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a real gateway; that each was answered is looked at there."""
    times = console_pages.page_times(path, tmp_path, 3)
    assert len(times) > 15
    assert all(0 < each.median <= each.slowest for each in times)
    assert all(each.kb > 1 for each in times if each.page != "live numbers")
    console.show_pages(times)
    assert "search: seller" in capsys.readouterr().out


@pytest.mark.ssh
@pytest.mark.timeout(300)
def test_what_being_watched_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """How much that is, is not looked at here."""
    monkeypatch.setattr(console_cost, "_WARM", 2)
    monkeypatch.setattr(console_visits, "_LOOKED_SECONDS", 0.05)
    cost = console_cost.watched_cost(tmp_path, 6, 1)
    assert cost.documents == 6
    assert cost.pages > 0
    assert min(cost.plain_rate, cost.watched_rate, cost.ratio, cost.cpu_ratio) > 0
    console.show_watching(cost)
    assert "6 invoices" in capsys.readouterr().out
