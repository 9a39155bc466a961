"""What the console and the metrics cost: the same invoices with and without them."""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from bench.console_visits import Watching, login, settings
from bench.invoices import ubl_invoice
from bench.meters import meters, wait_for_rest, wait_until_out
from tests.broker import free_port
from tests.gateway_process import GatewayProcess

_NAME, _PEOPLE, _SESSIONS, _WARM = "bench", 3, 2, 40
_DEADLINE_SECONDS = 900.0


class WatchedCost(NamedTuple):
    """Two gateways with the same work, in turns: one without a management port, one watched.

    Documents a second of both, the median of the pairs' ratios (time of the watched one to that of
    the other), that of their reactors' CPU, and what was asked of the watched one meanwhile.
    """

    documents: int
    plain_rate: float
    watched_rate: float
    ratio: float
    cpu_ratio: float
    pages: int
    scrapes: int


class _Round(NamedTuple):
    seconds: float
    reactor: float


def watched_cost(folder: Path, documents: int, rounds: int) -> WatchedCost:
    """Send `documents` invoices to each gateway in each round, the other idle meanwhile."""
    port = free_port()
    plain = GatewayProcess(folder / "plain")
    watched = GatewayProcess(folder / "watched", settings=settings(port))
    sides = {False: _Side(plain, folder), True: _Side(watched, folder)}
    taken: dict[bool, list[_Round]] = {False: [], True: []}
    pages = scrapes = 0
    try:
        for side in sides.values():
            side.start()
        password = login(watched, _NAME)
        for number in range(rounds):
            for looked_at in (False, True) if number % 2 == 0 else (True, False):
                watching: contextlib.AbstractContextManager[Watching | None] = (
                    Watching(port, _PEOPLE, password, _NAME)
                    if looked_at
                    else contextlib.nullcontext()
                )
                with watching as watch:
                    taken[looked_at].append(sides[looked_at].send(documents))
                if watch is not None:
                    if watch.faults:
                        sys.exit(f"the console did not answer: {watch.faults[:3]}")
                    pages, scrapes = pages + watch.pages, scrapes + watch.scrapes
    finally:
        plain.ensure_gone()
        watched.ensure_gone()
    pairs = list(zip(taken[True], taken[False], strict=True))
    rates = {
        looked_at: statistics.median(documents / each.seconds for each in rounds_)
        for looked_at, rounds_ in taken.items()
    }
    return WatchedCost(
        documents * rounds,
        rates[False],
        rates[True],
        statistics.median(a.seconds / b.seconds for a, b in pairs),
        statistics.median(a.reactor / b.reactor for a, b in pairs),
        pages,
        scrapes,
    )


class _Side:
    """One of both gateways, and what it gets."""

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        self._gateway = gateway
        self._files = folder / f"{gateway.folder.name}-files"
        self._files.mkdir()
        self._sent = 0

    def start(self) -> None:
        """Start it, and let it compile its rules."""
        self._gateway.start()
        self.send(_WARM)
        wait_for_rest(self._gateway, time.monotonic() + _DEADLINE_SECONDS)

    def send(self, count: int) -> _Round:
        """Send so many and wait until all are answered."""
        paths = [self._file() for _ in range(count)]
        before = meters(self._gateway)["reactor"][0]
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._put, args=(paths[session::_SESSIONS],))
            for session in range(_SESSIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until_out(self._gateway, self._sent, began + _DEADLINE_SECONDS)
        seconds = time.monotonic() - began
        return _Round(seconds, meters(self._gateway)["reactor"][0] - before)

    def _file(self) -> Path:
        self._sent += 1
        path = self._files / f"FA-{self._sent:06d}.xml"
        path.write_bytes(ubl_invoice(path.stem))
        return path

    def _put(self, paths: list[Path]) -> None:
        done = self._gateway.sftp([f"put {path} in/{path.name}" for path in paths])
        if done.returncode:
            sys.exit(f"sftp failed: {done.stderr}")
