"""The backlog: everything is worked on, never twice at once, within bounds, partners in turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet import defer
from twisted.internet.task import Clock

from gateway.errors import JournalError
from gateway.service.backlog import LINE, Backlog
from gateway.service.journal import tables

RETRY = 5.0
SHA256 = "ab" * 32


class FakeJournal:
    """Unfinished interchanges in a real database; a read is answered when the test says so.

    It sees what was there when it was asked, however much later the answer comes.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.pending: list[tuple[defer.Deferred[Any], Any]] = []
        self.failing = 0
        """So many of the next answers are errors."""
        with engine.begin() as conn:
            conn.execute(tables.interchanges.delete())

    def receive(self, arrivals: list[tuple[str, str]]) -> None:
        """Interchanges arrived: their ids and partners."""
        with self._engine.begin() as conn:
            conn.exec_driver_sql(
                "INSERT INTO interchanges (id, partner, name, transport, received_at, sha256,"
                " size, state, updated_at)"
                " VALUES (?, ?, 'a.xml', 'sftp', '2026-03-01', ?, 1, 'received', '2026-03-01')",
                [(id_, partner, SHA256) for id_, partner in arrivals],
            )

    def finish(self, id_: str) -> None:
        """An interchange needs no work any more."""
        with self._engine.begin() as conn:
            conn.exec_driver_sql("UPDATE interchanges SET state='settled' WHERE id=?", (id_,))

    def read(self, _name: str, work: Callable[[sa.Connection], Any]) -> defer.Deferred[Any]:
        """As `Journal.read`."""
        with self._engine.connect() as conn:
            value = work(conn)
        if self.failing:
            self.failing -= 1
            value = JournalError("the disk is gone")
        answer: defer.Deferred[Any] = defer.Deferred()
        self.pending.append((answer, value))
        return answer

    def answer(self) -> None:
        """Answer the oldest read."""
        deferred, value = self.pending.pop(0)
        if isinstance(value, Exception):
            deferred.errback(value)
        else:
            deferred.callback(value)


class House:
    """A backlog, its journal, a clock, and works that end when the test says so."""

    def __init__(self, engine: sa.Engine, max_in_flight: int) -> None:
        self.clock = Clock()
        self.journal = FakeJournal(engine)
        self.said = structlog.testing.CapturingLogger()
        self.max_in_flight = max_in_flight
        self.backlog = Backlog(
            self.clock,
            journal=self.journal,  # type: ignore[arg-type]
            work=self._work,
            max_in_flight=max_in_flight,
            retry_seconds=RETRY,
            log=structlog.wrap_logger(self.said, processors=[]),
        )
        self.partner: dict[str, str] = {}
        self.works: dict[str, defer.Deferred[None]] = {}
        self.started: list[str] = []
        self.in_turn: list[bool] = []
        """Of each start, whether there was a free place for it."""
        self.done: set[str] = set()
        self.told_again: set[str] = set()
        self.faults: list[str] = []
        self.held = False

    def receive(
        self, partner: str, count: int = 1, *, tell: bool = True, id_: str = ""
    ) -> list[str]:
        """Files arrive from this partner; the backlog is told, unless they came before it was."""
        ids = [id_] if id_ else [f"{len(self.partner) + n:06d}" for n in range(count)]
        self.partner.update(dict.fromkeys(ids, partner))
        self.journal.receive([(id_, partner) for id_ in ids])
        if tell:
            for id_ in ids:
                self.backlog.add(id_, partner)
        return ids

    async def _work(self, id_: str) -> None:
        partner = self.partner[id_]
        others = Counter(self.partner[each] for each in self.works)
        free = len(self.works) < self.max_in_flight
        # Noted, not asserted: what a work raises is the backlog's to deal with.
        self.faults += [
            f"{id_}: {what}"
            for what, wrong in (
                ("begun twice at once", id_ in self.works),
                ("begun while everything is held", self.held),
                ("begun though it was over", id_ in self.done - self.told_again),
                ("begun without a place", not free and others[partner] > 0),
                (
                    "too many in work",
                    others.total() >= self.max_in_flight + len(set(self.partner.values())) - 1,
                ),
            )
            if wrong
        ]
        self.in_turn.append(free)
        self.started.append(id_)
        deferred: defer.Deferred[None] = defer.Deferred()
        self.works[id_] = deferred
        try:
            await deferred
        finally:
            del self.works[id_]

    def end(self, id_: str) -> None:
        """The work on this one is over: it has its verdict."""
        self.done.add(id_)
        self.journal.finish(id_)
        self.works[id_].callback(None)

    def settle(self) -> None:
        """Answer every read and let what is due at once happen."""
        self.clock.advance(0)
        while self.journal.pending:
            self.journal.answer()
            self.clock.advance(0)

    def start(self) -> None:
        """Start the backlog."""
        started = defer.Deferred.fromCoroutine(self.backlog.start())
        self.settle()
        outcome: list[Any] = []
        started.addBoth(outcome.append)
        if outcome != [None]:
            outcome[0].raiseException()

    def stop(self) -> None:
        """Stop the backlog and leave nothing running."""
        stopped = defer.Deferred.fromCoroutine(self.backlog.stop(1.0))
        self.clock.advance(1.0)
        assert stopped.called
        assert not self.works
        assert self.faults == []
        assert not self.clock.getDelayedCalls()

    def run_dry(self, pick: Callable[[list[str]], str] = lambda ids: ids[0]) -> None:
        """End works, one after another, until none is left."""
        self.settle()
        while self.works:
            self.end(pick(sorted(self.works)))
            self.settle()

    @property
    def unfinished(self) -> set[str]:
        """What still needs work."""
        return set(self.partner) - self.done

    def in_memory(self) -> Counter[str]:
        """How many interchanges of each partner the backlog remembers."""
        return Counter(self.partner[id_] for id_ in self.backlog._items)


