"""Garbage is looked for rarely, and what stays is looked through no more."""

from __future__ import annotations

import subprocess
import sys


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
