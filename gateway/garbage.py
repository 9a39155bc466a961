"""How a process that lives long stays small.

How often it looks for the garbage that counting references misses, and where its large blocks of
memory lie.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Final

ALLOCATED: Final = 20_000
"""Objects made and not freed, after which the youngest are looked through (Python: 700)."""
LEFTOVERS_SECONDS: Final = 10.0
"""What was frozen is not looked through, so each time takes some milliseconds."""


def collect_rarely() -> None:
    """To be called once all that stays is loaded: it is looked through never again.

    What passes through the gateway leaves next to no circles behind, and at hundreds of files a
    second looking for them took a twentieth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATED)


LARGE: Final = 1 << 20
"""Blocks of so many bytes are asked of the system one by one, and given back one by one."""
SPARE: Final = 8 << 20
"""So many free bytes at the end of the heap are kept for what comes next."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""malloc.h"""


def keep_large_blocks_apart() -> None:
    """Have the C library go on as it begins: a large block is a mapping of its own.

    Left to itself glibc puts blocks as large as one that it once gave back among the small ones
    (mallopt(3), "dynamic mmap threshold"). Python's table of interned names, 4 MB in the gateway,
    is made anew every some minutes; each time something small had settled where the last one was,
    and the heap grew by another 4 MB. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, SPARE)


class Leftovers:
    """Circles that are left behind by what ends, such as connections: collected some time later.

    Left to counting, they would wait for the youngest to be looked through hundreds of times, and
    take tens of megabytes meanwhile. `clock` tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = False
        self._collected = clock()

    def leave(self) -> None:
        """Something has ended."""
        self._left = True

    def look(self) -> None:
        """Collect, if there is something to and the last time is long enough ago."""
        now = self._clock()
        if self._left and now - self._collected >= LEFTOVERS_SECONDS:
            gc.collect()
            self._left, self._collected = False, now
