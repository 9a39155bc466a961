"""One attribute of 50 MB."""

from pathlib import Path

from tests.evil.building import repeated


def build(path: Path) -> None:
    """Write the case."""
    repeated(path, b'<Invoice a="', b"A" * 1000, 50_000, b'"/>')
