"""What macOS and Windows put into archives unasked is passed over."""

from pathlib import Path

from tests.evil.building import GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        zip_of(
            {
                "FA-1.xml": GOOD,
                "__MACOSX/._FA-1.xml": b"\x00\x05\x16\x07",
                ".DS_Store": b"\x00\x00\x00\x01Bud1",
                "Thumbs.db": b"\xd0\xcf\x11\xe0",
            }
        )
    )
