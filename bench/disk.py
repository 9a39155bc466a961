"""Where a bench keeps its files, so that what was deleted before it is not measured.

ext4 does not give an inode out again for a minute after it was freed, for five if that is not on
disk yet, and looks at every one it passes over (fs/ext4/ialloc.c, `recently_deleted`). A test run
deletes ten thousands of files; for some minutes each new file near them costs a third of a
millisecond of CPU, more than a signature.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_TOP_OF_HIERARCHY: Final = 0x00020000
"""The ioctl numbers and the flag of chattr(1), T (linux/fs.h)."""

_PROBES: Final = 500


@contextlib.contextmanager
def folder_apart(prefix: str) -> Iterator[Path]:
    """A temporary folder away from what was there before, where the file system can do that."""
    with tempfile.TemporaryDirectory(prefix=prefix) as outer:
        with contextlib.suppress(OSError):
            _spread(Path(outer))
        # Where it comes to lie depends on its name.
        apart = Path(outer) / Path(outer).name
        apart.mkdir()
        yield apart


def _spread(folder: Path) -> None:
    """Let the folders in this one get places far from each other. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = array.array("L", [0])
        fcntl.ioctl(fd, _GET_FLAGS, flags, True)
        flags[0] |= _TOP_OF_HIERARCHY
        fcntl.ioctl(fd, _SET_FLAGS, flags, True)
    finally:
        os.close(fd)


def creation_us(folder: Path) -> float:
    """Microseconds of CPU that a new file costs in a new folder beside `folder`'s files.

    Some tens are usual. Hundreds mean that many files were deleted here a moment ago, and that
    figures which depend on new files are worse than they should be.
    """
    probe = folder / "probe"
    probe.mkdir()
    began = time.process_time()
    for number in range(_PROBES):
        os.close(os.open(probe / str(number), os.O_CREAT | os.O_WRONLY | os.O_EXCL))
    return round(1e6 * (time.process_time() - began) / _PROBES, 1)
