"""What `strace -f -ttt -yy` wrote, as values.

Lines stand in the order in which strace saw the calls begin and end, over all threads of all
processes, so a call that ended on an earlier line than another one began on was over before it.
Times are not needed for that and are dropped. A call during which another thread did something
stands on two lines, ``<unfinished ...>`` and ``<... resumed>``.

Run strace with `OPTIONS`: file descriptors with what they stand for, and strings long enough to
hold a whole page of the journal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Final

import msgspec

CALLS: Final = (
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2"),
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fsync", "fdatasync"),
    *("sendto", "sendmsg"),
)
"""Whatever changes files or folders, makes them durable, or speaks to somebody else."""

OPTIONS: Final = (
    # The tracer stands aside (-D): the traced program stays its starter's own child.
    *("-D", "-f", "-ttt", "-yy", "-s", "5000", "--seccomp-bpf", "-e", "trace=" + ",".join(CALLS)),
)

NEVER: Final = sys.maxsize
"""Where a call ended that did not."""

_LINE = re.compile(r"(\d+) +[\d.]+ (.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)", re.DOTALL)
_DESCRIPTOR = re.compile(r"\d+<(.*?)>(?=,|$)", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?', re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
_DELETED = " (deleted)"


class NotATrace(ValueError):
    """A line is none of strace's."""


class Call(msgspec.Struct, frozen=True):
    """One system call. `begin` and `end` are line numbers, from 1.

    `result` is None when the call never returned.
    """

    name: str
    thread: int
    arguments: str
    result: int | None
    begin: int
    end: int

    @property
    def worked(self) -> bool:
        """Whether it returned, and no error."""
        return self.result is not None and self.result >= 0

    @property
    def target(self) -> str:
        """What the descriptor in its first argument stands for: a path, a pipe, a connection."""
        found = _DESCRIPTOR.match(self.arguments)
        return found[1].removesuffix(_DELETED) if found else ""

    @property
    def strings(self) -> tuple[bytes, ...]:
        """Its string arguments. Raises `NotATrace` if strace cut one short."""
        found = _STRING.findall(self.arguments)
        if any(cut for _, cut in found):
            raise NotATrace(f"line {self.begin}: a string was cut short; raise strace's -s")
        return tuple(_unescaped(text) for text, _ in found)

    @property
    def paths(self) -> tuple[str, ...]:
        """Its string arguments, where they are paths."""
        return tuple(text.decode() for text in self.strings)

    @property
    def start_of_data(self) -> bytes:
        """What it wrote, or the beginning of it where strace cut it short."""
        found = _STRING.search(self.arguments)
        return _unescaped(found[1]) if found else b""

    @property
    def last_number(self) -> int:
        """Its last argument: the offset of a pwrite64, the length of an ftruncate."""
        return int(self.arguments.rpartition(",")[2])


def parse(lines: Iterable[str]) -> list[Call]:
    """Every call, in the order in which they began. Raises `NotATrace`."""
    calls: list[Call] = []
    open_calls: dict[int, tuple[int, str]] = {}
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            raise NotATrace(f"line {number} is none of strace's: {line[:200]!r}")
        thread, text = int(found[1]), found[2]
        if text.startswith(("+++", "---")):  # the end of a thread; a signal
            continue
        begin = number
        if text.endswith(_UNFINISHED):
            open_calls[thread] = number, text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.fullmatch(text):
            begin, first = open_calls.pop(thread)
            text = first + resumed[2]
        calls.append(_call(thread, text, begin, number))
    calls += [
        _call(thread, f"{text}) = ?", begin, NEVER) for thread, (begin, text) in open_calls.items()
    ]
    return sorted(calls, key=lambda call: call.begin)


def _call(thread: int, text: str, begin: int, end: int) -> Call:
    found = _CALL.match(text)
    if found is None:
        raise NotATrace(f"line {begin} holds no call: {text[:200]!r}")
    name, arguments, result = found.groups()
    if result == "?":
        return Call(name, thread, arguments, None, begin, NEVER)
    return Call(name, thread, arguments, int(result), begin, end)


def _unescaped(text: str) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        code: bytes = match[1]
        if code[:1].isdigit():
            return bytes([int(code, 8)])
        return _NAMED.get(code, code)

    return _ESCAPE.sub(one, text.encode("latin-1"))
