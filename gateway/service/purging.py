"""Purging payloads that nobody has to keep any more; their metadata stays.

    purge               interchanges that were archived, or need not be
    purge.unfinished    goes on with those that an earlier purge did not come to the end with
    purge.compact       gives empty pages of the journal's file back, some at a time

Whoever asks has looked for what is old enough; here everything is looked at once more, in the
transaction that says the payloads are gone: that it is old enough, came to its end, is what was
archived, and that neither a legal hold nor its retention class keeps it. Then references are given
back page by page, and a file that nobody refers to is removed after the transaction that says so.
A crash in between leaves a file of nobody, which the sweep removes; never a row without its file.

A file that was adopted a moment ago is left to the sweep: its receiver may be about to write the
row that needs it. The command line uses the same handlers while no daemon runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from gateway.config.settings import Retention
from gateway.errors import SpoolHeld
from gateway.model.partner import Partner
from gateway.service.control import CommandRefused, Handler
from gateway.service.holds import Who
from gateway.service.journal import delivery_records, purge_records, records
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.legal_hold_records import legal_hold_on
from gateway.service.journal.room_records import give_back
from gateway.service.retention import kept
from gateway.spool import Spool

GRACE_SECONDS: Final = 3600.0
"""From adopting a payload to the row that needs it, a receiver takes milliseconds."""
COMPACT_PAGES: Final = 500
"""2 MB moved in one transaction."""
MOST_AT_ONCE: Final = 100

T = TypeVar("T")


class Writing(Protocol):
    """As the journal is written."""

    async def write(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; what it returned, once that is on disk."""
        ...

    async def read(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work` on what is committed now."""
        ...


class Chosen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An interchange as it was archived, and where (None: nowhere, on purpose)."""

    id: str
    version: str
    archive: str | None = None


class PurgeWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `purge`. `before`: only what was received, and changed last, before that."""

    by: Who
    before: dt.datetime
    interchanges: list[Chosen]


class Compact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `purge.compact`; `pages` 0 only asks."""

    pages: int = COMPACT_PAGES


class _Total(msgspec.Struct):
    """What purging gave, so far."""

    files: int = 0
    file_bytes: int = 0
    left: int = 0
    """Files that nobody needs, and that the sweep is to remove."""


class Purging:
    """Answers an operator's commands; `handlers` is what `Control` wants.

    `retention`: how long things are kept, as it is when it is asked.
    """

    def __init__(
        self,
        journal: Writing,
        *,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        partners: Mapping[str, Partner],
        retention: Callable[[], Retention],
        log: Any,
        grace_seconds: float = GRACE_SECONDS,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._partners = partners
        self._retention = retention
        self._log = log
        self._grace = dt.timedelta(seconds=grace_seconds)
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {
            "purge": self.purge,
            "purge.unfinished": self.unfinished,
            "purge.compact": self.compact,
        }

    async def purge(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"purged": [ids], "skipped": [[id, why]], "files", "file_bytes", "left"}`."""
        wanted = msgspec.convert(arguments, PurgeWanted)
        if len(wanted.interchanges) > MOST_AT_ONCE:
            raise CommandRefused(
                f"{len(wanted.interchanges)} interchanges are too many for one command.",
                remedy=f"At most {MOST_AT_ONCE}.",
            )
        purged: list[str] = []
        skipped: list[tuple[str, str]] = []
        total = _Total()
        for chosen in wanted.interchanges:
            begin = partial(self._begin, chosen=chosen, wanted=wanted, now=self._now())
            why: str | None = await self._journal.write("purge", begin)
            if why is not None:
                skipped.append((chosen.id, why))
                continue
            await self._free(chosen.id, total)
            purged.append(chosen.id)
            self._log.info("purged", interchange=chosen.id, archive=chosen.archive, by=wanted.by)
        return {"purged": purged, "skipped": skipped, **msgspec.structs.asdict(total)}

    async def unfinished(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """As `purge`, for what was begun before."""
        msgspec.convert(arguments, Compact)
        total = _Total()
        ids = await self._journal.read("unfreed", purge_records.unfreed)
        for id_ in ids:
            await self._free(id_, total)
            self._log.info("purged", interchange=id_, resumed=True)
        return {"purged": ids, "skipped": [], **msgspec.structs.asdict(total)}

    async def compact(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"empty": bytes still empty, "gives_back": whether they can be given back}`."""
        pages = min(msgspec.convert(arguments, Compact).pages, COMPACT_PAGES)
        room = await self._journal.write("compact", lambda conn: give_back(conn, pages))
        return msgspec.structs.asdict(room)

    def _begin(
        self, conn: Connection, chosen: Chosen, wanted: PurgeWanted, now: dt.datetime
    ) -> str | None:
        """Say that it is purged; or why it is not, and nothing is written."""
        row = records.interchange(conn, chosen.id)
        if row is None:
            return "there is no such interchange"
        if purge_records.purged_of(conn, row.id) is not None:
            return "it is purged already"
        if max(row.received_at, row.updated_at) >= wanted.before:
            return f"it is not older than {wanted.before:%Y-%m-%d %H:%M} UTC"
        why = kept_back(conn, row, self._partners, self._retention(), now)
        if why is not None:
            return why
        if purge_records.version_of(conn, row.id) != chosen.version:
            return "something happened to it since it was archived"
        purge_records.begin_purge(conn, row.id, by=wanted.by, archive=chosen.archive, now=now)
        done = Intervention(
            at=now,
            action="purge",
            by=wanted.by,
            subject=f"payloads, archived in {chosen.archive}"
            if chosen.archive
            else "payloads, without an archive",
            reason=f"older than {wanted.before:%Y-%m-%d}",
            interchange_id=row.id,
        )
        delivery_records.add_intervention(conn, done)
        return None

    async def _free(self, id_: str, total: _Total) -> None:
        """Free what is purged, page by page."""
        done = False
        while not done:
            page = partial(purge_records.free_page, interchange_id=id_, now=self._now())
            freed: purge_records.Freed = await self._journal.write("purge_page", page)
            for sha256 in freed.sums:
                await self._remove(sha256, total)
            done = freed.done

    async def _remove(self, sha256: str, total: _Total) -> None:
        """Remove a file that nobody needs, unless somebody just stored it again or copies it."""
        before = (self._now() - self._grace).timestamp()
        try:
            size: int | None = await self._in_thread(self._spool.discard_older, sha256, before)
        except SpoolHeld:
            size = None
        if size is not None:
            total.files += 1
            total.file_bytes += size
        elif self._spool.path(sha256).exists():
            total.left += 1


def kept_back(
    conn: Connection,
    row: records.InterchangeRow,
    partners: Mapping[str, Partner],
    settings: Retention,
    now: dt.datetime,
) -> str | None:
    """Why an interchange must not be purged now, in words; None when it may be."""
    hold = legal_hold_on(conn, row.id, row.partner)
    if hold is not None:
        return f"a legal hold on {hold.subject} keeps it ({hold.placed_by}: {hold.reason})"
    bound = kept(row.received_at, row.partner, partners, settings)
    if bound.binds(now):
        return bound.words
    return purge_records.still_open(conn, row)
