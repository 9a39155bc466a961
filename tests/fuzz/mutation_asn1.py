"""Damage to ASN.1 in BER: tags, lengths, nesting, what stands in an element.

What is not ASN.1 any more is left to the damage of bytes. MIME around it stays as it is: the first
thing that looks like a long SEQUENCE is what is damaged.
"""

from __future__ import annotations

import random
import re
from typing import Final

_BEGIN: Final = re.compile(rb"\x30(?:\x80|\x82..|\x81.)", re.DOTALL)
_CONSTRUCTED: Final = 0x20
_CONTENTS: Final = (
    b"", b"\x00", b"\xff", b"\x80", b"\x7f" * 9, b"\x00" * 300, b"\xff" * 2000, b"\x2a\x86\x48",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
    b"\x80" * 50, b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", b"991231235959Z", b"20260101000000Z",
    b"\x01\x00\x01", b"\x04\x00",
)  # fmt: skip
_TAGS: Final = (0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0xA0, 0xA1,
                0xA2, 0xA3, 0x1F, 0x3F, 0x00, 0xFF)  # fmt: skip
_LENGTHS: Final = (b"\x00", b"\x80", b"\x81\x00", b"\x81\x7f", b"\x82\x00\x01",
                   b"\x84\xff\xff\xff\xff", b"\x84\x7f\xff\xff\xff", b"\x88" + b"\xff" * 8, b"\xff",
                   b"\x89" + b"\x00" * 9)  # fmt: skip


class _Node:
    """An element: `inside` its elements, or else `content`. `length`: what it lies it to be."""

    def __init__(self, tag: int, content: bytes, inside: list[_Node] | None) -> None:
        self.tag = tag
        self.content = content
        self.inside = inside
        self.length: bytes | None = None

    def everything(self) -> list[_Node]:
        """Itself and all below it."""
        return [self, *(each for node in self.inside or () for each in node.everything())]

    def written(self) -> bytes:
        """In bytes again, with right lengths but where it lies."""
        content = self.content
        if self.inside is not None:
            content = b"".join(node.written() for node in self.inside)
        if self.length == b"\x80":
            content += b"\0\0"
        return bytes([self.tag]) + (self.length or _length(len(content))) + content


def changed(data: bytes, chance: random.Random) -> bytes:
    """One element of the structure changed."""
    begin = _BEGIN.search(data)
    if begin is None:
        return data
    start = begin.start()
    found = _read(data, start, len(data), 0)
    if found is None:
        return data
    root, end = found
    _change(root, chance)
    return data[:start] + root.written() + data[end:]


def _change(root: _Node, chance: random.Random) -> None:
    nodes = root.everything()
    node, other = chance.choice(nodes), chance.choice(nodes)
    parents = [each for each in nodes if each.inside]
    match chance.randrange(10):
        case 0:
            node.tag = chance.choice((*_TAGS, node.tag ^ _CONSTRUCTED, other.tag))
        case 1:
            node.length = chance.choice(_LENGTHS)
        case 2 | 3 if parents:
            inside = chance.choice(parents).inside
            assert inside is not None
            del inside[chance.randrange(len(inside))]
        case 4 if parents:
            inside = chance.choice(parents).inside
            assert inside is not None
            at = chance.randrange(len(inside))
            inside[at:at] = [inside[at]] * chance.choice((1, 1, 30))
        case 5 if parents:
            inside = chance.choice(parents).inside
            assert inside is not None
            chance.shuffle(inside)
        case 6:
            deep = chance.choice((1, 1, 30, 100))
            for _ in range(deep):
                inner = _Node(node.tag, node.content, node.inside)
                node.tag = chance.choice((0x30, 0x24, 0xA0))
                node.content, node.inside = b"", [inner]
                node = inner
        case 7:
            node.tag, node.content, node.inside = other.tag, other.written()[2:], None
        case 8:
            # Octets in pieces, as BER lets them be.
            raw = node.written()
            half = len(raw) // 2
            node.tag = node.tag | _CONSTRUCTED
            node.inside = [_Node(0x04, raw[:half], None), _Node(0x04, raw[half:], None)]
            node.length = chance.choice((None, b"\x80"))
        case _:
            node.content, node.inside = chance.choice(_CONTENTS), None


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(raw)]) + raw


def _read(data: bytes, start: int, limit: int, depth: int) -> tuple[_Node, int] | None:
    """The element at `start` and where it ends; None when there is none."""
    if start + 2 > limit or depth > 60 or data[start] & 0x1F == 0x1F:
        return None
    tag, size, at = data[start], data[start + 1], start + 2
    if size == 0x80:
        return _endless(data, tag, at, limit, depth) if tag & _CONSTRUCTED else None
    if size > 0x80:
        count = size & 0x7F
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    end = at + size
    if end > limit:
        return None
    inside: list[_Node] | None = None
    if tag & _CONSTRUCTED:
        inside = []
        while at < end:
            found = _read(data, at, end, depth + 1)
            if found is None:
                inside = None
                break
            node, at = found
            inside.append(node)
    return _Node(tag, data[end - size : end], inside), end


def _endless(data: bytes, tag: int, at: int, limit: int, depth: int) -> tuple[_Node, int] | None:
    inside: list[_Node] = []
    while data[at : at + 2] != b"\0\0":
        found = _read(data, at, limit, depth + 1)
        if found is None:
            return None
        node, at = found
        inside.append(node)
    made = _Node(tag, b"", inside)
    made.length = b"\x80"
    return made, at + 2
