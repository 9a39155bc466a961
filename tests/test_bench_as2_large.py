"""The content that `bench.as2_large` sends is what its figures say it is."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import psutil
import pytest

from bench.as2_large import Growth
from bench.as2_large_sender import INVOICES, archive, repeated


@pytest.mark.parametrize("most", [4_000_000, 12_345_678])
def test_the_archive_is_as_large_as_asked(tmp_path: Path, most: int) -> None:
    """Not larger, for then the default limits refuse it; nearly as large; and not compressible."""
    file = tmp_path / "a.tar.gz"
    archive(file, most)
    size = file.stat().st_size
    assert most - 600_000 < size <= most
    assert len(zlib.compress(file.read_bytes(), 1)) > 0.6 * size
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert sum(name.endswith(".xml") for name in names) == INVOICES
    assert sum(name.endswith(".png") for name in names) == len(names) - INVOICES > 0


def test_the_repetition_compresses_within_the_allowed_ratio(tmp_path: Path) -> None:
    """Much, but not so much that it is taken for a bomb (as2.max_ratio)."""
    file = tmp_path / "a.xml"
    repeated(file, 12_345_678)
    data = file.read_bytes()
    assert len(data) == 12_345_678
    assert 50 < len(data) / len(zlib.compress(data)) < 200


TAKES_MEMORY = """
import sys
sys.stdin.readline()
taken = bytearray(b"x" * (64 << 20))
del taken
print("given back", flush=True)
sys.stdin.readline()
"""


def test_growth_is_seen() -> None:
    """Memory that was taken and given back still counts, in a process that does nothing else."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKES_MEMORY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        watched = {psutil.Process(child.pid): "child"}
        growth = Growth(watched)
        print("take", file=child.stdin, flush=True)
        assert child.stdout.readline() == "given back\n"
        growth.receipt_came()
        seen = growth.seen(watched)["child"]
        print("end", file=child.stdin, flush=True)
    assert seen.rise > 50
    assert seen.receiving is not None
    assert seen.receiving - seen.before > 50
