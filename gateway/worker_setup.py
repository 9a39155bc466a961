"""What a worker process asks of the system at its start: to go first, and to go with its parent.

Both are Linux's; elsewhere nothing happens, and a worker still ends when its standard input does.
Standard library only: this runs before anything else is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

OOM_SCORE: Final = 1000
"""The most there is (proc(5), oom_score_adj): when memory runs out the system ends a judge, the
largest first. That costs one more try of one document; ending the daemon would cost everything
under way, and ending another program of the machine would be rude."""

_PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal this process gets when its parent ends."""


def become_expendable() -> None:
    """Be ended first when memory runs out, and with the parent however that ends.

    The pipe from the parent also closes when the parent dies, but a worker deep in a stylesheet
    does not read it; the kernel's signal needs no reading. Exits when the parent is gone already.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    with contextlib.suppress(OSError):  # /proc may be hidden or read-only: then without
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    with contextlib.suppress(OSError, AttributeError):  # no such libc, no such function
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended between the two: its signal will never come.
        os._exit(0)
