"""Debian's own clamd, with one signature of ours: what it finds, and what it says of its limits."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor

from gateway.config.settings import Antivirus
from gateway.errors import AntivirusUnavailable
from gateway.service.antivirus import Clamd, Clean, Found
from tests.clamd import SIGNATURE, VIRUS, RealClamd

pytestmark = pytest.mark.clamd

XML = b"<?xml version='1.0'?><Invoice>%s</Invoice>"
MAX_FILES = 50


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealClamd]:
    """One clamd for the module."""
    clamd = RealClamd(tmp_path_factory.mktemp("clamd"), StreamMaxLength="1M", MaxFiles=MAX_FILES)
    clamd.start()
    yield clamd
    clamd.stop()


def tar_gz(*members: bytes) -> bytes:
    """A tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number, data in enumerate(members):
            entry = tarfile.TarInfo(f"{number}.xml")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zipped(*members: bytes) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(members):
            archive.writestr(f"{number}.xml", data)
    return buffer.getvalue()


async def scan(clamd: RealClamd, folder: Path, data: bytes) -> Clean | Found:
    """What it says of these bytes."""
    path = folder / "payload"
    path.write_bytes(data)
    return await Clamd(reactor, Antivirus(address=str(clamd.socket))).scan(path, len(data))


@pytest.mark.parametrize(
    "data",
    [b"", XML % b"", tar_gz(XML % b"1", XML % b"2"), zipped(XML % b""), os.urandom(1_000_000)],
    ids=["empty", "xml", "tar.gz", "zip", "a megabyte"],
)
@ensureDeferred
async def test_harmless_payloads_are_clean(real: RealClamd, tmp_path: Path, data: bytes) -> None:
    """Nothing is found where nothing is."""
    assert await scan(real, tmp_path, data) == Clean()


@pytest.mark.parametrize(
    "data",
    [
        XML % VIRUS,
        os.urandom(900_000) + VIRUS,
        gzip.compress(VIRUS),
        tar_gz(XML % b"1", XML % VIRUS),
        zipped(XML % b"1", XML % VIRUS),
    ],
    ids=["xml", "at the end", "gz", "tar.gz", "zip"],
)
@ensureDeferred
async def test_our_signature_is_found_in_archives_too(
    real: RealClamd, tmp_path: Path, data: bytes
) -> None:
    """Why the payload alone is scanned: clamd opens what we would open."""
    assert await scan(real, tmp_path, data) == Found(SIGNATURE)


@ensureDeferred
async def test_its_stream_limit_is_reported_with_the_setting_to_raise(
    real: RealClamd, tmp_path: Path
) -> None:
    """It answers before all was sent, and hangs up: the answer is heard all the same."""
    for _ in range(20):
        with pytest.raises(AntivirusUnavailable) as raised:
            await scan(real, tmp_path, os.urandom(8_000_000))
        assert "StreamMaxLength" in raised.value.remedy


@ensureDeferred
async def test_an_archive_beyond_its_limits_is_neither_clean_nor_a_virus(
    real: RealClamd, tmp_path: Path
) -> None:
    """More members than it looks at: with AlertExceedsMax it says so."""
    members = [XML % b"%d" % number for number in range(2 * MAX_FILES)]
    with pytest.raises(AntivirusUnavailable, match="exceeds its limit MaxFiles"):
        await scan(real, tmp_path, tar_gz(*members))


@ensureDeferred
async def test_many_at_once(real: RealClamd, tmp_path: Path) -> None:
    """More payloads than threads and turns: each gets its own answer."""
    client = Clamd(reactor, Antivirus(address=str(real.socket)))
    scans = []
    for number in range(40):
        path = tmp_path / f"p{number}"
        path.write_bytes(XML % (VIRUS if number % 4 == 0 else b"%d" % number))
        scans.append(defer.Deferred.fromCoroutine(client.scan(path, path.stat().st_size)))
    answers = await defer.gatherResults(scans)
    assert [isinstance(a, Found) for a in answers] == [n % 4 == 0 for n in range(40)]


@ensureDeferred
async def test_it_may_go_and_come_back(tmp_path: Path) -> None:
    """Away it is unreachable, back it answers: nothing is kept open between payloads."""
    clamd = RealClamd(tmp_path / "own")
    clamd.start()
    try:
        assert await scan(clamd, tmp_path, VIRUS) == Found(SIGNATURE)
        clamd.stop()
        with pytest.raises(AntivirusUnavailable, match="cannot be reached"):
            await scan(clamd, tmp_path, VIRUS)
        clamd.start()
        assert await scan(clamd, tmp_path, VIRUS) == Found(SIGNATURE)
    finally:
        clamd.stop()


@pytest.mark.parametrize("alert", ["yes", "no"])
@ensureDeferred
async def test_a_clamd_that_calls_clean_what_it_gave_up_on_is_reported(
    tmp_path: Path, alert: str
) -> None:
    """Debian's default. A zip of more than MaxFiles members would pass with a virus at its end."""
    clamd = RealClamd(tmp_path / "own", AlertExceedsMax=alert)
    clamd.start()
    said = structlog.testing.CapturingLogger()
    try:
        client = Clamd(reactor, Antivirus(address=str(clamd.socket)))
        await client.warn_if_silent(structlog.wrap_logger(said, processors=[]))
        clamd.stop()
        await client.warn_if_silent(structlog.wrap_logger(said, processors=[]))
    finally:
        clamd.stop()
    *silent, away = [call.kwargs for call in said.calls]
    assert away["event"] == "antivirus_unavailable"
    assert ["AlertExceedsMax yes" in each["remedy"] for each in silent] == (
        [True] if alert == "no" else []
    )
