"""A hundred thousand attributes on one element: looking for doubles must not be quadratic."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(b"<Invoice " + b" ".join(b'a%d=""' % i for i in range(100_000)) + b"/>")
