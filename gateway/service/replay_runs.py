"""Replays of many that run by themselves: begun by somebody in the console, who may look away.

    replays.run      have one tried, or committed, to its end
    replays.stop     no more of it, after the interchanges that are under way
    replays.running  whether it runs, and how it ended

What is done is done by `replays`, a little at a time, as when the command line asks for it; how far
it is stands in the journal. Which runs there are stands only here: after a restart none runs, and
whoever wants it goes on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from enum import StrEnum
from traceback import format_exception
from typing import Annotated, Any, Final

import msgspec
from twisted.internet import defer

from gateway.errors import GatewayError
from gateway.service.control import CommandRefused, Handler
from gateway.service.journal.replay_tables import ItemState
from gateway.service.replays import Replays

MOST: Final = 4
"""Runs at once: they take turns, so more would only all be slower."""
KEPT: Final = 100
"""Runs that ended, of which it is still known how."""

_Id = Annotated[str, msgspec.Meta(max_length=100)]
_Name = Annotated[str, msgspec.Meta(max_length=200)]


class Step(StrEnum):
    """What a run does."""

    TRY = "try"
    COMMIT = "commit"


class Ending(StrEnum):
    """How a run stands: it runs, came to its end, was stopped by somebody, or was broken off."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    BROKEN = "broken"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `replays.run`.

    `again`: also what could not be tried before. `unchanged`: also commit those in which nothing
    would change.
    """

    replay: _Id
    step: Step
    by: _Name = ""
    again: bool = False
    unchanged: bool = False


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `replays.stop` and `replays.running`."""

    replay: _Id
    by: _Name = ""


class Standing(msgspec.Struct, kw_only=True):
    """How a run stands. `said`: who stopped it, or what broke it off."""

    run: Run
    began_at: dt.datetime
    ending: Ending = Ending.RUNNING
    ended_at: dt.datetime | None = None
    said: str = ""
    stopped_by: str | None = None


class ReplayRuns:
    """Answers the commands. `open_`: whether the gateway takes work; when not, runs break off."""

    def __init__(
        self,
        replays: Replays,
        *,
        open_: Callable[[], bool],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._replays = replays
        self._open = open_
        self._log = log
        self._now = now
        self._runs: dict[str, Standing] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {
            "replays.run": self.begin,
            "replays.stop": self.stop,
            "replays.running": self.tell,
        }

    async def begin(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin: `{"replay", "step"}`; it goes on when this has answered.

        Raises `CommandRefused` when it runs, when too many do, or when there is nothing to commit.
        """
        run = msgspec.convert(arguments, Run)
        self._refuse_running(run.replay)
        if run.step is Step.COMMIT:
            asked = {"replay": run.replay, "unchanged": run.unchanged}
            if not await self._replays.left(asked):
                raise CommandRefused(
                    f"Of replay {run.replay} nothing is left to commit: it was committed already,"
                    " or nothing would change.",
                    remedy="What was committed cannot be committed again; make another replay.",
                )
        else:
            await self._replays.show({"replay": run.replay})  # refused when there is none
        self._refuse_running(run.replay)  # somebody else may have been quicker
        standing = Standing(run=run, began_at=self._now())
        self._runs.pop(run.replay, None)  # the newest is the last
        self._runs[run.replay] = standing
        self._forget()
        self._log.info("replay_run_began", replay=run.replay, step=run.step.value, by=run.by)
        defer.Deferred.fromCoroutine(self._go(standing))
        return {"replay": run.replay, "step": run.step.value}

    async def stop(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Stop: `{"replay", "stopping": whether it ran}`; what was done stays done."""
        wanted = msgspec.convert(arguments, Which)
        found = self._runs.get(wanted.replay)
        running = found is not None and found.ending is Ending.RUNNING
        if found is not None and running:
            found.stopped_by = found.stopped_by or wanted.by or "an operator"
        return {"replay": wanted.replay, "stopping": running}

    async def tell(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"replay", "run": how the last one stands, or None}`."""
        wanted = msgspec.convert(arguments, Which)
        found = self._runs.get(wanted.replay)
        return {
            "replay": wanted.replay,
            "run": None if found is None else msgspec.to_builtins(found),
        }

    async def _go(self, standing: Standing) -> None:
        run = standing.run
        try:
            ending = await self._to_the_end(standing)
            said = (standing.stopped_by or "") if ending is Ending.STOPPED else ""
        except GatewayError as error:
            ending, said = Ending.BROKEN, f"{error.what} {error.remedy}".strip()
        except Exception as error:
            ending, said = Ending.BROKEN, f"This is a fault of the gateway: {error!r}."
            self._log.error("replay_run_failed", traceback="".join(format_exception(error)))
        standing.ending, standing.said, standing.ended_at = ending, said, self._now()
        self._log.info(
            "replay_run_ended",
            replay=run.replay,
            step=run.step.value,
            ending=ending.value,
            said=said,
        )

    async def _to_the_end(self, standing: Standing) -> Ending:
        run = standing.run
        again = run.again
        while True:
            if standing.stopped_by is not None:
                return Ending.STOPPED
            if not self._open():
                raise CommandRefused("The gateway is stopping.", remedy="Go on when it runs again.")
            if run.step is Step.TRY:
                answer = await self._replays.attempt({"replay": run.replay, "again": again})
                again, more = False, bool(answer[ItemState.WAITING.value])
            else:
                asked = {"replay": run.replay, "unchanged": run.unchanged}
                more = bool((await self._replays.commit_next(asked))["more"])
            if not more:
                return Ending.DONE

    def _refuse_running(self, replay: str) -> None:
        running = [id_ for id_, each in self._runs.items() if each.ending is Ending.RUNNING]
        if replay in running:
            raise CommandRefused(
                f"Replay {replay} runs already.", remedy="Look at how far it is, or stop it."
            )
        if len(running) >= MOST:
            raise CommandRefused(
                f"{len(running)} replays run already.", remedy="Wait for one to end, or stop it."
            )
        if not self._open():
            raise CommandRefused(
                "The gateway starts or stops: no replay can begin.", remedy="Try again later."
            )

    def _forget(self) -> None:
        ended = [id_ for id_, each in self._runs.items() if each.ending is not Ending.RUNNING]
        for id_ in ended[: max(0, len(ended) - KEPT)]:
            del self._runs[id_]
