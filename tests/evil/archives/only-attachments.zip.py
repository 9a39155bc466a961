"""Attachments and a signature, and no invoice for them."""

from pathlib import Path

from tests.core.archives import DER, PNG
from tests.evil.building import zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(zip_of({"FA-1.png": PNG, "FA-1.csv": b"a;b", "FA-1.xml.p7s": DER}))
