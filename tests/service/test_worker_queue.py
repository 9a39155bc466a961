"""Whose job is next: turns between partners, one large document at a time, nobody forgotten."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.service.worker_queue import FairQueue


class Waiting:
    """A job as far as the queue is concerned."""

    def __init__(self, partner: str, alone: bool = False, name: str = "") -> None:
        self.partner = partner
        self.alone = alone
        self.name = name

    def __repr__(self) -> str:
        return self.name or f"{self.partner}{'!' if self.alone else ''}"


def queue_of(*jobs: Waiting) -> FairQueue[Waiting]:
    queue: FairQueue[Waiting] = FairQueue()
    for job in jobs:
        queue.put(job)
    return queue


def names(queue: FairQueue[Waiting], *, leave: bool = True) -> str:
    """Take until nothing may run; with `leave`, whatever runs alone is over at once."""
    taken = []
    while (job := queue.take()) is not None:
        taken.append(job.name)
        if leave and job.alone:
            queue.leave_lane()
    return "".join(taken)


def jobs(text: str) -> list[Waiting]:
    """`"a1 b1!"`: one job of partner a, one of b that runs alone."""
    return [Waiting(word[0], word.endswith("!"), f"{word} ") for word in text.split()]


@pytest.mark.parametrize(
    ("put", "taken"),
    [
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 a4 b1 b2 c1", "a1 b1 c1 a2 b2 a3 a4"),
        ("a1! a2! a3! b1!", "a1! b1! a2! a3!"),
        ("a1! a2! a3 a4", "a1! a3 a2! a4"),
        ("a1! a2! a3! b1 b2", "a1! b1 a2! b2 a3!"),
    ],
    ids=["first come", "turns", "turns in the lane", "both lanes of one", "a lane, and not"],
)
def test_turns(put: str, taken: str) -> None:
    """One job a turn, in the order of arrival within a partner's lane."""
    assert names(queue_of(*jobs(put))).split() == taken.split()


def test_nobody_waits_behind_a_job_that_waits_for_the_lane() -> None:
    """While the lane is taken, the others run: other partners' jobs and the same partner's."""
    queue = queue_of(*jobs("a1! a2! a3 b1! b2"))
    assert names(queue, leave=False).split() == ["a1!", "b2", "a3"]
    assert len(queue) == 2
    queue.leave_lane()
    assert names(queue, leave=False).split() == ["b1!"]
    queue.leave_lane()
    assert names(queue, leave=False).split() == ["a2!"]


def test_removed_job_is_never_taken() -> None:
    """A job that is given up is forgotten; giving it up twice, or too late, changes nothing."""
    first, second, third = jobs("a1 b1! a2")
    queue = queue_of(first, second, third)
    queue.remove(second)
    queue.remove(second)
    assert queue.take() is first
    queue.remove(first)
    assert len(queue) == 1
    assert queue.take() is third
    assert queue.take() is None


def test_clear_gives_everything_back() -> None:
    """Every waiting job comes back once, and none is left."""
    made = jobs("a1 b1! a2 b2")
    queue = queue_of(*made)
    assert sorted(map(repr, queue.clear())) == sorted(map(repr, made))
    assert len(queue) == 0
    assert queue.take() is None


PARTNERS = "abc"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(PARTNERS), st.booleans()),
        st.tuples(st.just("take"), st.just(""), st.just(False)),
        st.tuples(st.just("leave"), st.just(""), st.just(False)),
        st.tuples(st.just("remove"), st.sampled_from(PARTNERS), st.booleans()),
    ),
    max_size=120,
)


class Referee:
    """Watches a queue at work and objects to what the promises exclude."""

    def __init__(self) -> None:
        self.queue: FairQueue[Waiting] = FairQueue()
        self.waiting: dict[tuple[str, bool], list[Waiting]] = defaultdict(list)
        self.running_alone = False
        self.passed: dict[str, Counter[str]] = defaultdict(Counter)
        self.lane_passed: dict[str, Counter[str]] = defaultdict(Counter)
        self.alone_turns: Counter[str] = Counter()

    def put(self, partner: str, alone: bool) -> None:
        """A job arrives."""
        if not self.waiting[partner, False]:
            self._waited(partner, alone=False)
        job = Waiting(partner, alone)
        self.waiting[partner, alone].append(job)
        self.queue.put(job)

    def remove(self, partner: str, alone: bool) -> None:
        """The newest job of that lane is given up."""
        if self.waiting[partner, alone]:
            self.queue.remove(self.waiting[partner, alone].pop())
            self._waited(partner, alone=alone)

    def leave(self) -> None:
        """What ran alone is over."""
        self.running_alone = False
        self.queue.leave_lane()

    def take(self) -> None:
        """A place is free."""
        job = self.queue.take()
        beside = [partner for partner in PARTNERS if self.waiting[partner, False]]
        alone = [partner for partner in PARTNERS if self.waiting[partner, True]]
        if job is None:
            assert not beside, "a job that may run was left waiting"
            assert self.running_alone or not alone, "the lane was free and nobody got it"
            return
        lane = self.waiting[job.partner, job.alone]
        assert lane.pop(0) is job, "not the first of its partner's lane"
        if job.alone:
            assert not self.running_alone, "two run alone"
            self.running_alone = True
            for partner in set(alone) - {job.partner}:
                self.lane_passed[partner][job.partner] += 1
                assert self.lane_passed[partner][job.partner] <= 1, "passed twice in the lane"
        for partner in set(beside) - {job.partner}:
            self.passed[partner][job.partner] += 1
            assert self.passed[partner][job.partner] <= 1, "passed twice by one partner"
        if job.alone and self.waiting[job.partner, False]:
            self.alone_turns[job.partner] += 1
            assert self.alone_turns[job.partner] <= 1, "two of its own large ones went first"
        self._waited(job.partner, alone=job.alone)

    def _waited(self, partner: str, *, alone: bool) -> None:
        """Its waiting begins anew: it was served, or has another job in front."""
        self.passed[partner].clear()
        if alone:
            self.lane_passed[partner].clear()
        else:
            self.alone_turns[partner] = 0


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_promises_hold_whatever_comes(steps: list[tuple[str, str, bool]]) -> None:
    """No job is lost or repeated, order is kept within a lane, nobody is passed twice.

    At most one job runs alone, no place stays free while a job may run, and whoever waits for the
    lane gets it.
    """
    referee = Referee()
    for what, partner, alone in steps:
        if what == "put":
            referee.put(partner, alone)
        elif what == "remove":
            referee.remove(partner, alone)
        elif what == "leave":
            referee.leave()
        else:
            referee.take()
        assert len(referee.queue) == sum(map(len, referee.waiting.values()))
    while len(referee.queue):
        referee.leave()
        referee.take()
    assert not any(referee.waiting.values())


def test_lane_is_not_lost_to_those_who_only_wait_for_it() -> None:
    """A partner with a stream of other jobs gets the lane too, however the moments fall."""
    queue = queue_of(*jobs("a1! b1! b2! b3! b4! a2 a3"))
    taken = []
    for number in range(12):
        if number % 2 == 0:
            queue.leave_lane()
        queue.put(Waiting("a", name=f"a+{number} "))
        job = queue.take()
        taken.append(job.name.strip() if job else "")
    assert taken.index("a1!") <= 2
    assert {"b1!", "b2!"} <= set(taken)
