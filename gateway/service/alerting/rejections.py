"""How many documents were rejected lately: a window over what this process counts."""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Final

from gateway.service.alerting.facts import Rejections

Verdicts = Mapping[tuple[str, str, str], int]
"""How many so far, by flow, partner and verdict."""

SLOTS: Final = 60
"""The window moves in so many steps: of each only what changed is kept, however many partners."""

_JUDGED: Final = frozenset({"accepted", "rejected"})
_Numbers = Counter[tuple[str, str, str]]


class Window:
    """Remembers what was judged between looks, for as long as rejections are counted over."""

    def __init__(self) -> None:
        self._slots: deque[tuple[dt.datetime, _Numbers]] = deque()
        self._before = _Numbers()
        self._since: dt.datetime | None = None
        self._length = dt.timedelta(0)
        self.full = False

    def look(
        self,
        verdicts: Verdicts,
        now: dt.datetime,
        *,
        minutes: int,
        documents: int,
        without: Collection[str] = (),
    ) -> dict[str, Rejections]:
        """By flow: the documents of the so many minutes that end now.

        With fewer `documents` of a flow nothing is known of it, until the window is full once. What
        is judged of the partners `without` does not count; nor does it later, when they are not
        among them any more.
        """
        length = dt.timedelta(minutes=minutes)
        current = _Numbers({key: n for key, n in verdicts.items() if key[2] in _JUDGED})
        if not self._slots or now - self._slots[-1][0] >= length / SLOTS:
            self._slots.append((now, _Numbers()))
        more = current - self._before
        self._slots[-1][1].update({k: n for k, n in more.items() if k[1] not in without})
        self._before = current
        while self._slots[0][0] <= now - length and len(self._slots) > 1:
            self._slots.popleft()
        if self._since is None or length > self._length:
            # At first, or by a reload: what a shorter window let go is not there.
            self._since = self._slots[0][0]
        self._length = length
        self.full = now - self._since >= length
        within = _Numbers()
        for _, numbers in self._slots:
            within.update(numbers)
        flows = {flow for flow, partner, _ in current if partner not in without}
        return {flow: self._of(flow, within, documents) for flow in flows}

    def _of(self, flow: str, within: _Numbers, documents: int) -> Rejections:
        judged = sum(number for key, number in within.items() if key[0] == flow)
        by_partner = Counter(
            {
                partner: number
                for (of, partner, verdict), number in within.items()
                if of == flow and verdict == "rejected"
            }
        )
        worst = sorted(by_partner, key=lambda name: (-by_partner[name], name))
        enough = judged >= documents
        return Rejections(judged, by_partner.total(), tuple(worst), known=self.full or enough)