@pytest.fixture(scope="module")
def engine() -> Iterator[sa.Engine]:
    """A database in memory with the one table that matters."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    tables.interchanges.create(engine)
    yield engine
    engine.dispose()


class TestTurns:
    """No partner holds back another."""

    def test_a_hundred_thousand_files_do_not_hold_back_ten(self, engine: sa.Engine) -> None:
        """Ten files that come behind a great many begin at once, then every second turn."""
        house = House(engine, 8)
        house.receive("acme", 2000, tell=False)
        house.start()
        assert [house.partner[id_] for id_ in house.started] == ["acme"] * 8
        ten = house.receive("small", 10)
        house.settle()
        assert house.started[8:] == ten[:1], "although every place was taken"
        while not set(ten) <= set(house.started):
            house.end(next(iter(house.works)))  # the judges take the oldest first
            house.settle()
        assert len(house.started) - 8 <= 2 * 10, "one of each partner, in turn"
        house.run_dry()
        assert house.done == set(house.partner)
        house.stop()

    def test_a_partner_only_in_the_journal_is_found_at_the_start(self, engine: sa.Engine) -> None:
        """What waits from before the start is taken up partner by partner, each oldest first."""
        house = House(engine, 4)
        house.receive("acme", 500, tell=False)
        last = house.receive("zebra", 3, tell=False)
        house.start()
        assert house.partner[house.started[1]] == "zebra" or last[0] in house.started
        house.run_dry()
        for partner in ("acme", "zebra"):
            of_partner = [id_ for id_ in house.started if house.partner[id_] == partner]
            assert of_partner == sorted(of_partner)
        house.stop()

    def test_new_arrivals_do_not_overtake_older_ones(self, engine: sa.Engine) -> None:
        """While the journal holds older files of a partner, its new ones wait behind them."""
        house = House(engine, 2)
        house.receive("acme", 50, tell=False)
        house.start()
        while len(house.done) < 40:
            house.receive("acme")
            house.end(min(house.works))
            house.settle()
        house.run_dry()
        assert house.started == sorted(house.started)
        assert len(house.done) == 90
        house.stop()

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(1, 6),
        st.lists(st.integers(0, 5), max_size=60),
        st.randoms(use_true_random=False),
    )
    def test_between_two_turns_every_other_partner_has_one(
        self, engine: sa.Engine, places: int, arrivals: list[int], rng: random.Random
    ) -> None:
        """In whatever order files arrive and works end: one turn each, and the bounds hold."""
        house = House(engine, places)
        house.start()
        since: dict[str, Counter[str]] = {}
        """Of each partner that waits: the turns that others had since its own."""
        waiting: Counter[str] = Counter()
        queue = [f"partner-{number}" for number in arrivals]
        while queue or house.works:
            seen = len(house.started)
            if queue and (not house.works or rng.random() < 0.6):
                partner = queue.pop()
                if waiting[partner] < LINE * places - places:
                    waiting[partner] += 1
                    since.setdefault(partner, Counter())
                    house.receive(partner)
            else:
                house.end(rng.choice(sorted(house.works)))
            house.settle()
            for id_, in_turn in list(zip(house.started, house.in_turn, strict=True))[seen:]:
                partner = house.partner[id_]
                waiting[partner] -= 1
                for other, turns in since.items():
                    if other != partner and in_turn:
                        turns[partner] += 1
                        assert turns[partner] <= 1, f"{partner} twice while {other} waited"
                since[partner] = Counter()
                if not waiting[partner]:
                    del since[partner]
        assert house.done == set(house.partner)
        house.stop()


class TestEverythingIsWorkedOn:
    """Failures, holds, retries, races with the journal: nothing is lost, nothing is doubled."""

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(1, 3),
        st.lists(st.integers(0, 3), max_size=40),
        st.lists(st.integers(0, 3), max_size=40),
        st.booleans(),
        st.randoms(use_true_random=False),
    )
    @example(1, [0] * 40, [0] * 20, False, random.Random(1))
    def test_in_whatever_order_things_happen(
        self,
        engine: sa.Engine,
        places: int,
        before: list[int],
        after: list[int],
        twice: bool,
        rng: random.Random,
    ) -> None:
        """Reads are answered late, works end, fail, ask for later or hold all; all get done.

        Ids are not in the order of arrival, and the backlog hears of an arrival late: as when
        several receipts share a commit.
        """
        house = House(engine, places)
        ids = [f"{number:06d}" for number in range(len(before) + len(after))]
        rng.shuffle(ids)
        for number in before:
            house.receive(f"partner-{number}", tell=False, id_=ids.pop())
        house.start()
        queue = [f"partner-{number}" for number in after]
        untold: list[str] = []
        released_at = -1.0
        attempts: Counter[str] = Counter()

        def one_work() -> None:
            nonlocal released_at
            id_ = rng.choice(sorted(house.works))
            attempts[id_] += 1
            match rng.choice(("end", "end", "fail", "again", "hold", "both")):
                case "fail" if attempts[id_] < 4:
                    house.works[id_].errback(JournalError("the journal was away"))
                case "again" if attempts[id_] < 4:
                    house.backlog.again(id_, 2.0 * attempts[id_])
                    house.backlog.again(id_, rng.choice((0.0, 9.0)))
                    house.works[id_].callback(None)
                case "hold" | "both" as word if attempts[id_] < 4:
                    if house.backlog.hold(id_, 3.0):
                        released_at = house.clock.seconds() + 3.0
                    house.held = True
                    if word == "both":
                        house.backlog.again(id_, 1.0)
                    house.works[id_].callback(None)
                case _:
                    house.end(id_)

        def pass_time(seconds: float) -> None:
            # In steps, so that `held` is known to the instant.
            for _ in range(int(seconds * 2)):
                if house.held and house.clock.seconds() + 0.5 >= released_at:
                    house.held = False
                house.clock.advance(0.5)

        for _ in range(5000):
            if not queue and not untold and not house.unfinished:
                break
            choices = ("arrive", "arrive", "tell", "work", "work", "answer", "time", "again")
            match rng.choice(choices):
                case "arrive" if queue:
                    untold += house.receive(queue.pop(), tell=False, id_=ids.pop())
                    house.journal.failing = int(rng.random() < 0.1)
                case "tell" if untold:
                    id_ = untold.pop(rng.randrange(len(untold)))
                    house.told_again.add(id_)  # the journal may have brought it before
                    house.backlog.add(id_, house.partner[id_])
                case "work" if house.works:
                    one_work()
                case "answer" if house.journal.pending:
                    house.journal.answer()
                case "again" if twice and house.unfinished:  # told once more, by whoever
                    id_ = rng.choice(sorted(house.unfinished))
                    house.told_again.add(id_)
                    house.backlog.add(id_, house.partner[id_])
                case "time":
                    pass_time(rng.choice((0.5, 2.0, 6.0)))
            house.clock.advance(0)
            assert all(n <= LINE * places for n in house.in_memory().values())
            assert house.backlog.in_flight == len(house.works)
            assert house.backlog.waiting <= house.in_memory().total()
        assert house.unfinished == set(), "lost"
        for _ in range(3):  # what somebody asked for once more; a read that failed
            pass_time(10.0)
            house.run_dry()
        assert not house.in_memory()
        assert not house.backlog._lines
        house.stop()

    def test_told_while_it_is_in_work(self, engine: sa.Engine) -> None:
        """An operator releases something just as the work on it ends: it is looked at again."""
        house = House(engine, 2)
        house.start()
        (id_,) = house.receive("acme")
        house.settle()
        assert not house.backlog.add(id_, "acme")
        house.works[id_].callback(None)
        house.settle()
        assert house.started == [id_, id_]
        house.run_dry()
        house.stop()

    def test_told_while_it_is_due_later(self, engine: sa.Engine) -> None:
        """What was to wait a minute is taken up at once when somebody asks for it."""
        house = House(engine, 2)
        house.start()
        (id_,) = house.receive("acme")
        house.settle()
        house.backlog.again(id_, 60.0)
        house.works[id_].callback(None)
        house.settle()
        assert house.started == [id_]
        house.backlog.add(id_, "acme")
        house.settle()
        assert house.started == [id_, id_]
        house.run_dry()
        house.stop()

    def test_a_late_answer_of_the_journal_brings_nothing_twice(self, engine: sa.Engine) -> None:
        """What ended while the journal was being read is not begun again."""
        house = House(engine, 1)
        house.start()
        ids = house.receive("acme", LINE + 1)
        house.settle()
        for id_ in ids[: LINE - 1]:
            house.end(id_)
        house.clock.advance(0)
        assert house.journal.pending, "the line is dry"
        house.end(ids[LINE - 1])
        house.run_dry()
        assert house.started == ids
        house.stop()

    @pytest.mark.parametrize("reading", [True, False], ids=["during a look", "after a look"])
    def test_a_lower_id_that_comes_late_is_not_passed_by(
        self, reading: bool, engine: sa.Engine
    ) -> None:
        """Receipts may be committed in another order than their ids: the journal is asked again."""
        house = House(engine, 1)
        house.journal.receive([(f"{n:06d}", "acme") for n in range(10, 20)])
        house.partner |= {f"{n:06d}": "acme" for n in range(10, 20)}
        if reading:
            defer.ensureDeferred(house.backlog.start())
            house.journal.answer()  # which partners there are
        else:
            house.start()
        assert bool(house.journal.pending) is reading
        house.receive("acme", id_="000005")
        house.run_dry()
        assert house.done == set(house.partner)
        house.stop()

    def test_the_journal_cannot_be_read_for_a_while(self, engine: sa.Engine) -> None:
        """It says so, waits, and goes on by itself."""
        house = House(engine, 1)
        house.receive("acme", 20, tell=False)
        house.start()
        house.journal.failing = 2
        house.run_dry()
        assert len(house.done) < 20
        for _ in range(2):
            house.clock.advance(RETRY)
            house.settle()
        house.run_dry()
        assert len(house.done) == 20
        errors = [call.args for call in house.said.calls if call.method_name == "error"]
        assert len(errors) == 2
        house.stop()

    def test_an_unreadable_journal_fails_the_start(self, engine: sa.Engine) -> None:
        """A gateway that cannot know what it owes does not open its doors."""
        house = House(engine, 1)
        house.journal.failing = 1
        with pytest.raises(JournalError):
            house.start()
        house.stop()


class TestStopping:
    """A stop lets running work finish, and begins nothing."""

    def test_what_runs_may_finish(self, engine: sa.Engine) -> None:
        """The stop waits for it and leaves the rest."""
        house = House(engine, 1)
        house.start()
        first, second = house.receive("acme", 2)
        house.settle()
        stopped: list[None] = []
        defer.Deferred.fromCoroutine(house.backlog.stop(10.0)).addCallback(stopped.append)
        assert stopped == []
        house.end(first)
        assert stopped == [None]
        assert house.started == [first]
        assert not house.backlog.add(second, "acme")
        assert not house.clock.getDelayedCalls()

    def test_what_takes_too_long_is_cancelled(self, engine: sa.Engine) -> None:
        """After the grace the work is cut short, without a word of failure about it."""
        house = House(engine, 1)
        house.start()
        house.receive("acme", 2)
        house.settle()
        house.stop()
        assert [call.method_name for call in house.said.calls] == ["warning"]
