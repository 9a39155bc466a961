"""However an archive is made: bounded memory, time and disk, and nothing outside its folder."""

from __future__ import annotations

import gc
import gzip
import io
import struct
import tempfile
import time
import tracemalloc
import unicodedata
import zlib
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.container.archive import unpack
from gateway.core.container.manifest import read_manifest
from gateway.model.container import ContainerLimits, Role
from gateway.model.job import DocumentLimits, Unpacked
from tests.core.archives import (
    END,
    PDF,
    PNG,
    XML,
    ZipFile,
    hand_made_zip,
    header,
    opened,
    padded,
    tar,
    tar_gz,
    zipped,
)

pytestmark = pytest.mark.alone

GB = 1_000_000_000


class Counting(io.FileIO):
    """A file that knows how far it was read."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count it."""
        data = super().read(-1 if size is None else size) or b""
        self.given += len(data)
        return data


def bomb(path: Path, size: int, *, claimed: int | None = None) -> Path:
    """A tar.gz with one file of zeros, written without ever holding it."""
    zeros = bytes(1 << 20)
    packer = zlib.compressobj(wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(header(b"a.xml", size if claimed is None else claimed)))
        for _ in range(size >> 20):
            file.write(packer.compress(zeros))
        file.write(packer.compress(padded(bytes(size % (1 << 20))) + END) + packer.flush())
    return path


def unpacked(source: BinaryIO, size: int, into: Path, **limits: int) -> Unpacked:
    """Unpack a file that is too large to be held."""
    into.mkdir()
    return unpack(source, "bomb", size, into, ContainerLimits(**limits), DocumentLimits())


def test_a_bomb_is_stopped_early(tmp_path: Path) -> None:
    """1 GB of zeros in 1 MB: not even a third is read, and none of it is written."""
    file = bomb(tmp_path / "bomb", GB)
    size = file.stat().st_size
    assert size < GB / 500
    tracemalloc.start()
    try:
        with Counting(file) as source:
            started = time.monotonic()
            result = unpacked(source, size, tmp_path / "into")
            took = time.monotonic() - started
            read = source.given
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.refused is not None
    assert result.refused.rule == "CONTAINER-RATIO"
    assert read < size / 3
    assert peak < 3_000_000
    assert took < 20
    assert sum(path.stat().st_size for path in (tmp_path / "into").iterdir()) < 10_000


def test_a_bomb_within_its_document_limit_is_stopped_as_early(tmp_path: Path) -> None:
    """Many documents, each small enough, add up to the same."""
    one = header(b"%06d.xml", 0)
    data = zlib.compressobj(wbits=31)
    archive = b""
    for number in range(300):
        archive += data.compress(header(b"%06d.xml" % number, 1 << 20) + XML.ljust(1 << 20))
    archive += data.compress(END) + data.flush()
    assert len(one) == 512
    assert opened(archive).refused == "CONTAINER-RATIO"


def test_small_archives_may_compress_very_well() -> None:
    """Below 100 MB nobody asks: similar invoices do."""
    archive = tar_gz([(f"{n}.xml", XML.ljust(1 << 20)) for n in range(20)])
    assert len(archive) * 200 < 20 << 20
    assert opened(archive).unpacked.documents == 20


@pytest.mark.parametrize("make", [tar_gz, tar, zipped])
def test_the_limits_are_those_of_the_settings(make: object) -> None:
    """Members, unpacked bytes and received bytes: at the limit taken, beyond it refused."""
    assert callable(make)
    files = [(f"{n}.xml", XML.ljust(2048)) for n in range(10)]
    archive = make(files)
    assert opened(archive, max_members=10, max_bytes=len(archive)).unpacked.documents == 10
    assert opened(archive, max_members=9).refused == "CONTAINER-MEMBERS"
    assert opened(archive, max_bytes=len(archive) - 1).refused == "CONTAINER-SIZE"
    assert opened(archive, max_unpacked_bytes=20_479).refused == "CONTAINER-UNPACKED-SIZE"
    assert opened(archive, max_unpacked_bytes=100_000).unpacked.documents == 10


def test_an_archive_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    """Its size is known before."""
    with Counting(bomb(tmp_path / "bomb", 1 << 20)) as source:
        result = unpacked(source, GB + 1, tmp_path / "into")
        assert source.given == 0
    assert result.refused is not None
    assert result.refused.rule == "CONTAINER-SIZE"


def test_what_announces_too_much_is_not_unpacked(tmp_path: Path) -> None:
    """Neither the file in a tar nor those in a ZIP."""
    with Counting(bomb(tmp_path / "bomb", 1 << 28, claimed=1 << 40)) as source:
        result = unpacked(source, 300_000, tmp_path / "into")
        assert source.given < 200_000
    assert result.refused is not None
    assert result.refused.rule == "CONTAINER-UNPACKED-SIZE"
    assert opened(hand_made_zip([ZipFile(size=0xFFFFFFF0)])).refused == "CONTAINER-RATIO"
    files = [ZipFile(b"%d.xml" % n, size=0xFFFFFFF0) for n in range(3)]
    assert opened(hand_made_zip(files)).refused in {"CONTAINER-UNPACKED-SIZE", "CONTAINER-RATIO"}


def test_overlapping_files_are_no_way_around(tmp_path: Path) -> None:
    """A ZIP whose files all share one body (David Fifield's bomb) is seen in its directory."""
    files = [ZipFile(b"0.xml", bytes(1 << 20))]
    files += [ZipFile(b"%d.xml" % n, b"", size=1 << 20, offset=0) for n in range(1, 50)]
    assert opened(hand_made_zip(files)).refused == "CONTAINER-DAMAGED"


