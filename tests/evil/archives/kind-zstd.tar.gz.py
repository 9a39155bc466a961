"""The first bytes of a zstd."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00" + bytes(100))
