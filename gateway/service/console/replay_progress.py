"""How far a replay of many is: for its page, and for the numbers that move on it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.service.console.sources import Sources
from gateway.service.journal import replays_records
from gateway.service.journal.replay_tables import ItemState
from gateway.service.journal.replays_records import ReplayRow
from gateway.service.replay_runs import Ending, Standing, Step


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Interchanges by where they stand, and documents; `left`: interchanges not committed yet.

    `left` counts only those of which something would change. `run`: how the last run of it stands,
    since the gateway was started.
    """

    row: ReplayRow
    counts: dict[ItemState, int]
    documents: int
    changed: int
    left: int
    run: Standing | None

    @property
    def interchanges(self) -> int:
        """All that were chosen."""
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        """Those that are not tried yet."""
        return self.counts.get(ItemState.WAITING, 0)

    @property
    def tried(self) -> int:
        """Those that are tried, or could not be."""
        return self.interchanges - self.waiting

    @property
    def committed(self) -> int:
        """Those whose verdicts were taken back."""
        return self.counts.get(ItemState.COMMITTED, 0)

    @property
    def running(self) -> Step | None:
        """What is done with it at this moment."""
        if self.run is None or self.run.ending is not Ending.RUNNING:
            return None
        return self.run.run.step

    def of_coming_rules(self, today: dt.date) -> bool:
        """Whether it was judged by rules of a day that has not come."""
        return self.row.rules_on is not None and self.row.rules_on > today

    def numbers(self) -> dict[str, int]:
        """For the script, by the names the page has them under."""
        return {
            "replay-tried": self.tried,
            "replay-interchanges": self.interchanges,
            "replay-documents": self.documents,
            "replay-changed": self.changed,
            "replay-committed": self.committed,
            "replay-running": int(self.running is not None),
        }


async def progress_of(sources: Sources, replay: str) -> Progress | None:
    """As it is now; None when there is no such replay. Raises `JournalError`."""

    def look(conn: Connection) -> Any:
        row = replays_records.replay_of(conn, replay)
        if row is None:
            return None
        left = replays_records.number_left(conn, replay)
        return row, replays_records.standing(conn, replay), left

    found = await sources.reader.read("replay", look)
    if found is None:
        return None
    row, standing, left = found
    told = (await sources.commands["replays.running"]({"replay": replay}))["run"]
    return Progress(
        row=row,
        counts={state: each[0] for state, each in standing.items()},
        documents=sum(each[1] for each in standing.values()),
        changed=sum(each[2] for each in standing.values()),
        left=left,
        run=None if told is None else msgspec.convert(told, Standing),
    )
