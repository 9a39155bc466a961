"""Damage to text of lines and words: header fields, TOML, JSON, tables, the objects of a PDF."""

from __future__ import annotations

import random
import re
from typing import Final

_WORD: Final = re.compile(rb"[A-Za-z0-9_.+/-]+")
_WORDS: Final = (
    b"",
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"Infinity",
    b"2147483648",
    b"18446744073709551616",
    b"9" * 5000,
    b"true",
    b"null",
    b'""',
    b'"',
    b"[[[[",
    b"[" * 3000,
    b"{" * 3000,
    b"(" * 3000,
    b"<<" * 500,
    b"utf-7",
    b"utf-16",
    b"idna",
    b"rot13",
    b"unicode_escape",
    b"punycode",
    b"=?utf-8?b?4oKs?=",
    b"=?utf-7?q?+AOQ-?=",
    b"utf-8''%E2%82%AC",
    b"*0*=",
    b"2026-13-45",
    b"0001-01-01",
    b"9999-12-31T23:59:60Z",
    b"1970-01-01T00:00:00+99:99",
    b"\\u0000",
    b"\\ud800",
    "\u0664\u0662".encode(),
    "\u202e".encode(),
    b"a" * 3000,
    b"\x00",
    b"../../etc/passwd",
    b"CON",
    b"http://127.0.0.1/",
)
_SIGNS: Final = (b":", b";", b",", b"=", b'"', b"'", b"[", b"]", b"{", b"}", b"(", b")",
                 b"*", b"%", b"\\", b"#", b"\r\n", b"\n", b"\r", b"\n ", b"--",
                 b"<", b">", b"|")  # fmt: skip


def changed(data: bytes, chance: random.Random) -> bytes:
    """One line, word or sign put elsewhere, taken away, repeated or replaced."""
    if chance.random() < 0.4:
        return _line_changed(data, chance)
    if chance.random() < 0.25:
        at = chance.randint(0, len(data))
        many = chance.choice((1,) * 12 + (3, 3000, 60_000))
        return data[:at] + chance.choice(_SIGNS) * many + data[at:]
    words = list(_WORD.finditer(data))
    if not words:
        return data + chance.choice(_WORDS)
    one, other = chance.choice(words), chance.choice(words)
    match chance.randrange(4):
        case 0:
            new = chance.choice(_WORDS)
        case 1:
            new = other.group()
        case 2:
            new = one.group() * chance.choice((2, 2, 100, 1 + 100_000 // len(one.group())))
        case _:
            new = one.group().swapcase()
    return data[: one.start()] + new + data[one.end() :]


def _line_changed(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, lines[at])
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case 3:
            lines[at] = lines[at].rstrip(b"\r\n")
        case 4:
            lines[at] = b" " + lines[at]
        case _:
            lines[at] *= chance.choice((2, 2, 300, 1 + 150_000 // len(lines[at])))
    return b"".join(lines)
