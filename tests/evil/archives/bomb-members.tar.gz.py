"""One file more than an archive may hold."""

from pathlib import Path

from tests.core.archives import header
from tests.evil.building import tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(b"".join(header(b"%d.xml" % n, 0) for n in range(20_001))))
