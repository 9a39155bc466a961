"""`python -m bench.fairness`, with a mountain of sixty files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.fairness import Plan, bound, figures, measure, show

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]


def test_few_files_wait_for_no_more_of_the_mountain_than_the_bound_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted in documents, so that a slow machine changes nothing."""
    plan = Plan(n=60, others=5, judges=1, lines=40, sessions=2, places=8)
    rows = measure(tmp_path, plan)

    assert [row.situation for row in rows] == ["idle", "coming", "standing", "at once"]
    for row in rows:
        assert row.ahead <= row.bound, row
        assert row.longest <= row.seconds
    idle, coming, _, at_once = rows
    assert idle.waiting == idle.beside == 0
    assert coming.waiting > 0
    # They came while nothing was judged: they waited from the first receipt to the last verdict.
    assert at_once.beside <= bound(plan.others, places=plan.places, judges=plan.judges)

    show(plan, rows)
    assert "at most 19 documents of big" in capsys.readouterr().out
    found = json.loads(json.dumps(figures(plan, rows)))
    assert found["bound"] == 19
    assert found["within_bound"] is True


def test_the_bound_grows_with_the_files_and_not_with_the_mountain() -> None:
    assert bound(10, places=64, judges=2) == 86
    assert bound(11, places=64, judges=2) == 88
