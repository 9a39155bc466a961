"""The members of an archive: entered in the journal in pages, taken out one by one."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.internet import defer

from gateway.core.container.manifest import read_manifest
from gateway.model.container import Member, Role
from gateway.model.interchange import Interchange
from gateway.service import arrive
from gateway.service.journal import Journal, records

PAGE = 200
"""Members entered, or fetched, at a time."""


async def enter(
    interchange: Interchange,
    folder: Path,
    *,
    journal: Journal,
    in_thread: Callable[..., Awaitable[Any]],
    now: Callable[[], dt.datetime],
) -> int:
    """Enter what an archive holds, as `folder` says; how many documents.

    The last page opens the interchange. Raises `JournalError`; then run it again.
    """
    members = read_manifest(folder)
    ordinals = itertools.count(1)
    last = False
    while not last:
        page: list[Member] = await in_thread(_next_page, members)
        last = len(page) < PAGE
        documents = [(next(ordinals), m) for m in page if m.role is Role.DOCUMENT]
        beside = [m for m in page if m.role in (Role.ATTACHMENT, Role.SIGNATURE)]
        moment = now()

        def write(
            conn: Any,
            documents: list[tuple[int, Member]] = documents,
            beside: list[Member] = beside,
            last: bool = last,
            moment: dt.datetime = moment,
        ) -> None:
            arrive.enter_members(conn, interchange, documents, beside, last=last, now=moment)

        await journal.write("enter_members", write)
    return next(ordinals) - 1


def _next_page(members: Iterator[Member]) -> list[Member]:
    return list(itertools.islice(members, PAGE))


class Due:
    """The documents of an archive that are due, one at a time, fetched in pages."""

    def __init__(self, journal: Journal, interchange_id: str, now: dt.datetime) -> None:
        self._journal = journal
        self._interchange_id = interchange_id
        self._now = now
        self._page: deque[records.DocumentRow] = deque()
        self._after = 0
        self._more = True
        self._lock = defer.DeferredLock()
        self.stopped = False

    async def take(self) -> records.DocumentRow | None:
        """The next one; None when there is none left, or the lanes were stopped."""
        await self._lock.acquire()
        try:
            if not self._page and self._more and not self.stopped:
                rows = await self._journal.read(
                    "due_documents",
                    lambda conn: records.due_documents(
                        conn, self._interchange_id, self._now, after=self._after, limit=PAGE
                    ),
                )
                self._page.extend(rows)
                self._more = len(rows) == PAGE
                self._after = rows[-1].ordinal if rows else self._after
            return None if self.stopped or not self._page else self._page.popleft()
        finally:
            self._lock.release()
