"""The computer's clock is set while a gateway works, or while it is down: nothing waits for it.

The daemon's time of day is the test's (`tests/shifted_clock`); the clock that only goes forward is
left as it is, as the kernel does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.invoices import ubl_invoice
from gateway.service.journal import open_reader, records
from tests import shifted_clock
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

HOUR = 3600
SECONDS = 60.0
"""What comes is answered within this, where the clock is an hour wrong."""


class Clock:
    """The time of day as the gateway sees it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set_by(0)

    def set_by(self, seconds: int) -> None:
        """So many seconds from the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._file)

    def wrapper(self) -> list[str]:
        """Starts a daemon that lives by it."""
        return [sys.executable, str(Path(shifted_clock.__file__)), str(self._file)]


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def gateway(tmp_path: Path, clock: Clock) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path / "gateway", judges=1, wrapper=clock.wrapper())
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def sent(gateway: GatewayProcess, *numbers: str) -> None:
    """Invoices with these numbers are put, and received."""
    for number in numbers:
        file = gateway.folder / f"{number}.xml"
        file.write_bytes(ubl_invoice(number))
        done = gateway.sftp([f"put {file} in/{file.name}"], timeout=SECONDS)
        assert done.returncode == 0, done.stderr + gateway.log_tail()


def answered(gateway: GatewayProcess, *numbers: str) -> None:
    """Wait for the report of each."""
    deadline = time.monotonic() + SECONDS
    missing = set(numbers)
    while missing:
        assert time.monotonic() < deadline, f"no report about {missing}\n{gateway.log_tail()}"
        there = [Path(name).name for name in gateway.out()]
        missing = {each for each in numbers if not any(n.startswith(each) for n in there)}
        time.sleep(0.3)


def logged(gateway: GatewayProcess, event: str) -> list[dict[str, object]]:
    """Every line of the log about it."""
    lines = (json.loads(line) for line in gateway.log_file.read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def steps(gateway: GatewayProcess) -> list[list[str]]:
    """What each interchange went through, in the journal's own order."""
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        return [
            [step.new.value for step in records.transitions_of(conn, row.id) if not step.ordinal]
            for row in records.list_interchanges(conn)
        ]


def test_a_clock_that_is_set_holds_nothing_up(gateway: GatewayProcess, clock: Clock) -> None:
    """An hour back with messages waiting, an hour forward, and back while the gateway is down."""
    sent(gateway, "A1")
    answered(gateway, "A1")
    held = gateway.command("hold", "--partner", "acme", "--reason", "the clock")
    assert held.returncode == 0, held.stderr
    sent(gateway, "B1", "B2")
    clock.set_by(-HOUR)
    resumed = gateway.command("resume", "--partner", "acme")
    assert resumed.returncode == 0, resumed.stderr
    sent(gateway, "C1", "C2")
    answered(gateway, "B1", "B2", "C1", "C2")
    clock.set_by(+HOUR)
    sent(gateway, "D1")
    answered(gateway, "D1")
    sent(gateway, "E1", "E2")
    gateway.kill()
    clock.set_by(-HOUR)
    gateway.start()
    sent(gateway, "F1")
    answered(gateway, "E1", "E2", "F1")
    assert gateway.stop() == 0
    back = [line["seconds"] for line in logged(gateway, "clock_set_back")]
    forward = [line["seconds"] for line in logged(gateway, "clock_set_forward")]
    assert len(back) == 2, (back, forward)
    assert abs(int(str(back[0])) - HOUR) < 10
    assert [abs(int(str(each)) - 2 * HOUR) < 10 for each in forward] == [True]
    assert steps(gateway) == [["received", "opened", "judged", "settled", "acknowledged"]] * 9
