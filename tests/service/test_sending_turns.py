"""Partners share a batch: each as much as any other, and what is left goes to those with more."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service.journal import records
from gateway.service.journal.tables import OutboxState
from gateway.service.sending_turns import Look, Turns
from tests.service.journalling import NOW


def row(number: int, partner: str) -> records.OutboxRow:
    """A message of a partner."""
    return records.OutboxRow(
        id=number,
        message_id=str(number),
        interchange_id="1",
        ordinal=1,
        kind="event",
        destination="broker",
        partner=partner,
        filename=None,
        exchange="edi.events",
        routing_key="a.b",
        content_type="application/json",
        type="t",
        headers={},
        mandatory=False,
        created_at=NOW,
        state=OutboxState.PENDING,
        attempts=0,
        next_attempt_at=NOW,
        delivered_at=None,
        last_error=None,
        body=b"{}",
        payload=None,
    )


class Queue:
    """What waits, as the journal would have it; remembers how often it was asked.

    A look goes through `reach` messages of a partner. `held` may not be sent.
    """

    def __init__(self, reach: int = 10_000, **counts: int) -> None:
        self.reach = reach
        self.held: set[int] = set()
        self.rows: list[records.OutboxRow] = []
        for partner, count in counts.items():
            for _ in range(count):
                self.rows.append(row(len(self.rows) + 1, partner))
        self.turns = Turns()
        self.asked = 0

    def find(self, partner: str, after: int, most: int) -> Look:
        """Of this partner, numbered above `after`."""
        self.asked += 1
        theirs = [row for row in self.rows if row.partner == partner and row.id > after]
        end = theirs[self.reach - 1].id if len(theirs) >= self.reach else None
        free = [row for row in theirs[: self.reach] if row.id not in self.held]
        return Look(free[:most], end)

    def batch(self, limit: int) -> list[records.OutboxRow]:
        """The next batch, of all who have something."""
        partners = sorted({row.partner for row in self.rows})
        return self.turns.batch(partners, limit, self.find)

    def sent(self, batch: Collection[records.OutboxRow]) -> None:
        """These have arrived."""
        gone = {row.id for row in batch}
        self.rows = [row for row in self.rows if row.id not in gone]
        self.turns.sent({row.partner for row in batch})

    def send(self, limit: int, *stuck: str) -> dict[str, int]:
        """Send a batch, but nothing of those who are stuck: how much each had of it."""
        batch = self.batch(limit)
        self.sent([row for row in batch if row.partner not in stuck])
        return {name: [r.partner for r in batch].count(name) for name in {r.partner for r in batch}}


def test_a_few_do_not_wait_behind_a_mountain() -> None:
    """Ten that came last are in the next batch, whoever comes first by name."""
    queue = Queue(mountain=1000, few=10, after=10)
    assert queue.send(60) == {"mountain": 40, "few": 10, "after": 10}
    assert queue.send(60) == {"mountain": 60}
    assert [row.id for row in queue.batch(60)] == list(range(101, 161)), "its oldest first"


def test_mountains_share() -> None:
    """Who has more than a share gets no less than the others."""
    queue = Queue(a=1000, b=1000, c=5)
    assert queue.send(99) == {"a": 61, "b": 33, "c": 5}, "the rest goes to whoever comes first"
    assert queue.send(99) == {"b": 50, "a": 49} or queue.send(99) == {"a": 50, "b": 49}


def test_more_partners_than_places() -> None:
    """Each gets its turn before anybody gets a second one."""
    queue = Queue(**{f"p{number:02d}": 3 for number in range(25)})
    had = [partner for _ in range(3) for partner in queue.send(10)]
    assert len(had) == 30
    assert len(set(had)) == 25
    assert queue.asked == 30, "and the journal is asked for those only whose turn it is"


def test_what_cannot_be_sent_is_looked_past() -> None:
    """Whoever's it is: what comes after it is tried, then it is tried again."""
    queue = Queue(a=6, b=3)
    tried = []
    for _ in range(4):
        batch = queue.batch(4)
        tried.append([row.id for row in batch if row.partner == "a"])
        queue.sent([row for row in batch if row.partner == "b"])
    assert tried == [[1, 2], [3, 4, 5], [6], [1, 2, 3, 4]]


def test_what_arrives_in_part_is_not_looked_past() -> None:
    """Some of a partner's messages arrived: its oldest are the next again."""
    queue = Queue(a=9)
    queue.sent(queue.batch(4)[1:])
    assert [row.id for row in queue.batch(4)] == [1, 5, 6, 7]


def test_behind_many_that_may_not_be_sent() -> None:
    """A look goes through some of them; the next goes on, and after the last one it begins anew."""
    queue = Queue(reach=4, a=10, b=1)
    queue.held = set(range(1, 9))
    found = []
    for _ in range(4):
        batch = queue.batch(5)
        found.append(([row.id for row in batch], queue.turns.unfinished))
        queue.sent(batch)
        queue.rows.append(row(99, "b"))
    assert found == [([11], True), ([99], True), ([9, 10, 99], False), ([99], True)]
    queue.held.clear()
    assert [row.id for row in queue.batch(2)] == [5, 99], "it goes on where it was"
    queue.sent([])
    queue.rows = [row for row in queue.rows if row.id in {1, 2}]
    assert queue.batch(2) == []
    assert [row.id for row in queue.batch(2)] == [1, 2]


@pytest.mark.parametrize("stuck", [(), ("a",)])
def test_nothing_waits(stuck: tuple[str, ...]) -> None:
    """An empty queue gives empty batches."""
    queue = Queue()
    assert queue.send(4, *stuck) == {}
    assert queue.asked == 0


@given(
    counts=st.lists(st.integers(min_value=0, max_value=30), max_size=8),
    limit=st.integers(min_value=1, max_value=12),
    stuck=st.sets(st.integers(min_value=0, max_value=7)),
    reach=st.sampled_from([1, 3, 10_000]),
)
def test_all_is_sent_once_and_shared(
    counts: list[int], limit: int, stuck: set[int], reach: int
) -> None:
    """Whatever waits: full batches, nothing twice, no share taken from another, none forgotten."""
    queue = Queue(reach, **{f"p{number}": count for number, count in enumerate(counts)})
    cannot = {f"p{number}" for number in stuck}
    for _ in range(sum(counts) * 2 + len(counts) + 2):
        waiting = {row.partner for row in queue.rows}
        before = len(queue.rows)
        batch = queue.batch(limit)
        assert len({row.id for row in batch}) == len(batch) <= limit
        assert [row.id for row in batch] == sorted(row.id for row in batch)
        if not cannot and reach > limit:
            assert len(batch) == min(limit, before)
            share = limit // len(waiting) if waiting else 0
            for partner in waiting:
                theirs = sum(row.partner == partner for row in batch)
                has = theirs + sum(
                    row.partner == partner and row not in batch for row in queue.rows
                )
                assert theirs >= min(share, has)
        queue.sent([row for row in batch if row.partner not in cannot])
    assert {row.partner for row in queue.rows} <= cannot
