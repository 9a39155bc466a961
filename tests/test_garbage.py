"""Garbage is looked for rarely, and what stays is looked through no more."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from gateway.garbage import LEFTOVERS_SECONDS, Leftovers


def test_what_stays_is_frozen() -> None:
    """In a process of its own: it holds for all of it, and for ever."""
    code = (
        "import gc\n"
        "from gateway.garbage import ALLOCATED, collect_rarely\n"
        "kept = [[] for _ in range(1000)]\n"
        "circle = []; circle.append(circle); del circle\n"
        "collect_rarely()\n"
        "assert gc.get_freeze_count() > 1000\n"
        "assert gc.get_threshold()[0] == ALLOCATED\n"
        "assert gc.isenabled()\n"
        "assert gc.collect() == 0\n"
        "circle = []; circle.append(circle); del circle\n"
        "assert gc.collect() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Circle:
    """Held by itself alone, once nobody else does."""

    def __init__(self) -> None:
        self.self = self


def test_what_ends_leaves_nothing_for_long() -> None:
    """Collected some seconds after it ended, and once for all that ended meanwhile."""
    now = 100.0
    leftovers = Leftovers(lambda: now)
    gc.disable()
    try:
        first, second = (weakref.ref(Circle()) for _ in range(2))
        now += LEFTOVERS_SECONDS
        leftovers.look()
        assert first() is not None, "nothing was said to have ended"
        leftovers.leave()
        now += 1.0
        leftovers.look()
        assert (first(), second()) == (None, None)
        third = weakref.ref(Circle())
        leftovers.leave()
        now += LEFTOVERS_SECONDS - 1.0
        leftovers.look()
        assert third() is not None, "too soon after the last time"
        now += 1.0
        leftovers.look()
        assert third() is None
    finally:
        gc.enable()
