"""How often a process that lives long looks for the garbage that counting references misses."""

from __future__ import annotations

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
