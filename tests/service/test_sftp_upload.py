"""The bytes of one upload, while they arrive."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import durable
from gateway.service.sftp_server import upload
from gateway.service.sftp_server.refusal import NO_SPACE, Refused
from gateway.service.sftp_server.upload import Written


class Upload:
    """An upload into a file of its own."""

    def __init__(self, path: Path, content: bytes = b"", **how: Any) -> None:
        path.write_bytes(content)
        self.path = path
        settings = {"base": 0, "resumed": False, "append": False, "max_bytes": 1000} | how
        self.written = Written(os.open(path, os.O_RDWR), **settings)

    @property
    def content(self) -> bytes:
        """What is on disk."""
        return self.path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload.part"


@given(
    content=st.binary(min_size=1, max_size=64),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=64),
    randomizer=st.randoms(use_true_random=False),
)
def test_writes_in_any_order_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, sizes: list[int], randomizer: Any
) -> None:
    """Whatever the order, every moment shows a gapless beginning, and the end the whole file."""
    one = Upload(tmp_path_factory.mktemp("any") / "upload.part")
    chunks, at = [], 0
    for size in sizes:
        chunks.append((at, content[at : at + size]))
        at += size
    chunks.append((at, content[at:]))
    chunks = [chunk for chunk in chunks if chunk[1]]
    randomizer.shuffle(chunks)
    for offset, data in chunks:
        one.written.write(offset, data)
        assert content.startswith(one.content)
        assert one.written.size == len(one.content)
    one.written.must_be_whole()
    assert one.content == content
    assert one.written.sha256() == hashlib.sha256(content).hexdigest()
    one.written.close()


def test_a_gap_that_stays_is_no_complete_file(path: Path) -> None:
    """The close fails, and only what is certain remains as a partial."""
    one = Upload(path)
    one.written.write(0, b"abc")
    one.written.write(10, b"xyz")
    with pytest.raises(Refused, match="missing at offset 3"):
        one.written.must_be_whole()
    one.written.close()
    assert one.content == b"abc"


def test_memory_for_writing_ahead_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client cannot make the server hold its whole file in memory."""
    monkeypatch.setattr(upload, "MAX_AHEAD_BYTES", 10)
    one = Upload(path)
    one.written.write(100, b"x" * 10)
    with pytest.raises(Refused, match="write in order"):
        one.written.write(200, b"y")
    one.written.close()


def test_overwriting_makes_the_running_hash_unusable(path: Path) -> None:
    """Bytes changed after they were hashed have to be read again."""
    one = Upload(path)
    one.written.write(0, b"abcdef")
    one.written.write(0, b"XY")
    assert one.written.sha256() is None
    assert one.content == b"XYcdef"
    one.written.close()


def test_a_file_that_is_too_large_fails_for_good(path: Path) -> None:
    """Also the close: a client that ignores the failed write must not hear success."""
    one = Upload(path, max_bytes=5)
    with pytest.raises(Refused, match="larger than the 5 bytes"):
        one.written.write(0, b"123456")
    with pytest.raises(Refused, match="larger"):
        one.written.write(0, b"1")
    with pytest.raises(Refused, match="larger"):
        one.written.must_be_whole()
    one.written.close()


def test_a_full_disk_is_said_and_remembered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reads why, and the close fails too."""
    one = Upload(path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/a/path/of/ours")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Refused, match=NO_SPACE):
        one.written.write(0, b"x")
    monkeypatch.undo()
    with pytest.raises(Refused, match=NO_SPACE):
        one.written.must_be_whole()
    one.written.close()


def test_a_short_write_is_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take less than it was given."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:2], offset))
    one = Upload(path)
    one.written.write(0, b"abcdefg")
    assert one.content == b"abcdefg"
    one.written.close()


def test_resuming_keeps_the_base_and_drops_the_rest(path: Path) -> None:
    """What the client was not shown is cut; its writes go where it says."""
    one = Upload(path, b"abcdef", base=4, resumed=True)
    one.written.write(4, b"EFGH")
    one.written.must_be_whole()
    one.written.must_be_meant()
    assert one.content == b"abcdEFGH"
    assert one.written.sha256() is None
    one.written.close()


@pytest.mark.parametrize("first_offset", [4, 0])
def test_appending_counts_from_the_start_or_from_the_end(path: Path, first_offset: int) -> None:
    """Clients differ; both ways are clear enough to follow."""
    one = Upload(path, b"abcd", base=4, resumed=True, append=True)
    one.written.write(first_offset, b"ef")
    one.written.write(first_offset + 2, b"gh")
    assert one.content == b"abcdefgh"
    one.written.close()


def test_appending_to_a_file_that_changed_fails(path: Path) -> None:
    """An offset that fits neither way would put bytes in the wrong place."""
    one = Upload(path, b"abcdef", base=6, resumed=True, append=True)
    with pytest.raises(Refused, match="has changed"):
        one.written.write(5, b"fgh")
    one.written.close()


def test_resuming_without_writing_is_no_delivery(path: Path) -> None:
    """An open and a close of a partial do not make it complete."""
    one = Upload(path, b"abcd", base=3, resumed=True)
    with pytest.raises(Refused, match="nothing was written"):
        one.written.must_be_meant()
    one.written.close()


def test_a_shorter_file_over_a_longer_partial_is_no_delivery(path: Path) -> None:
    """The old partial's tail must not become part of the new file."""
    one = Upload(path, b"a long partial", base=13, resumed=True)
    one.written.write(0, b"short")
    with pytest.raises(Refused, match="longer partial"):
        one.written.must_be_meant()
    one.written.close()


def test_truncating_shortens_and_never_lengthens(path: Path) -> None:
    """A longer size would make a hole."""
    one = Upload(path)
    one.written.write(0, b"abcdef")
    one.written.truncate(3)
    assert one.content == b"abc"
    with pytest.raises(Refused, match="grows by being written"):
        one.written.truncate(4)
    one.written.write(3, b"Z")
    assert one.content == b"abcZ"
    one.written.close()


@pytest.mark.parametrize(
    ("base", "writes", "expected"),
    [
        (0, [(0, 21)], [(0, 21)]),
        (0, [(0, 40), (40, 40), (80, 40), (120, 5)], [(0, 40), (40, 80)]),
        (10, [(10, 30), (0, 5), (40, 50)], [(10, 30), (40, 50)]),
        (10, [(0, 10), (10, 7)], [(10, 7)]),
    ],
    ids=["small", "in parts", "resumed", "once more from the start"],
)
def test_the_disk_is_told_to_begin_while_the_rest_arrives(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: int,
    writes: list[tuple[int, int]],
    expected: list[tuple[int, int]],
) -> None:
    """The first bytes at once, then each time so many have come: each byte but once."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(upload, "BEGIN_BYTES", 50)
    monkeypatch.setattr(upload, "begin_writing", lambda _, *where: told.append(where))
    one = Upload(path, bytes(base), base=base, resumed=base > 0)
    for offset, count in writes:
        one.written.write(offset, bytes(count))
    assert told == expected


def test_beginning_to_write_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system has no such call."""
    one = Upload(path, max_bytes=100_000)
    one.written.write(0, bytes(50_000))
    monkeypatch.setattr(durable, "_sync_file_range", None)
    one.written.write(50_000, b"x" * 50_000)
    one.written.sync()
    assert one.content == bytes(50_000) + b"x" * 50_000
