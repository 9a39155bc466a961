"""What a job may take, by its size, and how that is said."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from gateway.config.settings import Judges
from gateway.service.judges import judging_budget
from gateway.service.worker_budget import Allowance
from gateway.service.worker_clock import JobClock

PLAIN = Allowance("as2.time_limit_seconds", 900.0)
GROWING = Allowance("judges.time_limit_seconds", 60.0, 10.0, 900.0)


@pytest.mark.parametrize(
    ("allowance", "size", "amount", "account", "raised"),
    [
        (PLAIN, 10**9, 900, "as2.time_limit_seconds", ["as2.time_limit_seconds"]),
        (
            GROWING,
            300_000,
            63,
            "60 + 10 × 0.3 MB of document",
            ["judges.time_limit_seconds", "judges.time_limit_seconds_per_mb"],
        ),
        (
            GROWING,
            84_000_000,
            900,
            "60 + 10 × 84.0 MB of document",
            ["judges.time_limit_seconds", "judges.time_limit_seconds_per_mb"],
        ),
        (
            GROWING,
            100_000_000,
            900,
            "the most for any document, however large",
            ["judges.large_time_limit_seconds"],
        ),
        (
            Allowance("judges.memory_limit_mb", 5000, 50, 4000),
            10_000_000,
            5000,
            "the most for any document, however large",
            ["judges.large_memory_limit_mb"],
        ),
    ],
)
def test_an_allowance_grows_with_the_size_up_to_its_bound(
    allowance: Allowance, size: int, amount: float, account: str, raised: list[str]
) -> None:
    """And says which settings made it so. A bound below the base bounds nothing but the growth."""
    assert allowance.amount(size) == amount
    assert allowance.account(size) == account
    assert allowance.remedy(size) == (
        f"If the document is legitimate, raise {' or '.join(raised)}."
    )


def test_the_settings_bound_what_judging_may_take() -> None:
    """Each has its place; a document that does not run alone counts as a large one at most."""
    budget = judging_budget(
        Judges(
            time_limit_seconds=1,
            time_limit_seconds_per_mb=2,
            large_time_limit_seconds=5,
            memory_limit_mb=300,
            memory_limit_mb_per_mb=4,
            large_memory_limit_mb=330,
            large_bytes=1_500_000,
        )
    )
    assert [budget.time.amount(size) for size in (0, 1_000_000, 10_000_000)] == [1, 3, 5]
    assert [budget.memory.amount(size) for size in (0, 1_000_000, 10_000_000)] == [300, 304, 330]
    assert budget.counted(2_000_000, alone=False) == 1_500_000
    assert budget.counted(2_000_000, alone=True) == 2_000_000


def test_the_clock_counts_only_while_it_runs() -> None:
    """It can stand still, go on, and be given another limit; each job starts from nothing."""
    reactor, late = Clock(), []
    clock = JobClock(reactor, lambda: late.append(reactor.seconds()))
    clock.start(10, running=False)
    reactor.advance(100)
    assert clock.seconds == 0
    clock.go_on()
    reactor.advance(9)
    clock.stand_still()
    reactor.advance(50)
    assert (clock.seconds, late) == (9, [])
    clock.go_on()
    clock.allow(12)
    reactor.advance(2)
    assert (clock.seconds, late) == (11, [])
    reactor.advance(1)
    assert late == [162]
    clock.start(10, running=True)
    clock.allow(5)
    reactor.advance(5)
    assert late == [162, 167]
    clock.stand_still()
    reactor.advance(100)
    assert (len(late), reactor.getDelayedCalls()) == (2, [])
