"""`edi-gateway payload`: the bytes behind an address, or why there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.model.publication import payload_uri
from gateway.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """That of a state directory."""
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


def asked(capfdbinary: pytest.CaptureFixture[bytes], state: Path, uri: str) -> tuple[int, bytes]:
    """The exit code, and what was written."""
    code = main(["payload", uri, "--state-dir", str(state)])
    return code, capfdbinary.readouterr().out


def test_the_bytes_are_written_as_they_are(
    spool: Spool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By the address that messages give, or by the sum alone."""
    data = b"%PDF-1.7\r\n\x00\xff" * 200_000
    stored = spool.store([data])
    for uri in (payload_uri(stored.sha256), stored.sha256):
        assert asked(capfdbinary, tmp_path, uri) == (0, data)


@pytest.mark.parametrize(
    "uri", ["urn:edi-gateway:payload:" + "0" * 64, "../../journal.sqlite", "", "https://x/y"]
)
def test_what_is_not_there_is_said(
    uri: str, spool: Spool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing else of the disk can be asked for."""
    assert asked(capfdbinary, tmp_path, uri) == (2, b"")


def test_bytes_that_were_altered_are_not_handed_out(
    spool: Spool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Whoever asks hears it, not whoever opens the file later."""
    stored = spool.store([b"%PDF-1.7"])
    stored.path.chmod(0o600)
    stored.path.write_bytes(b"%PDF-1.8")
    assert asked(capfdbinary, tmp_path, stored.sha256) == (3, b"")
