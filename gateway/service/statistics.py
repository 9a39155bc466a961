"""Search and running totals, brought up to what the journal holds: `statistics rebuild`.

Every verdict enters its document and counts it in its own transaction, so there is nothing to do
but after an upgrade, for what an earlier version judged; and to check that this is so. Both go
through the journal in small steps, a command for each: reading is done aside, and what is written
at once is little. Done twice it changes nothing, so one that broke off is simply started again.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Connection
from twisted.internet import defer

from gateway.service.control import Handler
from gateway.service.journal import Journal
from gateway.service.journal.earlier_records import Place
from gateway.service.journal.search_backfill import (
    Unentered,
    enter_earlier,
    unentered_page,
)
from gateway.service.journal.statistics_check import (
    day_differs,
    drop_empty,
    month_differs,
    months_counted,
)
from gateway.service.journal.statistics_records import Change, apply_change
from gateway.spool import Spool

AT_ONCE: Final = 200
"""Documents in one command: the journal has other work that must not wait long."""


class Enter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `statistics.enter`. `after`: the last of the page before; none: the first."""

    after: Place | None = None
    dry_run: bool = False


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """What a page gave: of so many documents, how many were not there. No `next`: that was all."""

    next: Place | None
    received_at: dt.datetime | None
    documents: int
    entered: int


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `statistics.check`: a month (2026-03); none: the first."""

    month: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")] | None = None
    dry_run: bool = False


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a month gave: how many totals were wrong. `next` None: it was the last."""

    month: str | None
    next: str | None
    months_left: int
    wrong: int


class Statistics:
    """Answers `statistics.enter` and `statistics.check`; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        spool: Spool,
        in_thread: Callable[..., Awaitable[Any]],
        log: Any,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._log = log
        self._checking = defer.DeferredLock()

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"statistics.enter": self.enter, "statistics.check": self.check}

    async def enter(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Have the next documents found and counted that are not; `Entered`, as JSON."""
        wanted = msgspec.convert(arguments, Enter)
        page = await self._journal.read(
            "unentered", lambda conn: unentered_page(conn, wanted.after, AT_ONCE)
        )
        entered = len(page.unentered)
        if entered and not wanted.dry_run:
            whole = [await self._with_invoice(each) for each in page.unentered]
            entered = await self._journal.write(
                "enter_earlier", lambda conn: enter_earlier(conn, whole)
            )
        answer: dict[str, Any] = msgspec.to_builtins(
            Entered(
                next=page.last,
                received_at=page.received_at,
                documents=page.documents,
                entered=entered,
            )
        )
        return answer

    async def _with_invoice(self, each: Unentered) -> Unentered:
        """With the canonical invoice that lies in the spool; without, where it cannot be read."""
        if each.payload is None:
            return each
        try:
            invoice = await self._in_thread(_read, self._spool.path(each.payload))
        except OSError as error:
            self._log.warning(
                "earlier_invoice_unreadable",
                document=f"{each.interchange.id}/{each.ordinal}",
                payload=each.payload,
                error=str(error),
            )
            return each
        return msgspec.structs.replace(each, invoice=invoice)

    async def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Compare a month's totals with its documents, and mend them; `Checked`, as JSON."""
        wanted = msgspec.convert(arguments, Check)
        async with self._checking:  # two that mend the same would mend it twice
            span = await self._journal.read("months_counted", months_counted)
            if span is None:
                return _said(Checked(month=None, next=None, months_left=0, wrong=0))
            month = wanted.month or span[0]
            wrong = 0
            for day in _days(month):
                wrong += await self._mend(partial(day_differs, day=day), wanted)
            wrong += await self._mend(partial(month_differs, month=month), wanted)
            if wrong and not wanted.dry_run:
                await self._journal.write("drop_empty", lambda conn: drop_empty(conn, month))
                self._log.warning("totals_mended", month=month, wrong=wrong)
        left = max(0, _number(span[1]) - _number(month))
        following = _name(_number(month) + 1) if left else None
        return _said(Checked(month=month, next=following, months_left=left, wrong=wrong))

    async def _mend(self, differs: Callable[[Connection], Change], wanted: Check) -> int:
        change = await self._journal.read("totals_differ", differs)
        wrong = len(change.totals) + len(change.causes)
        if wrong and not wanted.dry_run:
            await self._journal.write("mend_totals", lambda conn: apply_change(conn, change))
        return wrong


def _said(checked: Checked) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.to_builtins(checked)
    return answer


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _days(month: str) -> list[dt.date]:
    year, number = int(month[:4]), int(month[5:])
    return [dt.date(year, number, day + 1) for day in range(calendar.monthrange(year, number)[1])]


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _name(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"
