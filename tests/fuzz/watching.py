"""Runs a target in processes of its own, and notices when one dies or hangs.

The next one goes on behind the input that ended the last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil

PATIENCE_SECONDS: Final = 60.0
"""Of the clock, for one input: far more than any CPU budget, on a busy machine too."""
START_SECONDS: Final = 180.0
MOST_DEATHS: Final = 20
"""After so many processes a target is given up: each death is one failure already."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """One input that ended as none may. `what` is the same for the same mistake."""

    target: str
    seed: int
    number: int
    what: str
    said: str
    data: bytes


@dataclasses.dataclass
class Account:
    """What became of the inputs of one target. `failures`: one for each `what`, `failed`: all."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    failed: int = 0
    slowest_ms: float = 0.0
    seconds: float = 0.0
    failures: dict[str, Failure] = dataclasses.field(default_factory=dict)

    def fail(self, failure: Failure) -> None:
        """Count a failure; the first of its kind is kept."""
        self.failed += 1
        self.failures.setdefault(failure.what, failure)


def fuzz(
    table: str,
    target: str,
    *,
    seed: int,
    count: int,
    first: int = 0,
    patience: float = PATIENCE_SECONDS,
) -> Account:
    """Run `count` inputs of one target of the module `table`, in children, one after the other."""
    account = Account(target)
    began = time.monotonic()
    end, deaths = first + count, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_in_memory()) as folder:
        while first < end and deaths < MOST_DEATHS:
            child = _Child(table, target, seed, first, end - first, Path(folder), patience)
            first = child.run(account)
            deaths += 1
    account.seconds = time.monotonic() - began
    return account


def _in_memory() -> str | None:
    """Where syncing a file costs nothing, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class _Child:
    """One process."""

    def __init__(
        self,
        table: str,
        target: str,
        seed: int,
        first: int,
        count: int,
        folder: Path,
        patience: float,
    ) -> None:
        self._target, self._seed, self._patience = target, seed, patience
        self._next, self._end = first, first + count
        self._spent = 0.0
        self._input = folder / "input"
        self._input.write_bytes(bytes(8))
        self._stderr = folder / "stderr"
        scratch = folder / f"scratch-{first}"
        scratch.mkdir()
        arguments = [table, target, str(seed), str(first), str(count), str(self._input)]
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.child", *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "TMPDIR": str(scratch)},
            )

    def run(self, account: Account) -> int:
        """Count what it tells, and how it ends; where the next one is to begin."""
        done = False
        try:
            for told in self._lines():
                done = done or "done" in told
                if "number" in told:
                    self._count(told, account)
        except TimeoutError:
            said = self._stopped()
            self._died(account, "hang", said)
            return self._next + 1
        code = self._process.wait()
        if not done:
            self._died(account, f"crash: exit code {code}", self._words())
            return self._next + 1
        return self._end

    def _lines(self) -> Iterator[dict[str, Any]]:
        """What it says. Raises TimeoutError when it says nothing for too long."""
        assert self._process.stdout is not None
        buffer, patience = b"", START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(patience):
                    if self._starved(patience):
                        continue
                    raise TimeoutError
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    return
                *lines, buffer = (buffer + chunk).split(b"\n")
                patience, self._spent = self._patience, self._cpu_seconds()
                yield from map(json.loads, lines)

    def _starved(self, patience: float) -> bool:
        """Whether it would run if the machine let it, and hardly did since its last word."""
        with contextlib.suppress(psutil.NoSuchProcess):
            running = psutil.Process(self._process.pid).status() == psutil.STATUS_RUNNING
            return running and self._cpu_seconds() - self._spent < patience / 3
        return False

    def _cpu_seconds(self) -> float:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(self._process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def _count(self, told: dict[str, Any], account: Account) -> None:
        self._next = told["number"] + 1
        account.inputs += 1
        account.slowest_ms = max(account.slowest_ms, told["ms"])
        if "what" in told:
            data = bytes.fromhex(told["input"]) if "input" in told else self._held()
            account.fail(self._failure(told["number"], told["what"], told.get("said", ""), data))
        elif told["outcome"] == "accepted":
            account.accepted += 1
        else:
            account.refused += 1

    def _died(self, account: Account, what: str, said: str) -> None:
        account.inputs += 1
        account.fail(self._failure(self._next, what, said, self._held()))

    def _failure(self, number: int, what: str, said: str, data: bytes) -> Failure:
        return Failure(self._target, self._seed, number, what, said, data)

    def _held(self) -> bytes:
        """The input it was at."""
        held = self._input.read_bytes()
        return held[8 : 8 + int.from_bytes(held[:8], "big")]

    def _stopped(self) -> str:
        """End it; what it says about where it hung."""
        self._process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        return self._words()

    def _words(self) -> str:
        return self._stderr.read_bytes()[-4000:].decode(errors="replace")
