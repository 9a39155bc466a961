"""The longest comment a ZIP may have, all of it looking like an end record cut short."""

from pathlib import Path

from tests.evil.building import GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    packed = zip_of({"FA-1.xml": GOOD})
    comment = b"PK\x05\x05" * 16_000
    path.write_bytes(packed[:-2] + len(comment).to_bytes(2, "little") + comment)
