"""Live numbers by server-sent events.

Each answer is one event and the time after which the browser asks again (`retry`): no connection
stays open, and a gateway that starts anew is found by itself. What the journal says is read once
in a few seconds, however many look.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.service.console.replay_progress import progress_of
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, SECURITY, Route, Visit
from gateway.service.http_server import Answer
from gateway.service.journal.alert_records import alerts_number
from gateway.service.journal.flow_records import flow_lines, numbers

AGAIN_SECONDS: Final = 5
_KEPT: Final = 200


class LiveNumbers:
    """The numbers of the menu and of the first page; with `?replay=`, also how far that one is."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept: dict[str, tuple[float, dict[str, int]]] = {}

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/events", page=self.tell, scoped=True, live=True)]

    async def tell(self, visit: Visit) -> Answer:
        """One event."""
        now = self._sources.now()
        second = now.timestamp()
        known = self._kept.get(visit.scope)
        if known is None or not 0 <= second - known[0] < AGAIN_SECONDS:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            read: dict[str, int] = await self._sources.reader.read(
                "live", lambda conn: _read(conn, now, visit.scope)
            )
            known = (second, read)
            self._kept[visit.scope] = known
        told: dict[str, Any] = dict(known[1])
        replay = visit.query.get("replay", "")
        if replay and visit.may(Role.OPERATOR):
            progress = await progress_of(self._sources, replay)
            told |= progress.numbers() if progress is not None else {}
        body = (
            f"retry: {AGAIN_SECONDS * 1000}\nevent: numbers\n"
            f"data: {msgspec.json.encode(told).decode()}\n\n"
        )
        return Answer(
            200,
            (("Content-Type", "text/event-stream; charset=utf-8"), *SECURITY),
            body.encode(),
        )


def _read(conn: Any, now: Any, scope: str) -> dict[str, int]:
    lines = flow_lines(conn, now, partner=scope)
    told = {
        name: sum(getattr(line, name) for line in lines)
        for name in ("waiting", "accepted", "rejected", "undetermined")
    }
    if not scope:
        found = numbers(conn)
        told |= {"quarantine": found.quarantine, "queue": found.stuck}
        told["alerts"] = alerts_number(conn)
    return told