@pytest.mark.parametrize(
    "archive",
    [
        header(b"folder/", 0, b"5") * 3000,
        (header(b"x", 10, b"x") + padded(b"6 a=b\n")[:512]) * 3000,
        header(b"g", 0, b"g") * 3000,
    ],
    ids=["folders", "extensions", "global"],
)
def test_what_is_no_member_is_counted_too(archive: bytes) -> None:
    """Folders and headers without end cost time as well."""
    assert opened(archive + END, max_members=100).refused in {
        "CONTAINER-MEMBERS",
        "CONTAINER-DAMAGED",
    }
    assert opened(zipped([(f"{n}/", b"") for n in range(3000)]), max_members=100).refused == (
        "CONTAINER-MEMBERS"
    )


def test_entries_that_are_no_files_are_not_called_files() -> None:
    """Whoever sends folders without end is not told of files that are not there."""
    archive = header(b"folder/", 0, b"5") * 1501 + END
    refused = opened(archive, max_members=100).unpacked.refused
    assert refused is not None
    assert refused.message.endswith("more than 1500 entries.")
    assert refused.explanation is not None
    assert "1500 entrées" in refused.explanation.fr


def test_gzip_of_countless_empty_parts_ends() -> None:
    """Each costs 20 bytes and some time."""
    started = time.monotonic()
    assert opened(gzip.compress(b"", mtime=0) * 200_100).refused == "CONTAINER-DAMAGED"
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("make", [tar_gz, zipped])
def test_thousands_of_members_take_constant_memory(make: object, tmp_path: Path) -> None:
    """5,000 documents of 20 kB take little more than 500 of them: only names are remembered."""
    assert callable(make)
    body = XML + bytes(range(32, 127)) * 200
    peaks = []
    for count in (500, 5000):
        archive = make([(f"F20261000000{n:06d}.xml", body) for n in range(count)])
        into = tmp_path / str(count)
        into.mkdir()
        gc.collect()
        tracemalloc.start()
        try:
            result = unpack(
                io.BytesIO(archive),
                "a",
                len(archive),
                into,
                ContainerLimits(),
                DocumentLimits(),
            )
            listed = sum(member.role is Role.DOCUMENT for member in read_manifest(into))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert result.documents == listed == count
    # Of 100 MB. Threads of earlier tests may allocate meanwhile, hence the margin.
    assert peaks[1] - peaks[0] < 10_000_000, peaks
    assert peaks[1] < 20_000_000, peaks


SEEDS = (
    tar_gz([("a.xml", XML), ("a.pdf", PDF), ("b.png", PNG), ("n" * 150, XML)]),
    tar([("a.xml", XML * 20), ("../b.xml", XML), ("é.csv", b"1")]),
    tar([("a.xml", XML), ("é" * 80 + ".xml", XML)], format=1),
    zipped([("a.xml", XML * 20), ("sub/b.xml", XML), ("c.p7s", b"0\x82")]),
    hand_made_zip([ZipFile(), ZipFile(b"b.xml", method=12), ZipFile(b"../c")]),
)

MUTATION = st.tuples(
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["set", "cut", "insert", "double", "number"]),
    st.binary(min_size=1, max_size=12),
)


def mutated(archive: bytes, mutations: list[tuple[float, str, bytes]]) -> bytes:
    """The archive after a few accidents."""
    for where, how, data in mutations:
        at = int(len(archive) * where)
        match how:
            case "set":
                archive = archive[:at] + data + archive[at + len(data) :]
            case "cut":
                archive = archive[:at] + archive[at + len(data) * 40 :]
            case "insert":
                archive = archive[:at] + data + archive[at:]
            case "double":
                archive = archive[: at + 512] + archive[at:]
            case "number":
                value = struct.pack("<L", 0xFFFFFFFF >> data[0] % 32)
                archive = archive[:at] + value + archive[at + 4 :]
    return archive


@given(
    seed=st.sampled_from(SEEDS),
    mutations=st.lists(MUTATION, min_size=1, max_size=4),
    packed=st.booleans(),
)
@settings(max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
def test_no_accident_makes_it_fail_or_write_elsewhere(
    seed: bytes, mutations: list[tuple[float, str, bytes]], packed: bool
) -> None:
    """Whatever became of an archive: an answer, the same each time, and files by number only."""
    archive = mutated(seed, mutations)
    if packed:
        # Behind a checksum that is right, the mutated headers are really read.
        archive = gzip.compress(archive)
    first = opened(archive, max_unpacked_bytes=50_000_000)
    assert first == opened(archive, max_unpacked_bytes=50_000_000)
    if first.unpacked.refused is None:
        assert set(first.files) == {str(m.position) for m in first.members if m.stored}
        assert first.unpacked.members == len(first.members) > 0
        for member in first.members:
            assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs"} for each in member.name)
            assert not (member.stored and member.findings)
            if member.stored:
                assert len(first.files[str(member.position)]) == member.size


def test_leftovers_of_a_refused_archive_stay_in_the_folder() -> None:
    """Documents before the place where it broke were written, and count for nothing."""
    archive = tar([("a.xml", XML), ("b.xml", XML)])[:1500]
    with tempfile.TemporaryDirectory() as folder:
        result = unpack(
            io.BytesIO(archive),
            "a",
            len(archive),
            Path(folder),
            ContainerLimits(),
            DocumentLimits(),
        )
        assert (result.members, result.documents) == (0, 0)
        assert result.refused is not None
