"""Sent in text mode: every line feed has become two characters."""

from pathlib import Path

from tests.evil.building import GOOD, TAR_END, gz, member


def build(path: Path) -> None:
    """Write the case."""
    packed = gz(b"".join(member(f"FA-{n}.xml", GOOD) for n in range(9)) + TAR_END)
    path.write_bytes(packed.replace(b"\n", b"\r\n"))
