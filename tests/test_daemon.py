"""The composition root: what is left behind when something goes wrong while it stops."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from structlog.testing import capture_logs
from twisted.internet import reactor
from twisted.internet.task import Clock

from gateway.config import load
from gateway.daemon import Daemon
from gateway.errors import WorkersBroken
from gateway.service.journal import Journal


class UnstoppableBroker:
    """Starts, and fails in a way nobody thought of when it is stopped."""

    available = False
    on_available: Any = None

    async def start(self) -> None:
        """Fine."""

    async def stop(self) -> None:
        """Not fine."""
        raise RuntimeError("nobody thought of this")


@ensureDeferred
async def test_a_part_that_fails_to_stop_keeps_no_other_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is let go and no thread is left, which would keep the process from ending."""
    (tmp_path / "partners").mkdir()
    settings = tmp_path / "gateway.toml"
    settings.write_text('[paths]\nstate = "state"\npartners = "partners"\n[sftp]\nport = 0\n')
    daemon = Daemon(reactor, load(settings), log=structlog.get_logger())

    async def no_workers() -> None:
        raise WorkersBroken("no judge boots")

    monkeypatch.setattr(daemon.parts, "broker", UnstoppableBroker())
    monkeypatch.setattr(daemon.parts.workers, "start", no_workers)
    before = set(threading.enumerate())
    with pytest.raises(WorkersBroken, match="no judge boots"):
        await daemon.start()
    assert [t for t in set(threading.enumerate()) - before if not t.daemon] == []
    again = Journal(reactor, daemon.state / "journal.sqlite")
    await again.open()
    await again.close()


def test_what_fails_now_and_then_is_told_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog would starve for one bad moment, and nobody would know why."""
    (tmp_path / "partners").mkdir()
    settings = tmp_path / "gateway.toml"
    settings.write_text('[paths]\nstate = "state"\npartners = "partners"\n')
    daemon, clock = Daemon(reactor, load(settings), log=structlog.get_logger()), Clock()
    monkeypatch.setattr(daemon, "_reactor", clock)
    turns: list[float] = []

    def look() -> None:
        turns.append(clock.seconds())
        if len(turns) == 2:
            raise OSError("too many open files")

    with capture_logs() as told:
        daemon._every(10.0, look)
        clock.pump([10.0] * 4)
    assert turns == [10.0, 20.0, 30.0, 40.0]
    assert [(each["event"], each["what"]) for each in told] == [("periodic_failed", "look")]
