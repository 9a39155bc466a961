"""What the journal keeps of the files in `out/`, and what the log says when one was never fetched.

A file leaves `out/` only after the journal knows why: a crash in between leaves it there, to be
fetched or to expire once more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from gateway.errors import JournalError
from gateway.service.journal import Journal
from gateway.service.journal.out_records import note_expired, note_fetched


class OutWatch:
    """Hears from the SFTP processes. Both answers: whether the file may go."""

    def __init__(
        self,
        journal: Journal,
        *,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._log = log
        self._now = now
        self.never_fetched = 0
        """Files that expired since the start without having been read."""

    async def fetched(self, partner: str, name: str) -> bool:
        """The partner has read this file to its end."""
        now = self._now()
        try:
            left = await self._journal.write(
                "out_fetched", lambda conn: note_fetched(conn, partner, name, now), urgent=True
            )
        except JournalError as error:
            self._log.error("out_fetched_not_noted", partner=partner, name=name, error=str(error))
            return False
        self._log.info(
            "acknowledgement_fetched",
            partner=partner,
            name=name,
            interchange=left.interchange if left else None,
            flow=left.flow if left else None,
        )
        return True

    async def expired(self, partner: str, name: str) -> bool:
        """The file has lain in `out/` for as long as was agreed."""
        now = self._now()
        try:
            left = await self._journal.write(
                "out_expired", lambda conn: note_expired(conn, partner, name, now)
            )
        except JournalError as error:
            self._log.error("out_expired_not_noted", partner=partner, name=name, error=str(error))
            return False
        if left is None or left.fetched:
            self._log.info(
                "acknowledgement_removed",
                partner=partner,
                name=name,
                interchange=left.interchange if left else None,
            )
            return True
        self.never_fetched += 1
        self._log.warning(
            "acknowledgement_never_fetched",
            partner=partner,
            name=name,
            interchange=left.interchange,
            flow=left.flow,
            remedy="It is not in out/ any more. Ask the partner whether it looks there; to have it"
            f" there again: edi-gateway resend {left.interchange} --to partner",
        )
        return True
