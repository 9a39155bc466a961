"""Three files behind a password, in the ways of PKZIP, of AES and of the strong encryption."""

from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, GOOD


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        hand_made_zip(
            [
                ZipFile(b"FA-1.xml", GOOD, flags=1),
                ZipFile(b"FA-2.xml", GOOD, flags=1, method=99),
                ZipFile(b"FA-3.xml", GOOD, flags=0x41),
                ZipFile(b"FA-4.xml", ALSO_GOOD),
            ]
        )
    )
