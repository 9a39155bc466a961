"""Files that share one body (David Fifield's bomb): 90 files of 1 MB in 10 kB."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip


def build(path: Path) -> None:
    """Write the case."""
    files = [ZipFile(b"0.xml", bytes(1000))]
    files += [ZipFile(b"%d.xml" % n, b"", size=1 << 20, offset=0) for n in range(1, 91)]
    path.write_bytes(hand_made_zip(files))
