"""One file more than an archive may hold, each without a byte."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(hand_made_zip(ZipFile(b"%d.xml" % n, b"") for n in range(20_001)))
