"""A size beyond what eleven octal digits can say, in GNU's binary form: eight exabytes."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import TAR_END, gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(gz(header(b"FA-1.xml", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7) + TAR_END))
