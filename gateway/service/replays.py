"""Replays of thousands: chosen, tried without writing a verdict, then committed once.

    replays.make    which interchanges, and by the rules of which day
    replays.try     judges the next of them again and notes what would change; until none is left
    replays.commit  takes back the verdicts of the next ones in which something would; until none is

Each command does a little and says how far it is, so whoever asks shows it, may stop, and goes on
later, also after a restart. An interchange is committed in one transaction that also notes it: none
is judged again twice, and ten thousand of them never stand in one transaction.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from twisted.internet import defer

from gateway.errors import GatewayError, WorkersStopped
from gateway.model.interchange import new_interchange_id
from gateway.service.control import CommandRefused, Handler
from gateway.service.journal import Journal, replays_records
from gateway.service.journal.replays_records import ReplayRow
from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.tables import ItemState
from gateway.service.replay import Replay, Try
from gateway.service.replay_commit import Replaying
from gateway.service.replay_differences import UNDETERMINED
from gateway.service.replay_summary import changes_of

MOST: Final = 50_000
"""Interchanges of one replay."""
ADDED_AT_ONCE: Final = 500
AT_ONCE: Final = 20
"""Interchanges in one command: whoever asks wants to hear how far it is."""
WIDTH: Final = 4
"""Interchanges tried at once: most judges stay free for what comes in meanwhile."""
LONGEST: Final = 1000
"""Characters of why an interchange was left out."""


class Make(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `replays.make`: these interchanges, or all that hold a document like this.

    `rules`: the day whose packs judge; None: as each was received. Only what came to its end can
    be judged again; of others nothing is chosen.
    """

    interchanges: tuple[str, ...] = ()
    partner: str | None = None
    flow: str | None = None
    channel: str | None = None
    format: str | None = None
    verdict: str | None = None
    rule: str | None = None
    since: dt.date | None = None
    until: dt.date | None = None
    rules: dt.date | None = None
    by: Annotated[str, msgspec.Meta(max_length=200)] = ""

    def criteria(self) -> Criteria:
        """What is chosen by."""
        names = ("partner", "flow", "channel", "format", "verdict", "rule", "since", "until")
        return Criteria(**{name: getattr(self, name) for name in names})

    def words(self) -> str:
        """The same, for people."""
        if self.interchanges:
            number = len(self.interchanges)
            return "1 interchange, named" if number == 1 else f"{number} interchanges, named"
        given = {
            name: value
            for name, value in msgspec.structs.asdict(self.criteria()).items()
            if value not in (None, False)
        }
        return ", ".join(f"{name} {value}" for name, value in given.items()) or "everything"


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `replays.try` and `replays.show`.

    `again`: also those that could not be tried before. `after`: where a page of `show` begins.
    """

    replay: str
    again: bool = False
    after: str = ""


class Commit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `replays.commit`. `unchanged`: also those in which nothing would change."""

    replay: str
    unchanged: bool = False


