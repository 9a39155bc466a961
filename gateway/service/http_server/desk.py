"""What all connections of the HTTP server share: routes, limits, who is served, the log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from gateway.config.settings import Http
from gateway.service.http_server.body import InThread
from gateway.service.http_server.values import Handler


class Desk:
    """One for each server. `stopping`: what is under way may end, nothing new begins."""

    def __init__(
        self,
        reactor: Any,
        *,
        settings: Http,
        routes: Mapping[str, Handler],
        incoming: Path,
        in_thread: InThread,
        log: Any,
    ) -> None:
        self.reactor = reactor
        self.settings = settings
        self.incoming = incoming
        self.in_thread = in_thread
        self.log = log
        self.stopping = False
        self.channels: set[Any] = set()
        self.turned_away: set[Any] = set()
        self.work: set[Deferred[Any]] = set()
        """Handlers under way; some may have lost their client."""
        self._exact = {path: each for path, each in routes.items() if not path.endswith("/")}
        # The longest first: the closest route answers.
        self._prefixes = sorted(
            ((path, each) for path, each in routes.items() if path.endswith("/")),
            key=lambda item: -len(item[0]),
        )
        self._under_way: Counter[str] = Counter()
        self._empty: Deferred[None] | None = None
        self._date = (0, "")

    def route(self, path: str) -> Handler | None:
        """Who answers requests for `path`."""
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, handler in self._prefixes:
            if path.startswith(prefix):
                return handler
        return None

    def enter(self, key: str | None, most: int) -> bool:
        """Count a request of `key` in; False when `most` are under way already."""
        if key is None:
            return True
        if self._under_way[key] >= most:
            return False
        self._under_way[key] += 1
        return True

    def leave(self, key: str | None) -> None:
        """A request that was counted in is over."""
        if key is None:
            return
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]

    def under_way(self, key: str) -> int:
        """How many requests of `key` are under way."""
        return self._under_way.get(key, 0)

    def date(self) -> str:
        """The time, as the Date header writes it; made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]

    def gone(self) -> None:
        """A connection or a handler ended."""
        if self._empty is not None and not (self.channels or self.turned_away or self.work):
            empty, self._empty = self._empty, None
            empty.callback(None)

    def empty(self) -> Deferred[None]:
        """Fires when no connection is open and no handler works."""
        self._empty = Deferred()
        waiting = self._empty
        self.gone()
        return waiting
