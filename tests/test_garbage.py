"""Garbage is looked for rarely, and what stays is looked through no more."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import weakref

import pytest

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


_LARGE_BLOCKS = """
import ctypes
from gateway.garbage import LARGE, keep_large_blocks_apart

class Info(ctypes.Structure):
    # struct mallinfo2 of glibc's malloc.h
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

def mapped():
    return libc.mallinfo2().e  # hblkhd: the bytes of blocks that are mappings of their own

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
{first}
before = mapped()
for _ in range(3):
    large = bytearray(4 * LARGE)
    print(mapped() - before > 4 * LARGE)
    del large
"""


def large_blocks(first: str) -> list[str]:
    """Of three large blocks, one after the other, which were mappings of their own."""
    words = [sys.executable, "-c", _LARGE_BLOCKS.format(first=first)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc 2.33 or later")
def test_large_blocks_never_lie_among_small_ones() -> None:
    """Those that come after the first one was given back neither."""
    assert large_blocks("") == ["True", "False", "False"], "what glibc does by itself"
    assert large_blocks("keep_large_blocks_apart()") == ["True", "True", "True"]


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
