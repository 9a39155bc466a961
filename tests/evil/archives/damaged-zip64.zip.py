"""The end record and the large one of zip64 contradict each other."""

import struct
from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import GOOD


def build(path: Path) -> None:
    """Write the case."""
    packed = hand_made_zip([ZipFile(b"FA-1.xml", GOOD)])
    at = packed.rfind(b"PK\x05\x06")
    _, _, _, _, count, length, start, _ = struct.unpack("<4s4H2LH", packed[at:])
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 7, 7, length, start, 0)
    path.write_bytes(packed[:at] + large + locator + end)
