"""Targets that do what no parser may, to see that it is noticed."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from tests.fuzz.target import Kind, Parser, Target

GOOD: Final = b"a good input: 0123456789"
BAD: Final = b"#"
"""What is wrong with an input, unless it is a seed: parsers are warmed with those."""
_SEEDS: Final = (GOOD, GOOD + b" and " + BAD * 3 + b" in it")


def _planted(what: object) -> Parser:
    def run(data: bytes) -> bool:
        if BAD in data and data not in _SEEDS and callable(what):
            what()
        return len(data) % 2 == 0

    return run


def _raises() -> None:
    raise KeyError("undeclared")


def _refuses() -> None:
    raise LookupError("declared")


def _hangs() -> None:
    while True:
        time.sleep(1)


def _burns() -> None:
    while True:
        pass


def _spins() -> None:
    until = time.process_time() + 0.4
    while time.process_time() < until:
        pass


_held: list[bytearray] = []


def _hoards() -> None:
    _held.append(bytearray(b"x" * 40_000_000))


def _target(name: str, what: object, **more: Any) -> Target:
    return Target(
        name=name,
        kind=Kind.TEXT,
        parser=lambda: _planted(what),
        seeds=lambda: list(_SEEDS),
        **more,
    )


TARGETS: Final = (
    _target("good", None),
    _target("raises", _raises),
    _target("refuses", _refuses, declared=(LookupError,)),
    _target("exits", lambda: os._exit(99)),
    _target("aborts", os.abort),
    _target("hangs", _hangs),
    _target("burns", _burns),
    _target("spins", _spins, seconds=0.2),
    _target("hoards", _hoards, megabytes=30),
    _target("shallow", _refuses, accepted=99, declared=(LookupError,)),
)
