"""Partners' side of the torture: what was sent, by which route, and what its sender was told.

A file counts as received when its route says so (`routes`). One that was not is sent again
under the same name with the same bytes, as often as it takes; now and then also one that did, for
an honest resend must find what it already made.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from tests.torture.load import Parcel, parcel
from tests.torture.routes import Route

PATIENCE_SECONDS = 180.0
"""How long a sender tries to get rid of one batch."""
BACKLOG_DOCUMENTS = 150
"""Senders pause while so many more were sent than judged: kills shall also find a gateway that has
nearly nothing to do, and nobody wants to wait for a mountain afterwards."""
_RESENT = 0.1


class Ledger:
    """What was offered to the gateway, and what it said "received" to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.offered: dict[tuple[str, str], Parcel] = {}
        self.received: set[tuple[str, str]] = set()
        self.judged = 0
        """Documents with a verdict, as whoever watches the gateway last saw it."""
        self._attempts = 0
        self._documents = 0

    def offer(self, sent: Parcel) -> None:
        """It may be sent from now on."""
        with self._lock:
            if sent.key not in self.offered:
                self._documents += len(sent.documents)
            self.offered[sent.key] = sent

    def tried(self, sent: Parcel, *, received: bool) -> None:
        """It was sent, and this is what its sender was told."""
        with self._lock:
            self._attempts += 1
            if received:
                self.received.add(sent.key)

    @property
    def backlog(self) -> int:
        """Documents that were sent and have no verdict yet."""
        return self._documents - self.judged

    @property
    def resends(self) -> int:
        """How often a file was sent that had been sent before."""
        return self._attempts - len(self.offered)


class Sender(threading.Thread):
    """One partner's program: sends batch after batch until told to finish."""

    def __init__(
        self,
        route: Route,
        ledger: Ledger,
        folder: Path,
        *,
        seed: int,
        index: int,
        archives: bool,
        hangups: float = 0.0,
    ) -> None:
        super().__init__(name=f"sender-{index}-{route.partner}", daemon=True)
        self._route = route
        self._ledger = ledger
        self._folder = folder
        self._seed = seed
        self._index = index
        self._archives = archives
        self._hangups = hangups
        self._dice = random.Random(f"{seed}/sender/{index}")
        self._made = 0
        self._last: Parcel | None = None
        self.finish = threading.Event()
        self.trouble: str | None = None
        folder.mkdir()

    def run(self) -> None:
        """Until `finish` is set, and what was begun is received."""
        try:
            self._send()
        except Exception as error:
            self.trouble = f"{self.name} failed: {error!r}"

    def _send(self) -> None:
        while not self.finish.is_set() and self.trouble is None:
            self._deliver(self._batch())
            self.finish.wait(self._dice.uniform(0.0, 0.3))
            while self._ledger.backlog > BACKLOG_DOCUMENTS and not self.finish.is_set():
                self.finish.wait(0.1)

    def _batch(self) -> list[Parcel]:
        batch = []
        for _ in range(self._dice.randint(1, 4)):
            batch.append(parcel(self._seed, self._index, self._made, archives=self._archives))
            self._made += 1
        if self._last is not None and self._dice.random() < _RESENT:
            batch.append(self._last)
        self._last = batch[0]
        return batch

    def _deliver(self, batch: list[Parcel]) -> None:
        """Send until every one of them was received."""
        for each in batch:
            (self._folder / each.name).write_bytes(each.content)
        waiting = list(batch)
        said = ""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while waiting:
            if time.monotonic() > deadline:
                self.trouble = f"{waiting[0].name} was refused again and again: {said[-500:]}"
                return
            for each in waiting:
                self._ledger.offer(each)
            if self._dice.random() < self._hangups:
                self._vanish(waiting[0])
            received, said = self._route.deliver(waiting, self._folder)
            for number, each in enumerate(waiting[: received + 1]):
                self._ledger.tried(each, received=number < received)
            waiting = waiting[received:]
            if waiting:
                time.sleep(0.3)
        for each in batch:
            (self._folder / each.name).unlink(missing_ok=True)

    def _vanish(self, sent: Parcel) -> None:
        """Its sender hears nothing, so it comes again, whatever became of it."""
        if self._route.vanish(sent, self._folder, self._dice):
            self._route.hangups += 1
            self._ledger.tried(sent, received=False)
