"""Between two files stands one that is not in the directory: a reader from the front sees it."""

import struct
from pathlib import Path

from tests.core.archives import ZipFile, hand_made_zip
from tests.evil.building import ALSO_GOOD, FAULTY, GOOD


def build(path: Path) -> None:
    """Write the case."""
    first = hand_made_zip([ZipFile(b"FA-1.xml", GOOD)])
    first = first[: first.index(b"PK\x01\x02")]
    hidden = hand_made_zip([ZipFile(b"FA-1.xml", FAULTY)])
    hidden = hidden[: hidden.index(b"PK\x01\x02")]
    files = [
        ZipFile(b"FA-1.xml", GOOD, stored=GOOD + hidden, size=len(GOOD)),
        ZipFile(b"FA-2.xml", ALSO_GOOD),
    ]
    packed = bytearray(hand_made_zip(files))
    for at in (18, packed.index(b"PK\x01\x02", len(first) + len(hidden)) + 20):
        packed[at : at + 4] = struct.pack("<L", len(GOOD))
    path.write_bytes(packed)