class Replays:
    """Answers the commands; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        replay: Replay,
        replaying: Replaying,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._replay = replay
        self._replaying = replaying
        self._log = log
        self._now = now
        self._turn = defer.DeferredLock()

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {
            "replays.make": self.make,
            "replays.try": self.attempt,
            "replays.commit": self.commit_next,
            "replays.show": self.show,
        }

    async def make(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Choose: `{"replay": id, "interchanges": how many}`. Raises `CommandRefused` for none."""
        wanted = msgspec.convert(arguments, Make)
        criteria = wanted.criteria()
        ids: Sequence[str] = wanted.interchanges or await self._journal.read(
            "choose_replay", lambda conn: replays_records.choose(conn, criteria, MOST + 1)
        )
        if not ids:
            raise CommandRefused(
                "No interchange like this came to its end, so none can be judged again.",
                remedy="Look for them with: edi-gateway search",
            )
        if len(ids) > MOST:
            raise CommandRefused(
                f"More than {MOST:,} interchanges are chosen.",
                remedy="Choose fewer days, or one partner after the other.",
            )
        now = self._now()
        row = ReplayRow(
            id=new_interchange_id(int(now.timestamp() * 1000), secrets.token_bytes(10)),
            made_by=wanted.by or "an operator",
            made_at=now,
            chosen=wanted.words(),
            rules_on=wanted.rules,
        )
        await self._journal.write("add_replay", lambda conn: replays_records.add_replay(conn, row))
        for start in range(0, len(ids), ADDED_AT_ONCE):
            some = ids[start : start + ADDED_AT_ONCE]
            await self._journal.write(
                "add_replay_items",
                partial(replays_records.add_items, replay_id=row.id, ids=some),
            )
        self._log.info("replay_made", replay=row.id, chosen=row.chosen, interchanges=len(ids))
        return {"replay": row.id, "interchanges": len(ids)}

    async def attempt(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Try the next ones; answers like `show`, without what would change."""
        wanted = msgspec.convert(arguments, Which)
        row = await self._row(wanted.replay)
        async with self._turn:  # two that ask at once would judge the same ones
            if wanted.again:
                await self._journal.write(
                    "replay_again", lambda conn: replays_records.try_again(conn, row.id)
                )
            ids = await self._next(row.id, ItemState.WAITING)
            await _some_at_once(ids, lambda id_: self._try_one(row, id_))
        return await self._progress(row)

    async def _try_one(self, row: ReplayRow, id_: str) -> None:
        try:
            found = await self._replay.compare(Try(interchange=id_, rules=row.rules_on))
        except WorkersStopped:  # the gateway stops: it is tried when it runs again
            raise
        except GatewayError as error:
            await self._move(row.id, id_, ItemState.WAITING, ItemState.FAILED, _words(error))
            return
        undecided = [each for each in found.differences if each.after == UNDETERMINED]
        if undecided:  # a fault of ours: committed, it would take away the verdict there is
            said = f"Document {undecided[0].document} could not be judged: {undecided[0].cause}"
            await self._move(row.id, id_, ItemState.WAITING, ItemState.FAILED, said[:LONGEST])
            return
        changes = changes_of(found.differences)
        await self._journal.write(
            "replay_tried",
            lambda conn: replays_records.tried(conn, row.id, id_, found.documents, changes),
        )

    async def left(self, arguments: dict[str, Any]) -> bool:
        """Whether there is anything to commit. Raises `CommandRefused` before all were tried."""
        wanted = msgspec.convert(arguments, Commit)
        row = await self._row(wanted.replay)
        waiting = await self._next(row.id, ItemState.WAITING)
        if waiting:
            raise CommandRefused(
                f"Replay {row.id} was not tried to its end: nobody knows what it would change.",
                remedy=f"Go on with: edi-gateway replay --try {row.id}",
            )
        return bool(await self._next(row.id, ItemState.TRIED, changed=not wanted.unchanged))

    async def commit_next(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have the next ones judged again. Raises `CommandRefused` before all were tried."""
        wanted = msgspec.convert(arguments, Commit)
        row = await self._row(wanted.replay)
        await self.left(arguments)
        async with self._turn:
            ids = await self._next(row.id, ItemState.TRIED, changed=not wanted.unchanged)
            await _some_at_once(ids, lambda id_: self._commit_one(row, id_))
        return await self._progress(row) | {"more": await self.left(arguments)}

    async def _commit_one(self, row: ReplayRow, id_: str) -> None:
        tried, committed = ItemState.TRIED, ItemState.COMMITTED
        try:
            await self._replaying.judge_again(
                Try(interchange=id_, rules=row.rules_on),
                lambda conn: replays_records.move_item(conn, row.id, id_, tried, committed),
            )
        except CommandRefused as refusal:
            await self._move(row.id, id_, tried, ItemState.REFUSED, _words(refusal))

    async def show(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """How far it is, and a page of what would change: `items`; `next`: where to go on."""
        wanted = msgspec.convert(arguments, Which)
        row = await self._row(wanted.replay)
        items = await self._journal.read(
            "replay_items",
            lambda conn: replays_records.items_changed(conn, row.id, after=wanted.after),
        )
        return await self._progress(row) | {
            "items": [msgspec.to_builtins(each) for each in items],
            "next": items[-1].interchange if items else None,
        }

    async def _row(self, replay_id: str) -> ReplayRow:
        row = await self._journal.read(
            "replay", lambda conn: replays_records.replay_of(conn, replay_id)
        )
        if row is None:
            raise CommandRefused(
                f"There is no replay {replay_id}.",
                remedy="Make one with: edi-gateway replay --dry-run --since 2026-09-01",
            )
        return row

    async def _next(
        self, replay_id: str, state: ItemState, *, changed: bool = False
    ) -> Sequence[str]:
        return await self._journal.read(
            "replay_next",
            lambda conn: replays_records.in_state(conn, replay_id, state, AT_ONCE, changed=changed),
        )

    async def _move(
        self, replay_id: str, id_: str, old: ItemState, new: ItemState, said: str
    ) -> None:
        await self._journal.write(
            "replay_item",
            lambda conn: replays_records.move_item(conn, replay_id, id_, old, new, said),
        )

    async def _progress(self, row: ReplayRow) -> dict[str, Any]:
        counts = await self._journal.read(
            "replay_standing", lambda conn: replays_records.standing(conn, row.id)
        )
        found: dict[str, Any] = msgspec.to_builtins(row)
        found["replay"] = found.pop("id")
        found["interchanges"] = sum(each[0] for each in counts.values())
        for state in ItemState:
            found[state.value] = counts.get(state, (0, 0, 0))[0]
        found["documents"] = sum(each[1] for each in counts.values())
        found["changed"] = sum(each[2] for each in counts.values())
        return found


async def _some_at_once(ids: Sequence[str], work: Callable[[str], Awaitable[None]]) -> None:
    turn = defer.DeferredSemaphore(WIDTH)

    def begin(id_: str) -> defer.Deferred[None]:
        return defer.ensureDeferred(work(id_))  # type: ignore[arg-type]  # our coroutines

    try:
        await defer.gatherResults([turn.run(begin, id_) for id_ in ids], consumeErrors=True)
    except defer.FirstError as first:
        first.subFailure.raiseException()


def _words(error: GatewayError) -> str:
    return f"{error.what} {error.remedy}".strip()[:LONGEST]
