"""What the watchdog is fed by: a writer that answers, workers that work."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.config import load
from gateway.daemon import Daemon
from gateway.errors import JournalError
from gateway.service.liveness import WORKERLESS_SECONDS, Liveness
from gateway.service.sd_notify import Notifier
from gateway.service.worker_jobs import PoolStatus, WorkerState, WorkerStatus

PERIOD = 20.0


def pool(*states: WorkerState, broken: str | None = None) -> PoolStatus:
    """Workers in these states."""
    workers = tuple(
        WorkerStatus(pid=index, state=state, seconds=1.0, jobs=0, rss_mb=1.0)
        for index, state in enumerate(states, 1)
    )
    return PoolStatus(size=2, queued=0, workers=workers, deaths=0, broken=broken)


class Writer:
    """A journal's writer that answers when the test has it answer."""

    def __init__(self) -> None:
        self.answers: list[defer.Deferred[None]] = []
        self.hangs = False
        self.refuses = False

    async def write(self, _name: str, work: Callable[[Any], None]) -> None:
        """As the journal's."""
        answer: defer.Deferred[None] = defer.Deferred()
        self.answers.append(answer)
        if self.refuses:
            raise JournalError("The disk is full.")
        if not self.hangs:
            answer.callback(None)
        await answer
        work(None)


class Watched:
    """A gateway that is looked at every 20 s, with what it said."""

    def __init__(self) -> None:
        self.clock = task.Clock()
        self.writer = Writer()
        self.judges = pool(WorkerState.IDLE)
        self.fed: list[float] = []
        self.told: list[str] = []
        journal: Any = self.writer
        self.liveness = Liveness(
            self.clock,
            journal=journal,
            pools={"judges": lambda: self.judges},
            alive=lambda: self.fed.append(self.clock.seconds()),
            tell=self.told.append,
            log=structlog.get_logger(),
        )

    def look(self, times: int = 1) -> None:
        """Let it look so often."""
        for _ in range(times):
            self.clock.advance(PERIOD)
            self.liveness.look()


def test_it_is_fed_at_every_look_while_all_is_well() -> None:
    """Once each."""
    watched = Watched()
    watched.look(3)
    assert watched.fed == [20.0, 40.0, 60.0]
    assert watched.told == []


def test_a_writer_that_hangs_is_no_longer_vouched_for() -> None:
    """It is asked once, not again and again, and the manager hears since when it is silent."""
    watched = Watched()
    watched.writer.hangs = True
    watched.look(4)
    assert watched.fed == []
    assert len(watched.writer.answers) == 1
    assert watched.told[-1] == "Not alive: the journal's writer has not answered for 60 s"
    watched.writer.answers[0].callback(None)
    assert watched.fed == [80.0], "it answered late, and goes on"


def test_a_writer_that_refuses_is_alive() -> None:
    """A disk that is full does not become empty by a restart."""
    watched = Watched()
    watched.writer.refuses = True
    watched.look(2)
    assert watched.fed == [20.0, 40.0]


@pytest.mark.parametrize(
    "judges", [pool(broken="no module"), pool(WorkerState.BOOTING, WorkerState.ENDING)]
)
def test_without_any_judge_it_is_fed_for_a_while(judges: PoolStatus) -> None:
    """They are revived every minute; when that has failed for long, a restart is worth trying."""
    watched = Watched()
    watched.look()
    watched.judges = judges
    watched.look(int(WORKERLESS_SECONDS / PERIOD))
    assert watched.fed[-1] == watched.clock.seconds()
    watched.look(2)
    assert watched.fed[-1] == watched.clock.seconds() - 2 * PERIOD
    assert "none of the judges" in watched.told[-1]
    watched.judges = pool(WorkerState.BUSY)
    watched.look()
    assert watched.fed[-1] == watched.clock.seconds()


def heard(manager: socket.socket) -> list[str]:
    """Everything the manager was told since it last listened."""
    said = []
    while True:
        try:
            said += manager.recv(4096).decode().splitlines()
        except BlockingIOError:
            return said


async def seconds(wait: float) -> None:
    """Let the reactor turn."""
    waiting: defer.Deferred[None] = defer.Deferred()
    reactor.callLater(wait, waiting.callback, None)
    await waiting


async def told(manager: socket.socket, words: str) -> None:
    """Wait until the manager hears a line that begins so."""
    for _ in range(300):
        if any(line.startswith(words) for line in heard(manager)):
            return
        await seconds(0.1)
    raise AssertionError(f"the manager never heard {words}")


@ensureDeferred
async def test_a_gateway_whose_writer_hangs_starves_its_watchdog(tmp_path: Path) -> None:
    """The whole daemon, its own journal, and a task in it that does not end for a while."""
    (tmp_path / "partners").mkdir()
    settings = tmp_path / "gateway.toml"
    settings.write_text(
        '[paths]\nstate = "state"\npartners = "partners"\n[sftp]\nenabled = false\n'
        "[judges]\nprocesses = 1\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address := str(tmp_path / "n"))
        manager.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "600000"})
        daemon = Daemon(reactor, load(settings), log=structlog.get_logger(), notifier=notifier)
        await daemon.start()
        stuck = threading.Event()
        hanging: Coroutine[Any, Any, Any] = daemon.journal.write("hang", lambda _: stuck.wait(60))
        try:
            await told(manager, "WATCHDOG=1")
            waiting = defer.Deferred.fromCoroutine(hanging)
            await told(manager, "STATUS=Not alive: the journal's writer has not answered")
            await seconds(1.0)
            assert "WATCHDOG=1" not in heard(manager), "the reactor turns; that is not enough"
            stuck.set()
            await waiting
            await told(manager, "WATCHDOG=1")
        finally:
            stuck.set()
            await daemon.stop(0.0)
