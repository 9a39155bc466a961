"""File systems other than the one the tests run on, each in a file that is mounted for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("xfs", "btrfs")
MB = 400
"""XFS takes 300 at least; the file has holes, so what is not written takes no room."""


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """A new one of this kind, empty. Skips the test where none can be made or mounted."""
    maker = shutil.which(f"mkfs.{kind}", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if maker is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    image, place = folder / f"{kind}.img", folder / kind
    with image.open("wb") as file:
        file.truncate(MB << 20)
    place.mkdir()
    subprocess.run([maker, "-q", image], check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        ["mount", "-o", "loop", image, place], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        pytest.skip(f"no {kind} can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True, timeout=60)
        image.unlink()
