"""A comment of 20 MB in the header of gzip: it is read past, and the invoice behind it is good."""

from pathlib import Path

from tests.evil.building import GOOD, TAR_END, gz, member, repeated


def build(path: Path) -> None:
    """Write the case."""
    packed = gz(member("FA-1.xml", GOOD) + TAR_END)
    head = packed[:3] + b"\x10" + packed[4:10]
    repeated(path, head, b"bomb", 5_000_000, b"\0" + packed[10:])
