"""A sound input, damaged: some of it by its bytes, some of it by its structure.

Everything is decided by the random numbers handed in, so an input is known by its target, the
seed of the run and its number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.fuzz import mutation_archive, mutation_asn1, mutation_text, mutation_xml
from tests.fuzz.target import Kind

MAX_BYTES: Final = 200_000
_UNTOUCHED: Final = 40
"""One input in so many is a seed as it is: what is good must stay accepted."""
_BY_BYTES: Final = 0.35
"""How often bytes are damaged where there is a structure to damage."""

INTERESTING: Final = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x01",
    b"\xff" * 8,
    b"\r\n",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x80\xae",
    b"%",
    b'"',
    b"'",
    b"\\",
    b"<",
    b"&",
    b"../",
    b"-1",
    b"99999999999999999999",
    b"1e999",
    b"NaN",
)

Change = Callable[[bytes, random.Random], bytes]

_STRUCTURES: Final[dict[Kind, Change]] = {
    Kind.XML: mutation_xml.changed,
    Kind.ASN1: mutation_asn1.changed,
    Kind.ARCHIVE: mutation_archive.changed,
    Kind.TEXT: mutation_text.changed,
}


def numbered(target: str, seed: int, number: int) -> random.Random:
    """The random numbers of one input."""
    return random.Random(f"{target}/{seed}/{number}")


def mutant(seeds: Sequence[bytes], kind: Kind, chance: random.Random) -> bytes:
    """One of the seeds, changed in one to a few places."""
    data = chance.choice(seeds)
    if chance.randrange(_UNTOUCHED) == 0:
        return data
    change = _STRUCTURES.get(kind)
    for _ in range(_few(chance)):
        if change is None or chance.random() < _BY_BYTES:
            data = _bytes_changed(data, seeds, chance)
        else:
            data = change(data, chance)
        data = data[:MAX_BYTES]
    return data


def _few(chance: random.Random) -> int:
    """Mostly 1: each further change makes it less likely that anything behind it is reached."""
    count = 1
    while count < 8 and chance.random() < 0.4:
        count += 1
    return count


def _much(piece: bytes, chance: random.Random) -> bytes:
    """So much of it that what takes more than linear time shows."""
    return piece * (chance.choice((20_000, 150_000)) // len(piece))


def _bytes_changed(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    length = min(1 << chance.randrange(11), len(data) - at)
    end = at + chance.randint(0, max(length, 0))
    match chance.randrange(9):
        case 0 if at < len(data):
            flipped = data[at] ^ (1 << chance.randrange(8))
            return data[:at] + bytes([flipped]) + data[at + 1 :]
        case 1:
            return data[:at] + chance.randbytes(chance.choice((1, 1, 2, 4, 8, 40))) + data[at:]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:at] + data[at:end] * chance.choice((2, 2, 3, 20)) + data[end:]
        case 4:
            other = chance.choice(seeds)
            return data[:at] + other[chance.randint(0, len(other)) :]
        case 5 if chance.random() < 0.4:
            return data[:at]
        case 5 if chance.random() < 0.2:
            return data[:at] + _much(data[at:end] or b" ", chance) + data[end:]
        case 6:
            return data[:at] + chance.choice(INTERESTING) + data[at:]
        case 7:
            value = chance.choice(INTERESTING)
            return data[:at] + value + data[at + len(value) :]
        case _:
            other = chance.choice(seeds)
            start = chance.randint(0, len(other))
            piece = other[start : start + chance.randint(1, 200)]
            return data[:at] + piece + data[end:]
