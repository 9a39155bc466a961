"""A name in Latin-1, as old programs write it: it stays readable."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import FAULTY, TAR_END, gz, padded


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        gz(header("réf-été.xml".encode("latin-1"), len(FAULTY)) + padded(FAULTY) + TAR_END)
    )
