"""Which waiting job is next: partners take turns, and large documents go one at a time.

Every partner with waiting jobs has one place in the rotation; a turn is one job, then the partner
goes to the end. So a partner's next job waits for what runs and for at most one job of each other
partner, however long their backlogs are.

Jobs that must run *alone* (large documents, and documents that already cost a judge) share a lane
that holds one of them at a time. While it is taken they wait, and nobody waits behind them: their
partner's turns go to its other jobs. The lane has a rotation of its own: a partner that always has
something else to run would otherwise find the lane taken whenever its turn comes. Within a
partner each lane is first come first served, and its turns alternate between the two when it
could use either.

Nothing here knows of processes or time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What the queue must know of a job, which is itself by its identity."""

    @property
    def partner(self) -> str:
        """Whose turn it takes."""
        ...

    @property
    def alone(self) -> bool:
        """Whether it waits for the lane in which one job runs at a time."""
        ...


T = TypeVar("T", bound=Queued)


class _Waiting(Generic[T]):
    """What one partner has waiting."""

    __slots__ = ("alone", "beside", "was_alone")

    def __init__(self) -> None:
        self.beside: OrderedDict[T, None] = OrderedDict()
        self.alone: OrderedDict[T, None] = OrderedDict()
        self.was_alone = False

    def lane(self, job: T) -> OrderedDict[T, None]:
        return self.alone if job.alone else self.beside


class FairQueue(Generic[T]):
    """The jobs that wait. Adding, taking and removing one costs a look at each partner at most."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Waiting[T]] = OrderedDict()
        self._lane_turns: OrderedDict[str, None] = OrderedDict()
        self._lane_taken = False
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, job: T) -> None:
        """Wait behind the partner's jobs of the same lane; a new partner behind all others."""
        waiting = self._turns.setdefault(job.partner, _Waiting())
        waiting.lane(job)[job] = None
        if job.alone:
            self._lane_turns.setdefault(job.partner)
        self._count += 1

    def take(self) -> T | None:
        """The next job that may run now. One that runs alone holds the lane until `leave_lane`."""
        for partner, waiting in self._turns.items():
            open_lane = not self._lane_taken and next(iter(self._lane_turns), None) == partner
            if open_lane and not (waiting.was_alone and waiting.beside):
                lane = waiting.alone
            elif waiting.beside:
                lane = waiting.beside
            else:
                continue  # Keeps its place: it is first when the lane is its own.
            job, _ = lane.popitem(last=False)
            self._count -= 1
            waiting.was_alone = job.alone
            self._turns.move_to_end(partner)
            if job.alone:
                self._lane_taken = True
                self._lane_turns.move_to_end(partner)
            self._forget_idle(partner, waiting)
            return job
        return None

    def leave_lane(self) -> None:
        """The job that ran alone is over, and so is what it left behind."""
        self._lane_taken = False

    def remove(self, job: T) -> None:
        """Forget a job, if it still waits."""
        waiting = self._turns.get(job.partner)
        if waiting is None or job not in waiting.lane(job):
            return
        del waiting.lane(job)[job]
        self._count -= 1
        self._forget_idle(job.partner, waiting)

    def clear(self) -> tuple[T, ...]:
        """Every job, none of which waits any more."""
        jobs = tuple(
            job for waiting in self._turns.values() for job in (*waiting.beside, *waiting.alone)
        )
        self._turns.clear()
        self._lane_turns.clear()
        self._count = 0
        return jobs

    def _forget_idle(self, partner: str, waiting: _Waiting[T]) -> None:
        """Whoever has nothing waiting has no turn, and comes back at the end."""
        if not waiting.alone:
            self._lane_turns.pop(partner, None)
            if not waiting.beside:
                del self._turns[partner]
