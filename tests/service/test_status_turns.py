"""Turns of those who are owed statuses: nobody waits for more than one page of each other."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from gateway.service.journal.given_records import Owed
from gateway.service.status_turns import LINE, MOST_FAULTS, PAGE, Debt, Turns

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def owed(name: str, partner: str) -> Owed:
    """A debt that is due."""
    return Owed(name, partner, NOW, NOW, 0, NOW, None)


def opened(turns: Turns, pages: dict[str, int]) -> None:
    """See the first page of each through: so many has each interchange."""
    for debt in list(turns):
        debt.begin()
        debt.ended(PAGE * pages[debt.owed.interchange_id])


def test_partners_take_turns_and_so_do_their_interchanges() -> None:
    """A page each, then the next; who has nothing more is passed by."""
    turns = Turns()
    turns.fill(
        {
            "a": [owed("a1", "a"), owed("a2", "a")],
            "b": [owed("b1", "b")],
            "c": [owed("c1", "c")],
        }
    )
    opened(turns, {"a1": 4, "a2": 3, "b1": 2, "c1": 3})
    order = []
    while (debt := turns.next()) is not None:
        order.append(debt.owed.interchange_id)
        debt.begin()
    assert order == ["a1", "b1", "c1", "a2", "c1", "a1", "a2", "a1"]


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_whoever_is_first_to_end(seed: int) -> None:
    """Between the moment a page could begin and its beginning: one page of each other."""
    rng = random.Random(seed)
    turns = Turns()
    pages = {f"{p}{n}": rng.randint(1, 9) for p in "abcd" for n in range(rng.randint(1, 4))}
    turns.fill({p: [owed(name, p) for name in pages if name[0] == p] for p in "abcd"})
    waiting: dict[str, list[str]] = {}
    running: list[Debt] = []
    begun = 0
    while turns:
        for debt in turns:
            if debt.ready:
                waiting.setdefault(debt.owed.interchange_id, [])
        debt_ = turns.next() if len(running) < 4 else None
        if debt_ is None:
            ending = running.pop(rng.randrange(len(running)))
            ending.ended(PAGE * pages[ending.owed.interchange_id])
            if ending.over:
                turns.drop(ending)
            continue
        begun += 1
        mine = debt_.owed.interchange_id
        seen = waiting.pop(mine)
        own = [name for name in seen if name[0] == mine[0]]
        assert len(own) == len(set(own))
        for name, others in waiting.items():
            others.append(mine)
            if all(other[0] != name[0] for other in others):
                assert len({other[0] for other in others}) == len(others)
        debt_.begin()
        running.append(debt_)
    assert begun == sum(pages.values())


def test_only_so_many_of_a_partner_are_in_memory() -> None:
    """More are asked for when half of them are over, and not when the journal had no more."""
    turns = Turns()
    turns.fill({"a": [owed(f"a{n}", "a") for n in range(LINE)], "b": [owed("b1", "b")]})
    assert (turns.room("a"), turns.room("b"), turns.room("c")) == (0, LINE - 1, LINE)
    thin = [turns.thin]
    for debt in list(turns)[: LINE // 2]:
        turns.drop(debt)
        thin.append(turns.thin)
    assert thin == [False] * (LINE // 2) + [True]
    assert len(turns.known("a")) == LINE // 2
    turns.fill({"a": [], "b": []})
    assert not turns.thin


def test_nothing_is_begun_before_the_first_page_is_over() -> None:
    """How many there are is known then."""
    debt = Debt(owed("a1", "a"))
    assert (debt.ready, debt.over) == (True, False)
    assert debt.begin() == 0
    assert (debt.ready, debt.over) == (False, False)
    debt.ended(PAGE + 1)
    assert debt.begin() == PAGE
    assert not debt.over
    debt.ended(PAGE + 1)
    assert debt.over


def test_an_interchange_without_documents_is_over_at_once() -> None:
    """A file that could not be opened has one page, for what is said of the file."""
    debt = Debt(owed("a1", "a"))
    debt.begin()
    debt.ended(0)
    assert debt.over


def test_what_broke_off_begins_no_other_page_and_few_faults_are_kept() -> None:
    """All are counted."""
    debt = Debt(owed("a1", "a"))
    debt.begin()
    debt.ended(PAGE * 9)
    debt.begin()
    debt.begin()
    debt.failed(["x"] * 40)
    debt.broke_off("no judge")
    assert (debt.ready, debt.over) == (False, False)
    debt.ended(PAGE * 9)
    assert debt.over
    assert (debt.count, len(debt.faults)) == (41, MOST_FAULTS)
