"""An invoice inside its own signature (.p7m): it is not passed over in silence."""

from pathlib import Path

from tests.core.archives import DER
from tests.evil.building import member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(tar_gz(member("FA-1.xml.p7m", DER)))
