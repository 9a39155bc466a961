"""The process that runs one target.

    python -m tests.fuzz.child TABLE TARGET SEED FIRST COUNT FILE

Each input stands in FILE before it is run, so that whoever watches has it when this process dies
or hangs. One line of JSON on standard output tells how each one ended. TABLE is a module with
`TARGETS`.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.mutation import mutant, numbered
from tests.fuzz.target import Parser, Target

_LEAST_TRIES = 400
_MINIMISING_SECONDS = 4.0
_WARM = 30
_PACKAGE = "/gateway/"


def targets_of(table: str) -> dict[str, Target]:
    """The targets a module lists, by name."""
    found: tuple[Target, ...] = importlib.import_module(table).TARGETS
    return {target.name: target for target in found}


def inputs(target: Target, seed: int, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Each number with its input."""
    seeds = target.seeds()
    for number in numbers:
        yield number, mutant(seeds, target.kind, numbered(target.name, seed, number))


class Runner:
    """Runs inputs one after the other and says of each how it ended."""

    def __init__(self, target: Target, tell: Callable[[dict[str, Any]], None]) -> None:
        self._target = target
        self._tell = tell
        self._parser = target.parser()
        for data in target.seeds()[:_WARM]:
            # What the first input compiles or imports is not that input's time or memory.
            _raised(target, self._parser, data)
        self._kilobytes = _peak()

    def run(self, number: int, data: bytes) -> None:
        """Tell of one input: its outcome, or why it is a failure."""
        began = time.process_time()
        outcome, failure = self._outcome(data)
        spent = time.process_time() - began
        if failure is None and spent > self._target.allowance(len(data)):
            spent = min(spent, self._again(data))
            if spent > self._target.allowance(len(data)):
                allowed = self._target.allowance(len(data))
                failure = {"what": f"slow: {spent:.1f} s of CPU, allowed {allowed:.1f}"}
        peak = _peak()
        if failure is None and peak > self._kilobytes + 1024 * self._target.megabytes:
            grown = (peak - self._kilobytes) // 1024
            failure = {"what": f"memory: {grown} MB more, allowed {self._target.megabytes}"}
            self._kilobytes = peak
        told: dict[str, Any] = {"number": number, "ms": spent * 1000, "outcome": outcome}
        self._tell(told if failure is None else told | failure)

    def _outcome(self, data: bytes) -> tuple[str | None, dict[str, Any] | None]:
        try:
            return self._target.attempt(self._parser, data), None
        except Exception as error:
            key = _key(error)
            small = _smallest(data, lambda piece: _raised(self._target, self._parser, piece) == key)
            said = "".join(traceback.format_exception(error, limit=-12))
            return None, {"what": key, "said": said[-4000:], "input": small.hex()}

    def _again(self, data: bytes) -> float:
        """Once more: what is compiled by the first input that needs it is not the input's time."""
        began = time.process_time()
        self._outcome(data)
        return time.process_time() - began


def _peak() -> int:
    """The most resident memory so far, in kB. Not ru_maxrss: a child begins with its parent's."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("the kernel tells nobody how much memory this process has had")


def _key(error: Exception) -> str:
    """What is the same for the same mistake: the exception, and the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in frame.filename] or list(frames)
    words = f": {error}"[:100] if isinstance(error, AssertionError) else ""
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "nowhere"
    return f"{type(error).__name__} at {at}{words}"


def _raised(target: Target, parser: Parser, data: bytes) -> str | None:
    try:
        target.attempt(parser, data)
    except Exception as error:
        return _key(error)
    return None


def _smallest(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The input without what is not needed to fail in the same way, so far as that is quick."""
    until = time.monotonic() + _MINIMISING_SECONDS
    tries, step = 0, max(1, len(data) // 2)
    while step and tries < _LEAST_TRIES:
        at = 0
        while at < len(data) and tries < _LEAST_TRIES and time.monotonic() < until:
            tries += 1
            shorter = data[:at] + data[at + step :]
            if fails(shorter):
                data = shorter
            else:
                at += step
        if time.monotonic() >= until:
            break
        step //= 2
    return data


def _main(table: str, name: str, seed: str, first: str, count: str, file: str) -> None:
    faulthandler.enable()  # the watcher's SIGABRT has it say where it hangs
    report = os.dup(1)
    os.dup2(2, 1)  # libraries that print must not get between

    def tell(said: dict[str, Any]) -> None:
        os.write(report, json.dumps(said).encode() + b"\n")

    target = targets_of(table)[name]
    runner = Runner(target, tell)
    tell({"ready": True})
    numbers = range(int(first), int(first) + int(count))
    with open(file, "r+b", buffering=0) as place:
        for number, data in inputs(target, int(seed), numbers):
            os.pwrite(place.fileno(), len(data).to_bytes(8, "big") + data, 0)
            runner.run(number, data)
    tell({"done": True})


if __name__ == "__main__":
    _main(*sys.argv[1:])
